"""Answers that are not what their API promises: an error of the client's dialect, or none at all, never a guess."""

import json

import pytest

from extproc.errors import Uninspectable
from extproc.exchange.classify import DIALECTS
from extproc.exchange.translation.failures import from_anthropic, from_openai, to_anthropic, to_openai
from extproc.exchange.translation.registry import TRANSLATIONS

REQUESTS = {
    "openai-chat": {"model": "m", "messages": []},
    "openai-responses": {"model": "m", "input": "Hi", "tools": [{"type": "custom", "name": "patch"}]},
    "anthropic-messages": {"model": "m", "max_tokens": 9, "messages": []},
}
MINE = [
    ("openai-chat", "anthropic-messages"),
    ("anthropic-messages", "openai-chat"),
    ("openai-responses", "openai-chat"),
    ("openai-responses", "anthropic-messages"),
]
pairs = pytest.mark.parametrize("pair", MINE, ids="-to-".join)


def reply(pair):
    return TRANSLATIONS[pair].answer(DIALECTS[pair[0]].read("chat", REQUESTS[pair[0]]))


@pairs
@pytest.mark.parametrize(
    "body", [b"<html>Bad gateway</html>", b"", b"[]", b"\xff"], ids=["HTML", "none", "list", "bytes"]
)
def test_an_error_that_cannot_be_read_becomes_one_of_its_status(pair, body):
    doc = json.loads(reply(pair).document(502, body))
    assert doc["error"]["message"] == "The upstream answered with status 502 and no readable error."
    assert doc["error"]["type"] == ("api_error" if pair[0] == "anthropic-messages" else "server_error")


@pairs
@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"{}", b'{"content":1,"choices":1}', b'{"content":[1],"choices":[1]}'], ids=repr
)
def test_a_good_status_with_anything_else_is_not_passed_on(pair, body):
    with pytest.raises(Uninspectable):
        reply(pair).document(200, body)


@pairs
@pytest.mark.parametrize("data", [b"hello", b"[1]", b'"text"', b"{"], ids=repr)
def test_an_event_that_is_no_object_is_not_passed_on(pair, data):
    with pytest.raises(Uninspectable):
        reply(pair).feed(b"data: " + data + b"\n\n")


@pairs
def test_an_event_that_broke_off_in_the_middle_is_left_out(pair):
    running = reply(pair)
    running.feed(b'data: {"choices')
    assert running.finish() == b""


@pairs
def test_nothing_at_all_stays_nothing(pair):
    assert reply(pair).finish() == b""


@pytest.mark.parametrize(
    ("pair", "piece"),
    [
        pytest.param(MINE[1], '{"a":1}', id="to Anthropic"),
        pytest.param(MINE[2], '{"a":1}', id="to Responses"),
    ],
)
def test_a_call_that_goes_on_after_its_end_is_not_passed_on(pair, piece):
    running = reply(pair)
    calls = [
        {"index": index, "id": f"c{index}", "function": {"name": "f", "arguments": piece if index < 1 else ""}}
        for index in range(2)
    ]
    late = {"index": 0, "function": {"arguments": "more"}}
    for call in calls:
        running.feed(event({"tool_calls": [call]}))
    with pytest.raises(Uninspectable):
        running.feed(event({"tool_calls": [late]}))


@pytest.mark.parametrize("arguments", ["[1]", '{"input":1}', '{"other":"x"}', "{"], ids=repr)
def test_a_custom_tools_input_that_is_no_text_is_not_passed_on(arguments):
    running = reply(("openai-responses", "openai-chat"))
    running.feed(
        event({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "patch", "arguments": arguments}}]})
    )
    running.feed(event({}, "tool_calls"))
    with pytest.raises(Uninspectable):
        running.feed(b"data: [DONE]\n\n")


def test_a_call_without_a_name_is_not_passed_on():
    with pytest.raises(Uninspectable):
        reply(MINE[1]).feed(event({"tool_calls": [{"index": 0, "id": "c", "function": {"arguments": "{}"}}]}))


@pytest.mark.parametrize("block", [{"type": "tool_use", "id": "t"}, {"type": "tool_use", "id": "t", "name": "f"}])
@pytest.mark.parametrize("pair", [MINE[0], MINE[3]], ids="-to-".join)
def test_a_block_that_begins_twice_or_has_no_name_is_not_passed_on(pair, block):
    running = reply(pair)
    doc = {"type": "content_block_start", "index": 0, "content_block": block}
    data = b"data: " + json.dumps(doc).encode() + b"\n\n"
    with pytest.raises(Uninspectable):
        running.feed(data + data)


def test_the_content_that_mistral_sends_as_pieces_is_read():
    content = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}, {"type": "text", "text": "Yes."}]
    doc = {"id": "c", "choices": [{"message": {"content": content}, "finish_reason": "model_length"}]}
    message = json.loads(reply(MINE[1]).document(200, json.dumps(doc).encode()))
    assert (message["content"], message["stop_reason"]) == ([{"type": "text", "text": "Yes."}], "max_tokens")


def test_what_azures_filters_found_does_not_begin_an_answer_without_an_id():
    running = reply(MINE[1])
    found = {"id": "", "model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    assert running.feed(b"data: " + json.dumps(found).encode() + b"\n\n") == b""
    chunk = {"id": "chatcmpl-7", "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]}
    assert b'"id":"msg_chatcmpl-7"' in running.feed(b"data: " + json.dumps(chunk).encode() + b"\n\n")


@pytest.mark.parametrize(
    ("doc", "status", "message"),
    [
        pytest.param({"error": "broken"}, 500, "broken", id="a bare string"),
        pytest.param({"message": "m", "type": "invalid_request_error"}, 400, "m", id="members at the top"),
        pytest.param({"error": {"message": "m", "code": 503}}, 503, "m", id="a number as code"),
        pytest.param({"error": {"message": "m", "code": "rate_limit_exceeded"}}, 429, "m", id="a word as code"),
        pytest.param(
            {"error": {"message": 1}}, 500, "The upstream answered with status 500 and no readable error.", id="odd"
        ),
    ],
)
def test_what_hosts_of_openais_api_call_an_error(doc, status, message):
    failure = from_openai(doc)
    assert (failure.status, failure.message) == (status, message)


def test_the_status_counts_more_than_the_name_of_an_error():
    assert from_anthropic({"error": {"type": "rate_limit_error", "message": "m"}}, 400).status == 400
    assert from_openai({"error": {"code": "rate_limit_exceeded", "message": "m"}}, 400).status == 400


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 429, 500, 504, 529])
def test_an_error_of_anthropic_keeps_its_kind_there_and_back(status):
    doc = to_anthropic(
        from_openai({"error": to_openai(from_anthropic({"error": {"type": "t", "message": "m"}}, status))}, status)
    )
    assert from_anthropic(doc).status == status


def event(delta, reason=None):
    return (
        b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}).encode() + b"\n\n"
    )
