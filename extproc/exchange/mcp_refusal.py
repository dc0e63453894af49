"""How MCP hears a no: which refusals are tool results, which are JSON-RPC errors, and which are plain HTTP.

The choice is what clients survive, not what is most formal. A raw 403 makes agents believe that they must log in
again, and any status outside 2xx ends the session of older Python clients; so whatever policy denies is answered with
HTTP 200, and a denied tool is a failed tool, which models read and work around.

| refused | answer |
|---|---|
| tools/call, by policy or limit | 200, result with the text and isError (modern: resultType complete) |
| a request whose method is none of its era, by policy | 404 (handshake: 200), JSON-RPC error -32601 |
| other request, by policy | 200, JSON-RPC error 4030 |
| notification or response, by policy or limit | 202, nothing: no reply is defined, and a 403 ends v1 sessions |
| GET or DELETE, by policy | 405 with Allow: POST, after which every client goes on without |
| with a WWW-Authenticate challenge (401, or 403 for more scope) | its status, JSON-RPC error |
| anything else (malformed, unknown server, size, limit, our own failure) | its status, JSON-RPC error |

An unknown method is answered as the server would answer it: clients find out by that what a server can do.

Failures of ours (5xx) are not tool results, because a model would take them for the tool's own answer and not retry.
"""

from typing import Any

from extproc.exchange import json_body, mcp_methods
from extproc.exchange.mcp_error import METHOD_NOT_FOUND, MISSING_CAPABILITY, TASKS, code_of
from extproc.exchange.model import JsonObject, McpCall
from extproc.exchange.refusal import Reason, Refusal, Rendered

_JSON = ("content-type", "application/json")
_VERDICTS = frozenset({403, 429})


def refusal(refusal: Refusal, call: McpCall | None, *, id: Any = None, code: int | None = None) -> Rendered:
    """The refusal of `call`, or of something that never became a call (then `id` and `code` of its `BadMessage`)."""
    if call is not None and refusal.status in _VERDICTS and not _challenges(refusal):
        if call.method == "tools/call" and call.kind == "request":
            return Rendered(200, (_JSON, *refusal.headers), json_body.encode(_failed_tool(refusal, call)))
        if call.kind in ("notification", "response"):
            return Rendered(202, refusal.headers, b"")
        if refusal.status == 403 and call.kind == "request":
            status = 200
            if refusal.reason is Reason.METHOD_NOT_ALLOWED and not mcp_methods.exists(call.method, call.era):
                code, status = METHOD_NOT_FOUND, 404 if call.era == "modern" else 200
            return Rendered(status, (_JSON, *refusal.headers), json_body.encode(_error(refusal, call.id, code)))
        if refusal.status == 403:
            headers = (_JSON, ("allow", "POST"), *refusal.headers)
            return Rendered(405, headers, json_body.encode(_error(refusal, None, code)))
    body = json_body.encode(_error(refusal, _id(call) if id is None else id, code))
    return Rendered(refusal.status, (_JSON, *refusal.headers), body)


def error_event(refusal: Refusal, call: McpCall) -> bytes:
    """Bytes that end an SSE stream that has begun.

    The blank lines first end whatever event was cut off. A stream that answers no request (GET) ends with a comment:
    an error there would belong to no request, and clients would have to guess.
    """
    if call.kind != "request":
        return b"\n\n: ended by gatereeve (" + refusal.reason.value.encode() + b")\n\n"
    return b"\n\nevent: message\ndata: " + json_body.encode(_error(refusal, call.id, None)) + b"\n\n"


def _challenges(refusal: Refusal) -> bool:
    return any(name == "www-authenticate" for name, _ in refusal.headers)


def _id(call: McpCall | None) -> Any:
    return call.id if call is not None and call.kind == "request" else None


def _failed_tool(refusal: Refusal, call: McpCall) -> JsonObject:
    result: JsonObject = {"content": [{"type": "text", "text": refusal.text}], "isError": True}
    if call.era == "modern":
        result["resultType"] = "complete"
    return {"jsonrpc": "2.0", "id": call.id, "result": result}


def _error(refusal: Refusal, id: Any, code: int | None) -> JsonObject:
    """JSON-RPC wants an id even where none is known; null is what it asks for then."""
    data: JsonObject = {"reason": refusal.reason.value, "id": refusal.id}
    if code == MISSING_CAPABILITY:
        data["requiredCapabilities"] = {"extensions": {TASKS: {}}}
    error = {"code": code or code_of(refusal.reason, refusal.status), "message": refusal.text, "data": data}
    return {"jsonrpc": "2.0", "id": id, "error": error}
