"""What a server's tools are held to: which settings count for a tool, what is kept, and whose approval is believed."""

import json
from typing import Any

import pytest

from extproc.arguments.guard import Settings, applied
from extproc.errors import PolicyError
from extproc.policy import tool_rules
from extproc.policy.load import load
from extproc.policy.names import Names
from extproc.policy.sensitivity import DataClass
from extproc.policy.tool_rules import Approval, ToolRules
from extproc.tools.pins import dump, pin

WALL = 1_800_000_000.0
TOOL = {"name": "read", "inputSchema": {"type": "object", "properties": {"id": {"type": "integer"}}}}


def loaded(tmp_path: Any, **spec: Any) -> ToolRules:
    """The rules of a server with this spec."""
    document = {
        "apiVersion": "gatereeve.dev/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": "crm"},
        "spec": {"url": "https://crm.example/mcp", **spec},
    }
    (tmp_path / "policy.yaml").write_text(json.dumps(document))
    return load([tmp_path]).servers["crm"].rules


def test_the_first_entry_that_matches_a_tool_counts_instead_of_the_servers():
    off = Settings(checks=(applied("path", on=False),))
    rules = ToolRules(settings=((Names(("read_*",)), off), (Names(("*",)), Settings())))
    assert rules.problems("read_x", None, {"path": "../../x"}) == ()
    assert [found.check for found in rules.problems("other", None, {"path": "../../x"})] == ["path"]


def test_a_guard_is_of_the_definition_that_is_known_now():
    rules = ToolRules()
    assert rules.problems("read", None, {"id": "x"}) == ()
    assert rules.problems("read", TOOL, {"id": "x"})[0].check == "schema"
    assert rules.problems("read", {"name": "read", "inputSchema": {}}, {"id": "x"}) == ()
    assert rules.problems("read", TOOL, {"id": "x"})[0].check == "schema"


def test_names_that_callers_make_up_fill_no_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tool_rules, "_MOST_GUARDS", 50)
    rules = ToolRules()
    for number in range(500):
        rules.problems(f"made-up-{number}", None, {})
        assert len(rules._guards) <= 50
    assert rules.problems("read", TOOL, {"id": "x"})


def test_a_guard_is_compiled_once(monkeypatch: pytest.MonkeyPatch):
    compiled = []
    real = tool_rules.compile_guard
    monkeypatch.setattr(tool_rules, "compile_guard", lambda *args: compiled.append(1) or real(*args))
    rules = ToolRules()
    for _ in range(5):
        rules.problems("read", TOOL, {"id": 1})
    assert len(compiled) == 1


def test_a_tool_has_the_first_class_that_names_it():
    classes = ((Names(("read_*",)), DataClass.RESTRICTED), (Names(("*_x",)), DataClass.CONFIDENTIAL))
    rules = ToolRules(classes=classes)
    assert rules.data_class("read_x", DataClass.PUBLIC) is DataClass.RESTRICTED
    assert rules.data_class("drop_x", DataClass.PUBLIC) is DataClass.CONFIDENTIAL
    assert rules.data_class("drop_y", DataClass.INTERNAL) is DataClass.INTERNAL


@pytest.mark.parametrize(
    ("definition", "standing"),
    [
        pytest.param(TOOL, "approved", id="as approved"),
        pytest.param({**TOOL, "icons": [{"src": "x"}], "_meta": {"a": 1}}, "approved", id="with another icon"),
        pytest.param({**TOOL, "description": "new"}, "changed", id="another description"),
        pytest.param({**TOOL, "annotations": {"readOnlyHint": True}}, "changed", id="other annotations"),
        pytest.param({**TOOL, "title": "\ud800"}, "changed", id="what has no digest"),
        pytest.param({"name": "other"}, "unknown", id="another tool"),
        pytest.param({"name": ["read"]}, "unknown", id="a name that is none"),
        pytest.param({}, "unknown", id="no name"),
    ],
)
def test_a_definition_stands(definition: Any, standing: str):
    assert Approval(pin("crm", [TOOL])).standing(definition, WALL) == standing
    assert Approval(pin("crm", [TOOL]), expires=WALL - 1).standing(definition, WALL) == "unknown"


def test_a_pin_file_is_read_and_its_words_are_kept(tmp_path: Any):
    (tmp_path / "crm.json").write_text(dump(pin("crm", [TOOL])))
    approval = loaded(tmp_path, pins={"file": "crm.json", "onDrift": "warn"}).approval
    assert approval is not None
    assert (approval.drift, approval.unknown) == (False, True)
    assert approval.standing(TOOL, WALL) == "approved"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="is not there"),
        pytest.param("{", id="is no JSON"),
        pytest.param('{"server": "crm", "tools": {"read": {"digest": "sha256:short"}}}', id="has no digest"),
        pytest.param('{"server": "crm", "tools": {"a": {}, "a": {}}}', id="says a name twice"),
    ],
)
def test_a_policy_is_not_loaded_whose_pin_file(tmp_path: Any, content: str | None):
    if content is not None:
        (tmp_path / "crm.json").write_text(content)
    with pytest.raises(PolicyError) as caught:
        loaded(tmp_path, pins={"file": "crm.json"})
    assert "spec.pins.file" in str(caught.value.problems[0])


def test_on_by_default_are_checks_screening_and_caps_and_nothing_is_asked_away(tmp_path: Any):
    rules = loaded(tmp_path)
    assert rules.problems("x", None, {"path": "../../x"})
    assert (rules.screening.descriptions, rules.screening.results) == ("refuse", "strip")
    assert rules.max_bytes == 4 << 20
    assert rules.denied == frozenset()
    assert rules.records_arguments


@pytest.mark.parametrize("check", ["path", "url", "command", "commandLine", "argument", "sql"])
def test_each_check_can_be_switched_off_by_the_bare_word(tmp_path: Any, check: str):
    attacks = {
        "path": {"path": "../../x"},
        "url": {"url": "http://127.0.0.1/"},
        "command": {"shell": {"args": "; rm -rf /"}},
        "commandLine": {"command": "a; b $(c)"},
        "argument": {"branch": "--upload-pack=x"},
        "sql": {"sql": "DROP TABLE a"},
    }
    arguments = attacks[check]
    tool = "x"
    if check == "command":
        tool, arguments = "run_shell", {"args": "; rm -rf /"}
    assert loaded(tmp_path).problems(tool, None, arguments), "refused by default"
    assert loaded(tmp_path, arguments={"checks": {check: "off"}}).problems(tool, None, arguments) == ()
