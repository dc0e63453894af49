"""Listing a server's tools: both eras, all pages, and servers that do not mean well."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from extproc.adapters import mcp_client
from extproc.adapters.mcp_client import ListingError, list_tools
from extproc.demo.http import Request, Response, Server, reply
from extproc.demo.mcp import KEY, DemoMcp
from extproc.demo.mcp_content import TOOLS

TOKEN = {"authorization": f"Bearer {KEY}"}


@contextlib.asynccontextmanager
async def served(handler: Callable[[Request], Any]) -> AsyncIterator[str]:
    async def handle(request: Request) -> Response:
        answer: Response = handler(request)
        return answer

    async with Server(handle, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.port}/mcp"


class Legacy:
    """A server of the handshake era, with `pages` of tools."""

    def __init__(self, pages: list[Any], version: str = "2025-06-18") -> None:
        self.pages = pages
        self.version = version
        self.seen: list[tuple[str, dict[str, str]]] = []

    def __call__(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.seen.append(("DELETE", request.headers))
            return Response(204)
        message = request.json()
        self.seen.append((message["method"], request.headers))
        if message["method"] == "initialize":
            result: Any = {"protocolVersion": self.version, "capabilities": {}, "serverInfo": {"name": "old"}}
            return reply({"jsonrpc": "2.0", "id": message["id"], "result": result}, mcp_session_id="s-1")
        if "id" not in message:
            return Response(202)
        if message["method"] != "tools/list":
            return reply({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no"}}, 404)
        at = int(message["params"].get("cursor") or 0)
        return reply({"jsonrpc": "2.0", "id": message["id"], "result": self.pages[at]})


async def failure(url: str, headers: dict[str, str] | None = None, **options: Any) -> str:
    with pytest.raises(ListingError) as caught:
        await list_tools(url, headers or {}, **options)
    return str(caught.value)


@pytest.mark.parametrize("page", ["", "1", "2"])
@pytest.mark.parametrize("stream", ["0", "1"], ids=["JSON", "SSE"])
async def test_a_modern_server_is_asked_page_by_page(page: str, stream: str) -> None:
    demo = DemoMcp(port=0)
    async with demo.server:
        url = f"http://127.0.0.1:{demo.server.port}/mcp"
        listing = await list_tools(url, {**TOKEN, "x-demo-page": page, "x-demo-sse": stream})
        methods = [seen["body"]["method"] for seen in demo.server.seen]
    assert list(listing.tools) == TOOLS
    assert (listing.version, listing.server) == ("2026-07-28", "demo")
    assert methods == ["server/discover"] + ["tools/list"] * {"": 1, "1": 3, "2": 2}[page]


async def test_an_older_server_gets_a_handshake_and_is_told_the_end() -> None:
    server = Legacy([{"tools": [{"name": "a"}], "nextCursor": "1"}, {"tools": [{"name": "b"}]}])
    async with served(server) as url:
        listing = await list_tools(url, {"x-key": "k"})
    assert [tool["name"] for tool in listing.tools] == ["a", "b"]
    assert (listing.version, listing.server) == ("2025-06-18", "old")
    methods = [method for method, _ in server.seen]
    assert methods == [
        "server/discover",
        "initialize",
        "notifications/initialized",
        "tools/list",
        "tools/list",
        "DELETE",
    ]
    for _, headers in server.seen[2:]:
        assert (headers["mcp-session-id"], headers["mcp-protocol-version"]) == ("s-1", "2025-06-18")
    assert all(headers["x-key"] == "k" for _, headers in server.seen)


async def test_an_empty_cursor_is_a_cursor() -> None:
    pages = iter([{"tools": [], "nextCursor": ""}, {"tools": [{"name": "b"}]}])
    server = Legacy([])

    def handle(request: Request) -> Response:
        message = request.json() or {}
        if message.get("method") == "tools/list":
            return reply({"jsonrpc": "2.0", "id": message["id"], "result": next(pages)})
        return server(request)

    async with served(handle) as url:
        assert [tool["name"] for tool in (await list_tools(url, {})).tools] == ["b"]


async def test_a_session_is_ended_also_when_the_list_fails() -> None:
    server = Legacy([{"tools": "none"}])
    async with served(server) as url:
        assert "without a list of tools (status 200)" in await failure(url)
    assert server.seen[-1][0] == "DELETE"


@pytest.mark.parametrize(
    ("pages", "why"),
    [
        pytest.param([{"tools": [], "nextCursor": "0"}], "lead back", id="pages in a circle"),
        pytest.param([{"tools": [], "nextCursor": 5}], "lead back", id="a cursor that is none"),
        pytest.param([{"tools": [3]}], "without a list", id="a tool that is none"),
        pytest.param([{}], "without a list", id="no tools"),
        pytest.param([{"tools": [{"name": "a"}] * 20_001}], "more than 20000 tools", id="too many tools"),
        pytest.param([3], "without a list", id="a result that is none"),
    ],
)
async def test_a_list_that_is_none_is_refused(pages: list[Any], why: str) -> None:
    async with served(Legacy(pages)) as url:
        assert why in await failure(url)


async def test_pages_without_end_are_not_followed_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_client, "MAX_PAGES", 5)
    pages = [{"tools": [], "nextCursor": str(number + 1)} for number in range(20)]
    async with served(Legacy(pages)) as url:
        assert "more than 5 pages" in await failure(url)


async def test_answers_without_end_are_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_client, "MAX_BYTES", 100_000)

    async def flood() -> AsyncIterator[bytes]:
        while True:
            yield b": nothing\n\n" * 1000

    for kind in ("text/event-stream", "application/json"):
        async with served(lambda _, kind=kind: Response(200, {"content-type": kind}, flood())) as url:
            assert "larger than 100000 bytes" in await failure(url)


async def test_a_server_that_never_answers_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_client, "DEADLINE", 0.05)

    async def silence() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async with served(lambda _: Response(200, {"content-type": "text/event-stream"}, silence())) as url:
        assert "did not answer" in await failure(url)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(reply({}, 401), "asks for credentials (status 401)", id="401"),
        pytest.param(reply({}, 403), "asks for credentials (status 403)", id="403"),
        pytest.param(Response(307, {"location": "http://evil.example/"}), "redirects", id="a redirect"),
        pytest.param(reply({}, 404), "neither server/discover nor initialize (status 404)", id="no MCP here"),
        pytest.param(Response(200, {"content-type": "text/html"}, b"<html>"), "neither", id="a web page"),
        pytest.param(
            Response(200, {"content-type": "application/json", "content-encoding": "gzip"}, gzip.compress(b"{}")),
            "compressed",
            id="compressed",
        ),
        pytest.param(Response(200, {"content-type": "application/json"}, b"[" * 100_000), "neither", id="no end"),
    ],
)
async def test_what_is_no_server_for_us_is_told_so(answer: Response, why: str) -> None:
    async with served(lambda _: answer) as url:
        assert why in await failure(url)


async def test_a_reply_to_another_request_is_not_ours() -> None:
    def other(request: Request) -> Response:
        message = {"jsonrpc": "2.0", "id": True, "result": {"supportedVersions": ["2026-07-28"], "tools": []}}
        return Response(200, {"content-type": "text/event-stream"}, b"data: " + json.dumps(message).encode() + b"\n\n")

    async with served(other) as url:
        assert "neither" in await failure(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://crm.example/", "https://"),
        ("https://", "name a host"),
        ("https://user:secret@crm.example/", "user name or password"),
        ("http://crm.example/mcp", "travel unencrypted"),
        ("http://127.0.0.1:1/mcp", "cannot be reached"),
    ],
)
async def test_a_url_that_is_not_asked_and_no_secret_in_what_is_said(url: str, why: str) -> None:
    said = await failure(url, {"authorization": "Bearer sk-secret"})
    assert why in said
    assert "secret" not in said.replace("hold a secret", "")


async def test_wrong_credentials_are_not_repeated_in_the_error() -> None:
    demo = DemoMcp(port=0)
    async with demo.server:
        said = await failure(f"http://127.0.0.1:{demo.server.port}/mcp", {"authorization": "Bearer sk-wrong"})
    assert "does not accept the credentials (status 401)" in said
    assert "sk-wrong" not in said
