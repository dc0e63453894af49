"""What is counted, and how an audit entry becomes counts.

One call per exchange: `observe(entry)`. Label values come from closed lists or from the policy, never from a client,
so that nobody outside can make the metrics grow. In several processes (PROMETHEUS_MULTIPROC_DIR, set before this
module is imported) each worker writes its own files, and whoever serves `/metrics` adds them up with `exposition`.

Exchanges are summed up in plain numbers and handed to prometheus_client once a second, at a scrape of this process and
at exit: its own counting, twenty locked writes into a mapped file per exchange, was a tenth of an exchange's CPU. A
worker that is killed takes at most the last second's counts with it.
"""

import atexit
import weakref
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OTHER = "other"  # stands for a label value that is not declared, or one too many

_MAX_CHILDREN = 5_000  # label combinations per metric
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
# OpenTelemetry's advice for the gen_ai histograms.
_GEN_AI_SECONDS = tuple(0.01 * 2**n for n in range(14))
_GEN_AI_TOKENS = tuple(float(4**n) for n in range(14))
_TOKEN_TYPES = {
    "input_tokens": "input",
    "output_tokens": "output",
    "cached_tokens": "cached_input",
    "cache_write_tokens": "cache_creation_input",
    "reasoning_tokens": "reasoning",
}
# OpenTelemetry's provider names (GenAI conventions) of the dialects that providers are spoken to in. Hosts that merely
# speak OpenAI's APIs are called as these are; so say the conventions. Ollama has no name there.
_PROVIDERS = {
    "openai-chat": "openai",
    "openai-responses": "openai",
    "openai-completions": "openai",
    "openai-embeddings": "openai",
    "azure-openai-chat": "azure.ai.openai",
    "azure-openai-completions": "azure.ai.openai",
    "azure-openai-embeddings": "azure.ai.openai",
    "anthropic-messages": "anthropic",
    "bedrock-converse": "aws.bedrock",
    "bedrock-invoke": "aws.bedrock",
    "gemini": "gcp.gemini",
    "vertex-gemini": "gcp.vertex_ai",
    "vertex-claude": "gcp.vertex_ai",
    "cohere-chat": "cohere",
    "ollama": "ollama",
}
_UNCHARGED = frozenset({"count_tokens", "list_models", "get_model"})  # what they tell of tokens was not used
_OUTCOMES = frozenset({"served", "status-429", "status-5xx", "connect", "timeout", "refused", "aborted"})

_M = TypeVar("_M", bound=MetricWrapperBase)


class _Family(Generic[_M]):
    """A metric whose children are found by one look-up, without prometheus_client's lock and label checks."""

    def __init__(self, metric: _M) -> None:
        self._metric = metric
        self._children: dict[tuple[str, ...], _M] = {}

    def at(self, *labels: str) -> _M:
        child = self._children.get(labels)
        if child is None:
            if len(self._children) >= _MAX_CHILDREN:
                labels = (OTHER,) * len(labels)
            child = self._children[labels] = self._metric.labels(*labels)
        return child


class _Tally:
    """Counts that wait to be handed to a counter's children."""

    __slots__ = ("_family", "_waiting")

    def __init__(self, family: _Family[Counter]) -> None:
        self._family = family
        self._waiting: dict[tuple[str, ...], float] = {}

    def add(self, labels: tuple[str, ...], amount: float = 1) -> None:
        self._waiting[labels] = self._waiting.get(labels, 0) + amount

    def flush(self) -> None:
        for labels, amount in self._waiting.items():
            self._family.at(*labels).inc(amount)
        self._waiting.clear()


