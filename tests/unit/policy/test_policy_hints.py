"""Tools by what their annotations say: believed of trusted servers only; what is not said is as MCP has it."""

from typing import Any

import pytest

from extproc.exchange.model import McpCall
from extproc.identity.model import Identity
from extproc.policy.decide import decide_mcp, visible
from extproc.policy.load import load
from extproc.policy.runtime import Policy

WHO = Identity("corp", "https://login.example", "ada", ("all",))


def policy(tmp_path: Any, hints: str, trusted: bool = True) -> Policy:
    (tmp_path / "policy.yaml").write_text(f"""
apiVersion: gatereeve.dev/v1alpha1
kind: MCPServer
metadata: {{name: crm}}
spec: {{url: "https://crm.example/mcp", trusted: {str(trusted).lower()}}}
---
apiVersion: gatereeve.dev/v1alpha1
kind: AgentPolicy
metadata: {{name: all}}
spec:
  subjects: [{{groups: [all]}}]
  mcp: [{{server: crm, tools: {{allow: ["*"], deny: [never], hints: {hints}}}}}]
""")
    return load([tmp_path])


def allowed(made: Policy, definition: Any, name: str = "t") -> bool:
    """Whether a tool may be called, which must be whether it is listed."""
    server = made.servers["crm"]
    call = McpCall("crm", "request", "tools/call", name, 1)
    decision = decide_mcp(made, WHO, server, call, {}, lambda _: definition)
    assert visible(made, WHO, server, lambda _: definition)("tool", name) is decision.allowed
    return decision.allowed


@pytest.mark.parametrize(
    ("hints", "annotations", "fits"),
    [
        pytest.param("{readOnly: true}", {"readOnlyHint": True}, True, id="reads only"),
        pytest.param("{readOnly: true}", {"readOnlyHint": False}, False, id="writes"),
        pytest.param("{readOnly: true}", {}, False, id="does not say that it reads only"),
        pytest.param("{readOnly: true}", {"readOnlyHint": "true"}, False, id="says so in a string"),
        pytest.param("{readOnly: true}", {"readOnlyHint": 1}, False, id="says so in a number"),
        pytest.param("{readOnly: true}", {"readonlyhint": True}, False, id="says so in other letters"),
        pytest.param("{destructive: false}", {"destructiveHint": False}, True, id="destroys nothing"),
        pytest.param("{destructive: false}", {"readOnlyHint": True}, True, id="reads only, so destroys nothing"),
        pytest.param("{destructive: false}", {"destructiveHint": None}, False, id="says nothing of destroying"),
        pytest.param("{destructive: false}", {"destructiveHint": 0}, False, id="says zero"),
        pytest.param("{openWorld: false}", {"openWorldHint": False}, True, id="stays inside"),
        pytest.param("{openWorld: false}", {}, False, id="may reach out"),
        pytest.param("{readOnly: true, openWorld: false}", {"readOnlyHint": True}, False, id="one of two"),
        pytest.param("{readOnly: true, openWorld: false}", {"readOnlyHint": True, "openWorldHint": False}, True,
                     id="both"),
        pytest.param("{readOnly: true}", None, False, id="has no annotations"),
        pytest.param("{readOnly: true}", [], False, id="has a list for them"),
    ],
)  # fmt: skip
def test_a_tool_fits_or_not_that(tmp_path: Any, hints: str, annotations: Any, fits: bool):
    definition = {"name": "t", "annotations": annotations}
    assert allowed(policy(tmp_path, hints), definition) is fits
    assert allowed(policy(tmp_path, hints, trusted=False), definition) is False


def test_a_tool_that_nobody_has_seen_fits_nothing(tmp_path: Any):
    assert allowed(policy(tmp_path, "{readOnly: true}"), None) is False


def test_a_denied_tool_stays_denied_whatever_it_says(tmp_path: Any):
    assert allowed(policy(tmp_path, "{readOnly: true}"), {"annotations": {"readOnlyHint": True}}, "never") is False
