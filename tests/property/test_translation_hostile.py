"""Requests and answers that are not what their API promises: each is refused in words, or read; nothing else is raised,
and what was made of them can be sent."""

import copy
import importlib.util
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.errors import BadRequest, Uninspectable
from extproc.exchange import eventstream, frame_answer, json_body, sse
from extproc.exchange.classify import DIALECTS
from extproc.exchange.translation.registry import TRANSLATIONS

GOLDEN = Path(__file__).parents[1] / "golden" / "translation"
ODD = (None, True, 0, -1, 1.5, "", "x", " ", "\ud800", "é" * 70, [], {}, [None], [1], [[]], [{}], {"type": 1},
       {"type": "text"}, {"type": "tool_use"}, {"": ""}, 10**30)  # fmt: skip

_spec = importlib.util.spec_from_file_location(
    "translation_every_cut_shared", Path(__file__).with_name("test_translation_every_cut.py")
)
shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(shared)

seeds = st.integers(0, 2**64)
pairs = pytest.mark.parametrize("pair", shared.TRANSLATED, ids="-to-".join)
REQUESTS = {
    source: [json.loads(path.read_text()) for path in sorted(GOLDEN.glob(f"{source}-to-*/every-field/request.json"))]
    for source in ("openai-chat", "openai-responses", "anthropic-messages")
}
DOCUMENTS = {
    target: [json.loads(path.read_text())["body"] for path in sorted(GOLDEN.glob(f"*-to-{target}/*/answer.json"))]
    for target in {target for _, target in shared.TRANSLATED}
}
DOCUMENTS["vertex-gemini"] = DOCUMENTS["gemini"]


def spoil(chance, doc):
    """`doc` with one to four of its members replaced, removed, doubled or swapped for one another."""
    doc = copy.deepcopy(doc)
    for _ in range(chance.randrange(1, 5)):
        places = [
            (node, key) for node in containers(doc) for key in (node if isinstance(node, dict) else range(len(node)))
        ]
        if not places:
            break
        node, key = chance.choice(places)
        what = chance.randrange(5)
        if what == 0:
            del node[key]
        elif what == 1:
            other, its = chance.choice(places)
            node[key] = copy.deepcopy(other[its])
        elif what == 2 and isinstance(node, list):
            node.insert(key, copy.deepcopy(node[key]))
        else:
            node[key] = copy.deepcopy(chance.choice(ODD))
    return doc


def containers(node):
    if isinstance(node, dict | list):
        yield node
        for child in node.values() if isinstance(node, dict) else node:
            yield from containers(child)


@pytest.mark.parametrize("pair", [pair for pair in TRANSLATIONS if pair[0] in REQUESTS], ids="-to-".join)
@settings(max_examples=200, deadline=None)
@given(seeds)
def test_a_spoiled_request_is_refused_or_translated(pair, seed):
    chance = random.Random(seed)
    doc = spoil(chance, chance.choice(REQUESTS[pair[0]]))
    before = copy.deepcopy(doc)
    try:
        call = DIALECTS[pair[0]].read("chat", doc)
        translated = TRANSLATIONS[pair].request(call, "eu.anthropic.claude-x")
    except BadRequest as error:
        said = (error.status, bool(error.message))
    else:
        said = (400, True)
        assert json.loads(json_body.encode(translated.doc))
        assert all(name.isascii() and name.isprintable() and len(name) <= 64 for name in translated.dropped)
        TRANSLATIONS[pair].answer(call)
    assert said == (400, True)
    assert doc == before  # a second provider gets the original


@pairs
@settings(max_examples=200, deadline=None)
@given(seeds)
def test_a_spoiled_document_is_told_or_not_at_all(pair, seed):
    chance = random.Random(seed)
    doc = spoil(chance, chance.choice(DOCUMENTS[pair[1]]))
    body = json.dumps(doc).encode()
    assert json.loads(shared.reply(pair).document(chance.choice([400, 429, 503]), body))  # an error, whatever it says
    try:
        told = shared.reply(pair).document(200, body)
    except Uninspectable:
        return
    assert pair[1] == "bedrock-invoke" or isinstance(json.loads(told), dict)  # InvokeModel's pass as they are


@pairs
@settings(max_examples=200, deadline=None)
@given(seeds)
def test_a_spoiled_stream_is_told_or_not_at_all(pair, seed):
    chance = random.Random(seed)
    before, end, _ = shared.STREAMS[pair[1]]()
    wires = before + end
    for _ in range(chance.randrange(1, 3)):
        at = chance.randrange(len(wires))
        wires[at] = spoiled_event(chance, wires[at])
    if chance.random() < 0.3:
        chance.shuffle(wires)
    running = shared.reply(pair)
    out = b""
    try:
        for wire in wires:
            out += running.feed(wire)
    except Uninspectable:
        pass
    out += running.finish()  # never raises
    if pair[1] != "bedrock-invoke":
        shared.events(out)


def spoiled_event(chance, wire):
    if wire.startswith(b":") or wire.endswith(b"[DONE]\n\n"):
        return wire
    if wire.startswith((b"data", b"event")):
        (event,) = sse.SseReader().feed(wire)
        return sse.encode(event.event, json.dumps(spoil(chance, json.loads(event.data))).encode())
    (message,) = eventstream.EventStreamReader().feed(wire)
    kind = message.headers[":event-type"]
    return frame_answer.event(kind, spoil(chance, json.loads(message.payload)))