class _Spread:
    """Observations that wait to be handed to a histogram's children: how many fell into each bucket, and their sum."""

    __slots__ = ("_bounds", "_family", "_waiting")

    def __init__(self, family: _Family[Histogram], bounds: tuple[float, ...]) -> None:
        self._family = family
        self._bounds = bounds
        self._waiting: dict[tuple[str, ...], list[float]] = {}

    def add(self, labels: tuple[str, ...], value: float) -> None:
        waiting = self._waiting.get(labels)
        if waiting is None:
            waiting = self._waiting[labels] = [0.0] * (len(self._bounds) + 2)
        waiting[bisect_left(self._bounds, value)] += 1
        waiting[-1] += value

    def flush(self) -> None:
        for labels, (*counts, total) in self._waiting.items():
            child = self._family.at(*labels)
            # prometheus_client has no public way to add many observations at once.
            for bucket, count in zip(child._buckets, counts, strict=True):  # noqa: SLF001
                if count:
                    bucket.inc(count)
            child._sum.inc(total)  # noqa: SLF001
        self._waiting.clear()


class _BeforeScrape(Collector):
    """Has no metrics of its own: registered first, it is asked first, and then hands on what waits."""

    def __init__(self, metrics: "Metrics") -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        self._metrics.flush()
        return ()


