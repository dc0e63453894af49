"""The rows of docs/translation.md, so that tests can say of each what they hold it to: the page, and the shapes that
cases are made of. Loaded by path."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from extproc.errors import BadRequest
from extproc.exchange.classify import DIALECTS
from extproc.exchange.translation.registry import TRANSLATIONS

_PAGE = Path(__file__).parents[2] / "docs" / "translation.md"


def tables():
    """(section, its tables); a table is its head's first cell and the first cells of its rows."""
    found, section, lines = [], "", []
    for line in [*_PAGE.read_text(encoding="utf-8").splitlines(), "## end"]:
        if line.startswith("## "):
            found.append((section, _cells(lines)))
            section, lines = line[3:], []
        else:
            lines.append(line)
    return {section: each for section, each in found if each}


def _cells(lines):
    out = []
    for at, line in enumerate(lines):
        if not line.startswith("|"):
            continue
        cell = line.split("|")[1].strip()
        if at + 1 < len(lines) and lines[at + 1].startswith("|---"):
            out.append((cell, []))
        elif not line.startswith("|---"):
            out[-1][1].append(cell)
    return out


def holds(given, wanted):
    """Whether `given` says everything that `wanted` does; lists have to be as long, None means absent."""
    if isinstance(wanted, dict):
        if not isinstance(given, dict):
            return False
        return all(holds(given.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(given, list) and len(given) == len(wanted) and all(map(holds, given, wanted))
    return given == wanted


CHAT, RESPONSES, CLAUDE = "openai-chat", "openai-responses", "anthropic-messages"
CONVERSE, INVOKE, GEMINI = "bedrock-converse", "bedrock-invoke", "gemini"
ON_BEDROCK = "eu.anthropic.claude-x"
S = {"type": "object", "properties": {"a": {"type": "string"}}}
EMPTY = {"type": "object", "properties": {}}
PNG, PDF = "data:image/png;base64,iVBORw0KGgo=", "data:application/pdf;base64,JVBERi0="
KNOWN, OTHER = "context-1m-2025-08-07", "files-api-2025-04-14"
BASES = {
    CHAT: {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
    RESPONSES: {"model": "m", "input": "Hi"},
    CLAUDE: {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
}


class Section:
    """Collects the cases of one section's table of requests. `to` is what its rows are translated to unless a case
    says so; `more` are the call's operation and betas, or the translation itself."""

    def __init__(self, title, source, to):
        self.title, self.cases = title, []
        self.source, self.to = source, to

    def params(self):
        return [
            pytest.param(*case[1:], id=f"{'-to-'.join(case[1])}: {case[0][:60]} {at}")
            for at, case in enumerate(self.cases)
        ]

    def check_rows(self):
        """Every row has a case and every case a row, in the page's order."""
        assert list(dict.fromkeys(case[0] for case in self.cases)) == tables()[self.title][0][1]

    def __call__(self, row, fields, sent=None, *, dropped=(), refused="", source="", to="", model="u", **more):
        self.cases.append((row, (source or self.source, to or self.to), fields, sent, dropped, refused, model, more))


def user(*parts):
    return {"messages": [{"role": "user", "content": list(parts)}]}


def called(arguments="{}", key="c", **more):
    call = {"id": key, "type": "function", "function": {"name": "f", "arguments": arguments}}
    return {"messages": [{"role": "assistant", "content": None, "tool_calls": [call], **more},
                         {"role": "tool", "tool_call_id": key, "content": "said"}]}  # fmt: skip


def used(*results, **more):
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    return {"messages": [{"role": "assistant", "content": [*more.get("before", ()), block]},
                         {"role": "user", "content": list(results)}]}  # fmt: skip


def text(said, **more):
    return {"type": "text", "text": said, **more}


def image(url):
    return {"type": "image_url", "image_url": {"url": url}}


def source(kind, **members):
    return {"type": kind, "source": members}


def fn(name="f", **more):
    return {"type": "function", "function": {"name": name, **more}}


def schema(**more):
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": S, **more}}}


TOOL = {"name": "f", "input_schema": S}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "said"}
BLOCKED = source("image", type="base64", media_type="image/png", data="iVBORw0KGgo=")
PAPER = source("document", type="base64", media_type="application/pdf", data="JVBERi0=")
MARK = {"cache_control": {"type": "ephemeral"}}
THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}


def run(pair, fields, sent, dropped, refused, model, more):
    """Holds one case: what is sent contains `sent`, what is left out is `dropped`, or the call is `refused`."""
    call = DIALECTS[pair[0]].read(more.get("operation", "chat"), {**BASES[pair[0]], **fields})
    call = replace(call, betas=more.get("betas", ()))
    translation = more.get("pair", TRANSLATIONS[pair])
    if refused:
        with pytest.raises(BadRequest) as caught:
            translation.request(call, model)
        assert refused in caught.value.message
        assert caught.value.status == 400
        return
    translated = translation.request(call, model)
    doc = json.loads(json.dumps(translated.doc))
    assert holds(doc, sent or {}), doc
    assert translated.dropped == tuple(dropped)
    assert translated.model == model
