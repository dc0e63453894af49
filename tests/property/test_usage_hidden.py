"""However a stream is cut, a client that asked for no usage sees none of it, and everything else; what is counted does
not depend on who asked."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.exchange import sse
from extproc.exchange.classify import DIALECTS
from extproc.exchange.model import LlmCall, Usage

NAMES = ("openai-chat", "azure-openai-chat", "openai-completions", "azure-openai-completions")
SPENT = {
    "prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 8}, "completion_tokens_details": {"reasoning_tokens": 4},
}  # fmt: skip
TOLD = Usage(20, 9, 8, None, 4)
LINE_ENDS = (b"\n", b"\r\n", b"\r")
# What must not be taken for usage, nor hurt by taking it away.
TEXTS = ("hi", 'he said ,"usage":null}', '"usage"', "[{", "]}", "\u00e9", "", '{"usage": {"prompt_tokens": 1}}')


class Everything:
    """A filter that masks nothing."""

    def start(self):
        return self

    def stream(self, *_):
        return self

    def feed(self, text):
        return text

    def text(self, text, *_):
        return text

    def flush(self):
        return ""


def call(name, *, hide):
    return LlmCall(name, "chat", "m", True, hide_usage=hide)


@st.composite
def chunks(draw):
    """A chunk as the upstream writes it, and as the client must see it (None: not at all)."""
    text = draw(st.sampled_from(TEXTS))
    choice = {
        "index": 0,
        "delta": {"content": text},
        "text": text,
        "finish_reason": None,
    }
    head = {"id": "c", "model": "m-1", **({"choices": [choice]} if (full := draw(st.booleans())) else {"choices": []})}
    usage = draw(st.sampled_from(["absent", "null", "told"]))
    extra = draw(st.sampled_from([{}, {"obfuscation": "xy"}, {"obfuscation": "}]"}]))
    shown = {**head, **extra}
    if usage == "absent":
        return shown, shown
    value = None if usage == "null" else SPENT
    at = draw(st.integers(0, len(shown)))  # any place among the members
    members = list(shown.items())
    sent = dict([*members[:at], ("usage", value), *members[at:]])
    return sent, None if usage == "told" and not full else shown


def framed(doc, *, spaced, end, name):
    separators = (", ", ": ") if spaced else (",", ":")
    data = json.dumps(doc, ensure_ascii=False, separators=separators).encode()
    return (b"event: x" + end if name else b"") + b"data: " + data + end + end


@st.composite
def streams(draw):
    end = draw(st.sampled_from(LINE_ENDS))
    sent, shown, usage = [], [], False
    for doc, seen in draw(st.lists(chunks(), max_size=6)):
        name = draw(st.booleans())
        spaced = draw(st.booleans())
        usage = usage or bool(doc.get("usage"))
        if draw(st.booleans()):
            sent.append(b": alive" + end)
            shown.append(None)
        sent.append(framed(doc, spaced=spaced, end=end, name=name))
        shown.append(seen)
    sent.append(b"data: [DONE]" + end + end)
    raw = b"".join(sent)
    cuts = sorted(draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    pieces = [raw[first:last] for first, last in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    return raw, pieces, [doc for doc in shown if doc is not None], usage


def run(answer, pieces):
    return b"".join([*map(answer.feed, pieces), answer.finish()])


def seen(raw):
    """The documents a client reads, and whether the stream was ended."""
    reader = sse.SseReader()
    events = [event.data for event in (*reader.feed(raw), *reader.finish()) if event.data is not None]
    return [json.loads(data) for data in events if data != b"[DONE]"], events[-1:] == [b"[DONE]"]


@pytest.mark.parametrize("masked", [pytest.param(False, id="unmasked"), pytest.param(True, id="masked")])
@given(stream=streams(), name=st.sampled_from(NAMES))
def test_usage_is_hidden_and_all_else_is_seen_for_every_cut(masked, stream, name):
    raw, pieces, expected, usage = stream
    mask = Everything() if masked else None
    hiding = DIALECTS[name].answer(call(name, hide=True), mask)
    out = run(hiding, pieces)
    assert out == run(DIALECTS[name].answer(call(name, hide=True), mask), [raw])
    assert seen(out) == (expected, True)
    assert hiding.usage == (TOLD if usage else Usage())


@given(stream=streams(), name=st.sampled_from(NAMES))
def test_a_client_that_asked_gets_the_very_bytes(stream, name):
    raw, pieces, _, usage = stream
    answer = DIALECTS[name].answer(call(name, hide=False), None)
    assert run(answer, pieces) == raw
    assert answer.usage == (TOLD if usage else Usage())


@given(stream=streams(), name=st.sampled_from(NAMES), left=st.integers(0, 10**6))
def test_a_stream_that_breaks_off_loses_nothing_but_usage(stream, name, left):
    raw = stream[0][: left % (len(stream[0]) + 1)]
    hidden = run(DIALECTS[name].answer(call(name, hide=True), None), [raw])
    assert hidden == run(
        DIALECTS[name].answer(call(name, hide=True), None), [raw[at : at + 1] for at in range(len(raw))]
    )
    if b"usage" not in raw:
        assert hidden == raw
    for event in sse.SseReader().feed(hidden):
        assert event.data in (None, b"[DONE]") or "usage" not in json.loads(event.data)
