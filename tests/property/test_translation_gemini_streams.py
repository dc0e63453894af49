"""A stream of Gemini, however cut, tells the client what the same answer as a document tells."""

import importlib.util
import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.exchange import sse

_spec = importlib.util.spec_from_file_location(
    "translation_streams_shared", Path(__file__).with_name("test_translation_streams.py")
)
shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(shared)
pieces, texts, calls = shared.pieces, shared.texts, shared.calls
USAGE = {"promptTokenCount": 3, "candidatesTokenCount": 2, "cachedContentTokenCount": 1, "thoughtsTokenCount": 1}


@st.composite
def answers(draw):
    """The same answer as a document and as a stream in chunks of any number of parts."""
    parts, thought, said = [], draw(st.just("") | texts), draw(st.just("") | texts)
    parts += [{"text": piece, "thought": True} for piece in pieces(draw, thought)]
    parts += [{"text": piece} for piece in pieces(draw, said)]
    called = [
        {"functionCall": {**({"id": f"g{index}"} if draw(st.booleans()) else {}), "name": name, "args": value}}
        for index, (name, value) in enumerate(draw(calls))
    ]
    if called and draw(st.booleans()):
        called[0]["thoughtSignature"] = "ab+/cQ=="
    parts += called
    head = {"responseId": "R1", "modelVersion": "g"}

    def chunk(some, **more):
        return {**head, "candidates": [{"content": {"role": "model", "parts": some}, **more}]}

    doc = {**chunk(parts, finishReason="STOP"), "usageMetadata": USAGE}
    early = {"finishReason": "STOP"} if draw(st.booleans()) else {}  # some models say it in every chunk
    chunks = [chunk(some, **early) for some in pieces(draw, parts)]
    chunks.append({**chunk([], finishReason="STOP"), "usageMetadata": USAGE})
    wire = b"".join(sse.encode("", json.dumps(one).encode()) for one in chunks)
    return doc, pieces(draw, wire)


def called_of(doc):
    parts = doc["candidates"][0]["content"]["parts"]
    return [(part["functionCall"]["name"], part["functionCall"]["args"]) for part in parts if "functionCall" in part]


@settings(max_examples=150, deadline=None)
@given(answers())
def test_chat_from_gemini(answer):
    whole, streamed = shared.told(("openai-chat", "gemini"), answer)
    choice = whole["choices"][0]
    assert shared.seen_chat(choice["message"], choice["finish_reason"]) == streamed
    assert [(name, value) for _, name, value in streamed[2]] == called_of(answer[0])


@settings(max_examples=150, deadline=None)
@given(answers())
def test_anthropic_from_gemini(answer):
    whole, (blocks, stop, usage) = shared.told(("anthropic-messages", "gemini"), answer)
    assert (whole["content"], whole["stop_reason"], whole["usage"]) == (blocks, stop, usage)
    tools = [(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
    assert tools == called_of(answer[0])
