"""Transcripts of MCP exchanges: what a client sends, what a server answers, and what the client is to see.

A case is a folder: `case.json` (headers, what is hidden), `request.json`, the upstream's `upstream.json` or
`upstream.sse`, and `client.json` or `client.sse`, byte for byte. A refused case has no upstream: `case.json` names
the reason, and `client.json` is the refusal's body.
"""

import json
from pathlib import Path

import pytest

from extproc.exchange import mcp
from extproc.exchange.refusal import Reason, Refusal

GOLDEN = Path(__file__).parents[2] / "golden" / "mcp"
CASES = sorted(path.name for path in GOLDEN.iterdir())


class Mask:
    def text(self, text, before=""):
        for secret, mark in (
            ("4111 1111 1111 1111", "[card]"),
            ("4111111111111111", "[card]"),
            ("ada@example.com", "[mail]"),
        ):
            text = text.replace(secret, mark)
        return text

    def stream(self, before=""):
        raise AssertionError("MCP masks whole texts")


def test_there_are_cases_of_both_eras():
    eras = {json.loads((GOLDEN / case / "case.json").read_text())["era"] for case in CASES}
    assert eras == {"handshake", "modern"}


@pytest.mark.parametrize("case", CASES)
def test_transcript(case):
    folder = GOLDEN / case
    spec = json.loads((folder / "case.json").read_text())
    body = (folder / "request.json").read_bytes().strip()
    try:
        call = mcp.read("demo", body, spec["headers"])
    except mcp.BadMessage as error:
        refusal = Refusal.of(Reason(error.reason), "r-1", error.message, error.status)
        rendered = mcp.refusal(refusal, None, id=error.id, code=error.code)
        assert (rendered.status, rendered.body) == (spec["status"], (folder / "client.json").read_bytes().strip())
        return
    assert call.era == spec["era"]
    assert json.loads(mcp.write(call)) == json.loads(body)
    if "reason" in spec:
        rendered = mcp.refusal(Refusal.of(Reason(spec["reason"]), "r-1"), call)
        assert (rendered.status, rendered.body) == (spec["status"], (folder / "client.json").read_bytes().strip())
        return
    answer = mcp.answer(call, Mask(), lambda kind, name: name not in spec["hidden"])
    if (folder / "upstream.json").exists():
        assert answer.document((folder / "upstream.json").read_bytes()) == (folder / "client.json").read_bytes().strip()
    else:
        seen = answer.feed((folder / "upstream.sse").read_bytes()) + answer.finish()
        assert seen == (folder / "client.sse").read_bytes()
    assert list(answer.notes) == spec["notes"]
