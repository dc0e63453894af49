"""Where fake providers stand: one event loop in a thread, one port of loopback for each of them.

A provider checks strictly what arrives (`violations` has what it found, and the caller gets the provider's own 400) and
then does what the user's text orders (`plays`). This file knows HTTP and nothing of any API.
"""

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tests.envoy.providers.plays import Ask, Play, plan
from tests.envoy.upstream import Arrived, _read

# Names that a request to any provider may have, whoever sends it. The last is the number that Envoy gives a request.
PLAIN = frozenset({"host", "content-type", "content-length", "transfer-encoding", "accept", "accept-encoding",
                   "user-agent", "connection", "x-request-id"})  # fmt: skip
# Names under which credentials travel. A provider takes its own and no other.
CREDENTIALS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "x-amz-security-token", "cookie",
                         "proxy-authorization", "ocp-apim-subscription-key"})  # fmt: skip
_OURS = ("x-gatereeve-", "x-envoy-", "x-script", "x-demo-")


class Wrong(Exception):
    """A request that the real provider would answer with 4xx."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


@dataclass
class Answer:
    """What to write: `pieces` go out one by one, each as soon as it is there."""

    pieces: list[bytes]
    kind: str = "application/json"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    stream: bool = False


class Provider:
    """One API of one vendor. Subclasses say what they accept (`read`) and how they speak (`write`, `fail`)."""

    own: frozenset[str] = frozenset()  # headers of this API beyond PLAIN
    vendor: tuple[str, ...] = ()  # beginnings of headers that this vendor's own SDK sends, harmless there
    kinds: tuple[str | None, ...] = ("application/json",)
    name = ""

    def __init__(self, port: int) -> None:
        self.port = port
        self.seen: list[Arrived] = []
        self.violations: list[str] = []
        self.strangers: set[str] = set()  # headers that nobody here knows: no violation, but worth a look
        self.left = 0  # calls whose caller went away before the answer was complete
        self.waiting = 0  # calls that wait for their caller to go away, or to be dropped
        self.dropped = threading.Event()  # set: calls that are to be dropped in the middle are

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # -- for subclasses ------------------------------------------------------------------------------------------------

    def credential(self, request: Arrived) -> None:
        """Raises `Wrong` with 401 or 403 unless the request has the one credential that this provider knows."""
        raise NotImplementedError

    def read(self, request: Arrived) -> Ask:
        """Raises `Wrong` unless the request is one that the real provider would serve."""
        raise NotImplementedError

    def write(self, ask: Ask, play: Play) -> Answer:
        raise NotImplementedError

    def fail(self, status: int, text: str) -> Answer:
        """An error as this provider's API has it."""
        raise NotImplementedError

    # -- serving -------------------------------------------------------------------------------------------------------

    def answer(self, request: Arrived) -> tuple[Answer, Play | None]:
        self.seen.append(request)
        try:
            self._check_headers(request)
            self.credential(request)
            ask = self.read(request)
            play = plan(ask, self.name)
        except Wrong as wrong:
            self.violations.append(f"{self.name}: {request.method} {request.path}: {wrong}")
            return self.fail(wrong.status, str(wrong)), None
        except Exception as fault:  # something so odd that nobody thought of checking for it
            self.violations.append(f"{self.name}: {request.method} {request.path}: {fault!r}")
            return self.fail(400, repr(fault)), None
        if play.status:
            return self.fail(play.status, f"failed with {play.status} as ordered"), None
        return self.write(ask, play), play

    def _check_headers(self, request: Arrived) -> None:
        names = [name for name, _ in request.headers]
        if doubled := {name for name in names if names.count(name) > 1}:
            raise Wrong(f"headers sent twice: {sorted(doubled)}")
        for name, value in request.headers:
            if name.startswith(_OURS):
                raise Wrong(f"a header of the gateway's: {name}")
            if name in CREDENTIALS and name not in self.own:
                raise Wrong(f"a foreign credential: {name}")
            if name not in PLAIN and name not in self.own and not name.startswith(self.vendor or "-"):
                self.strangers.add(name)
            if "eyJ" in value:
                raise Wrong(f"something like a client's token in {name}")
        if request.header("host") != f"127.0.0.1:{self.port}":
            raise Wrong(f"host {request.header('host')}")
        if request.method == "POST" and request.header("content-type") not in self.kinds:
            raise Wrong(f"content-type {request.header('content-type')}")


class Stage:
    """Serves providers. `close` ends everything."""

    def __init__(self, *providers: Provider) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._servers = [self._call(self._listen(provider)) for provider in providers]

    def _call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def close(self) -> None:
        async def end() -> None:
            for server in self._servers:
                server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        self._call(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _listen(self, provider: Provider) -> asyncio.Server:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                while (request := await _read(reader)) is not None:
                    answer, play = provider.answer(request)
                    if not await _write(provider, answer, play, reader, writer):
                        break
            except (ConnectionError, asyncio.IncompleteReadError):
                provider.left += 1
            except asyncio.CancelledError:  # `close`: asyncio would log what it takes for a failed callback
                pass
            finally:
                self._tasks.discard(task)
                with suppress(Exception):
                    writer.close()

        return await asyncio.start_server(serve, "127.0.0.1", provider.port, limit=1 << 24)


async def _write(
    provider: Provider, answer: Answer, play: Play | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Whether the connection can serve another request."""
    ending = play.ending if play else ""
    if ending == "reset":
        writer.transport.abort()
        return False
    if ending == "hang":
        await _until_gone(provider, reader)
        return False
    body = b"".join(answer.pieces)
    lines = [f"HTTP/1.1 {answer.status} As ordered", f"content-type: {answer.kind}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    lines.append("transfer-encoding: chunked" if answer.stream else f"content-length: {len(body)}")
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    if not answer.stream:
        writer.write(body[: len(body) // 2] if ending else body)
    pieces = answer.pieces if answer.stream else []
    for piece in pieces[: max(2, len(pieces) // 2)] if ending else pieces:
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        await writer.drain()  # one write for each event: events arrive one by one, or in any company
    await writer.drain()
    if ending == "break":
        await asyncio.sleep(0)
        writer.transport.abort()
        return False
    if ending == "drop":
        provider.waiting += 1
        await asyncio.to_thread(provider.dropped.wait, 10)
        provider.waiting -= 1
        writer.transport.abort()
        return False
    if ending == "slow":
        await _until_gone(provider, reader)
        return False
    if answer.stream:
        writer.write(b"0\r\n\r\n")
        await writer.drain()
    return True


async def _until_gone(provider: Provider, reader: asyncio.StreamReader) -> None:
    """Wait until the caller closes the connection: a caller that lost interest has to say so."""
    provider.waiting += 1
    try:
        if not await reader.read(1):
            provider.left += 1
    finally:
        provider.waiting -= 1
