"""The pin file: written in one form, read strictly."""

import json
from typing import Any

import pytest

from extproc.errors import PolicyError
from extproc.tools.definition import DefinitionError, digest
from extproc.tools.pins import Pin, Pins, dump, parse, pin

TOOLS: list[dict[str, Any]] = [
    {"name": "send_mail", "description": "Sends a mail.\u200b", "inputSchema": {"type": "object"}, "_meta": {"a": 1}},
    {"name": "find", "inputSchema": {"type": "object", "minimum": 1e21}},
]


def text(**members: Any) -> bytes:
    doc: dict[str, Any] = {"server": "crm", "tools": {"a": {"digest": digest({"name": "a"})}}}
    return json.dumps({**doc, **members}).encode()


def problem(data: bytes) -> str:
    with pytest.raises(PolicyError) as caught:
        parse(data, "pins/crm.json")
    (only,) = caught.value.problems
    return str(only)


def test_what_is_written_is_read_back_and_written_the_same() -> None:
    pins = pin("crm", TOOLS, approved="2026-11-21", by="ada@example.com")
    written = dump(pins)
    assert parse(written.encode(), "f") == pins
    assert dump(parse(written.encode(), "f")) == written
    assert dump(pin("crm", TOOLS[::-1], approved="2026-11-21", by="ada@example.com")) == written


def test_the_file_is_sorted_for_review_and_hides_nothing() -> None:
    written = dump(pin("crm", TOOLS))
    assert written.index('"find"') < written.index('"send_mail"')
    assert "\u200b" not in written
    assert "Sends a mail.\\u200b" in written
    assert "_meta" not in written
    assert written.endswith("}\n")


def test_a_tool_is_pinned_unknown_or_changed() -> None:
    pins = pin("crm", TOOLS)
    assert pins.check(TOOLS[0]) == "pinned"
    assert pins.check({**TOOLS[0], "_meta": {}}) == "pinned"
    assert pins.check({**TOOLS[0], "description": "Sends a mail."}) == "changed"
    assert pins.check({"name": "other"}) == "unknown"
    assert pins.check({}) == "unknown"
    assert pins.check({**TOOLS[0], "description": "\ud800"}) == "changed"
    assert pins.missing(TOOLS[:1]) == ("find",)


def test_a_pin_without_its_definition_still_checks() -> None:
    pins = parse(text(), "f")
    assert pins.tools["a"] == Pin(digest({"name": "a"}))
    assert (pins.check({"name": "a"}), pins.check({"name": "a", "title": ""})) == ("pinned", "changed")
    assert dump(pins) == dump(parse(dump(pins).encode(), "f"))


@pytest.mark.parametrize(
    ("tools", "why"),
    [
        pytest.param([{"name": "a"}, {"name": "a"}], 'two tools have the name "a"', id="two of one name"),
        pytest.param([{"title": "a"}], "no name", id="none"),
        pytest.param([{"name": "a", "description": "\ud800"}], '"a": a text holds half', id="not canonical"),
        pytest.param([{"name": "a", "description": "x" * 300_000}], "bytes", id="too large"),
    ],
)
def test_what_nobody_could_check_cannot_be_pinned(tools: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(DefinitionError, match=why):
        pin("crm", tools)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b'{\n  "server": crm\n}', "pins/crm.json:2: is not JSON (column 13). Write it with", id="no JSON"),
        pytest.param(b"server: crm\n", "pins/crm.json:1: is not JSON", id="YAML"),
        pytest.param(b"\xff", "pins/crm.json: is not UTF-8.", id="not UTF-8"),
        pytest.param(b"[]", "pins/crm.json:1: must hold one JSON object.", id="a list"),
        pytest.param(b'{"a":' * 200_000, "nested too deeply", id="without end"),
        pytest.param(b'{"server":"a","tools":{"x":{},"x":{}}}', 'the name "x" stands twice', id="a tool twice"),
        pytest.param(text(server=""), "pins/crm.json: server: is missing", id="no server"),
        pytest.param(text(by=3), "by: must be a text.", id="by nobody"),
        pytest.param(text(approver="x"), "approver: is no field of a pin file.", id="a field of no name"),
        pytest.param(text(tools=[]), "tools: must be an object", id="tools in a list"),
        pytest.param(text(tools={"a": "sha256:"}), "tools.a: must be an object with", id="a bare digest"),
        pytest.param(text(tools={"a": {"digest": "sha256:" + "A" * 64}}), "tools.a.digest: must be", id="upper case"),
        pytest.param(
            text(tools={"a": {"digest": digest({"name": "a"}), "definition": {"name": "a", "title": "b"}}}),
            "tools.a.definition: does not have the digest beside it",
            id="edited by hand",
        ),
        pytest.param(
            text(tools={"a": {"digest": digest({"name": "b"}), "definition": {"name": "b"}}}),
            "tools.a.definition: must be an object with the name",
            id="another tool's definition",
        ),
        pytest.param(
            b'{"server":"a","tools":{"x":{"digest":"sha256:' + b"0" * 64 + b'","definition":{"name":"x","n":1e999}}}}',
            "tools.x.definition: cannot be digested",
            id="a number out of range",
        ),
    ],
)
def test_a_problem_names_its_place_and_what_to_do(data: bytes, message: str) -> None:
    assert message in problem(data)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(PolicyError) as caught:
        parse(text(server=1, by=2, tools={"a": 1, "b": 2}), "f")
    assert [found.path for found in caught.value.problems] == ["by", "server", "tools.a", "tools.b"]


def test_pins_of_a_server_do_not_show_its_definitions_in_logs() -> None:
    assert "Sends" not in repr(pin("crm", TOOLS))
    assert isinstance(pin("crm", []), Pins)
