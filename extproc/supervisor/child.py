"""One child process that does not outlive its parent."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_ROOT = Path(__file__).resolve().parents[2]


def python_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment in which `python -m extproc...` finds this very package, wherever it was started from."""
    environ = dict(os.environ)
    paths = [str(_ROOT), *filter(None, environ.get("PYTHONPATH", "").split(os.pathsep))]
    environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    environ.update(extra or {})
    return environ


class Child:
    """A started process. A session of its own keeps the terminal's Ctrl-C away from it, so that we can drain first;
    the kernel kills it when we die, however we die (Linux)."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process

    @classmethod
    async def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        environ: Mapping[str, str] | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        pass_fds: Sequence[int] = (),
    ) -> "Child":
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=dict(environ) if environ is not None else None,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
            preexec_fn=partial(_die_with, os.getpid()) if _LIBC is not None else None,
        )
        return cls(name, process)

    @property
    def running(self) -> bool:
        return self.process.returncode is None

    def signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def stop(self, grace: float) -> None:
        """SIGTERM, and SIGKILL when it has not ended after `grace` seconds."""
        if not self.running:
            return
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                await self.process.wait()
        except TimeoutError:
            self.kill()
            await self.process.wait()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()


def _die_with(parent: int) -> None:
    """Runs in the child between fork and exec, where little is safe: no import, no library loading."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel knew whom to tell
        os._exit(1)
