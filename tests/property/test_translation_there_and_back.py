"""Where the table says that nothing is lost: OpenAI Chat and Anthropic Messages, there and back."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.exchange.classify import DIALECTS
from extproc.exchange.translation.registry import TRANSLATIONS

CHAT, CLAUDE = "openai-chat", "anthropic-messages"
THERE, BACK = TRANSLATIONS[CHAT, CLAUDE], TRANSLATIONS[CLAUDE, CHAT]
PNG, PDF = "iVBORw0KGgo=", "JVBERi0="

words = st.text(st.sampled_from('aé"\\{}[],: \n\U0001f511'), max_size=8).map("a".__add__)
inputs = st.dictionaries(words, st.none() | st.booleans() | st.integers(-5, 5) | words, max_size=3)
calls = st.lists(st.tuples(st.sampled_from(["weather", "time"]), inputs), max_size=3)
schemas = st.dictionaries(words, st.just({"type": "string"}), max_size=2).map(
    lambda members: {
        "type": "object",
        "properties": members,
        "required": sorted(members),
        "additionalProperties": False,
    }
)


def passed(pair, doc):
    """`doc` as the pair's upstream gets it, which must be all that it says."""
    translated = TRANSLATIONS[pair].request(DIALECTS[pair[0]].read("chat", doc), "m")
    assert translated.dropped == ()
    return json.loads(json.dumps(translated.doc))


@st.composite
def claude_requests(draw):
    """Requests of Anthropic's of which the other side has every word. Texts are blocks, because both spellings mean
    the same."""
    messages = []
    for number in range(draw(st.integers(1, 3))):
        asked = [{"type": "text", "text": draw(words)}]
        if draw(st.booleans()):
            asked.append({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}})
        if draw(st.booleans()):
            asked.append({"type": "image", "source": {"type": "url", "url": "https://a.example/b.jpg"}})
        if draw(st.booleans()):
            source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
            asked.append({"type": "document", "source": source, "title": draw(words)})
        messages.append({"role": "user", "content": asked})
        used = [{"type": "tool_use", "id": f"toolu_{number}_{index}", "name": name, "input": value}
                for index, (name, value) in enumerate(draw(calls))]  # fmt: skip
        messages.append({"role": "assistant", "content": [{"type": "text", "text": draw(words)}, *used]})
        results = [{"type": "tool_result", "tool_use_id": block["id"], "content": draw(words)} for block in used]
        if results:
            messages.append({"role": "user", "content": results})
            messages.append({"role": "assistant", "content": [{"type": "text", "text": draw(words)}]})
    doc = {"model": "m", "max_tokens": draw(st.integers(1, 99)), "messages": messages}
    if draw(st.booleans()):
        doc["system"] = [{"type": "text", "text": draw(words)} for _ in range(draw(st.integers(1, 2)))]
    if draw(st.booleans()):
        doc["tools"] = [
            {"name": name, "description": draw(words), "input_schema": draw(schemas), "strict": draw(st.booleans())}
            for name in ("weather", "time")
        ]
        choices = [{"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "time"}]
        doc["tool_choice"] = {**draw(st.sampled_from(choices)), "disable_parallel_tool_use": True}
        doc["tool_choice"] = draw(st.sampled_from([doc["tool_choice"], {"type": "none"}]))
    for name, value in (("temperature", 0.5), ("top_p", 0.9), ("stop_sequences", ["END", "STOP"]), ("stream", True),
                        ("metadata", {"user_id": "u"})):  # fmt: skip
        if draw(st.booleans()):
            doc[name] = value
    output = {"effort": draw(st.sampled_from(["low", "medium", "high", "xhigh", "max"]))} if draw(st.booleans()) else {}
    if draw(st.booleans()):
        doc["output_config"] = {**output, "format": {"type": "json_schema", "schema": draw(schemas)}}
    elif output:
        doc["output_config"] = output
    elif draw(st.booleans()):
        doc["thinking"] = {"type": "disabled"}
    return doc


@settings(max_examples=300, deadline=None)
@given(claude_requests())
@pytest.mark.promise("translation.there-and-back")
def test_a_request_of_anthropics_comes_back_as_it_was(doc):
    middle = passed((CLAUDE, CHAT), doc)
    assert middle.get("stream", False) is doc.get("stream", False)
    if "response_format" in middle:  # one API has a name for the schema, the other has none
        assert middle["response_format"]["json_schema"].pop("name") == "answer"
        middle["response_format"]["json_schema"]["name"] = "answer"
    translated = THERE.request(DIALECTS[CHAT].read("chat", middle), "m")
    assert set(translated.dropped) <= {"response_format.json_schema.name"}
    assert json.loads(json.dumps(translated.doc)) == doc


@st.composite
def chat_requests(draw):
    """What the other test of chat requests (beside the streams) does not have: pictures, files, schemas, streams."""
    messages = []
    for _ in range(draw(st.integers(1, 3))):
        parts = [{"type": "text", "text": draw(words)}]
        if draw(st.booleans()):
            parts.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}})
        if draw(st.booleans()):
            parts.append({"type": "image_url", "image_url": {"url": "https://a.example/b.jpg"}})
        if draw(st.booleans()):
            file = {"filename": draw(words), "file_data": f"data:application/pdf;base64,{PDF}"}
            parts.append({"type": "file", "file": file})
        messages.append({"role": "user", "content": parts if len(parts) > 1 else parts[0]["text"]})
        messages.append({"role": "assistant", "content": draw(words)})
    doc = {"model": "m", "messages": messages, "max_completion_tokens": draw(st.integers(1, 99))}
    if draw(st.booleans()):
        schema = {"name": "answer", "schema": draw(schemas), "strict": True}
        doc["response_format"] = {"type": "json_schema", "json_schema": schema}
    if draw(st.booleans()):
        doc["tools"] = [{"type": "function", "function": {"name": "f", "parameters": draw(schemas), "strict": True}}]
        doc["tool_choice"] = draw(st.sampled_from(["auto", "none", "required"]))
    if draw(st.booleans()):
        doc |= {"stream": True, "stream_options": {"include_usage": True}}
    return doc


