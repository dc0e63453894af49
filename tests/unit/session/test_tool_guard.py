"""A tool's call before it goes on: its approval, its arguments, what is told of it, and what its client declares."""

import json
from dataclasses import replace
from typing import Any

import pytest

from extproc.arguments.guard import Settings
from extproc.exchange.model import McpCall
from extproc.exchange.refusal import Reason
from extproc.policy.names import Names
from extproc.policy.runtime import McpServer
from extproc.policy.tool_calls import refusal
from extproc.policy.tool_rules import Approval, ToolRules
from extproc.session import tool_guard
from extproc.tools.pins import pin
from tests.unit.session.transcript import WALL, policy

TOOL = {"name": "read", "inputSchema": {"type": "object", "properties": {"id": {"type": "integer"}}}}
CARD = "4111 1111 1111 1111"


def server(**rules: Any) -> McpServer:
    return replace(policy().servers["notes"], rules=ToolRules(**rules))


def call(name: str = "read", doc: Any = None, **arguments: Any) -> McpCall:
    return McpCall("notes", "request", "tools/call", name, 1, arguments=arguments, doc=doc or {})


@pytest.mark.parametrize(
    ("name", "definition", "approval", "refused"),
    [
        pytest.param("read", TOOL, {}, False, id="the approved one"),
        pytest.param("read", None, {}, False, id="an approved one that no list has shown"),
        pytest.param("read", {**TOOL, "title": "x"}, {}, True, id="one that has changed"),
        pytest.param("read", {**TOOL, "title": "x"}, {"drift": False}, False, id="one that may change"),
        pytest.param("other", {"name": "other"}, {}, True, id="an unknown one"),
        pytest.param("other", None, {}, True, id="an unknown one that no list has shown"),
        pytest.param("other", None, {"unknown": False}, False, id="one that may be unknown"),
        pytest.param("read", TOOL, {"expires": WALL - 1}, True, id="one whose approval is over"),
        pytest.param("read", None, {"expires": WALL - 1}, True, id="one whose approval is over, not shown"),
        pytest.param("read", None, {"expires": WALL + 1}, False, id="one whose approval is not over"),
        pytest.param("read", {**TOOL, "name": "other"}, {}, True, id="one whose definition is of another"),
    ],
)
def test_a_call_goes_on_only_for(name: str, definition: Any, approval: Any, refused: bool):
    held = server(approval=Approval(pin("notes", [TOOL]), **approval))
    found = refusal(held, call(name), definition, WALL)
    assert (found is not None and found.reason is Reason.TOOL_NOT_APPROVED) is refused
    assert refused or found is None


def test_a_refusal_names_argument_and_remedy_and_no_value():
    found = refusal(server(), call(path="../../secret-place", id="x-secret"), TOOL, WALL)
    assert found is not None
    assert found.reason is Reason.ARGUMENT_REFUSED
    assert "/path: " in found.message
    assert "/id: The value must be of type integer." in found.message
    assert "secret" not in found.message


def test_of_many_problems_the_first_are_told():
    found = refusal(server(), call(**{f"path_{n}_file": "../../x" for n in range(6)}), None, WALL)
    assert found is not None
    assert found.message.count("/path_") == 3
    assert "There are 3 more." in found.message


def test_a_schema_that_cannot_be_used_refuses_until_it_is_switched_off():
    remote = {"name": "read", "inputSchema": {"$ref": "https://evil.example/schema"}}
    found = refusal(server(), call(), remote, WALL)
    assert found is not None
    assert "The tool's input schema cannot be used" in found.message
    assert refusal(server(settings=((Names(("*",)), Settings(schema=False)),)), call(), remote, WALL) is None


@pytest.mark.parametrize(
    ("definition", "settings", "notes"),
    [
        pytest.param(None, Settings(), ("schema-not-known",), id="no list has shown"),
        pytest.param(TOOL, Settings(), (), id="has a schema"),
        pytest.param({"name": "read"}, Settings(), (), id="has none"),
        pytest.param({"name": "read", "inputSchema": {"properties": {"id": {"pattern": "(?=a)\\1"}}}}, Settings(),
                     ("schema-partly-held",), id="has a pattern that is not matched"),
        pytest.param(None, Settings(schema=False), (), id="nobody asks for"),
    ],
)  # fmt: skip
def test_a_guard_that_did_not_run_is_told_of_a_tool_whose_schema(definition: Any, settings: Settings, notes: Any):
    held = server(settings=((Names(("*",)), settings),))
    assert refusal(held, call(id=1), definition, WALL) is None
    assert held.rules.notes("read") == notes


def test_the_record_has_the_arguments_masked_cut_and_never_too_large():
    assert tool_guard.recorded(server(), call()) == ""
    said = tool_guard.recorded(server(), call(text=f"pay with {CARD}", to="ada@corp.example", n=42))
    assert json.loads(said)["n"] == 42
    assert "4111" not in said
    assert "ada@" not in said
    assert len(tool_guard.recorded(server(), call(text="a b " * 5_000))) == 2048 + 3
    assert tool_guard.recorded(server(), call(text="a" * 70_000)) == "[70011 bytes]"
    assert tool_guard.recorded(server(records_arguments=False), call(text="x")) == ""


def test_a_secret_is_not_told_by_where_the_text_is_cut():
    for before in range(2020, 2060):
        said = tool_guard.recorded(server(), call(t="x " * (before // 2) + CARD))
        assert "4111 1" not in said


KEY = "io.modelcontextprotocol/clientCapabilities"
CAN = {
    "sampling": {"tools": {}},
    "roots": {},
    "elicitation": {},
    "tasks": {"requests": {"elicitation": {}}, "list": {}},
}


@pytest.mark.parametrize("holder", ["handshake", "modern"])
def test_the_client_declares_only_what_the_server_may_ask_for(holder: str):
    said = json.loads(json.dumps(CAN))
    params = {"capabilities": said} if holder == "handshake" else {"_meta": {KEY: said}}
    tool_guard.restrict(server(denied=frozenset({"elicitation", "roots"})), call(doc={"params": params}))
    assert said == {"sampling": {"tools": {}}, "tasks": {"requests": {}, "list": {}}}


@pytest.mark.parametrize(
    "doc",
    [{}, {"params": []}, {"params": {"capabilities": 7}}, {"params": {"_meta": 7}},
     {"params": {"_meta": {KEY: []}}}, {"params": {"capabilities": {"tasks": {"requests": 7}}}}],
)  # fmt: skip
def test_what_declares_nothing_stays(doc: Any):
    before = json.dumps(doc)
    tool_guard.restrict(server(denied=frozenset({"roots"})), call(doc=doc))
    assert json.dumps(doc) == before
