"""The processes of a measurement: started from the checkout, their CPU time read from /proc, ended when done."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from extproc.serve import WorkerSettings
from extproc.supervisor.child import python_environment
from extproc.supervisor.workers import environment

_TICKS = os.sysconf("SC_CLK_TCK")


class Process:
    """One child. `cpu()` is what it has used so far, all threads, user and system, in seconds."""

    def __init__(self, name: str, command: Sequence[str], *, environ: dict[str, str] | None = None,
                 commanded: bool = False) -> None:  # fmt: skip
        self.name = name
        self._child = subprocess.Popen(
            command,
            env=python_environment(environ),
            stdin=subprocess.PIPE if commanded else subprocess.DEVNULL,
            stdout=subprocess.PIPE if commanded else subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.terminate()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def cpu(self) -> float:
        if self._child.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self._child.returncode}")
        fields = Path(f"/proc/{self._child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory(self) -> int:
        """Resident bytes."""
        return int(Path(f"/proc/{self._child.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def ask(self, **command: Any) -> dict[str, float]:
        """Send one JSON line and read one."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(command) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended")
        return json.loads(line)

    def wait_for(self, path: Path) -> None:
        """Until its socket is there."""
        for _ in range(1_000):
            if path.exists():
                return
            self.cpu()
            time.sleep(0.02)
        raise RuntimeError(f"{self.name} did not start")


def python(name: str, module: str, *arguments: str, commanded: bool = False) -> Process:
    return Process(name, [sys.executable, "-m", module, *arguments], commanded=commanded)


def worker(folder: Path, policy: Path) -> tuple[Process, Path]:
    """A real worker process as the supervisor starts it: metrics in shared files, audit to a file."""
    socket = folder / "worker.sock"
    metrics = folder / "metrics"
    metrics.mkdir()
    settings = WorkerSettings(
        address=f"unix:{socket}", policy=str(policy), audit=(f"file:{folder / 'audit.jsonl'}",), log_level="warning"
    )
    command = [sys.executable, "-m", "extproc.serve", msgspec.json.encode(settings).decode()]
    return Process("worker", command, environ=environment(str(metrics))), socket
