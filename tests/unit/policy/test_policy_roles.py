"""Roles: lists under a name, added to every policy that takes them; a denial among them beats what others allow."""

from typing import Any

import pytest

from extproc.errors import PolicyError
from extproc.exchange.model import LlmCall, McpCall
from extproc.exchange.refusal import Reason
from extproc.identity.model import Identity
from extproc.policy.decide import decide_llm, decide_mcp, visible
from extproc.policy.load import load
from extproc.policy.runtime import Policy

BASE = """
apiVersion: gatereeve.dev/v1alpha1
kind: MCPServer
metadata: {name: crm}
spec: {url: "https://crm.example/mcp"}
---
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: p}
spec: {dialects: [openai-chat], url: "https://llm.example"}
---
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: large}
spec: {targets: [{provider: p}]}
---
apiVersion: gatereeve.dev/v1alpha1
kind: Role
metadata: {name: reader}
spec:
  description: Reads customers.
  models: {allow: [large]}
  mcp: [{server: crm, tools: {allow: ["read_*"]}}]
---
apiVersion: gatereeve.dev/v1alpha1
kind: Role
metadata: {name: keeper}
spec:
  models: {deny: [large]}
  mcp: [{server: "*", tools: {deny: ["*_secret"]}, methods: {deny: ["resources/*"]}}]
"""


def _policy(name: str, roles: str, mcp: str = "[]") -> str:
    return f"""
---
apiVersion: gatereeve.dev/v1alpha1
kind: AgentPolicy
metadata: {{name: {name}}}
spec: {{subjects: [{{groups: [{name}]}}], roles: {roles}, mcp: {mcp}}}
"""


@pytest.fixture
def policy(tmp_path: Any) -> Policy:
    text = BASE + _policy("sales", "[reader]") + _policy("support", "[reader]") + _policy("both", "[reader, keeper]")
    text += _policy("own", "[reader]", "[{server: crm, tools: {allow: [own_tool]}}]") + _policy("none", "[]")
    text += _policy("kept", "[keeper]", '[{server: crm, tools: {allow: ["*"]}}]')
    (tmp_path / "policy.yaml").write_text(text)
    return load([tmp_path])


def call(policy: Policy, *groups: str, tool: str = "read_x", method: str = "tools/call") -> Reason:
    who = Identity("corp", "https://login.example", "ada", groups)
    asked = McpCall("crm", "request", method, tool, 1)
    decision = decide_mcp(policy, who, policy.servers["crm"], asked, {})
    if method == "tools/call":
        assert visible(policy, who, policy.servers["crm"])("tool", tool) is decision.allowed
    return decision.reason


@pytest.mark.parametrize(
    ("groups", "tool", "reason"),
    [
        pytest.param(["sales"], "read_x", Reason.ALLOWED, id="one policy with the role"),
        pytest.param(["support"], "read_x", Reason.ALLOWED, id="another with the same"),
        pytest.param(["sales"], "drop_x", Reason.TOOL_NOT_ALLOWED, id="a tool that the role does not name"),
        pytest.param(["own"], "own_tool", Reason.ALLOWED, id="the policy's own list"),
        pytest.param(["own"], "read_x", Reason.ALLOWED, id="the role's beside it"),
        pytest.param(["none"], "read_x", Reason.SERVER_NOT_ALLOWED, id="a policy without roles"),
        pytest.param(["both"], "read_secret", Reason.TOOL_NOT_ALLOWED, id="allowed by one role, denied by another"),
        pytest.param(["kept"], "read_secret", Reason.TOOL_NOT_ALLOWED, id="allowed by the policy, denied by its role"),
        pytest.param(["kept"], "drop_x", Reason.ALLOWED, id="allowed by the policy, not denied"),
        pytest.param(["sales", "kept"], "read_secret", Reason.TOOL_NOT_ALLOWED, id="denied by another policy's role"),
    ],
)
def test_what_may_be_called_with(policy: Policy, groups: list[str], tool: str, reason: Reason):
    assert call(policy, *groups, tool=tool) is reason


def test_a_roles_methods_are_denied(policy: Policy):
    assert call(policy, "kept", method="resources/list", tool="") is Reason.METHOD_NOT_ALLOWED


@pytest.mark.parametrize(("group", "reason"), [("sales", Reason.ALLOWED), ("both", Reason.MODEL_NOT_ALLOWED)])
def test_a_roles_models_count(policy: Policy, group: str, reason: Reason):
    who = Identity("corp", "https://login.example", "ada", (group,))
    assert decide_llm(policy, who, LlmCall("openai-chat", "chat", "large"), {}).reason is reason


def test_a_decision_by_a_role_names_the_policy_or_the_role(policy: Policy):
    who = Identity("corp", "https://login.example", "ada", ("both",))
    denied = McpCall("crm", "request", "tools/call", "read_secret", 1)
    assert decide_mcp(policy, who, policy.servers["crm"], denied, {}).rule.startswith("Role/keeper ")


def test_a_role_that_is_not_there_is_told(tmp_path: Any):
    (tmp_path / "policy.yaml").write_text(BASE + _policy("sales", "[raeder]"))
    with pytest.raises(PolicyError) as caught:
        load([tmp_path])
    assert "raeder" in str(caught.value.problems[0])
