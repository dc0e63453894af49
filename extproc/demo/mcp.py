"""The demo MCP server: Streamable HTTP in three protocol versions, one of them stateless.

2026-07-28 is served per request (its `_meta` says so); `initialize` starts a session (2025-11-25) or none (2025-06-18).
Answers are JSON; with the request header `X-Demo-Sse: 1` (or the query `sse=1`) they are a stream, in which
find_customer reports progress first. `X-Demo-Page: <n>` pages tools/list, `X-Demo-Seed` fixes where streams are cut.
"""

import json
import random
import secrets
from collections.abc import AsyncIterator
from typing import Any

from extproc.demo import mcp_content as content
from extproc.demo.answer import byte_pieces, sse
from extproc.demo.http import Request, Response, Server, reply

KEY = "demo-mcp-key"
MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18")
_SESSIONS_SINCE = "2025-11-25"
_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
_CLIENT_KEY = "io.modelcontextprotocol/clientCapabilities"
_SERVER = {"name": "demo", "title": "Demo server", "version": "1.0.0"}
_CAPABILITIES: dict[str, Any] = {"tools": {}, "prompts": {}, "resources": {}}
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_CACHED = ("tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read")


class DemoMcp:
    """Serves any path. Calls must carry the demo's own key, so that the gateway's injection shows."""

    def __init__(self, host: str = "127.0.0.1", port: int = 10002) -> None:
        self.server = Server(self._handle, host, port)
        self._sessions: set[str] = set()

    async def _handle(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return reply({"error": "the demo MCP server got a credential that is not its own"}, 401)
        if request.method == "DELETE":
            self._sessions.discard(request.headers.get("mcp-session-id", ""))
            return Response(204)
        if request.method != "POST":
            return reply({"error": "POST JSON-RPC messages here"}, 405, allow="POST, DELETE")
        message = request.json()
        if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
            return _error(None, -32600, "Send one JSON-RPC 2.0 message.", 400)
        if not isinstance(message.get("method"), str):
            return Response(202)  # a response to something we never ask
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        meta = params.get("_meta")
        if isinstance(meta, dict) and _VERSION_KEY in meta:
            return self._modern(request, message, params, meta)
        return self._legacy(request, message, params)

    def _modern(self, request: Request, message: dict[str, Any], params: dict[str, Any], meta: Any) -> Response:
        number, method = message.get("id"), message["method"]
        if meta[_VERSION_KEY] != MODERN:
            data = {"supported": [MODERN, *LEGACY], "requested": meta[_VERSION_KEY]}
            return _error(number, -32022, "Unsupported protocol version", 400, data)
        if _CLIENT_KEY not in meta:
            return _error(number, -32602, f"_meta lacks {_CLIENT_KEY}", 400)
        mirrors = {"mcp-protocol-version": MODERN, "mcp-method": method}
        if method in _NAMED_BY:
            mirrors["mcp-name"] = str(params.get(_NAMED_BY[method]))
        for name, value in mirrors.items():
            if request.headers.get(name) != value:
                return _error(number, -32020, f"The header {name} does not say what the body says.", 400)
        if number is None:
            return Response(202)
        if method == "server/discover":
            result: dict[str, Any] | None = {
                "supportedVersions": [MODERN, *LEGACY],
                "capabilities": _CAPABILITIES,
                "instructions": content.INSTRUCTIONS,
            }
        else:
            try:
                result = _result(method, params, request)
            except content.Unknown as error:
                return _error(number, error.code, str(error), 400)
        if result is None:
            return _error(number, -32601, "Method not found", 404)
        result |= {"resultType": "complete", "_meta": {"io.modelcontextprotocol/serverInfo": _SERVER}}
        if method in _CACHED or method == "server/discover":
            # Public on purpose: a gateway that filters per caller has to make it private.
            result |= {"ttlMs": 60_000, "cacheScope": "public"}
        return _respond(request, number, result, params)

    def _legacy(self, request: Request, message: dict[str, Any], params: dict[str, Any]) -> Response:
        number, method = message.get("id"), message["method"]
        if method == "initialize":
            return self._initialize(number, params)
        version = request.headers.get("mcp-protocol-version", LEGACY[-1])
        if version not in LEGACY:
            return _error(number, -32600, "Unsupported protocol version", 400)
        session = request.headers.get("mcp-session-id")
        if session is None and version >= _SESSIONS_SINCE:
            return _error(number, -32600, "Mcp-Session-Id is missing", 400)
        if session is not None and session not in self._sessions:
            return _error(number, -32600, "The session has ended", 404)
        if number is None:
            return Response(202)
        try:
            result = {} if method == "ping" else _result(method, params, request)
        except content.Unknown as error:
            return _error(number, error.code, str(error))
        if result is None:
            return _error(number, -32601, "Method not found")
        return _respond(request, number, result, params)

    def _initialize(self, id: Any, params: dict[str, Any]) -> Response:
        asked = params.get("protocolVersion")
        version = asked if asked in LEGACY else LEGACY[0]
        extra = {}
        if version >= _SESSIONS_SINCE:
            session = secrets.token_hex(16)
            self._sessions.add(session)
            extra = {"mcp-session-id": session}
        result = {
            "protocolVersion": version,
            "capabilities": _CAPABILITIES,
            "serverInfo": _SERVER,
            "instructions": content.INSTRUCTIONS,
        }
        return reply({"jsonrpc": "2.0", "id": id, "result": result}, **extra)


def _result(method: str, params: dict[str, Any], request: Request) -> dict[str, Any] | None:
    if method == "tools/list":
        return _page(content.TOOLS, params, request)
    if method == "tools/call":
        return content.call_tool(params)
    if method == "prompts/get":
        return content.get_prompt(params)
    if method == "resources/read":
        return content.read_resource(params)
    lists: dict[str, tuple[str, list[dict[str, Any]]]] = {
        "prompts/list": ("prompts", content.PROMPTS),
        "resources/list": ("resources", content.RESOURCES),
        "resources/templates/list": ("resourceTemplates", []),
    }
    if method not in lists:
        return None
    key, items = lists[method]
    return {key: items}


def _page(tools: list[dict[str, Any]], params: dict[str, Any], request: Request) -> dict[str, Any]:
    size = request.headers.get("x-demo-page", "")
    if not size.isdigit() or int(size) < 1:
        return {"tools": tools}
    cursor = str(params.get("cursor", "0"))
    start = int(cursor) if cursor.isdigit() else 0
    end = start + int(size)
    page: dict[str, Any] = {"tools": tools[start:end]}
    return page | ({"nextCursor": str(end)} if end < len(tools) else {})


def _respond(request: Request, id: Any, result: dict[str, Any], params: dict[str, Any]) -> Response:
    message = {"jsonrpc": "2.0", "id": id, "result": result}
    streamed = request.headers.get("x-demo-sse") == "1" or request.query.get("sse") == "1"
    if not streamed or "text/event-stream" not in request.headers.get("accept", ""):
        return reply(message)
    messages: list[dict[str, Any]] = []
    meta = params.get("_meta")
    token = meta.get("progressToken") if isinstance(meta, dict) else None
    if params.get("name") == "find_customer" and token is not None:
        progress = {"progressToken": token, "progress": 1, "total": 2, "message": f"Found: {content.CUSTOMER}"}
        messages.append({"jsonrpc": "2.0", "method": "notifications/progress", "params": progress})
    cuts = random.Random(request.headers.get("x-demo-seed"))
    data = sse((("message", m) for m in [*messages, message]), cuts)
    return Response(200, {"content-type": "text/event-stream", "cache-control": "no-cache"}, _write(data, cuts))


async def _write(data: bytes, cuts: random.Random) -> AsyncIterator[bytes]:
    for piece in byte_pieces(data, cuts, 200):
        yield piece


def _error(id: Any, code: int, message: str, status: int = 200, data: Any = None) -> Response:
    error = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return Response(
        status,
        {"content-type": "application/json"},
        json.dumps({"jsonrpc": "2.0", "id": id, "error": error}).encode(),
    )
