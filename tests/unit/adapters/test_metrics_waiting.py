"""What is observed waits in plain numbers: it must arrive whole, in the right bucket, once."""

import os
import subprocess
import sys

import pytest
from prometheus_client import CollectorRegistry, Histogram

from extproc.adapters import metrics as module
from extproc.adapters.metrics import Metrics, exposition

ENTRY = {"plane": "llm", "verdict": "deny", "reason": "no-policy"}


def buckets(registry, name):
    return {
        sample.labels["le"]: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == f"{name}_bucket"
    }


@pytest.mark.parametrize("seconds", [0.0, 0.0005, 0.001, 0.0010001, 0.25, 299.9, 300.0, 300.1, 1e9])
def test_a_time_falls_into_the_bucket_that_prometheus_client_would_choose(seconds):
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    Histogram("gatereeve_exchange_duration_seconds", "", buckets=module._SECONDS, registry=theirs).observe(seconds)
    Metrics(ours).observe({**ENTRY, "ms": {"total": seconds * 1000.0}})
    name = "gatereeve_exchange_duration_seconds"
    assert buckets(ours, name) == buckets(theirs, name)
    labels = {"plane": "llm", "phase": "total"}
    assert ours.get_sample_value(f"{name}_sum", labels) == pytest.approx(seconds)


def test_what_was_handed_on_is_not_handed_on_again():
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    for _ in range(3):
        metrics.observe({**ENTRY, "ms": {"total": 1.0}, "masked": {"card": 2}})
        metrics.flush()
        metrics.flush()
    assert registry.get_sample_value("gatereeve_decisions_total", ENTRY) == 3
    assert registry.get_sample_value("gatereeve_masked_total", {"rule": "card"}) == 6
    labels = {"plane": "llm", "phase": "total"}
    assert registry.get_sample_value("gatereeve_exchange_duration_seconds_count", labels) == 3


def test_the_second_by_second_call_brings_a_workers_files_up_to_date_before_it_ends(tmp_path):
    script = (
        "import os, signal\n"
        "from prometheus_client import CollectorRegistry\n"
        "from extproc.adapters.metrics import Metrics\n"
        "m = Metrics(CollectorRegistry())\n"
        f"m.observe({ENTRY!r}); m.sync_token_cache({{}})\n"
        f"m.observe({ENTRY!r})\n"  # the last second, which dies with it
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], env=env, check=False)
    text = exposition(CollectorRegistry(), tmp_path).decode()
    assert 'gatereeve_decisions_total{plane="llm",reason="no-policy",verdict="deny"} 1.0' in text
