"""A stream of Bedrock Converse, however cut, tells the client what the same answer as a document tells."""

import importlib.util
import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.exchange import frame_answer

_spec = importlib.util.spec_from_file_location(
    "translation_streams_shared", Path(__file__).with_name("test_translation_streams.py")
)
shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(shared)
pieces, texts, calls = shared.pieces, shared.texts, shared.calls
USAGE = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}


@st.composite
def answers(draw):
    """The same answer as a document and as a stream in chunks."""
    blocks = []
    if thought := draw(st.just("") | texts):
        deltas = [{"reasoningContent": {"text": piece}} for piece in pieces(draw, thought)]
        deltas.append({"reasoningContent": {"signature": "c2ln"}})
        blocks.append(({"reasoningContent": {"reasoningText": {"text": thought, "signature": "c2ln"}}}, None, deltas))
    if said := draw(st.just("") | texts):
        blocks.append(({"text": said}, None, [{"text": piece} for piece in pieces(draw, said)]))
    called = draw(calls)
    for index, (name, value) in enumerate(called):
        opened = {"toolUseId": f"tooluse_{index}", "name": name}
        written = json.dumps(value, ensure_ascii=draw(st.booleans())) if value or draw(st.booleans()) else ""
        deltas = [{"toolUse": {"input": piece}} for piece in pieces(draw, written)]
        blocks.append(({"toolUse": {**opened, "input": value}}, {"toolUse": opened}, deltas))
    reason = "tool_use" if called else "end_turn"
    message = {"role": "assistant", "content": [block for block, _, _ in blocks]}
    doc = {"output": {"message": message}, "stopReason": reason, "usage": USAGE}
    events = [("messageStart", {"role": "assistant"})]
    for index, (_, opened, deltas) in enumerate(blocks):
        where = {"contentBlockIndex": index}
        events += [("contentBlockStart", {**where, "start": opened})] if opened else []
        events += [("contentBlockDelta", {**where, "delta": delta}) for delta in deltas]
        events.append(("contentBlockStop", where))
    events += [("messageStop", {"stopReason": reason}), ("metadata", {"usage": USAGE})]
    return doc, pieces(draw, b"".join(frame_answer.event(name, payload) for name, payload in events))


@settings(max_examples=150, deadline=None)
@given(answers())
def test_chat_from_converse(answer):
    whole, streamed = shared.told(("openai-chat", "bedrock-converse"), answer)
    choice = whole["choices"][0]
    assert shared.seen_chat(choice["message"], choice["finish_reason"]) == streamed
    blocks = [block["toolUse"] for block in answer[0]["output"]["message"]["content"] if "toolUse" in block]
    assert streamed[2] == [(block["toolUseId"], block["name"], block["input"]) for block in blocks]


@settings(max_examples=150, deadline=None)
@given(answers())
def test_anthropic_from_converse(answer):
    whole, (blocks, stop, usage) = shared.told(("anthropic-messages", "bedrock-converse"), answer)
    for block in whole["content"] + blocks:
        block.pop("signature", None)  # the shared reader of streams does not collect them
    assert (whole["content"], whole["stop_reason"], whole["usage"]) == (blocks, stop, usage)


@settings(max_examples=150, deadline=None)
@given(answers())
def test_responses_from_converse(answer):
    whole, streamed = shared.told(("openai-responses", "bedrock-converse"), answer)
    for response in (whole, streamed):  # ids are made of what came, and how an input is spelled is not what it says
        response["id"] = ""
        for item in response["output"]:
            item["id"] = ""
            if item["type"] == "function_call":
                item["arguments"] = json.loads(item["arguments"])
    assert whole == streamed
