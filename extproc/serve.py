"""The composition root of one worker process: parts are built from settings, run, and drained on SIGTERM.

    python -m extproc.serve '{"index": 0, "address": "unix:/run/gatereeve/w0.sock", "policy": "/etc/gatereeve", ...}'

SIGHUP loads the policy folder again; with `watch` the worker looks for changes by itself. What the supervisor needs to
know goes as JSON lines to `status_fd`. Only this module and `cli` read the environment.
"""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from random import random
from time import monotonic, time
from typing import Any

import msgspec
import structlog
from prometheus_client import CollectorRegistry

from extproc.adapters import logs
from extproc.adapters.audit import AuditWriter, Sink
from extproc.adapters.audit_lines import json_line, text_line
from extproc.adapters.audit_sinks import FileSink, StreamSink
from extproc.adapters.authenticator import TokenAuthenticator
from extproc.adapters.credentials import WarmCredentials
from extproc.adapters.delegated import DelegatedCredentials
from extproc.adapters.exposure import MemoryExposure, SharedExposure
from extproc.adapters.jwks import http_client
from extproc.adapters.keys import KeyCache
from extproc.adapters.metrics import Metrics
from extproc.adapters.policy_watch import PolicyHolder, PolicyStatus, PolicyWatch
from extproc.adapters.tool_catalogue import ToolCatalogue
from extproc.errors import PolicyError
from extproc.policy import catalogue
from extproc.policy.load import load
from extproc.policy.runtime import Policy
from extproc.session.attempt import Attempt
from extproc.session.events import Event, RequestHeaders
from extproc.session.plan import is_attempt
from extproc.session.ports import Exposure, Ports
from extproc.session.seal import Seal
from extproc.session.session import Session
from extproc.session.stages import Limits
from extproc.wire.grpcio import GrpcioServer
from extproc.wire.server import Server

_log = structlog.get_logger("gatereeve.worker")
_MARGIN = 1 << 20  # a gRPC message is its body and some headers


class WorkerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a worker is told at start. Sizes in bytes, times in seconds.

    `audit`: where records go, each "stdout:json", "stdout:text" or "file:PATH"; "{index}" in a path is the worker's.
    `lock`: a file that workers sharing one stdout lock for long lines. `status_fd`: -1 for none. `exposure`: the
    file in which the workers of a host remember who has seen sensitive data; "" for one worker alone.
    `seal`: the file with the key that MCP handles are bound to callers with; "" for a key of this process only.
    """

    address: str
    policy: str
    index: int = 0
    audit: tuple[str, ...] = ("stdout:json",)
    audit_max_bytes: int = 100 * 1024 * 1024
    audit_backups: int = 5
    lock: str = ""
    status_fd: int = -1
    watch: bool = False
    drain: float = 30.0
    max_request_bytes: int = 16 * 1024 * 1024
    max_answer_bytes: int = 32 * 1024 * 1024
    exposure: str = ""
    tools: str = ""
    seal: str = ""
    log_format: str = "json"
    log_level: str = "info"


class Worker:
    """One processor process; implements `wire.server.Host`."""

    def __init__(self, settings: WorkerSettings, registry: CollectorRegistry) -> None:
        self.settings = settings
        self.serving = False
        self.metrics = Metrics(registry)
        self.holder = PolicyHolder()
        self.keys = KeyCache(monotonic, random, http=http_client(), on_fetch=self.metrics.keys_fetched)
        self.authenticator = TokenAuthenticator(self.keys)
        self.exposure: Exposure = SharedExposure(settings.exposure) if settings.exposure else MemoryExposure()
        self.tools = ToolCatalogue(self._servers, settings.tools or None)
        self.seal = Seal(_seal_key(settings.seal))
        self.credentials = WarmCredentials(os.environ, monotonic)
        self.delegated = DelegatedCredentials(os.environ, monotonic, random)
        self.audit = AuditWriter(_sinks(settings), on_lost=self.metrics.audit_lost)
        self.watch = PolicyWatch(
            Path(settings.policy), _load, self.holder, time, prepare=self._prepare, on_outcome=self._on_policy
        )
        self._limits = Limits(settings.max_request_bytes, settings.max_answer_bytes)
        self._ports = Ports(self.authenticator, self.credentials, self.exposure, self.tools, self.seal, self.delegated)
        self._prefix = f"gr-{secrets.token_hex(4)}-{settings.index}-"
        self._number = 0
        self._open: set[Session] = set()

    # -- wire.server.Host ----------------------------------------------------------------------------------------------

    def open(self, first: Event | None) -> Session | Attempt:
        policy = self.holder.current
        if isinstance(first, RequestHeaders) and is_attempt(first.attributes):
            return Attempt(policy, self.credentials, self._limits)
        self._number += 1
        return Session(
            f"{self._prefix}{self._number}",
            policy,
            self._ports,
            self._limits,
        )

    def emit(self, entry: dict[str, Any]) -> None:
        self.metrics.observe(entry)
        self.audit.emit(entry)

    def failed(self, error: BaseException) -> None:
        _log.error("exchange failed", exc_info=error)

    # -- life ----------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT; then drain. Raises `PolicyError` when there is no policy to begin with."""
        stop, reload = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, reload.set)
        await self.watch.first()
        await self.tools.poll()
        server: Server = GrpcioServer(self, self.settings.address, self.settings.max_request_bytes + _MARGIN)
        await server.start()
        self.serving = True
        self.report("ready")
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(part) for part in self._background(reload)]
                await stop.wait()
                # From here on health checks fail, so Envoy sends new streams elsewhere; open ones finish.
                self.serving = False
                self.report("draining")
                await server.stop(self.settings.drain)
                for task in tasks:
                    task.cancel()
        finally:
            await self.keys.close()
            await asyncio.to_thread(self.audit.close)

    def _background(self, reload: asyncio.Event) -> list[Any]:
        parts: list[Any] = [
            self.keys.run(self._issuers),
            self.credentials.run(lambda: self.holder.current),
            self._reloads(reload),
            self._housekeeping(),
            self.tools.run(),
        ]
        if self.settings.watch:
            parts.append(self.watch.run())
        return parts

    async def _reloads(self, reload: asyncio.Event) -> None:
        while True:
            await reload.wait()
            reload.clear()
            with suppress(PolicyError):  # reported by `_on_policy`; the last good one stays
                await self.watch.first()

    async def _housekeeping(self) -> None:
        last: dict[str, Any] = {}
        while True:
            await asyncio.sleep(1.0)
            counts = self.authenticator.counts
            self.metrics.sync_token_cache({"hit": counts.hit, "miss": counts.miss, "refused": counts.refused})
            detail = self.detail()
            if detail != last:
                last = detail
                self.report("detail")

    # -- policy --------------------------------------------------------------------------------------------------------

    async def _prepare(self, policy: Policy) -> None:
        """Warm what a new policy needs, so that its first request does not wait. What cannot be had is not waited
        for: it is refused with its own reason until it can."""
        await self.credentials.refresh(policy)
        with suppress(TimeoutError):
            async with asyncio.timeout(3.0):
                await self.keys.refresh(_all_issuers(policy))

    def _servers(self) -> Collection[str]:
        policy = self.holder.current
        return policy.servers if policy is not None else ()

    def _issuers(self) -> list[Any]:
        policy = self.holder.current
        return _all_issuers(policy) if policy is not None else []

    def _on_policy(self, outcome: str, _status: PolicyStatus) -> None:
        self.metrics.policy_reload(outcome)
        policy = self.holder.current
        if policy is not None and outcome == "loaded":
            self.metrics.policy_loaded(policy.version, policy.models)
        self.report("policy")

    # -- reports -------------------------------------------------------------------------------------------------------

    def detail(self) -> dict[str, Any]:
        """What /readyz shows of this worker: names, counts and problems; never a value, key or claim."""
        status = self.holder.status
        return {
            "serving": self.serving,
            "policy": {
                "version": self.holder.current.version if self.holder.current is not None else "",
                "last_reload": status.outcome,
                "loaded_at": status.loaded_at,
                "failed_at": status.failed_at,
                "problems": [str(problem) for problem in status.problems[:20]],
            },
            "credentials": [
                {"name": c.name, "available": c.ready, "problem": c.problem} for c in self.credentials.status()
            ],
            "keys": [
                {"issuer": k.issuer, "keys": k.keys, "problem": k.problem} for k in self.keys.status(self._issuers())
            ],
            "audit_lost": self.audit.dropped + self.audit.failed,
        }

    def report(self, event: str) -> None:
        """One JSON line to the supervisor; a supervisor that is gone or slow is not waited for."""
        if self.settings.status_fd < 0:
            return
        line = msgspec.json.encode({"event": event, "worker": self.settings.index, "pid": os.getpid(), **self.detail()})
        with suppress(OSError):
            os.write(self.settings.status_fd, line + b"\n")


def _seal_key(path: str) -> bytes:
    """The key that binds handles to callers: a host's own, or a new one, with which older handles are unknown."""
    return Path(path).read_bytes() if path else secrets.token_bytes(32)


def _all_issuers(policy: Policy) -> list[Any]:
    return [issuer for group in policy.issuers.values() for issuer in group]


def _load(folder: Path) -> Policy:
    return load([folder])


def _sinks(settings: WorkerSettings) -> list[Sink]:
    sinks: list[Sink] = []
    for spec in settings.audit:
        kind, _, rest = spec.partition(":")
        if kind == "stdout":
            line = text_line if rest == "text" else json_line
            sinks.append(StreamSink(1, line, lock=Path(settings.lock) if settings.lock else None))
        else:
            path = Path(rest.replace("{index}", str(settings.index)))
            sinks.append(FileSink(path, max_bytes=settings.audit_max_bytes, backups=settings.audit_backups))
    return sinks


def runner() -> Callable[[Any], Any]:
    """`asyncio.run`, on uvloop where it is installed (it has no build for every platform)."""
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        return asyncio.run
    return uvloop.run


def _batch() -> None:
    """Ask the kernel not to interrupt the event loop whenever gRPC's own threads have something for it.

    Each interruption makes the loop look for one message instead of several: measured, a quarter of a worker's CPU.
    Threads inherit it, so it comes before the first. Linux only, needs no privilege, and where it is refused nothing
    but speed is lost.
    """
    if hasattr(os, "SCHED_BATCH"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def main(argv: list[str]) -> int:
    catalogue.asked("")  # reads its file now, so that no request waits for it
    settings = msgspec.json.decode(argv[1], type=WorkerSettings)
    _batch()
    logs.configure(format="text" if settings.log_format == "text" else "json", level=settings.log_level)
    worker = Worker(settings, CollectorRegistry())
    try:
        runner()(worker.run())
    except PolicyError as error:
        worker.report("failed")
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
