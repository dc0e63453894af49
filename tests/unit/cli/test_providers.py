"""`gatereeve providers`: who is in the catalogue, whose a host is, and what a policy says of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from extproc.cli.main import gatereeve
from extproc.policy.catalogue import providers

POLICY = """
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: main}
spec: {dialects: [openai-chat], url: "https://API.openai.com/v1"}
---
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: eu}
spec: {dialects: [openai-chat], url: "https://eu.api.openai.com/v1", approved: false}
---
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: claude}
spec: {dialects: [anthropic-messages], url: "https://api.anthropic.com", approved: false}
---
apiVersion: gatereeve.dev/v1alpha1
kind: LLMProvider
metadata: {name: in-house}
spec: {dialects: [openai-chat], url: "https://llm.corp.example:8443/v1"}
"""


@pytest.fixture
def policy(tmp_path: Path) -> str:
    (tmp_path / "providers.yaml").write_text(POLICY)
    return str(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(gatereeve, ["providers", *arguments])


def listed(*arguments: str) -> dict[str, dict[str, Any]]:
    result = run("list", "--format", "json", *arguments)
    assert result.exit_code == 0, result.output
    return {entry["name"]: entry for entry in json.loads(result.stdout)}


def test_the_table_has_a_line_for_each_provider_under_its_headings() -> None:
    lines = run("list").stdout.splitlines()
    assert lines[0].split() == ["NAME", "KIND", "DIALECTS", "HOSTS"]
    assert [line.split()[0] for line in lines[1:]] == [provider.name for provider in providers()]
    assert max(map(len, lines)) <= 140


def test_json_has_everything_the_catalogue_knows_and_says_nothing_of_a_policy_it_was_not_given() -> None:
    entry = listed()["anthropic"]
    assert entry["hosts"] == ["api.anthropic.com"]
    assert entry["dialects"] == ["anthropic-messages"]
    assert entry["header"] == "x-api-key"
    assert entry["source"].startswith("https://")
    assert set(entry) == {
        "name", "title", "kind", "dialects", "header", "shared", "hosts", "source", "also", "checked"
    }  # fmt: skip


def test_hosts_are_one_pattern_on_a_line_and_nothing_else() -> None:
    hosts = run("list", "--format", "hosts").stdout.splitlines()
    assert hosts == [host for provider in providers() for host in provider.hosts]


def test_kind_and_dialect_choose_who_is_listed() -> None:
    apps = listed("--kind", "app")
    assert "chatgpt" in apps
    assert {entry["kind"] for entry in apps.values()} == {"app"}
    messages = listed("--kind", "api", "--dialect", "anthropic-messages")
    assert {"anthropic", "deepseek"} <= set(messages)
    assert "groq" not in messages
    assert listed("--kind", "app", "--dialect", "anthropic-messages") == {}


@pytest.mark.parametrize("option", [("--kind", "website"), ("--dialect", "klingon"), ("--format", "xml")])
def test_a_kind_dialect_or_format_that_there_is_none_of_is_wrong_usage(option: tuple[str, str]) -> None:
    assert run("list", *option).exit_code == 2


@pytest.mark.promise("catalogue.policy")
def test_a_policy_marks_each_and_one_approved_host_is_enough(policy: str) -> None:
    entries = listed("--policy", policy)
    assert entries["openai"]["policy"] == "approved"
    assert entries["anthropic"]["policy"] == "not approved"
    assert entries["groq"]["policy"] == "not in policy"
    assert {entry["policy"] for entry in entries.values()} == {"approved", "not approved", "not in policy"}


def test_a_policy_marks_the_table_and_the_hosts_too(policy: str) -> None:
    table = run("list", "--policy", policy).stdout.splitlines()
    assert table[0].split() == ["NAME", "KIND", "POLICY", "DIALECTS", "HOSTS"]
    assert any(line.startswith("anthropic ") and " not approved " in line for line in table)
    hosts = run("list", "--format", "hosts", "--policy", policy).stdout.splitlines()
    assert "api.anthropic.com\tnot approved" in hosts
    assert "api.openai.com\tapproved" in hosts


def test_a_broken_policy_is_told_of_and_nothing_is_listed(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(POLICY.replace("[anthropic-messages]", "[klingon]"))
    result = run("list", "--policy", str(tmp_path))
    assert result.exit_code != 0
    assert result.stdout == ""


@pytest.mark.parametrize("host", ["api.anthropic.com", "API.Anthropic.COM.:443"])
def test_find_tells_whose_a_host_is_however_it_is_written(host: str) -> None:
    result = run("find", host)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].split() == ["name", "anthropic"]
    assert "anthropic-messages" in result.stdout
    assert "policy" not in result.stdout


@pytest.mark.promise("catalogue.policy")
def test_find_tells_what_the_policy_says_of_it(policy: str) -> None:
    assert run("find", "api.anthropic.com", "--policy", policy).stdout.splitlines()[-1].split(None, 1) == [
        "policy",
        "not approved",
    ]
    found = json.loads(run("find", "api.openai.com", "--policy", policy, "--format", "json").stdout)
    assert (found["name"], found["policy"]) == ("openai", "approved")


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1", "api.openai.com@evil.example", "", "api.\u043epenai.com"])
def test_find_of_a_host_nobody_is_known_for_ends_with_1_and_says_so_on_stderr(host: str) -> None:
    result = run("find", host)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "is no host of a provider in the catalogue." in result.stderr


def test_find_names_the_provider_of_the_policy_that_the_catalogue_lacks(policy: str) -> None:
    result = run("find", "LLM.corp.example:8443", "--policy", policy)
    assert result.exit_code == 1
    assert result.stderr.endswith("in the policy it is LLMProvider in-house.\n")


@pytest.mark.parametrize("command", [(), ("list",), ("find",)], ids=["group", "list", "find"])
def test_help_has_examples_that_can_be_typed(command: tuple[str, ...]) -> None:
    text = run(*command, "--help").stdout
    examples = [line.strip() for line in text.splitlines() if line.strip().startswith("gatereeve providers ")]
    assert len(examples) >= 2
