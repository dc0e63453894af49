"""Ollama's lines of JSON: for every way of cutting them, with and without a mask."""

import json
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.errors import BadRequest, Uninspectable
from extproc.exchange.classify import DIALECTS, classify
from extproc.exchange.ndjson import NdjsonReader
from extproc.exchange.refusal import Reason, Refusal

GOLDEN = Path(__file__).parents[2] / "golden" / "ollama"
OLLAMA = DIALECTS["ollama"]
CASES = sorted(GOLDEN.iterdir())
STREAMS = [pytest.param(case, id=case.name) for case in CASES if (case / "answer.ndjson").exists()]
DOCUMENTS = [pytest.param(case, id=case.name) for case in CASES if (case / "answer.json").exists()]


def view(stream):
    joined = defaultdict(str)
    for line in stream.splitlines():
        message = json.loads(line).get("message") or {}
        for key in ("content", "thinking"):
            joined[key] += message.get(key) or ""
        joined["calls"] += json.dumps(message.get("tool_calls") or "")
    return joined


@pytest.mark.parametrize("case", STREAMS)
def test_a_masked_stream_is_the_same_for_every_cut_and_shows_each_channel_masked(case, transcript):
    raw, expected = (case / "answer.ndjson").read_bytes(), (case / "expected.ndjson").read_bytes()
    for cut in range(len(raw) + 1):
        out = transcript.run(OLLAMA.answer(None, transcript.FakeFilter()), [raw[:cut], raw[cut:]])
        assert out == expected
    assert transcript.run(OLLAMA.answer(None, transcript.FakeFilter()), [raw[:-1]]) == expected
    got, wanted = view(expected), view(raw)
    for key in ("content", "thinking"):
        assert got[key] == transcript.mask(wanted[key])
    assert not any(secret.encode() in expected for secret in transcript.SECRETS)


@pytest.mark.parametrize("case", STREAMS + DOCUMENTS)
def test_what_the_audit_learns_is_the_same_with_and_without_a_mask(case, transcript):
    facts = json.loads((case / "facts.json").read_bytes())
    for mask in (None, transcript.FakeFilter()):
        answer = OLLAMA.answer(None, mask)
        if (case / "answer.ndjson").exists():
            raw = (case / "answer.ndjson").read_bytes()
            out = transcript.run(answer, [raw])
        else:
            raw = (case / "answer.json").read_bytes()
            out = answer.document(raw)
        assert mask or out in (raw, b"")
        assert [answer.usage.input_tokens, answer.usage.output_tokens] == [
            facts["usage"]["input_tokens"],
            facts["usage"]["output_tokens"],
        ]
        assert [answer.model, list(answer.finish_reasons)] == [facts["model"], facts["finish_reasons"]]


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_masked_document(case, fake):
    raw, expected = (case / "answer.json").read_bytes(), (case / "expected.json").read_bytes()
    assert OLLAMA.answer(None, fake).document(raw) == expected
    assert b"SECRET" not in expected


def test_ollama_streams_unless_told_not_to():
    assert OLLAMA.read("chat", {"model": "m"}).stream
    assert OLLAMA.read("chat", {"model": "m", "stream": True}).stream
    assert not OLLAMA.read("chat", {"model": "m", "stream": False}).stream


@pytest.mark.parametrize(
    ("doc", "limit"),
    [({}, None), ({"options": {"num_predict": 5}}, 5), ({"options": {"num_predict": -1}}, None)],
)
def test_the_limit_is_an_option(doc, limit):
    call = OLLAMA.read("chat", {"model": "m", "tools": [{"function": {"name": "run"}}], **doc})
    assert (call.max_tokens, call.tools) == (limit, ("run",))


@pytest.mark.parametrize("doc", [{"options": []}, {"options": {"num_predict": "5"}}, {"tools": [{}]}, {"stream": "no"}])
def test_what_cannot_be_judged_is_refused(doc):
    with pytest.raises(BadRequest):
        OLLAMA.read("chat", {"model": "m", **doc})


def test_refusals_are_an_error_in_a_line():
    refusal = Refusal.of(Reason.MODEL_NOT_ALLOWED, "ex-1")
    assert json.loads(OLLAMA.refusal(refusal).body) == {"error": refusal.text}
    assert json.loads(OLLAMA.error_event(refusal)) == {"error": refusal.text}
    assert OLLAMA.error_event(refusal).endswith(b"\n")


def test_its_models_are_its_tags():
    route = classify("GET", "/api/tags", {})
    assert (route.dialect, route.operation) == ("ollama", "list_models")
    assert [model["name"] for model in json.loads(OLLAMA.models(("a", "b")))["models"]] == ["a", "b"]


@pytest.mark.parametrize("line", [b"SECRET-TOKEN", b"[1]", b'{"a":NaN}', b'{"a":"\xff"}'])
def test_a_line_that_cannot_be_read_ends_a_masked_stream_for_good(line, fake):
    answer = OLLAMA.answer(None, fake)
    with pytest.raises(Uninspectable):
        answer.feed(line + b"\n")
    with pytest.raises(Uninspectable):
        answer.feed(b"{}\n")
    assert answer.finish() == b""


def test_text_after_done_is_not_passed(fake):
    answer = OLLAMA.answer(None, fake)
    answer.feed(b'{"message":{"content":"SECRET-"},"done":true}\n')
    with pytest.raises(Uninspectable):
        answer.feed(b'{"message":{"content":"TOKEN"}}\n')


def test_a_line_beyond_the_cap_is_not_held():
    reader = NdjsonReader(max_line=10)
    assert reader.feed(b"12345\n1234567890") == [b"12345"]
    with pytest.raises(Uninspectable):
        reader.feed(b"1")


@given(st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r\n", b"{}"])), st.data())
def test_lines_are_the_same_for_every_cut(parts, data):
    whole = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    reader = NdjsonReader()
    lines = [line for piece in pieces for line in reader.feed(piece)] + reader.finish()
    assert lines == (whole.split(b"\n") if not whole.endswith(b"\n") and whole else whole.split(b"\n")[:-1])
