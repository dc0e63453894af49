"""Golden cases of each pair: what the upstream is asked, and what the client is told, for every way of cutting it."""

import json
from pathlib import Path

import pytest

from extproc.exchange.classify import DIALECTS
from extproc.exchange.translation.registry import TRANSLATIONS

ROOT = Path(__file__).parents[3] / "golden" / "translation"
PAIRS = [(source, target) for source, target in TRANSLATIONS if (ROOT / f"{source}-to-{target}").is_dir()]
CASES = [
    pytest.param((source, target), case, id=f"{case.parent.name}: {case.name}")
    for source, target in PAIRS
    for case in sorted((ROOT / f"{source}-to-{target}").iterdir())
    if (case / "upstream.json").exists()
]


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def start(pair, case):
    """The client's call and the translation."""
    return DIALECTS[pair[0]].read("chat", load(case / "request.json")), TRANSLATIONS[pair]


def test_every_directory_is_a_pair_that_is_run():
    assert {case.name for case in ROOT.iterdir()} == {f"{source}-to-{target}" for source, target in PAIRS}
    assert len(CASES) >= 20


@pytest.mark.parametrize(("pair", "case"), CASES)
@pytest.mark.promise("translation.golden")
def test_the_upstream_is_asked(pair, case):
    call, translation = start(pair, case)
    before = json.dumps(call.doc)
    translated = translation.request(call, "upstream-model")
    expected = load(case / "upstream.json")
    assert json.loads(json.dumps(translated.doc)) == expected["body"]
    assert list(translated.dropped) == expected["dropped"]
    assert [list(header) for header in translated.headers] == expected["headers"]
    assert json.dumps(call.doc) == before  # a second provider gets the original


@pytest.mark.parametrize(("pair", "case"), [case for case in CASES if (case.values[1] / "answer.json").exists()])
@pytest.mark.promise("translation.golden")
def test_the_client_is_told_a_document(pair, case):
    call, translation = start(pair, case)
    said = load(case / "answer.json")
    told = translation.answer(call).document(said["status"], json.dumps(said["body"]).encode())
    assert json.loads(told) == load(case / "expected.json")


@pytest.mark.parametrize(("pair", "case"), [case for case in CASES if (case.values[1] / "answer.sse").exists()])
@pytest.mark.promise("translation.golden")
@pytest.mark.promise("translation.cuts")
def test_the_client_is_told_a_stream_however_it_is_cut(pair, case):
    call, translation = start(pair, case)
    said = (case / "answer.sse").read_bytes()
    expected = (case / "expected.sse").read_bytes()
    for cut in range(len(said) + 1):
        reply = translation.answer(call)
        assert reply.feed(said[:cut]) + reply.feed(said[cut:]) + reply.finish() == expected, cut
    reply = translation.answer(call)
    assert b"".join(reply.feed(said[at : at + 1]) for at in range(len(said))) + reply.finish() == expected
