import os
import subprocess
import sys

import pytest
from prometheus_client import CollectorRegistry

from extproc.adapters.metrics import OTHER, Metrics, exposition, process_ended
from extproc.exchange.classify import DIALECTS

ENTRY = {
    "plane": "llm", "dialect": "openai-chat", "operation": "chat", "model": "gpt-4", "verdict": "allow",
    "reason": "allowed", "guards_not_applied": ["mask"], "masked": {"card": 2},
    "usage": {"input_tokens": 10, "output_tokens": 20, "cached_tokens": None, "unheard_of": 3},
    "ms": {"total": 120.0, "request": 1.5, "upstream": None},
}  # fmt: skip


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def metrics(registry):
    found = Metrics(registry)
    found.policy_loaded("v1", ["gpt-4"])
    return found


def test_one_exchange_is_counted_by_its_audit_entry(metrics, registry):
    metrics.observe(ENTRY)
    gen_ai = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "openai", "gen_ai_request_model": "gpt-4"}
    expected = {
        ("gatereeve_decisions_total", ("plane", "llm"), ("verdict", "allow"), ("reason", "allowed")): 1,
        ("gatereeve_guards_not_applied_total", ("guard", "mask")): 1,
        ("gatereeve_masked_total", ("rule", "card")): 2,
        ("gatereeve_exchange_duration_seconds_sum", ("plane", "llm"), ("phase", "total")): 0.12,
        ("gatereeve_exchange_duration_seconds_count", ("plane", "llm"), ("phase", "upstream")): None,
        ("gen_ai_client_token_usage_sum", *gen_ai.items(), ("gen_ai_token_type", "input")): 10,
        ("gen_ai_client_token_usage_sum", *gen_ai.items(), ("gen_ai_token_type", "output")): 20,
        ("gen_ai_client_token_usage_sum", *gen_ai.items(), ("gen_ai_token_type", "cached_input")): None,
        ("gen_ai_client_operation_duration_count", *gen_ai.items()): 1,
    }
    for (name, *labels), value in expected.items():
        assert registry.get_sample_value(name, dict(labels)) == value, (name, labels)


def test_a_model_nobody_declared_cannot_become_a_label(metrics, registry):
    for n in range(100):
        metrics.observe({**ENTRY, "model": f"made-up-{n}"})
    text = exposition(registry).decode()
    assert "made-up" not in text
    assert f'gen_ai_request_model="{OTHER}"' in text


def test_a_refused_call_counts_no_tokens(metrics, registry):
    metrics.observe({**ENTRY, "verdict": "deny", "reason": "no-policy"})
    assert "gen_ai_client_operation_duration_count" not in exposition(registry).decode()


PROVIDERS = {
    "openai-chat": "openai", "openai-responses": "openai", "openai-completions": "openai",
    "openai-embeddings": "openai", "azure-openai-chat": "azure.ai.openai",
    "azure-openai-completions": "azure.ai.openai", "azure-openai-embeddings": "azure.ai.openai",
    "anthropic-messages": "anthropic", "bedrock-converse": "aws.bedrock", "bedrock-invoke": "aws.bedrock",
    "gemini": "gcp.gemini", "vertex-gemini": "gcp.vertex_ai", "vertex-claude": "gcp.vertex_ai",
    "cohere-chat": "cohere", "ollama": "ollama",
}  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_has_the_name_that_opentelemetry_gives_its_provider(metrics, registry, dialect):
    metrics.observe({**ENTRY, "dialect": dialect})
    labels = {
        "gen_ai_operation_name": "chat",
        "gen_ai_provider_name": PROVIDERS[dialect],
        "gen_ai_request_model": "gpt-4",
    }
    assert registry.get_sample_value("gen_ai_client_operation_duration_count", labels) == 1


def test_every_kind_of_token_is_counted_by_itself(metrics, registry):
    kinds = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
    metrics.observe({**ENTRY, "usage": {name: 10 + n for n, name in enumerate(kinds)}})
    gen_ai = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "openai", "gen_ai_request_model": "gpt-4"}
    for n, kind in enumerate(("input", "output", "cached_input", "cache_creation_input", "reasoning")):
        found = registry.get_sample_value("gen_ai_client_token_usage_sum", {**gen_ai, "gen_ai_token_type": kind})
        assert found == 10 + n, kind


def test_a_translated_call_is_counted_for_the_pair_and_as_its_servers(metrics, registry):
    metrics.observe({**ENTRY, "upstream_dialect": "bedrock-converse"})
    metrics.observe({**ENTRY, "upstream_dialect": "openai-chat"})
    pair = {"source": "openai-chat", "target": "bedrock-converse"}
    assert registry.get_sample_value("gatereeve_translations_total", pair) == 1
    text = exposition(registry).decode()
    assert text.count("gatereeve_translations_total{") == 1
    assert 'gen_ai_provider_name="aws.bedrock"' in text


def test_dialects_nobody_knows_cannot_become_labels(metrics, registry):
    metrics.observe({**ENTRY, "dialect": "made-up-a", "upstream_dialect": "made-up-b"})
    assert "made-up" not in exposition(registry).decode()
    assert registry.get_sample_value("gatereeve_translations_total", {"source": OTHER, "target": OTHER}) == 1