class Metrics:
    """Every metric of the process, in `registry`. Methods may be called from any thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        registry.register(_BeforeScrape(self))
        self._lock = Lock()

        def counter(name: str, text: str, *labels: str) -> _Family[Counter]:
            return _Family(Counter(f"gatereeve_{name}", text, labels, registry=registry))

        def seconds(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> _Spread:
            return _Spread(_Family(Histogram(name, text, labels, buckets=buckets, registry=registry)), buckets)

        gen_ai = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
        self._decisions = _Tally(counter("decisions_total", "Exchanges judged.", "plane", "verdict", "reason"))
        self._unapplied = _Tally(counter("guards_not_applied_total", "Guards that could not be applied.", "guard"))
        self._masked = _Tally(counter("masked_total", "Texts masked, by rule.", "rule"))
        self._translations = _Tally(counter("translations_total", "Calls translated.", "source", "target"))
        self._attempts = _Tally(counter("attempts_total", "Targets tried, by what came of it.", "upstream", "outcome"))
        self._cost = _Tally(counter("cost_total", "Cost of tokens by the policy's prices.", "model", "currency"))
        self._reloads = counter("policy_reloads_total", "Looks at a changed policy folder.", "outcome")
        self._fetches = counter("keys_fetch_total", "Fetches of an issuer's keys.", "issuer", "outcome")
        self._tokens = counter("token_cache_total", "Tokens judged, by how.", "outcome")
        self._lost = Counter("gatereeve_audit_dropped_total", "Audit entries lost.", registry=registry)
        self._duration = seconds(
            "gatereeve_exchange_duration_seconds", "Time of an exchange, by phase.", _SECONDS, "plane", "phase"
        )
        self._usage = seconds(
            "gen_ai_client_token_usage", "Tokens used per call.", _GEN_AI_TOKENS, *gen_ai, "gen_ai_token_type"
        )
        self._operation = seconds(
            "gen_ai_client_operation_duration", "Duration of a call, in seconds.", _GEN_AI_SECONDS, *gen_ai
        )
        self._info = _Family(
            Gauge(
                "gatereeve_policy_info",
                "1 for the policy version in force.",
                ("version",),
                registry=registry,
                multiprocess_mode="livemax",
            )
        )
        self._streams = Gauge(
            "gatereeve_active_streams", "Exchanges in progress.", registry=registry, multiprocess_mode="livesum"
        )
        self._waiting: tuple[_Tally | _Spread, ...] = (
            self._decisions,
            self._unapplied,
            self._masked,
            self._translations,
            self._attempts,
            self._cost,
            self._duration,
            self._usage,
            self._operation,
        )
        atexit.register(_flush_at_exit, weakref.ref(self))
        self._models: frozenset[str] = frozenset()
        self._version = ""
        self._synced: dict[str, int] = {}

    def observe(self, entry: Mapping[str, Any]) -> None:
        """Count one exchange by its audit entry (`session.record`), or one attempt of an exchange by its own. Missing
        keys count as nothing."""
        plane = entry.get("plane") or OTHER
        # An MCP client names its operations itself, but nobody but an attempt tells an outcome.
        attempt = plane == "llm" and entry.get("operation") == "attempt" and "outcome" in entry
        with self._lock:
            if attempt:
                outcome = entry["outcome"]
                self._attempts.add((entry.get("upstream") or OTHER, outcome if outcome in _OUTCOMES else OTHER))
                return
            self._decisions.add((plane, entry.get("verdict") or OTHER, entry.get("reason") or OTHER))
            for guard in entry.get("guards_not_applied") or ():
                self._unapplied.add((guard,))
            for rule, count in (entry.get("masked") or {}).items():
                self._masked.add((rule,), count)
            times: Mapping[str, float | None] = entry.get("ms") or {}
            for phase, milliseconds in times.items():
                if milliseconds is not None:
                    self._duration.add((plane, phase), milliseconds / 1000.0)
            if plane == "llm" and entry.get("verdict") == "allow":
                self._observe_gen_ai(entry, times.get("total"))

    def flush(self) -> None:
        """Hand what was observed to prometheus_client. Call it now and then; `sync_token_cache` does."""
        with self._lock:
            for part in self._waiting:
                part.flush()

    def policy_loaded(self, version: str, models: Iterable[str]) -> None:
        """From now on these model names may be label values."""
        self._models = frozenset(models)
        if self._version and self._version != version:
            self._info.at(self._version).set(0)
        self._version = version
        self._info.at(version).set(1)

    def policy_reload(self, outcome: str) -> None:
        self._reloads.at(outcome).inc()

    def keys_fetched(self, issuer: str, outcome: str) -> None:
        self._fetches.at(issuer, outcome).inc()

    def audit_lost(self, entries: int) -> None:
        self._lost.inc(entries)

    def active_streams(self, number: int) -> None:
        self._streams.set(number)

    def sync_token_cache(self, totals: Mapping[str, int]) -> None:
        """Bring the counters up to these totals, which the authenticator counts for itself, and hand on what was
        observed. Call it once a second."""
        self.flush()
        for outcome, total in totals.items():
            new = total - self._synced.get(outcome, 0)
            if new > 0:
                self._tokens.at(outcome).inc(new)
                self._synced[outcome] = total

    def _observe_gen_ai(self, entry: Mapping[str, Any], total: float | None) -> None:
        """An LLM call that was let through. Whose tokens these are says the API that served it."""
        model = entry.get("model")
        model = model if model in self._models else OTHER
        source = entry.get("dialect") or ""
        target = entry.get("upstream_dialect") or source
        operation = entry.get("operation") or OTHER
        labels = (operation, _PROVIDERS.get(target, OTHER), model)
        if target != source:
            pair = (source if source in _PROVIDERS else OTHER, target if target in _PROVIDERS else OTHER)
            self._translations.add(pair)
        if total is not None:
            self._operation.add(labels, total / 1000.0)
        if operation in _UNCHARGED:
            return
        for name, tokens in (entry.get("usage") or {}).items():
            if tokens is not None and name in _TOKEN_TYPES:
                self._usage.add((*labels, _TOKEN_TYPES[name]), tokens)
        cost = entry.get("cost")
        if cost:
            self._cost.add((model, cost["currency"]), cost["amount"])


def _flush_at_exit(metrics: "weakref.ref[Metrics]") -> None:
    found = metrics()
    if found is not None:
        found.flush()


def exposition(registry: CollectorRegistry, multiprocess_dir: Path | None = None) -> bytes:
    """The text for `/metrics`: of this process, or of every process that writes into `multiprocess_dir`."""
    if multiprocess_dir is None:
        return generate_latest(registry)
    together = CollectorRegistry()
    MultiProcessCollector(together, path=str(multiprocess_dir))  # type: ignore[no-untyped-call]
    return generate_latest(together)


def process_ended(pid: int, multiprocess_dir: Path) -> None:
    """Forget a dead worker's gauges (its counters stay). The supervisor calls this, or they would be added forever."""
    for path in multiprocess_dir.glob(f"gauge_live*_{pid}.db"):
        path.unlink(missing_ok=True)
