"""Every registered pair: a stream cut at every byte tells the same, one that breaks off stays visibly unfinished, and
an error in its middle is the client's own."""

import json
import random
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.exchange import frame_answer, sse
from extproc.exchange.classify import DIALECTS
from extproc.exchange.model import Place
from extproc.exchange.translation.registry import TRANSLATIONS

ASKED = [{"role": "user", "content": "Hi"}]
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
REQUESTS = {
    "openai-chat": {"model": "m", "messages": ASKED, "stream": True, "stream_options": {"include_usage": True}},
    "openai-responses": {"model": "m", "input": "Hi", "stream": True},
    "openai-completions": {"model": "m", "prompt": "Hi", "stream": True},
    "openai-embeddings": {"model": "m", "input": "Hi"},
    "anthropic-messages": {
        "model": "m", "max_tokens": 9, "messages": ASKED, "stream": True, "thinking": {"type": "adaptive"},
    },
    "gemini": CONTENTS,
    "vertex-gemini": CONTENTS,
}  # fmt: skip
SAME = {pair for pair in TRANSLATIONS if pair[1].startswith("azure") or "vertex" in pair[1] or "gemini" in pair[0]}
SAME -= {pair for pair in SAME if pair[1] == "vertex-gemini" and pair[0] != "gemini"}
TRANSLATED = [pair for pair in TRANSLATIONS if pair not in SAME]
ENDS = (b"[DONE]", b"message_stop", b'"stop_reason":"', b"response.completed", b"response.incomplete",
        b'"finish_reason":"')  # fmt: skip
MESSAGE = "Too much, just now: größer."


def data(doc, name=""):
    return sse.encode(name, json.dumps(doc).encode())


def chat():
    """(before the stop reason, from it on, an error)"""
    head = {"id": "c1", "object": "chat.completion.chunk", "model": "upstream"}

    def delta(**members):
        return data({**head, "choices": [{"index": 0, "delta": members, "finish_reason": None}]})

    def call(index, arguments, **members):
        return delta(tool_calls=[{"index": index, **members, "function": {**members.pop("function", {}), **arguments}}])

    opened = [{"id": f"call_{index}", "type": "function", "function": {"name": name}}
              for index, name in enumerate(("weather", "time"))]  # fmt: skip
    before = [
        b": hello\n\n", delta(role="assistant", content=""), delta(reasoning_content="Let me "),
        delta(reasoning_content="think."), b": ping\n\n", delta(content="Hä"), delta(content='l"lo\n\U0001f511'),
        delta(tool_calls=[{"index": 0, **opened[0], "function": {"name": "weather", "arguments": ""}}]),
        delta(tool_calls=[{"index": 1, **opened[1], "function": {"name": "time", "arguments": ""}}]),
        call(1, {"arguments": '{"at":'}), call(0, {"arguments": '{"city": "K\\u00f6'}), call(1, {"arguments": " 1}"}),
        call(0, {"arguments": 'ln"}'}),
    ]  # fmt: skip
    usage = {"prompt_tokens": 15, "completion_tokens": 5, "total_tokens": 20,
             "prompt_tokens_details": {"cached_tokens": 3}}  # fmt: skip
    end = [data({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
           data({**head, "choices": [], "usage": usage}), b"data: [DONE]\n\n"]  # fmt: skip
    error = {"message": MESSAGE, "type": "requests", "code": "rate_limit_exceeded", "param": None}
    return before, end, data({"error": error})


def claude_events():
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "upstream", "content": []}
    usage = {"input_tokens": 10, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2, "output_tokens": 1}
    events = [{"type": "message_start", "message": {**message, "usage": usage}}, {"type": "ping"}]
    blocks = [
        ({"type": "thinking", "thinking": "", "signature": ""},
         [{"type": "thinking_delta", "thinking": "Let me think."}, {"type": "signature_delta", "signature": "c2ln"}]),
        ({"type": "redacted_thinking", "data": "eHg="}, []),
        ({"type": "text", "text": ""},
         [{"type": "text_delta", "text": "Hä"}, {"type": "text_delta", "text": 'l"lo\n\U0001f511'}]),
        ({"type": "tool_use", "id": "toolu_0", "name": "weather", "input": {}},
         [{"type": "input_json_delta", "partial_json": ""}, {"type": "input_json_delta", "partial_json": '{"city": "K'},
          {"type": "input_json_delta", "partial_json": '\\u00f6ln"}'}]),
        ({"type": "tool_use", "id": "toolu_1", "name": "time", "input": {}},
         [{"type": "input_json_delta", "partial_json": '{"at":1}'}]),
    ]  # fmt: skip
    for index, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events += [{"type": "ping"}, {"type": "content_block_stop", "index": index}]
    stop = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}}
    error = {"type": "error", "error": {"type": "overloaded_error", "message": MESSAGE}}
    return events, [stop, {"type": "message_stop"}], error


def claude():
    before, end, error = claude_events()
    return [data(doc, doc["type"]) for doc in before], [data(doc, doc["type"]) for doc in end], data(error, "error")


