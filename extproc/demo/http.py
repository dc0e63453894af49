"""A small HTTP/1.1 server for the demo's servers: keep-alive, chunked bodies both ways, server-sent events.

Not for untrusted networks: it binds where it is told, has one size cap and few timeouts. It exists because no web
framework is a runtime dependency.
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

MAX_BODY = 64 * 1024 * 1024
MAX_HEAD = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Header names are lower-case; a name that came twice keeps both values, joined with ", "."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON, or None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Die(Exception):  # an order, not an error
    """Raised by a body to cut the connection in the middle of an answer."""


@dataclass(slots=True)
class Response:
    """`body` bytes are sent with their length; an async iterator of bytes is sent chunk by chunk."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""


def reply(value: Any, status: int = 200, /, **headers: str) -> Response:
    """A JSON response. Keyword names become header names (underscores to dashes)."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(status, {"content-type": "application/json", **named}, json.dumps(value).encode())


Handler = Callable[[Request], Awaitable[Response]]


class Server:
    """Serves `handler` on one address and keeps the last 50 requests for `GET /seen`."""

    def __init__(self, handler: Handler, host: str, port: int) -> None:
        self._handler = handler
        self._host = host
        self.port = port
        self.seen: deque[dict[str, Any]] = deque(maxlen=50)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listens. Port 0 takes a free one, found in `port` afterwards. Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(self._serve, self._host, self.port, limit=MAX_HEAD)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stops listening and cuts what is open."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._open):
                writer.transport.abort()
            await self._server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while (request := await _read(reader)) is not None:
                response = await self._answer(request)
                await _write(writer, response, head_only=request.method == "HEAD")
                if request.headers.get("connection", "").lower() == "close":
                    break
        except Die:
            writer.transport.abort()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
            pass  # the peer went away, or speaks something else
        finally:
            self._open.discard(writer)
            with contextlib.suppress(Exception):
                writer.close()

    async def _answer(self, request: Request) -> Response:
        if request.path == "/seen" and request.method == "GET":
            return reply(list(self.seen))
        body = request.json()
        self.seen.append(
            {
                "method": request.method,
                "path": request.path,
                "query": request.query,
                "headers": request.headers,
                "body": request.body.decode("utf-8", "replace") if body is None else body,
            }
        )
        return await self._handler(request)


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _version = first.split(" ")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    parts = urlsplit(target)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return Request(method, parts.path, query, headers, await _body(reader, headers))


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        length = int(headers.get("content-length", "0"))
        if not 0 <= length <= MAX_BODY:
            raise ValueError("body length")
        return await reader.readexactly(length)
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        if len(body) + size > MAX_BODY:
            raise ValueError("body length")
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass  # trailers
    return bytes(body)


async def _write(writer: asyncio.StreamWriter, response: Response, *, head_only: bool) -> None:
    headers = dict(response.headers)
    streamed = not isinstance(response.body, bytes)
    if streamed:
        headers["transfer-encoding"] = "chunked"
    elif response.status not in (204, 304):
        headers["content-length"] = str(len(response.body)) if isinstance(response.body, bytes) else ""
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    if head_only:
        pass
    elif isinstance(response.body, bytes):
        writer.write(response.body)
    else:
        await _stream(writer, response.body)
    await writer.drain()


async def _stream(writer: asyncio.StreamWriter, pieces: AsyncIterator[bytes]) -> None:
    async for piece in pieces:
        if piece:
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
    writer.write(b"0\r\n\r\n")
