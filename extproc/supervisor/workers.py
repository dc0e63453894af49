"""The processor's worker processes: started, restarted when they die, told to reload, and asked how they are."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog

from extproc.errors import StartupError
from extproc.serve import WorkerSettings
from extproc.supervisor.child import Child, python_environment

_log = structlog.get_logger("gatereeve.supervisor")
_BACKOFF = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)  # seconds before the n-th restart in a row
_HEALTHY_AFTER = 10.0  # a worker that lived this long starts again from the first step

# gRPC's newer engine polls with several threads of its own and hands each message from one to the next; without it the
# thread that waits for events polls itself. Measured for one exchange: 100 us less CPU of those threads, and a fifth
# more exchanges a second. gRPC tells of the choice at every start, unless it is asked for errors only.
_GRPC = {
    "GRPC_EXPERIMENTS": "-event_engine_listener,-event_engine_client,-event_engine_dns",
    "GRPC_VERBOSITY": "ERROR",
}


def environment(metrics_folder: str) -> dict[str, str]:
    """The environment of a worker process; what the operator has set of gRPC's variables stays."""
    given = {name: value for name, value in _GRPC.items() if name not in os.environ}
    return python_environment({"PROMETHEUS_MULTIPROC_DIR": metrics_folder, **given})


@dataclass(slots=True)
class WorkerState:
    """What is known of one worker: `detail` is its last report (see `serve.Worker.detail`)."""

    index: int
    pid: int = 0
    alive: bool = False
    restarts: int = 0
    detail: dict[str, Any] = field(default_factory=dict)


class Workers:
    """`settings` holds one entry per worker. `on_end(pid)` is called when one has died."""

    def __init__(
        self, settings: list[WorkerSettings], metrics_folder: str, on_end: Callable[[int], None] | None = None
    ) -> None:
        self._settings = settings
        self._metrics_folder = metrics_folder
        self._on_end = on_end
        self._children: dict[int, Child] = {}
        self._ready = [asyncio.Event() for _ in settings]
        self._stopping = False
        self.states = [WorkerState(entry.index) for entry in settings]

    async def run(self) -> None:
        """Keep every worker running until `stop`."""
        async with asyncio.TaskGroup() as group:
            for number in range(len(self._settings)):
                group.create_task(self._keep(number))

    async def ready(self, timeout: float) -> None:
        """Wait until all serve. Raises `StartupError`."""
        try:
            async with asyncio.timeout(timeout):
                await asyncio.gather(*(event.wait() for event in self._ready))
        except TimeoutError:
            raise StartupError(f"the workers were not ready after {timeout:.0f} seconds; see the log above") from None

    def reload(self) -> None:
        """Have every worker load the policy folder again."""
        for child in self._children.values():
            child.signal(signal.SIGHUP)

    async def stop(self, grace: float) -> None:
        """Drain all of them at once; kill what is left after `grace` seconds and a little."""
        self._stopping = True
        async with asyncio.TaskGroup() as group:
            for child in self._children.values():
                group.create_task(child.stop(grace + 2.0))

    def kill(self) -> None:
        self._stopping = True
        for child in self._children.values():
            child.kill()

    async def _keep(self, number: int) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while not self._stopping:
            began = loop.time()
            code = await self._once(number)
            if self._stopping:
                return
            if not self._ready[number].is_set() and failures + 1 >= len(_BACKOFF):
                raise StartupError(f"worker {number} does not start (exit code {code}); see the log above")
            failures = 0 if loop.time() - began > _HEALTHY_AFTER else min(failures + 1, len(_BACKOFF) - 1)
            self.states[number].restarts += 1
            _log.warning("worker ended; starting it again", worker=number, code=code, after=_BACKOFF[failures])
            await asyncio.sleep(_BACKOFF[failures])

    async def _once(self, number: int) -> int:
        reader, writer = os.pipe()
        settings = msgspec.structs.replace(self._settings[number], status_fd=writer)
        path = settings.address.removeprefix("unix:")
        with suppress(FileNotFoundError):
            if path != settings.address:
                os.unlink(path)  # noqa: PTH108  # a dead worker's socket file would refuse the new one its name
        environ = environment(self._metrics_folder)
        command = [sys.executable, "-m", "extproc.serve", msgspec.json.encode(settings).decode()]
        child = await Child.start(f"worker {number}", command, environ=environ, pass_fds=(writer,))
        os.close(writer)
        self._children[number] = child
        state = self.states[number]
        state.pid, state.alive = child.process.pid, True
        if self._stopping:
            child.signal(signal.SIGTERM)
        await self._listen(number, reader)
        code = await child.process.wait()
        state.alive = False
        state.detail = {**state.detail, "serving": False}
        if self._on_end is not None:
            self._on_end(child.process.pid)
        return code

    async def _listen(self, number: int, descriptor: int) -> None:
        """Reports until the worker closes its end, which dying does."""
        loop = asyncio.get_running_loop()
        stream = asyncio.StreamReader(limit=1 << 20)
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(descriptor, "rb", buffering=0)
        )
        try:
            while line := await stream.readline():
                report = msgspec.json.decode(line)
                self.states[number].detail = report
                if report.get("event") == "ready":
                    self._ready[number].set()
        except (ValueError, msgspec.DecodeError):
            _log.warning("worker sent an unreadable report", worker=number)
        finally:
            transport.close()
