"""An upstream that misbehaves on order: a raw HTTP/1.1 server in a thread, told by the request header `x-script` what
to write, byte for byte. Everything that arrives is kept in `seen`."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Arrived:
    """One request as it came: header names in lower case, in order."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def everything(self) -> bytes:
        """All of it, to search for what must not be there."""
        lines = [f"{self.method} {self.path}", *(f"{name}: {value}" for name, value in self.headers)]
        return "\n".join(lines).encode() + b"\n" + self.body


@dataclass
class Line:
    """What a script writes with. `close` ends the connection, `abort` resets it."""

    request: Arrived
    writer: asyncio.StreamWriter
    gate: asyncio.Event
    reached: list[str] = field(default_factory=list)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status: str = "200 OK", /, **headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def whole(self, body: bytes, status: str = "200 OK", /, **headers: str) -> None:
        headers = {"content_type": "application/json", **headers}
        await self.head(status, content_length=str(len(body)), **headers)
        await self.send(body)

    async def chunk(self, data: bytes) -> None:
        if data:
            await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def chunked(self, data: bytes = b"", /, **headers: str) -> None:
        """The head of a chunked answer, and its first chunk."""
        headers = {"content_type": "text/event-stream", **headers}
        await self.head("200 OK", transfer_encoding="chunked", **headers)
        await self.chunk(data)

    async def end(self, trailers: bytes = b"") -> None:
        await self.send(b"0\r\n" + trailers + b"\r\n")

    async def wait(self) -> None:
        """Until the test opens the gate."""
        await self.gate.wait()

    def abort(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Line], Awaitable[None]]


class Upstream:
    """`scripts` by name; without `x-script` (or for one that is not there) the script "" answers."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.scripts: dict[str, Script] = {}
        self.seen: list[Arrived] = []
        self.gone = 0  # connections that ended before their script did
        self._gates: dict[str, asyncio.Event] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = self._call(asyncio.start_server(self._serve, "127.0.0.1", port, limit=1 << 24))

    def _call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        self._call(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def open(self, name: str) -> None:
        """Let scripts that wait at the gate `name` (their own name) go on."""
        self._loop.call_soon_threadsafe(self._gate(name).set)

    def _gate(self, name: str) -> asyncio.Event:
        return self._gates.setdefault(name, asyncio.Event())

    def arrivals(self, name: str) -> list[Arrived]:
        return [request for request in self.seen if request.header("x-script") == name]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (request := await _read(reader)) is not None:
                self.seen.append(request)
                name = request.header("x-script") or ""
                await self.scripts.get(name, self.scripts[""])(Line(request, writer, self._gate(name)))
                if writer.transport.is_closing():
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            self.gone += 1
        except asyncio.CancelledError:  # `close`: asyncio would log what it takes for a failed callback
            pass
        finally:
            self._tasks.discard(task)
            with suppress(Exception):
                writer.close()


async def _read(reader: asyncio.StreamReader) -> Arrived | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    request = Arrived(method, path, headers, b"")
    if request.header("transfer-encoding") == "chunked":
        body = bytearray()
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readline()
        request.body = bytes(body)
    else:
        request.body = await reader.readexactly(int(request.header("content-length") or 0))
    return request