def invoke():
    def chunk(doc):
        inner = b64encode(json.dumps(doc).encode()).decode()
        return frame_answer.event("chunk", {"bytes": inner, "p": "abcdef"})

    before, end, _ = claude_events()
    end[-1] = {**end[-1], "amazon-bedrock-invocationMetrics": {"inputTokenCount": 10, "outputTokenCount": 5}}
    error = frame_answer.exception("throttlingException", {"message": MESSAGE})
    return [chunk(doc) for doc in before], [chunk(doc) for doc in end], error


def converse():
    blocks = [
        (None, [{"reasoningContent": {"text": "Let me think."}}, {"reasoningContent": {"signature": "c2ln"}}]),
        (None, [{"text": "Hä"}, {"text": 'l"lo\n\U0001f511'}]),
        ({"toolUseId": "t_0", "name": "weather"},
         [{"toolUse": {"input": '{"city": "K'}}, {"toolUse": {"input": '\\u00f6ln"}'}}]),
        ({"toolUseId": "t_1", "name": "time"}, [{"toolUse": {"input": '{"at":1}'}}]),
    ]  # fmt: skip
    before = [frame_answer.event("messageStart", {"role": "assistant"})]
    for index, (opened, deltas) in enumerate(blocks):
        where = {"contentBlockIndex": index}
        if opened:
            before.append(frame_answer.event("contentBlockStart", {**where, "start": {"toolUse": opened}}))
        before += [frame_answer.event("contentBlockDelta", {**where, "delta": delta, "p": "ab"}) for delta in deltas]
        before.append(frame_answer.event("contentBlockStop", where))
    usage = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15, "cacheReadInputTokens": 3,
             "cacheWriteInputTokens": 2}  # fmt: skip
    end = [frame_answer.event("messageStop", {"stopReason": "tool_use"}),
           frame_answer.event("metadata", {"usage": usage, "metrics": {"latencyMs": 1}})]  # fmt: skip
    return before, end, frame_answer.exception("throttlingException", {"message": MESSAGE})


def gemini():
    def chunk(*parts, **more):
        candidate = {"content": {"role": "model", "parts": list(parts)}, **more.pop("candidate", {})}
        return data({"candidates": [candidate], "responseId": "R1", "modelVersion": "g", **more})

    before = [
        chunk({"text": "Let me ", "thought": True}), b": ping\n\n", chunk({"text": "think.", "thought": True}),
        chunk({"text": "Hä"}), chunk({"text": 'l"lo\n\U0001f511'}, usageMetadata={"promptTokenCount": 10}),
        chunk({"functionCall": {"name": "weather", "args": {"city": "Köln"}}, "thoughtSignature": "ab+/cQ=="}),
    ]  # fmt: skip
    usage = {"promptTokenCount": 15, "cachedContentTokenCount": 3, "candidatesTokenCount": 4, "thoughtsTokenCount": 1}
    call = {"functionCall": {"id": "g1", "name": "time", "args": {"at": 1}}}
    end = [chunk(call, candidate={"finishReason": "STOP"}, usageMetadata=usage)]
    return before, end, data({"error": {"code": 429, "message": MESSAGE, "status": "RESOURCE_EXHAUSTED"}})


STREAMS = {"openai-chat": chat, "anthropic-messages": claude, "bedrock-invoke": invoke, "bedrock-converse": converse,
           "gemini": gemini, "vertex-gemini": gemini}  # fmt: skip
pairs = pytest.mark.parametrize("pair", TRANSLATED, ids="-to-".join)


def reply(pair):
    place = Place("m", True) if "gemini" in pair[0] else Place()
    call = DIALECTS[pair[0]].read("chat", REQUESTS[pair[0]], place)
    return TRANSLATIONS[pair].answer(call)


def told(pair, *chunks):
    running = reply(pair)
    return b"".join([running.feed(chunk) for chunk in chunks]) + running.finish()


def events(out):
    reader = sse.SseReader()
    found = [event for event in reader.feed(out) if event.data is not None]
    assert reader.finish() == []
    return [(event.event, json.loads(event.data)) for event in found if event.data != b"[DONE]"]


def test_every_pair_is_here_and_its_target_has_a_stream():
    assert {target for _, target in TRANSLATED} <= STREAMS.keys()
    assert len(TRANSLATED) + len(SAME) == len(TRANSLATIONS)
    assert {source for source, _ in TRANSLATED} == {"openai-chat", "openai-responses", "anthropic-messages"}


@pairs
@pytest.mark.promise("translation.cuts")
def test_every_cut_in_two_and_every_byte_alone_tell_the_same(pair):
    before, end, _ = STREAMS[pair[1]]()
    wire = b"".join(before + end)
    whole = told(pair, wire)
    assert any(mark in whole for mark in ENDS)
    for cut in range(len(wire) + 1):
        assert told(pair, wire[:cut], wire[cut:]) == whole, cut
    assert told(pair, *[wire[at : at + 1] for at in range(len(wire))]) == whole


