"""A whole gateway as a user starts it: `python -m extproc up ...` on ports of its own, watched, stopped, swept.

Nothing here sleeps for luck: everything waits for something that can be seen, with a deadline that names it.
"""

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx2

ROOT = Path(__file__).resolve().parents[2]
_MARK = "GATEREEVE_TEST_RUN"
T = TypeVar("T")


def until(what: str, look: Callable[[], T], deadline: float = 15.0, pause: float = 0.02) -> T:
    """The first truthy thing that `look` returns. Fails naming `what` when there is none in time."""
    end = time.monotonic() + deadline
    while True:
        if found := look():
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:.0f} s: {what}")
        time.sleep(pause)


def client(**options: Any) -> httpx2.Client:
    """An HTTP client for loopback: no proxy, and no trust anchors, whose loading takes longer than most tests."""
    return httpx2.Client(**{"timeout": 20.0, "trust_env": False, "verify": False, **options})


def request(method: str, url: str, **options: Any) -> httpx2.Response:
    """One request on a connection of its own."""
    with client() as made:
        return made.request(method, url, **options)


def short_folder() -> Path:
    """A folder that is gone when pytest is; its path is short, since those of Unix sockets have to be."""
    folder = Path(tempfile.mkdtemp(prefix="gr-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class Ports:
    """Runs of free ports, below the range from which the kernel takes ports for outgoing connections. Each xdist
    worker has a range of its own, so that two never probe the same port at once."""

    _next = 0

    @classmethod
    def take(cls, count: int) -> int:
        """The first of `count` neighbouring ports that nobody listens on."""
        worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8
        for _ in range(200):
            first = 15_000 + worker * 2_000 + (os.getpid() * 37 + cls._next) % 1_900
            cls._next += count
            if all(_free(first + n) for n in range(count)):
                return first
        raise AssertionError("no free ports")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class Gateway:
    """One gateway. `state` is its folder: audit, output, runtime files and (for the demo) the policy are all in it."""

    def __init__(self, *arguments: str, demo: bool = False, workers: int = 2, environ: dict[str, str] | None = None):
        self.state = short_folder()
        self.port = Ports.take(2)
        self.admin_port = self.port + 1
        self.workers = workers
        self.mark = uuid.uuid4().hex
        command = [sys.executable, "-m", "extproc", "up", "--port", str(self.port), "--admin-port",
                   str(self.admin_port), "--workers", str(workers), "--envoy-threads", "1",
                   "--audit", f"file:{self.state / 'audit.jsonl'}"]  # fmt: skip
        if demo:
            self.demo_port = Ports.take(3)
            command += ["--demo", "--demo-port", str(self.demo_port), "--state", str(self.state)]
        self.command = [*command, *arguments]
        self.environ = {
            **{
                name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_proxy", "_PROXY"))
            },
            "TMPDIR": str(self.state),
            "PYTHONPATH": str(ROOT),
            _MARK: self.mark,
            **(environ or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None

    # -- life ----------------------------------------------------------------------------------------------------------

    def launch(self) -> Self:
        """Start it and return at once."""
        with (self.state / "stdout").open("ab") as out, (self.state / "stderr").open("ab") as err:
            self.process = subprocess.Popen(self.command, cwd=ROOT, env=self.environ, stdout=out, stderr=err,
                                            stdin=subprocess.DEVNULL)  # fmt: skip
        return self

    def start(self) -> Self:
        """Start it and wait until it is ready."""
        self.launch()
        try:
            until("the gateway is ready", self._is_ready, 40.0)
        except BaseException:
            self.stop()
            raise
        return self

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"ended with {self.process.returncode}:\n{self.output()}")
        detail = self.readyz()
        return bool(detail.get("ready")) and len(self.pids()) == self.workers

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, deadline: float = 20.0) -> int:
        """The exit code, once it has ended by itself."""
        assert self.process is not None
        return self.process.wait(deadline)

    def stop(self) -> None:
        """SIGTERM, wait, and sweep. Never raises: a fixture that asserts calls `finish`."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
        for pid in self.left_running():
            _kill(pid)

    def finish(self) -> None:
        """SIGTERM; it must end with 0 and leave no process behind."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        code = self.wait(25)
        try:
            assert code == 0, self.output()
            until("no process is left", lambda: not self.left_running(), 5.0)
        finally:
            self.stop()

    def left_running(self) -> list[int]:
        """Every process that was started for this gateway, found by a mark in its environment."""
        return [pid for pid, environ in _environments() if f"{_MARK}={self.mark}".encode() in environ]

    # -- looking at it -------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def runtime(self) -> Path:
        """The folder with rendered files, sockets and metrics."""
        return next(path for path in self.state.iterdir() if path.name.startswith("gatereeve-") and path.is_dir())

    def output(self) -> str:
        """Everything it printed."""
        return "".join((self.state / name).read_text("utf-8", "replace") for name in ("stdout", "stderr"))

    def admin(self, path: str) -> httpx2.Response:
        return request("GET", f"http://127.0.0.1:{self.admin_port}{path}", timeout=5.0)

    def readyz(self) -> dict[str, Any]:
        try:
            return dict(self.admin("/readyz").json())
        except (httpx2.HTTPError, ValueError):
            return {}

    def pids(self) -> list[int]:
        """Process ids of the workers that serve."""
        return [w["pid"] for w in self.readyz().get("workers", []) if w.get("alive") and w.get("serving")]

    def policy_version(self) -> set[str]:
        return {w.get("policy", {}).get("version", "") for w in self.readyz().get("workers", [])}

    def stat(self, name: str) -> int:
        """One of Envoy's own counters or gauges, 0 when it does not exist yet."""
        transport = httpx2.HTTPTransport(uds=str(self.runtime / "envoy-admin.sock"), verify=False)
        with client(transport=transport, base_url="http://envoy") as made:
            text = made.get("/stats", params={"filter": f"^{name}$"}).text
        return int(text.rpartition(":")[2]) if text.strip() else 0

    def metric(self, name: str) -> float:
        """The sum of one metric over its labels; `name` may have the beginning of the labels too."""
        lines = [line for line in self.admin("/metrics").text.splitlines() if line.startswith(name)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    # -- audit ---------------------------------------------------------------------------------------------------------

    def audit(self) -> list[dict[str, Any]]:
        """Every record written so far."""
        path = self.state / "audit.jsonl"
        if not path.exists():
            return []
        whole = path.read_bytes().rpartition(b"\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def record(self, of: Any) -> dict[str, Any]:
        """The record of one answer (anything with headers) or of one id."""
        wanted = of if isinstance(of, str) else of.headers["x-gatereeve-id"]
        return until(f"a record of {wanted}", lambda: next((e for e in self.audit() if e["id"] == wanted), None))

    def records(self, count: int, **fields: Any) -> list[dict[str, Any]]:
        """At least `count` records with these values."""

        def look() -> list[dict[str, Any]] | None:
            found = [e for e in self.audit() if all(e.get(name) == value for name, value in fields.items())]
            return found if len(found) >= count else None

        return until(f"{count} records with {fields}", look) or []

    # -- the demo ------------------------------------------------------------------------------------------------------

    def token(self, *groups: str, subject: str = "user-1", **more: Any) -> str:
        """A token of the demo's identity provider."""
        answer = request("POST", f"http://127.0.0.1:{self.demo_port + 2}/token",
                             json={"subject": subject, "groups": list(groups), **more})  # fmt: skip
        return str(answer.json()["access_token"])

    def seen(self, what: str = "llm") -> list[dict[str, Any]]:
        """The requests that arrived at the demo's LLM or MCP server, oldest first."""
        port = self.demo_port + (what == "mcp")
        answer = request("GET", f"http://127.0.0.1:{port}/seen").json()
        return list(answer if isinstance(answer, list) else answer["requests"])


def _environments() -> Iterator[tuple[int, bytes]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                state = (folder / "stat").read_bytes().rpartition(b")")[2].split()[0]
                if state != b"Z":
                    yield int(folder.name), (folder / "environ").read_bytes()
            except OSError:
                continue


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGCONT)
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