def test_costs_add_up_by_model_and_currency(metrics, registry):
    for amount, currency in ((0.5, "USD"), (0.25, "USD"), (2, "EUR")):
        metrics.observe({**ENTRY, "cost": {"amount": amount, "currency": currency}})
    metrics.observe({**ENTRY, "model": "made-up", "cost": {"amount": 1, "currency": "USD"}})
    for model, currency, total in (("gpt-4", "USD", 0.75), ("gpt-4", "EUR", 2), (OTHER, "USD", 1)):
        labels = {"model": model, "currency": currency}
        assert registry.get_sample_value("gatereeve_cost_total", labels) == total


def test_tokens_that_were_only_counted_were_not_used(metrics, registry):
    metrics.observe({**ENTRY, "operation": "count_tokens", "cost": {"amount": 1, "currency": "USD"}})
    text = exposition(registry).decode()
    assert "gen_ai_client_operation_duration_count{" in text
    assert "gen_ai_client_token_usage_sum{" not in text
    assert "gatereeve_cost_total{" not in text


@pytest.mark.parametrize(
    ("outcome", "label"),
    [
        *[
            pytest.param(name, name, id=name)
            for name in ("served", "status-429", "status-5xx", "connect", "timeout", "refused", "aborted")
        ],
        pytest.param("other", OTHER, id="other"),
        pytest.param("made-up", OTHER, id="one that nobody knows"),
    ],
)
def test_an_attempt_is_counted_and_is_no_exchange(metrics, registry, outcome, label):
    metrics.observe({**ENTRY, "operation": "attempt", "upstream": "claude", "outcome": outcome})
    labels = {"upstream": "claude", "outcome": label}
    assert registry.get_sample_value("gatereeve_attempts_total", labels) == 1
    text = exposition(registry).decode()
    for name in ("gatereeve_decisions_total", "gatereeve_masked_total", "gen_ai_client_token_usage_sum"):
        assert name + "{" not in text


def test_an_mcp_client_cannot_pass_for_an_attempt(metrics, registry):
    metrics.observe({"plane": "mcp", "operation": "attempt", "verdict": "deny", "reason": "no-policy"})
    labels = {"plane": "mcp", "verdict": "deny", "reason": "no-policy"}
    assert registry.get_sample_value("gatereeve_decisions_total", labels) == 1
    assert "gatereeve_attempts_total{" not in exposition(registry).decode()


def test_an_empty_entry_is_counted_as_other(metrics, registry):
    metrics.observe({})
    labels = {"plane": OTHER, "verdict": OTHER, "reason": OTHER}
    assert registry.get_sample_value("gatereeve_decisions_total", labels) == 1


def test_policy_info_names_the_version_in_force(metrics, registry):
    metrics.policy_loaded("v2", [])
    assert registry.get_sample_value("gatereeve_policy_info", {"version": "v1"}) == 0
    assert registry.get_sample_value("gatereeve_policy_info", {"version": "v2"}) == 1


def test_token_cache_totals_are_brought_up_to_date_not_added_twice(metrics, registry):
    metrics.sync_token_cache({"hit": 5, "miss": 1})
    metrics.sync_token_cache({"hit": 7, "miss": 1})
    assert registry.get_sample_value("gatereeve_token_cache_total", {"outcome": "hit"}) == 7
    assert registry.get_sample_value("gatereeve_token_cache_total", {"outcome": "miss"}) == 1


def test_the_other_counters_count(metrics, registry):
    metrics.keys_fetched("demo", "ok")
    metrics.audit_lost(3)
    metrics.policy_reload("failed")
    metrics.active_streams(4)
    assert registry.get_sample_value("gatereeve_keys_fetch_total", {"issuer": "demo", "outcome": "ok"}) == 1
    assert registry.get_sample_value("gatereeve_audit_dropped_total") == 3
    assert registry.get_sample_value("gatereeve_policy_reloads_total", {"outcome": "failed"}) == 1
    assert registry.get_sample_value("gatereeve_active_streams") == 4


def test_workers_write_files_and_the_supervisor_adds_them_up(tmp_path):
    script = (
        "from prometheus_client import CollectorRegistry\n"
        "from extproc.adapters.metrics import Metrics\n"
        "m = Metrics(CollectorRegistry())\n"
        "m.policy_loaded('v1', ['gpt-4']); m.active_streams(2); m.audit_lost(1)\n"
        f"m.observe({ENTRY!r})\n"
        "import os; print(os.getpid())\n"
    )
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    pids = [
        int(subprocess.run([sys.executable, "-c", script], env=env, check=True, capture_output=True).stdout)
        for _ in range(2)
    ]
    text = exposition(CollectorRegistry(), tmp_path).decode()
    assert 'gatereeve_decisions_total{plane="llm",reason="allowed",verdict="allow"} 2.0' in text
    assert "gatereeve_audit_dropped_total 2.0" in text
    assert "gatereeve_active_streams 4.0" in text
    assert 'gatereeve_policy_info{version="v1"} 1.0' in text
    process_ended(pids[0], tmp_path)
    text = exposition(CollectorRegistry(), tmp_path).decode()
    assert "gatereeve_active_streams 2.0" in text
    assert "gatereeve_audit_dropped_total 2.0" in text
