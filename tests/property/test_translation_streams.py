"""A translated stream says what the translated document says, and a request keeps its meaning there and back."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.exchange import sse
from extproc.exchange.classify import DIALECTS
from extproc.exchange.translation.registry import TRANSLATIONS

texts = st.text(st.sampled_from('aé"\\{}[],: \n\U0001f511'), max_size=12).map("a".__add__)
inputs = st.dictionaries(texts, st.none() | st.booleans() | st.integers(-5, 5) | texts, max_size=3)
calls = st.lists(st.tuples(st.sampled_from(["weather", "time", "patch"]), inputs), max_size=3)
REQUESTS = {
    "openai-chat": {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True},
    "openai-responses": {"model": "m", "input": "Hi", "stream": True},
    "anthropic-messages": {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
        "thinking": {"type": "adaptive"},
        "stream": True,
    },
}
TOOL = {"type": "custom", "name": "patch"}


def pieces(draw, whole):
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


@st.composite
def answers(draw, target):
    """The same answer as a document and as a stream in chunks."""
    thought, said, called = draw(st.just("") | texts), draw(st.just("") | texts), draw(calls)
    written = [json.dumps(given, ensure_ascii=draw(st.booleans())) for _, given in called]
    if target == "openai-chat":
        doc, events = chat(draw, thought, said, called, written)
    else:
        doc, events = anthropic(draw, thought, said, called, written)
    stream = b"".join(sse.encode(doc.get("type", ""), json.dumps(doc).encode()) for doc in events)
    return doc, pieces(draw, stream)


def chat(draw, thought, said, called, written):
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    whole = [
        {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": text}}
        for index, ((name, _), text) in enumerate(zip(called, written, strict=True))
    ]
    message = {"role": "assistant", "content": said or None, "reasoning_content": thought or None, "tool_calls": whole}
    reason = "tool_calls" if called else "stop"
    doc = {"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": usage}
    deltas = [{"reasoning_content": piece} for piece in pieces(draw, thought)]
    deltas += [{"content": piece} for piece in pieces(draw, said)]
    for index, call in enumerate(whole):
        opened = {**call, "index": index, "function": {"name": call["function"]["name"], "arguments": ""}}
        deltas.append({"tool_calls": [opened]})
    order = draw(st.permutations([index for index, text in enumerate(written) for _ in range(2)]))
    halves = {index: [text[: len(text) // 2], text[len(text) // 2 :]] for index, text in enumerate(written)}
    deltas += [{"tool_calls": [{"index": index, "function": {"arguments": halves[index].pop(0)}}]} for index in order]
    events = [{"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    events.append({"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    return doc, [*events, {"id": "c", "choices": [], "usage": usage}]


def anthropic(draw, thought, said, called, written):
    blocks = []
    if thought:
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(draw, thought)]
        deltas.append({"type": "signature_delta", "signature": "c2ln"})
        block = {"type": "thinking", "thinking": thought, "signature": "c2ln"}
        blocks.append((block, {**block, "thinking": "", "signature": ""}, deltas))
    if said:
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces(draw, said)]
        blocks.append(({"type": "text", "text": said}, {"type": "text", "text": ""}, deltas))
    for index, ((name, value), text) in enumerate(zip(called, written, strict=True)):
        block = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": value}
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces(draw, text)]
        blocks.append((block, {**block, "input": {}}, deltas))
    reason = "tool_use" if called else "end_turn"
    message = {
        "id": "c",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [block for block, _, _ in blocks],
    }
    doc = {**message, "stop_reason": reason, "usage": {"input_tokens": 3, "output_tokens": 2}}
    started = {**message, "content": [], "usage": {"input_tokens": 3, "output_tokens": 1}}
    events = [{"type": "message_start", "message": started}]
    for index, (_, opened, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": opened})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 2}})
    return doc, [*events, {"type": "message_stop"}]


def told(pair, answer):
    """What the client knows at the end: from the document, and from the stream."""
    doc, chunks = answer
    request = dict(REQUESTS[pair[0]])
    if pair[0] == "openai-responses":
        request["tools"] = [{"type": "function", "name": "weather"}, {"type": "function", "name": "time"}]
    call = DIALECTS[pair[0]].read("chat", request)
    translation = TRANSLATIONS[pair]
    translation.request(call, "upstream")
    whole = json.loads(translation.answer(call).document(200, json.dumps(doc).encode()))
    reply = translation.answer(call)
    out = b"".join(reply.feed(chunk) for chunk in chunks) + reply.finish()
    reader = sse.SseReader()
    events = [json.loads(event.data) for event in reader.feed(out) if event.data and event.data != b"[DONE]"]
    assert not reader.finish()
    return whole, {"openai-chat": fold_chat, "anthropic-messages": fold_anthropic, "openai-responses": fold_responses}[
        pair[0]
    ](events)


def fold_chat(events):
    message, found, reason = {"content": "", "reasoning_content": ""}, {}, None
    for event in events:
        for choice in event["choices"]:
            reason = choice["finish_reason"] or reason
            for key in message:
                message[key] += choice["delta"].get(key, "")
            for piece in choice["delta"].get("tool_calls", []):
                if "id" in piece:
                    found[piece["index"]] = piece
                else:
                    found[piece["index"]]["function"]["arguments"] += piece["function"]["arguments"]
    return seen_chat({**message, "tool_calls": list(found.values())}, reason)


def seen_chat(message, reason):
    tools = [
        (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in message.get("tool_calls") or []
    ]
    return message.get("content") or "", message.get("reasoning_content") or "", tools, reason


def fold_anthropic(events):
    blocks, open_block = [], None
    for event in events:
        if event["type"] == "content_block_start":
            assert open_block is None
            open_block = event["index"]
            assert open_block == len(blocks)
            blocks.append({**event["content_block"], "json": ""})
        elif event["type"] == "content_block_delta":
            assert event["index"] == open_block
            for source, key in (("text", "text"), ("thinking", "thinking"), ("partial_json", "json")):
                if source in event["delta"]:
                    blocks[-1][key] += event["delta"][source]
        elif event["type"] == "content_block_stop":
            assert event["index"] == open_block
            open_block = None
    assert open_block is None
    for block in blocks:
        written = block.pop("json")
        if block["type"] == "tool_use":
            block["input"] = json.loads(written or "{}")
    ends = [event for event in events if event["type"] == "message_delta"]
    return blocks, ends[0]["delta"]["stop_reason"], ends[0]["usage"]


def fold_responses(events):
    done = {event["output_index"]: event["item"] for event in events if event["type"] == "response.output_item.done"}
    final = events[-1]["response"]
    assert [done[index] for index in sorted(done)] == final["output"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    return final


@settings(max_examples=150, deadline=None)
@given(answers("anthropic-messages"))
def test_chat_from_anthropic(answer):
    whole, streamed = told(("openai-chat", "anthropic-messages"), answer)
    choice = whole["choices"][0]
    assert seen_chat(choice["message"], choice["finish_reason"]) == streamed
    _, _, called, _ = streamed
    blocks = [block for block in answer[0]["content"] if block["type"] == "tool_use"]
    assert called == [(block["id"], block["name"], block["input"]) for block in blocks]


@settings(max_examples=150, deadline=None)
@given(answers("openai-chat"))
def test_anthropic_from_chat_with_calls_that_grow_side_by_side(answer):
    whole, (blocks, stop, usage) = told(("anthropic-messages", "openai-chat"), answer)
    assert (whole["content"], whole["stop_reason"], whole["usage"]) == (blocks, stop, usage)


@settings(max_examples=150, deadline=None)
@given(answers("anthropic-messages"))
def test_responses_from_anthropic(answer):
    whole, streamed = told(("openai-responses", "anthropic-messages"), answer)
    for response in (whole, streamed):  # how an input is spelled is not what it says
        for item in response["output"]:
            if item["type"] == "function_call":
                item["arguments"] = json.loads(item["arguments"])
    assert whole == streamed


@settings(max_examples=150, deadline=None)
@given(answers("openai-chat"))
def test_responses_from_chat_with_calls_that_grow_side_by_side(answer):
    whole, streamed = told(("openai-responses", "openai-chat"), answer)
    assert whole == streamed


@st.composite
def chat_requests(draw):
    """Chat requests of which the table says that nothing is lost."""
    messages = [{"role": "system", "content": draw(texts)}] if draw(st.booleans()) else []
    for number in range(draw(st.integers(1, 3))):
        messages.append({"role": "user", "content": draw(texts)})
        called = draw(calls)
        answer = {"role": "assistant", "content": draw(texts)}
        if called:
            answer["tool_calls"] = [
                {
                    "id": f"call_{number}_{index}",
                    "type": "function",
                    "function": {
                        "name": name,
                        "arguments": json.dumps(given, ensure_ascii=False, separators=(",", ":")),
                    },
                }
                for index, (name, given) in enumerate(called)
            ]
        messages.append(answer)
        for call in answer.get("tool_calls", []):
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": draw(texts)})
    doc = {"model": "m", "messages": messages, "max_completion_tokens": draw(st.integers(1, 99))}
    if draw(st.booleans()):
        doc["tools"] = [
            {
                "type": "function",
                "function": {"name": name, "description": draw(texts), "parameters": {"type": "object"}},
            }
            for name in ("weather", "time")
        ]
        named = {"type": "function", "function": {"name": "time"}}
        doc["tool_choice"] = draw(st.sampled_from(["auto", "required", named]))
        doc["parallel_tool_calls"] = False
    doc["temperature"] = draw(st.sampled_from([0, 0.5, 1]))
    doc["stop"] = ["END"]
    doc["safety_identifier"] = draw(texts)
    doc["reasoning_effort"] = draw(st.sampled_from(["none", "low", "medium", "high", "xhigh", "max"]))
    return doc


@settings(max_examples=150, deadline=None)
@given(chat_requests())
def test_a_chat_request_comes_back_from_anthropic_as_it_was(doc):
    call = DIALECTS["openai-chat"].read("chat", doc)
    there = TRANSLATIONS["openai-chat", "anthropic-messages"].request(call, "m")
    assert there.dropped == ()
    middle = DIALECTS["anthropic-messages"].read("chat", json.loads(json.dumps(there.doc)))
    back = TRANSLATIONS["anthropic-messages", "openai-chat"].request(middle, "m")
    assert back.dropped == ()
    assert back.doc == doc
