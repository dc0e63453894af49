"""One gateway from start to end: checks, demo, workers, Envoy, admin; reload in the right order; drain; nothing left.

Order matters twice. At start the workers are up before Envoy, which health-checks them before its first request. At a
reload Envoy gets the clusters of the new and the old policy before any worker uses the new one, so that neither a new
provider is unknown nor a request in progress loses its own.
"""

import asyncio
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from extproc import xds
from extproc.adapters.metrics import exposition, process_ended
from extproc.adapters.policy_watch import PolicyHolder, PolicyStatus, PolicyWatch
from extproc.admin.server import AdminServer
from extproc.errors import StartupError
from extproc.policy.load import load
from extproc.policy.runtime import Policy
from extproc.serve import WorkerSettings
from extproc.supervisor import envoy as envoy_process
from extproc.supervisor import ports
from extproc.supervisor.child import Child
from extproc.supervisor.envoy import Envoy
from extproc.supervisor.readiness import readiness
from extproc.supervisor.workers import Workers
from extproc.xds.bootstrap import CDS
from extproc.xds.render import BOOTSTRAP
from extproc.xds.settings import EnvoySettings

_log = structlog.get_logger("gatereeve.supervisor")
_SOCKET_LIMIT = 100  # a Unix socket's path may have 107 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """What `gatereeve up` and `gatereeve serve` decide. `port` is None when Envoy is not ours (`serve`); then
    `sockets` is the folder in which the workers' sockets appear."""

    policy: Path
    address: str = "127.0.0.1"
    port: int | None = 10000
    admin_address: str = "127.0.0.1"
    admin_port: int = 10901
    workers: int = 2
    sockets: Path | None = None
    audit: tuple[str, ...] = ("stdout:json",)
    audit_max_bytes: int = 100 * 1024 * 1024
    audit_backups: int = 5
    drain: float = 30.0
    idle_timeout: float = 600.0
    max_request_bytes: int = 16 * 1024 * 1024
    max_answer_bytes: int = 32 * 1024 * 1024
    envoy: str = ""
    envoy_concurrency: int = 2
    log_format: str = "text"
    log_level: str = "info"
    start_timeout: float = 30.0


