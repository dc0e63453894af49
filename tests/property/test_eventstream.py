"""AWS event streams: for every way of cutting text into deltas and bytes into chunks, a client sees each channel masked
as a whole, and botocore reads the same messages as we do."""

import importlib.util
import json
from contextlib import suppress
from pathlib import Path
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.errors import Uninspectable
from extproc.exchange import bedrock_converse, bedrock_invoke, eventstream

GOLDEN = Path(__file__).parents[1] / "golden"


def _load(name):
    spec = importlib.util.spec_from_file_location(f"eventstream_{name}", GOLDEN / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


transcript, frames = _load("transcript"), _load("frames")
DIALECTS = {dialect.name: dialect for dialect in (bedrock_converse.DIALECT, bedrock_invoke.DIALECT)}
FRAGMENTS = [
    *transcript.SECRETS,
    "SECRET",
    "-TOKEN",
    "S",
    "4111",
    "1" * 12,
    " ",
    "\ud83d",
    "\udd11",
    '"',
    "\\",
    "x",
    "é",
]
texts = st.lists(st.sampled_from(FRAGMENTS), max_size=10).map("".join)
values = st.dictionaries(texts, texts | st.integers() | st.lists(texts, max_size=2), max_size=3)


def pieces(draw, whole):
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


def interleaved(draw, channels):
    queues = {name: pieces(draw, text) for name, text in channels.items()}
    order = draw(st.permutations([name for name, queue in queues.items() for _ in queue]))
    return [(name, queues[name].pop(0)) for name in order]


def event(kind, payload, *, chunks):
    """As upstreams write it: escapes where UTF-8 has no word."""
    return frames.write(json.dumps({"event": kind, "payload": payload}), chunks=chunks)


CONVERSE = {
    "text": lambda piece: {"text": piece},
    "reasoning": lambda piece: {"reasoningContent": {"text": piece}},
    "input": lambda piece: {"toolUse": {"input": piece}},
    "result": lambda piece: {"toolResult": [{"text": piece}]},
    "future": lambda piece: {"future": {"a": piece}},
}
CLAUDE = {
    "text": ("text_delta", "text"),
    "reasoning": ("thinking_delta", "thinking"),
    "input": ("input_json_delta", "partial_json"),
    "result": ("future_delta", "b"),
    "future": ("future_delta", "a"),
}
NAMES = list(CONVERSE)


def delta(name, kind, piece):
    index = NAMES.index(kind)
    if name == "bedrock-converse":
        payload = {"contentBlockIndex": index, "delta": CONVERSE[kind](piece)}
        return event("contentBlockDelta", payload, chunks=False)
    of, field = CLAUDE[kind]
    payload = {"type": "content_block_delta", "index": index, "delta": {"type": of, field: piece}}
    return event("chunk", payload, chunks=True)


def end(name, index):
    if name == "bedrock-converse":
        return event("contentBlockStop", {"contentBlockIndex": index}, chunks=False)
    return event("chunk", {"type": "content_block_stop", "index": index}, chunks=True)


def view(name, raw):
    """Each channel's text, joined as a client would."""
    joined = dict.fromkeys(NAMES, "")
    for line in frames.read(raw, chunks=name == "bedrock-invoke").splitlines():
        payload = json.loads(line)["payload"]
        shown = payload.get("delta")
        if shown is None:
            continue
        kind = NAMES[payload.get("contentBlockIndex", payload.get("index"))]
        while not isinstance(shown, str):
            shown = next(v for k, v in shown.items() if k != "type") if isinstance(shown, dict) else shown[0]
        joined[kind] += shown
    return joined


@pytest.mark.parametrize("name", DIALECTS)
@settings(max_examples=120, deadline=None)
@given(st.data())
def test_a_client_sees_each_channel_masked_as_a_whole(name, data):
    channels = {kind: data.draw(texts) for kind in NAMES}
    channels["input"] = json.dumps(data.draw(values), ensure_ascii=data.draw(st.booleans()))
    stream = b"".join(delta(name, kind, piece) for kind, piece in interleaved(data.draw, channels))
    if data.draw(st.booleans()):
        stream += b"".join(end(name, index) for index in range(len(NAMES)))
    whole = transcript.run(DIALECTS[name].answer(None, transcript.FakeFilter()), [stream])
    chunks = pieces(data.draw, stream)
    assert transcript.run(DIALECTS[name].answer(None, transcript.FakeFilter()), chunks) == whole
    seen = view(name, whole)
    for kind, text in channels.items():
        if kind == "input":
            value = json.loads(transcript.whole_characters(text))
            assert json.loads(seen[kind]) == transcript.mask_value(value)
        else:
            assert seen[kind] == transcript.mask(transcript.whole_characters(text)), kind


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=9), max_size=3), st.binary())),
    st.data(),
)
def test_framing_is_the_same_for_every_cut_and_for_botocore(messages, data):
    stream = b"".join(eventstream.encode(headers, payload) for headers, payload in messages)
    reader = eventstream.EventStreamReader()
    read = [message for chunk in pieces(data.draw, stream) for message in reader.feed(chunk)]
    assert reader.finish() == []
    assert [(dict(message.headers), message.payload) for message in read] == messages
    assert b"".join(message.raw for message in read) == stream
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    assert [(message.headers, message.payload) for message in buffer] == messages


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=60), st.booleans())
def test_hostile_bytes_raise_nothing_but_our_own_errors(block, payload, sealed):
    raw = eventstream.seal(block, payload) if sealed else block + payload
    with suppress(Uninspectable):
        eventstream.EventStreamReader().feed(raw)
    for dialect in DIALECTS.values():
        answer = dialect.answer(None, transcript.FakeFilter())
        with suppress(Uninspectable):
            answer.feed(raw)
        answer.finish()
        plain = dialect.answer(None, None)
        assert plain.feed(raw) == raw
        assert plain.finish() == b""


KEYS = ["delta", "text", "toolUse", "input", "toolResult", "json", "reasoningContent", "signature", "citation", "image",
        "source", "bytes", "start", "contentBlockIndex", "usage", "inputTokens", "trace", "promptRouter", "stopReason",
        "type", "index", "content_block", "message", "x"]  # fmt: skip
EVENTS = [
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
    "new",
]
TYPES = ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "error"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), anything, max_size=5), st.sampled_from(EVENTS), st.sampled_from(TYPES))
def test_events_of_any_shape_raise_nothing_but_our_own_errors(payload, kind, of):
    for name, raw in [
        ("bedrock-converse", event(kind, payload, chunks=False)),
        ("bedrock-invoke", event("chunk", {**payload, "type": of}, chunks=True)),
    ]:
        answer = DIALECTS[name].answer(None, transcript.FakeFilter())
        with suppress(Uninspectable):
            answer.feed(raw + raw)
        answer.finish()
        assert DIALECTS[name].answer(None, None).feed(raw) == raw


@given(st.integers(0, 200), st.integers(1, 255))
def test_any_changed_byte_is_noticed(at, change):
    raw = bytearray(eventstream.encode({":message-type": "event", ":event-type": "chunk"}, b'{"bytes":"e30="}' * 9))
    raw[at % len(raw)] ^= change
    assert crc32(raw[:-4]).to_bytes(4, "big") != bytes(raw[-4:])
    with pytest.raises(Uninspectable):
        _read(bytes(raw))


def _read(raw):
    reader = eventstream.EventStreamReader()
    return reader.feed(raw) + reader.finish()
