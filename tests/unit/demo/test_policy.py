"""The demo's policy files are a policy that loads, and say what the demo promises."""

import pytest

from extproc.demo.policy import DemoPorts, write_policy
from extproc.policy.load import load


@pytest.fixture
def policy(tmp_path):
    write_policy(tmp_path, DemoPorts(llm=1, mcp=2, idp=3))
    return load(tmp_path)


def test_the_alias_gpt_4_becomes_demo_large(policy):
    assert policy.models["gpt-4"].targets[0].model == "demo-large"
    assert set(policy.models) == {"gpt-4", "gpt-4o-mini", "claude-sonnet"}


def test_every_upstream_has_the_demos_credential_and_port(policy):
    credentials = {
        u.name: (u.port, u.credential.header, u.credential.format, u.credential.value) for u in policy.upstreams
    }
    assert credentials == {
        "LLMProvider/demo": (1, "authorization", "Bearer {}", "demo-llm-key"),
        "MCPServer/demo": (2, "authorization", "Bearer {}", "demo-mcp-key"),
    }


def test_nobody_may_delete_notes_and_interns_only_read_them(policy):
    grants = {agent.name: agent.mcp[0] for agent in policy.agents}
    allowed = {
        name: {tool for tool in ("read_note", "find_customer", "delete_note") if grant.tools(tool)}
        for name, grant in grants.items()
    }
    assert {name.rpartition("/")[2]: tools for name, tools in allowed.items()} == {
        "engineering": {"read_note", "find_customer"},
        "interns": {"read_note"},
    }


def test_answers_are_masked_for_everyone(policy):
    assert all(agent.masking is not None for agent in policy.agents)


@pytest.mark.parametrize(("provider", "family"), [("openai", "gpt-"), ("anthropic", "claude-")])
def test_a_real_provider_takes_its_own_models_only(tmp_path, provider, family):
    write_policy(tmp_path, DemoPorts(), provider)
    models = load(tmp_path).models
    served = {name for name, model in models.items() if model.targets[0].provider.name.endswith(provider)}
    assert served == {name for name in models if name.startswith(family)}
    upstream = next(models[name].targets[0].provider.upstream for name in served)
    assert (upstream.tls, upstream.port) == (True, 443)
    assert upstream.credential.env == f"{provider.upper()}_API_KEY"
    assert upstream.credential.value == ""


def test_several_real_providers_at_once(tmp_path):
    write_policy(tmp_path, DemoPorts(), ("openai", "anthropic"))
    served = {name: model.targets[0].provider.name for name, model in load(tmp_path).models.items()}
    assert {name: provider.rpartition("/")[2] for name, provider in served.items()} == {
        "gpt-4": "openai",
        "gpt-4o-mini": "openai",
        "claude-sonnet": "anthropic",
    }