class Gateway:
    """`before` starts what must be there first (the demo's servers) and returns it; `started` is called once all
    serve."""

    def __init__(
        self,
        settings: GatewaySettings,
        *,
        before: Callable[[], Any] | None = None,
        demo_ports: tuple[int, ...] = (),
        started: Callable[[Policy], None] | None = None,
    ) -> None:
        self._settings = settings
        self._before = before
        self._demo_ports = demo_ports
        self._started = started
        self._folder = Path(tempfile.mkdtemp(prefix="gatereeve-"))
        self._holder = PolicyHolder()
        self._envoy: Envoy | None = None
        self._envoy_live: bool | None = None if settings.port is None else False  # not ready before Envoy listens
        self._extra: list[Child] = []
        self._workers: Workers | None = None

    async def run(self) -> int:
        """Until SIGTERM or Ctrl-C; then drain. The second signal ends everything at once. Returns the exit code.
        Raises `StartupError` and `PolicyError`."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, stop)
        try:
            return await self._run(stop)
        finally:
            self._end_all()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _signalled(self, stop: asyncio.Event) -> None:
        if stop.is_set():
            self._end_all()
        stop.set()

    def _end_all(self) -> None:
        """The last resort, and the sweep after a clean end: whatever still runs is killed."""
        if self._workers is not None:
            self._workers.kill()
        for child in self._extra:
            child.kill()
        if self._envoy is not None and self._envoy.child is not None:
            self._envoy.child.kill()

    async def _run(self, stop: asyncio.Event) -> int:
        settings = self._settings
        self._check_distinct()
        if settings.port is not None:
            ports.check(settings.address, settings.port, "PORT=10080 make run, or gatereeve up --port 10080")
        ports.check(settings.admin_address, settings.admin_port, "ADMIN_PORT=10980 make run, or --admin-port 10980")
        if self._before is not None:
            self._extra = await self._before()
        watch = PolicyWatch(
            settings.policy, _load, self._holder, time, prepare=self._prepare, on_outcome=self._on_policy
        )
        policy = await watch.first()
        metrics = self._folder / "metrics"
        metrics.mkdir()
        workers = self._workers = Workers(
            self._worker_settings(), str(metrics), lambda pid: process_ended(pid, metrics)
        )
        admin = AdminServer(
            settings.admin_address,
            settings.admin_port,
            lambda: readiness(workers.states, self._envoy_live),
            lambda: exposition(CollectorRegistry(), metrics),
        )
        admin.start()
        try:
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(workers.run())
                await workers.ready(settings.start_timeout)
                if settings.port is not None:
                    await self._start_envoy(policy)
                if self._started is not None:
                    self._started(policy)
                tasks = [group.create_task(watch.run()), group.create_task(self._watch_envoy(stop))]
                await stop.wait()
                await self._drain(workers)
                for task in (*tasks, keeping):
                    task.cancel()
        except* StartupError as errors:
            raise _first(errors) from None
        finally:
            admin.stop()
        return 0

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _check_distinct(self) -> None:
        """Our own servers must not take each other's ports: the second would fail with a riddle."""
        taken = [port for port in (self._settings.port, self._settings.admin_port, *self._demo_ports) if port]
        twice = sorted({port for port in taken if taken.count(port) > 1})
        if twice:
            raise StartupError(
                f"port {twice[0]} is asked for twice. --port, --admin-port and the demo's three ports "
                "(--demo-port and the next two) must differ."
            )

    def _worker_settings(self) -> list[WorkerSettings]:
        settings = self._settings
        return [
            WorkerSettings(
                index=index,
                address=f"unix:{self._socket(index)}",
                policy=str(settings.policy),
                audit=settings.audit,
                audit_max_bytes=settings.audit_max_bytes,
                audit_backups=settings.audit_backups,
                lock=str(self._folder / "stdout.lock"),
                exposure=str(self._folder / "exposure"),
                seal=str(self._seal()),
                tools=str(self._folder / "tools"),
                drain=settings.drain,
                max_request_bytes=settings.max_request_bytes,
                max_answer_bytes=settings.max_answer_bytes,
                log_format=settings.log_format,
                log_level=settings.log_level,
            )
            for index in range(settings.workers)
        ]

    def _seal(self) -> Path:
        """The key with which workers bind handles to callers. The folder is this user's alone, and goes with us."""
        path = self._folder / "seal"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_bytes(secrets.token_bytes(32))
        return path

    def _socket(self, index: int) -> str:
        path = str((self._settings.sockets or self._folder).absolute() / f"w{index}.sock")
        if len(os.fsencode(path)) > _SOCKET_LIMIT:
            raise StartupError(f"the socket path {path} is too long for this system; choose a shorter --sockets folder")
        return path

    def _envoy_settings(self) -> EnvoySettings:
        settings = self._settings
        assert settings.port is not None
        return EnvoySettings(
            folder=str(self._folder / "envoy"),
            processors=tuple(self._socket(index) for index in range(settings.workers)),
            admin_socket=str(self._folder / "envoy-admin.sock"),
            address=settings.address,
            port=settings.port,
            max_request_bytes=settings.max_request_bytes,
            stream_idle_timeout=settings.idle_timeout,
        )

    async def _start_envoy(self, policy: Policy) -> None:
        settings = self._envoy_settings()
        folder = Path(settings.folder)
        xds.write(folder, xds.render(policy, settings))
        self._envoy = Envoy(
            envoy_process.find(self._settings.envoy),
            folder / BOOTSTRAP,
            settings.admin_socket,
            concurrency=self._settings.envoy_concurrency,
            drain=self._settings.drain,
        )
        await self._envoy.start()
        await self._envoy.ready(self._settings.start_timeout)
        self._envoy_live = True

    async def _watch_envoy(self, stop: asyncio.Event) -> None:
        """Envoy's end is the gateway's end: whoever runs us starts both again, in the right order."""
        while self._envoy is not None:
            await asyncio.sleep(1.0)
            self._envoy_live = await self._envoy.live()
            if self._envoy.child is not None and not self._envoy.child.running and not stop.is_set():
                raise StartupError(
                    f"Envoy ended (exit code {self._envoy.child.process.returncode}); what it said stands above"
                )

    async def _drain(self, workers: Workers) -> None:
        if self._envoy is not None:
            await self._envoy.drain()
            await self._envoy.stop()
        await workers.stop(self._settings.drain)
        for child in self._extra:
            await child.stop(2.0)

    # -- reload --------------------------------------------------------------------------------------------------------

    async def _prepare(self, policy: Policy) -> None:
        """Before a new policy is anyone's: Envoy knows where it may send."""
        old = self._holder.current
        if self._envoy is None or old is None:
            return
        settings = self._envoy_settings()
        documents = xds.render(policy, settings)
        known = {cluster["name"] for cluster in documents[CDS]["resources"]}
        kept = [c for c in xds.render(old, settings)[CDS]["resources"] if c["name"] not in known]
        documents[CDS]["resources"].extend(kept)
        await asyncio.to_thread(xds.write, Path(settings.folder), documents)
        if not await self._envoy.applied(policy.version, 5.0):
            _log.warning("Envoy did not confirm the new upstreams within 5 seconds", version=policy.version)

    def _on_policy(self, outcome: str, _status: PolicyStatus) -> None:
        # Also when it failed, and when it came back to what is in force: each worker then tells the same story in its
        # metrics and readiness detail.
        del outcome
        if self._workers is not None:
            self._workers.reload()


def _first(errors: BaseExceptionGroup[StartupError]) -> BaseException:
    """The first error itself: task groups inside task groups wrap it once each."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _load(folder: Path) -> Policy:
    return load([folder])