@settings(max_examples=200, deadline=None)
@given(chat_requests())
@pytest.mark.promise("translation.there-and-back")
def test_a_request_of_openais_with_pictures_and_schemas_comes_back_as_it_was(doc):
    translated = THERE.request(DIALECTS[CHAT].read("chat", doc), "m")
    assert set(translated.dropped) <= {"response_format.json_schema.name"}
    assert passed((CLAUDE, CHAT), json.loads(json.dumps(translated.doc))) == doc


@st.composite
def answers(draw):
    """Text, calls, stop and usage, which both APIs have. The input is what was fresh, read and written."""
    called = [(f"call_{index}", name, value) for index, (name, value) in enumerate(draw(calls))]
    text = draw(words) if not called or draw(st.booleans()) else ""
    stop = "tool_calls" if called else draw(st.sampled_from(["stop", "length", "content_filter"]))
    read, written, fresh = (draw(st.integers(0, 9)) for _ in range(3))
    output = draw(st.integers(1, 9))
    return text, called, stop, read, written, fresh, output, draw(st.integers(0, output))


STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


def as_chat(answer):
    text, called, stop, read, written, fresh, output, reasoned = answer
    message = {"role": "assistant", "content": text or None, "refusal": None}
    if called:
        message["tool_calls"] = [
            {"id": key, "type": "function", "function": {"name": name, "arguments": compact(value)}}
            for key, name, value in called
        ]
    usage = {
        "prompt_tokens": fresh + read + written, "completion_tokens": output,
        "total_tokens": fresh + read + written + output,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": reasoned},
    }  # fmt: skip
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": stop}
    return {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}


def as_claude(answer):
    text, called, stop, read, written, fresh, output, reasoned = answer
    blocks = [{"type": "text", "text": text}] if text else []
    blocks += [{"type": "tool_use", "id": key, "name": name, "input": value} for key, name, value in called]
    usage = {
        "input_tokens": fresh, "cache_creation_input_tokens": written, "cache_read_input_tokens": read,
        "output_tokens": output, "output_tokens_details": {"thinking_tokens": reasoned},
    }  # fmt: skip
    return {
        "id": "x", "type": "message", "role": "assistant", "model": "m", "content": blocks,
        "stop_reason": STOPS[stop], "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def told(translation, doc):
    request = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    request |= {"max_tokens": 9} if translation.source == CLAUDE else {}
    call = DIALECTS[translation.source].read("chat", request)
    return json.loads(translation.answer(call).document(200, json.dumps(doc).encode()))


@settings(max_examples=300, deadline=None)
@given(answers())
@pytest.mark.promise("translation.there-and-back")
def test_an_answer_says_in_one_api_what_it_says_in_the_other(answer):
    chat, claude = as_chat(answer), as_claude(answer)
    assert told(BACK, chat) == {**claude, "id": "msg_x"}
    assert told(THERE, claude) == {**chat, "id": "chatcmpl-x"}
    assert told(THERE, told(BACK, chat)) == {**chat, "id": "chatcmpl-msg_x"}