@pairs
def test_a_failing_stream_cut_anywhere_tells_the_same(pair):
    before, _, error = STREAMS[pair[1]]()
    half = b"".join(before[: len(before) // 2])
    wire = half + error
    whole = told(pair, wire)
    for cut in range(len(half) - 3, len(wire) + 1):
        assert told(pair, wire[:cut], wire[cut:]) == whole, cut
    assert told(pair, *[wire[at : at + 1] for at in range(len(wire))]) == whole


@pairs
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
@pytest.mark.promise("translation.cuts")
def test_any_cuts_tell_the_same(pair, seed):
    before, end, _ = STREAMS[pair[1]]()
    wire = b"".join(before + end)
    chance = random.Random(seed)
    cuts = sorted(chance.randrange(len(wire) + 1) for _ in range(chance.randrange(40)))
    chunks = [wire[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
    assert told(pair, *chunks) == told(pair, wire)


@pairs
def test_a_stream_that_breaks_off_anywhere_is_a_beginning_without_an_end(pair):
    before, end, _ = STREAMS[pair[1]]()
    wire = b"".join(before + end)
    whole = told(pair, wire)
    last = len(b"".join(before)) + len(end[0]) - len(b"}\n\n")  # of the event that says why it ended, not all came
    for cut in range(last):
        out = told(pair, wire[:cut])
        assert whole.startswith(out), cut
        assert not any(mark in out for mark in ENDS), cut
        events(out)  # no event is half


@pairs
def test_an_error_in_the_middle_is_the_clients_own_and_nothing_ends_after_it(pair):
    before, end, error = STREAMS[pair[1]]()
    out = told(pair, b"".join(before), error, b"".join(end[1:]))
    assert not any(mark in out for mark in ENDS)
    assert told(pair, b"".join(before + end)).startswith(told(pair, b"".join(before)))
    failed = [(name, doc) for name, doc in events(out) if MESSAGE in json.dumps(doc, ensure_ascii=False)]
    if pair[0] == "openai-chat":
        assert [doc["error"]["message"] for _, doc in failed] == [MESSAGE]
    elif pair[0] == "anthropic-messages":
        assert [(name, doc["type"], doc["error"]["message"]) for name, doc in failed] == [("error", "error", MESSAGE)]
    else:
        assert [name for name, _ in failed] == ["error", "response.failed"]
        assert failed[1][1]["response"]["status"] == "failed"


@pairs
def test_calls_side_by_side_reasoning_and_late_usage_all_arrive(pair):
    before, end, _ = STREAMS[pair[1]]()
    found = [doc for _, doc in events(told(pair, b"".join(before + end)))]
    seen = {"openai-chat": of_chat, "anthropic-messages": of_claude, "openai-responses": of_responses}[pair[0]](found)
    assert seen == ("Let me think.", 'Häl"lo\n\U0001f511', [("weather", {"city": "Köln"}), ("time", {"at": 1})], 15, 5)


def of_chat(docs):
    text, thought, calls = "", "", {}
    for doc in docs:
        for choice in doc["choices"]:
            text += choice["delta"].get("content") or ""
            thought += choice["delta"].get("reasoning_content") or ""
            for call in choice["delta"].get("tool_calls", []):
                known = calls.setdefault(call["index"], [call["function"].get("name"), ""])
                known[1] += call["function"]["arguments"]
    usage = docs[-1]["usage"]
    called = [(name, json.loads(given)) for _, (name, given) in sorted(calls.items())]
    return thought, text, called, usage["prompt_tokens"], usage["completion_tokens"]


def of_claude(docs):
    text, thought, calls, usage = "", "", {}, {}
    for doc in docs:
        if doc["type"] == "content_block_start" and doc["content_block"]["type"] == "tool_use":
            calls[doc["index"]] = [doc["content_block"]["name"], ""]
        elif doc["type"] == "content_block_delta":
            text += doc["delta"].get("text", "")
            thought += doc["delta"].get("thinking", "")
            if "partial_json" in doc["delta"]:
                calls[doc["index"]][1] += doc["delta"]["partial_json"]
        usage |= doc.get("message", {}).get("usage", {}) | doc.get("usage", {})
    read = usage["input_tokens"] + usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"]
    return thought, text, [(name, json.loads(given)) for name, given in calls.values()], read, usage["output_tokens"]


def of_responses(docs):
    final = docs[-1]["response"]
    kinds = {kind: [item for item in final["output"] if item["type"] == kind] for kind in
             ("reasoning", "message", "function_call")}  # fmt: skip
    thought = "".join(part["text"] for item in kinds["reasoning"] for part in item["summary"])
    text = "".join(part["text"] for item in kinds["message"] for part in item["content"])
    calls = [(item["name"], json.loads(item["arguments"])) for item in kinds["function_call"]]
    return thought, text, calls, final["usage"]["input_tokens"], final["usage"]["output_tokens"]


@pytest.mark.parametrize("pair", sorted(SAME), ids="-to-".join)
@settings(max_examples=20, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=5))
def test_where_the_bodies_are_the_same_every_chunk_passes_at_once(pair, chunks):
    running = reply(pair)
    assert [running.feed(chunk) for chunk in chunks] == chunks
    assert running.finish() == b""
