"""The texts of a request, wherever a dialect lets them hide, and what is no text."""

import base64
import json
from typing import Any

import pytest

from extproc.exchange import texts

SECRET = "4111 1111 1111 1111"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
NOTE = ("binary-not-inspected",)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def said(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content, **more}]}


def called(arguments: str) -> dict[str, Any]:
    return said("assistant", None, tool_calls=[{"id": "1", "function": {"name": "pay", "arguments": arguments}}])


def sees(doc: dict[str, Any], wanted: str = SECRET) -> bool:
    return any(wanted in text for text in texts.of(doc)[0])


@pytest.mark.parametrize(
    "doc",
    [
        pytest.param({"system": SECRET}, id="Anthropic's system"),
        pytest.param({"system": [{"type": "text", "text": SECRET}]}, id="Anthropic's system in blocks"),
        pytest.param(said("user", SECRET), id="a message"),
        pytest.param(said("user", [{"type": "text", "text": SECRET}]), id="a message in parts"),
        pytest.param(said("user", [{"type": "tool_result", "content": [{"text": SECRET}]}]), id="a tool's result"),
        pytest.param(said("assistant", [{"type": "tool_use", "input": {"a": [SECRET]}}]), id="a tool's input"),
        pytest.param(said("assistant", [{"type": "tool_use", "input": {SECRET: None}}]), id="a key above null"),
        pytest.param(said("assistant", [{"type": "tool_use", "input": {SECRET: {}}}]), id="a key above nothing"),
        pytest.param(said("assistant", [{"type": "tool_use", "input": {SECRET: {"text": 1}}}]), id="a key above more"),
        pytest.param(
            said("assistant", [{"type": "tool_use", "input": {"a" * 99 + SECRET + "b" * 99: "x"}}]), id="a long key"
        ),
        pytest.param(called('{"card": "' + SECRET + '"}'), id="a tool's arguments"),
        pytest.param(called('{"card": "\\u0034111 1111 1111 1111"}'), id="arguments with escapes"),
        pytest.param(
            called(json.dumps({"a": json.dumps({"b": '{"card": "\\u0034111 1111 1111 1111"}'})})),
            id="JSON texts inside a JSON text",
        ),
        pytest.param(called('{"card": "' + SECRET + '"} \\'), id="arguments that are no JSON"),
        pytest.param({"input": [{"type": "function_call_output", "output": SECRET}]}, id="a Responses output"),
        pytest.param({"contents": [{"parts": [{"functionResponse": {"response": {"r": SECRET}}}]}]}, id="Gemini"),
        pytest.param({"tools": [{"function": {"description": SECRET}}]}, id="a tool's definition"),
        pytest.param({"tools": [{"function": {"parameters": {"properties": {SECRET: {}}}}}]}, id="a parameter's name"),
        pytest.param({"invented": {"tomorrow": [[SECRET]]}}, id="an unknown field"),
        pytest.param({"messages": [{"content": [{"bytes": SECRET}]}]}, id="text where bytes should be"),
        pytest.param({"file_data": b64(f"name;card\nAda;{SECRET}\n".encode())}, id="a text file"),
        pytest.param({"file_data": b64(f"name;card\nAd\u00e9;{SECRET}\n".encode("latin-1"))}, id="an old text file"),
        pytest.param({"data": b64(f"card {SECRET}".encode("utf-16"))}, id="a file in UTF-16"),
        pytest.param({"data": b64(("中文" * 2_000 + SECRET).encode())}, id="a long text in another script"),
        pytest.param({"url": "data:text/csv;base64," + b64(f"a;{SECRET}".encode())}, id="a text in a data URL"),
        pytest.param({"url": "data:text/plain,4111%201111%201111%201111"}, id="a data URL with escapes"),
        pytest.param({"url": "data:;base64," + SECRET}, id="a data URL that is a text"),
        pytest.param({"url": "data: " + SECRET}, id="a text that begins like a data URL"),
        pytest.param({"messages": ["data:" + SECRET]}, id="the same in a list"),
    ],
)
def test_a_secret_is_seen_in(doc: dict[str, Any]) -> None:
    assert sees(doc)


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        pytest.param(4111111111111111, "4111111111111111", id="an integer"),
        pytest.param(4111111111111111.0, "4111111111111111", id="a whole float"),
        pytest.param(0.25, "0.25", id="a fraction"),
    ],
)
def test_numbers_are_texts_too(value: float, seen: str) -> None:
    assert sees({"input": {"card": value}}, f"card: {seen}")
    assert sees({"input": {"cards": [value]}}, f"cards: {seen}")


@pytest.mark.parametrize(
    "doc",
    [
        pytest.param({"input": {"ssn": "536904399"}}, id="a key"),
        pytest.param({"input": {"ssn": ["536904399"]}}, id="a list's key"),
        pytest.param({"input": {"ssn": {"text": "536904399"}}}, id="a key above a key of the API"),
        pytest.param(called('{"ssn": "\\u003536904399"}'), id="a key in a tool's arguments"),
    ],
)
def test_the_word_that_says_what_a_value_is_stands_near_it(doc: dict[str, Any]) -> None:
    assert any("ssn" in text and "536904399" in text for text in texts.of(doc)[0])


@pytest.mark.parametrize(
    "doc",
    [
        pytest.param(
            {"source": {"type": "base64", "media_type": "image/png", "data": b64(PNG)}}, id="Anthropic's image"
        ),
        pytest.param({"inlineData": {"mimeType": "image/png", "data": b64(PNG)}}, id="Gemini's image"),
        pytest.param({"image": {"format": "png", "source": {"bytes": b64(PNG)}}}, id="Bedrock's image"),
        pytest.param({"image_url": {"url": "data:image/png;base64," + b64(PNG)}}, id="OpenAI's image"),
        pytest.param({"images": [b64(PNG)]}, id="Ollama's image"),
    ],
)
def test_binary_data_is_left_out_with_a_note(doc: dict[str, Any]) -> None:
    found, notes = texts.of(doc)
    assert notes == NOTE
    assert not any(b64(PNG)[100:200] in text for text in found)


def test_base64_where_no_api_puts_any_is_read_as_it_stands() -> None:
    found, notes = texts.of({"content": b64(PNG)})
    assert notes == ()
    assert found == [b64(PNG)]


def test_a_plain_chat_has_no_notes() -> None:
    found, notes = texts.of({"model": "gpt-4", **said("user", "Hi")})
    assert notes == ()
    assert set(found) >= {"gpt-4", "user", "Hi"}


def test_depth_is_no_matter() -> None:
    doc: Any = SECRET
    for _ in range(100_000):
        doc = [doc]
    assert sees({"content": doc})
    json_text = "[" * 100_000 + '"\\n"' + "]" * 100_000
    assert sees({"content": json_text}, json_text)


def test_json_texts_end_somewhere() -> None:
    text = SECRET
    for _ in range(14):
        text = json.dumps([text])
    assert sees({"content": text})
