"""Asking an MCP server for its tools over Streamable HTTP, in both protocol eras, as a client would.

2026-07-28 first (`server/discover`, then stateless requests); a server that does not know it gets the handshake of
2025-11-25 and is told when the session is over. Never calls a tool, follows no redirect, reads no more than MAX_BYTES,
and quotes neither what was sent nor what was received in an error. The HTTP+SSE transport of 2024-11-05 is not spoken.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
import msgspec

from extproc import __version__
from extproc.errors import GatereeveError, Uninspectable
from extproc.exchange.model import JsonObject
from extproc.exchange.sse import SseReader

MODERN = "2026-07-28"
HANDSHAKE = "2025-11-25"
MAX_BYTES = 64 * 1024 * 1024  # of all answers together
MAX_PAGES = 1_000
MAX_TOOLS = 20_000
DEADLINE = 60.0  # seconds for everything

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_META = "io.modelcontextprotocol/"
_CLIENT = {"name": "gatereeve", "version": __version__}
_ACCEPT = {"accept": "application/json, text/event-stream", "accept-encoding": "identity"}


class ListingError(GatereeveError):
    """The tools cannot be had. The message says which step failed and what to do."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a server offers. `version` is the protocol revision that was spoken, `server` the name it gives itself, ""
    for none: nobody vouches for it."""

    tools: tuple[JsonObject, ...] = field(repr=False)
    version: str
    server: str


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    message: JsonObject | None
    session: str

    @property
    def result(self) -> JsonObject | None:
        result = self.message.get("result") if self.message is not None else None
        return result if isinstance(result, dict) else None


async def list_tools(url: str, headers: Mapping[str, str], *, plain: bool = False) -> Listing:
    """All pages of the server's tools/list. `headers` authenticate; they are sent over plain HTTP only to this machine,
    or with `plain`. Raises `ListingError`."""
    parsed = _checked(url, bool(headers) and not plain)
    try:
        async with asyncio.timeout(DEADLINE), _http() as http:
            return await _Conversation(http, parsed, headers).listing()
    except TimeoutError:
        raise ListingError(f"The server did not answer within {DEADLINE:.0f} seconds.") from None
    except httpx2.HTTPError as error:
        # The library's own text may quote the URL, and that may hold a secret: its type says enough.
        raise ListingError(f"The server cannot be reached ({type(error).__name__}): is the URL right?") from None
    except (httpx2.InvalidURL, ValueError):
        raise ListingError("A header or the URL holds characters that cannot be sent.") from None


def _http() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        timeout=httpx2.Timeout(20.0),
        follow_redirects=False,
        mounts={f"all://{host}": None for host in ("127.0.0.1", "[::1]", "localhost")},
    )


def _checked(text: str, private: bool) -> httpx2.URL:
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError):
        raise ListingError("The URL cannot be read.") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ListingError("The URL must begin with https:// or http:// and name a host.")
    if url.userinfo:
        raise ListingError("The URL holds a user name or password: give a header or a token instead.")
    if private and url.scheme != "https" and url.host not in _LOOPBACK:
        raise ListingError("Credentials would travel unencrypted: use https, or --plain-http in a network you trust.")
    return url


class _Conversation:
    """One listing: counts ids and bytes."""

    def __init__(self, http: httpx2.AsyncClient, url: httpx2.URL, headers: Mapping[str, str]) -> None:
        self._http = http
        self._url = url
        self._headers = dict(headers)
        self._id = 0
        self._left = MAX_BYTES

    async def listing(self) -> Listing:
        discovered = await self._modern("server/discover", {})
        self._refuse_credentials(discovered)
        result = discovered.result
        versions = result.get("supportedVersions") if result is not None else None
        if isinstance(versions, list) and MODERN in versions:
            assert result is not None
            meta = result.get("_meta")
            tools = await self._pages(self._modern)
            return Listing(tools, MODERN, _name(meta.get(_META + "serverInfo") if isinstance(meta, dict) else None))
        return await self._handshake()

    async def _handshake(self) -> Listing:
        offer = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": _CLIENT}
        reply = await self._ask("initialize", offer, {})
        self._refuse_credentials(reply)
        result = reply.result
        if result is None:
            raise ListingError(
                f"The server took neither server/discover nor initialize (status {reply.status}). If it speaks the old "
                "HTTP+SSE transport, save the result of tools/list to a file and give that."
            )
        version = result.get("protocolVersion")
        version = version if isinstance(version, str) and version.isascii() and version.isprintable() else HANDSHAKE
        headers = {"mcp-protocol-version": version}
        if reply.session:
            headers["mcp-session-id"] = reply.session

        async def ask(method: str, params: JsonObject) -> _Reply:
            return await self._ask(method, params, headers)

        try:
            await self._post({"jsonrpc": "2.0", "method": "notifications/initialized"}, headers)
            tools = await self._pages(ask)
        finally:
            if reply.session:
                with suppress(httpx2.HTTPError):  # the server may not care, and it changes nothing for us
                    await self._http.delete(self._url, headers={**self._headers, **headers})
        return Listing(tools, version, _name(result.get("serverInfo")))

    async def _modern(self, method: str, params: JsonObject) -> _Reply:
        meta = {_META + "protocolVersion": MODERN, _META + "clientCapabilities": {}, _META + "clientInfo": _CLIENT}
        headers = {"mcp-protocol-version": MODERN, "mcp-method": method}
        return await self._ask(method, {**params, "_meta": meta}, headers)

    async def _pages(self, ask: Any) -> tuple[JsonObject, ...]:
        tools: list[JsonObject] = []
        cursors: set[str] = set()
        params: JsonObject = {}
        for _ in range(MAX_PAGES):
            reply = await ask("tools/list", params)
            self._refuse_credentials(reply)
            result = reply.result
            page = result.get("tools") if result is not None else None
            if result is None or not isinstance(page, list) or not all(isinstance(tool, dict) for tool in page):
                raise ListingError(f"The server answered tools/list without a list of tools ({_why(reply)}).")
            tools += page
            if len(tools) > MAX_TOOLS:
                raise ListingError(f"The server lists more than {MAX_TOOLS} tools.")
            cursor = result.get("nextCursor")  # also an empty string is a cursor
            if cursor is None:
                return tuple(tools)
            if not isinstance(cursor, str) or cursor in cursors:
                raise ListingError("The server's pages lead back to one that was read before.")
            cursors.add(cursor)
            params = {"cursor": cursor}
        raise ListingError(f"The server's list has more than {MAX_PAGES} pages.")

    async def _ask(self, method: str, params: JsonObject, headers: Mapping[str, str]) -> _Reply:
        self._id += 1
        return await self._post({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}, headers)

    async def _post(self, message: JsonObject, headers: Mapping[str, str]) -> _Reply:
        body = msgspec.json.encode(message)
        sent = {**self._headers, **_ACCEPT, "content-type": "application/json", **headers}
        async with self._http.stream("POST", self._url, headers=sent, content=body) as answer:
            if 300 <= answer.status_code < 400:
                raise ListingError("The server redirects: give the URL it redirects to, if you trust that one.")
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise ListingError("The server's answer is compressed although that was declined.")
            kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            found: JsonObject | None = None
            if "id" in message:
                if kind == "text/event-stream":
                    found = await self._from_stream(answer, message["id"])
                else:
                    found = _message(await self._whole(answer), message["id"])
            return _Reply(answer.status_code, found, answer.headers.get("mcp-session-id", ""))

    async def _whole(self, answer: httpx2.Response) -> bytes:
        body = bytearray()
        async for chunk in answer.aiter_raw():
            self._count(chunk)
            body += chunk
        return bytes(body)

    async def _from_stream(self, answer: httpx2.Response, id: int) -> JsonObject | None:
        """The reply to our request; notifications before it are not for us."""
        reader = SseReader()
        try:
            async for chunk in answer.aiter_raw():
                self._count(chunk)
                for event in reader.feed(chunk):
                    found = _message(event.data, id) if event.data else None
                    if found is not None:
                        return found
        except Uninspectable:
            raise ListingError("The server's stream holds an event that is too large.") from None
        return None

    def _count(self, chunk: bytes) -> None:
        self._left -= len(chunk)
        if self._left < 0:
            raise ListingError(f"The server's answers are larger than {MAX_BYTES} bytes.")

    def _refuse_credentials(self, reply: _Reply) -> None:
        if reply.status in (401, 403):
            how = "does not accept the credentials" if self._headers else "asks for credentials"
            raise ListingError(f"The server {how} (status {reply.status}): give --token or --header.")


def _message(data: bytes, id: int) -> JsonObject | None:
    try:
        message = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or type(message.get("id")) is not int:
        return None
    return message if message["id"] == id and ("result" in message or "error" in message) else None


def _why(reply: _Reply) -> str:
    error = reply.message.get("error") if reply.message is not None else None
    code = error.get("code") if isinstance(error, dict) else None
    return f"status {reply.status}, error {code}" if isinstance(code, int) else f"status {reply.status}"


def _name(info: Any) -> str:
    name = info.get("name") if isinstance(info, dict) else None
    return name if isinstance(name, str) else ""
