"""MCP over Streamable HTTP: what a client's message is about, and the whole dialect's front door.

Reads one JSON-RPC message per POST in the revisions 2025-03-26, 2025-06-18, 2025-11-25 (handshake era) and
2026-07-28 (modern era). It refuses what it cannot name exactly; it never repairs a message, and knows no session:
which session id belongs to whom is the upstream's business.
"""

from collections.abc import Collection, Mapping
from typing import Any

from extproc.errors import BadRequest
from extproc.exchange import json_body, mcp_headers, mcp_methods
from extproc.exchange.keys import Keys, sentence
from extproc.exchange.mcp_answer import answer
from extproc.exchange.mcp_error import INVALID_PARAMS, INVALID_REQUEST, MISSING_CAPABILITY, TASKS, BadMessage
from extproc.exchange.mcp_refusal import error_event, refusal
from extproc.exchange.model import JsonObject, McpCall
from extproc.exchange.refusal import Reason

__all__ = ["BadMessage", "answer", "error_event", "open_stream", "read", "refusal", "session_id", "write"]

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
RELATED_KEY = "io.modelcontextprotocol/related-task"
_ASSUMED = "2025-03-26"  # the revision of a message that names none (Streamable HTTP, 2025-06-18)

# Where a method says what it is about. Policy judges by that name, so it must be there.
_NAMED = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "resources/subscribe": "uri",
    "resources/unsubscribe": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
    "tasks/result": "taskId",
}
# Those of them whose name the modern era must repeat in Mcp-Name. The extension for tasks asks for it as well, but its
# clients leave it out and its servers let them; where it is, it is held against the body in all of them.
_MIRRORED = frozenset({"tools/call", "prompts/get", "resources/read"})
_WITH_ARGUMENTS = frozenset({"tools/call", "prompts/get"})

# What is judged at each level. A key that some reader takes for one of these is refused (see `keys`).
_TOP = Keys("jsonrpc", "id", "method", "params", "result", "error")
_PARAMS = Keys("name", "uri", "taskId", "ref", "arguments", "notifications", "requestState", "capabilities", "_meta")
_META = Keys(VERSION_KEY, CAPABILITIES_KEY, RELATED_KEY)
_RELATED = Keys("taskId")
_REF = Keys("type", "name", "uri")
_FILTER = Keys("resourceSubscriptions", "taskIds")


def read(server: str, body: bytes, headers: Mapping[str, str], hosts: Collection[str] = ()) -> McpCall:
    """The call in a POST. `headers` have lower-case names; a name that came twice has its values joined by ", ".
    `hosts` are the gateway's own names, whose web pages may use the server as those of loopback may.

    Raises `BadMessage`; it carries the request's id if there is one that can be echoed.
    """
    doc = _document(body)
    request_id = _id(doc)
    mcp_headers.check_origin(headers, hosts, request_id)
    _exact(doc, _TOP, "", request_id, INVALID_REQUEST)
    kind, method = _kind(doc, request_id)
    params = doc.get("params", _NOTHING)
    if type(params) is not dict:
        if type(params) is not list:
            raise _wrong("params is neither an object nor an array.", request_id)
        params = _NOTHING
    _exact(params, _PARAMS, "params", request_id)
    for key, where, keys in _INSIDE:
        _exact(params.get(key), keys, where, request_id)
    meta = params.get("_meta")
    if type(meta) is dict and RELATED_KEY in meta:
        _exact(meta[RELATED_KEY], _RELATED, "params._meta.related-task", request_id)
    version = meta.get(VERSION_KEY) if type(meta) is dict else None
    if version is not None and type(version) is not str:
        raise _wrong("The protocol version in _meta is not a string.", request_id, INVALID_PARAMS)
    said = headers.get(mcp_headers.VERSION, "")
    modern = version is not None or mcp_headers.is_modern(said)
    name = _name(method, params, request_id, needed=not modern or method not in mcp_methods.REMOVED)
    request = kind == "request"
    mcp_headers.check(headers, method=method, name=name, named=method in _MIRRORED, version=version,
                      required=modern and request, id=request_id)  # fmt: skip
    if modern and version is None and request:
        raise _wrong("params._meta lacks the protocol version that the header names.", request_id, INVALID_PARAMS)
    if modern and method.startswith("tasks/") and method not in mcp_methods.REMOVED and not _knows_tasks(meta):
        message = "This client has not declared that it knows tasks."
        raise BadMessage(Reason.BODY_SHAPE, message, code=MISSING_CAPABILITY, id=request_id)
    if modern and kind == "response":
        raise _wrong("This revision of MCP takes no responses from clients.", None)
    arguments = params.get("arguments") if method in _WITH_ARGUMENTS else None
    if arguments is not None and type(arguments) is not dict:
        raise _wrong("params.arguments is not an object.", request_id, INVALID_PARAMS)
    return McpCall(
        server, kind, method, name, request_id, "modern" if modern else "handshake",
        version or said or _offered(method, params), arguments or {}, doc,
    )  # fmt: skip


def open_stream(server: str, method: str, headers: Mapping[str, str], hosts: Collection[str] = ()) -> McpCall:
    """The call in a body-less GET (kind "stream") or DELETE ("close"). Other HTTP methods raise `BadMessage` (405)."""
    kind = {"GET": "stream", "DELETE": "close"}.get(method)
    if kind is None:
        raise BadMessage(Reason.HTTP_METHOD, "MCP takes POST, GET and DELETE.")
    mcp_headers.check_origin(headers, hosts, None)
    mcp_headers.check(headers, method="", name="", named=False, version=None, required=False, id=None)
    version = headers.get(mcp_headers.VERSION, _ASSUMED)
    return McpCall(server, kind, "", era="modern" if mcp_headers.is_modern(version) else "handshake", version=version)


def write(call: McpCall) -> bytes:
    """The judged document as bytes: what was judged is what is sent, whatever else the client's bytes could mean."""
    return json_body.encode(call.doc)


def session_id(headers: Mapping[str, str]) -> str:
    """The session a message belongs to, "" for none. It authenticates nobody and is as secret as a cookie."""
    return headers.get(mcp_headers.SESSION, "")


_NOTHING: JsonObject = {}
_INSIDE = (
    ("_meta", "params._meta", _META),
    ("ref", "params.ref", _REF),
    ("notifications", "params.notifications", _FILTER),
)


def _exact(holder: Any, keys: Keys, where: str, id: Any, code: int = INVALID_PARAMS) -> None:
    """What is no object has no keys; whether it may stand there is asked elsewhere."""
    found = keys.disguised(holder) if type(holder) is dict else ""
    if found:
        raise _wrong(sentence(found, where), id, code)


def _document(body: bytes) -> JsonObject:
    try:
        return json_body.decode(body)
    except BadRequest as error:
        if error.reason == Reason.BODY_SHAPE and body.lstrip()[:1] == b"[":
            raise BadMessage(Reason.BATCH_REFUSED) from None
        raise BadMessage(Reason(error.reason), error.message, status=error.status) from None


def _id(doc: JsonObject) -> Any:
    """The message's id, None if it has none. JSON's true and false are Python integers: types are compared exactly."""
    value = doc.get("id")
    if type(value) not in _ID_TYPES and (value is not None or "id" in doc):
        raise _wrong("id is neither a string nor a number.", None)
    return value


_ID_TYPES = frozenset({str, int, float})


def _kind(doc: JsonObject, id: Any) -> tuple[str, str]:
    if doc.get("jsonrpc") != "2.0":
        raise _wrong('jsonrpc is not "2.0".', id)
    reply = "result" in doc or "error" in doc
    if "method" not in doc:
        if not reply or ("result" in doc and "error" in doc) or id is None:
            raise _wrong("The body is neither a request, nor a notification, nor a response.", id)
        return "response", ""
    method = doc["method"]
    if type(method) is not str or not method:
        raise _wrong("method is not a string.", id)
    if reply:  # half of the readers would see a request, the other half a response
        raise _wrong("The body is a request and a response at once.", id)
    return ("notification" if id is None else "request"), method


def _name(method: str, params: JsonObject, id: Any, *, needed: bool) -> str:
    """`needed`: without one, nobody could judge it. What is no method of its era needs none: it is refused as that."""
    key = _NAMED.get(method)
    if key is None:
        if method != "completion/complete":
            return ""
        ref = params.get("ref")
        holder = ref if type(ref) is dict else _NOTHING
        key = "uri" if holder.get("type") == "ref/resource" else "name"
    else:
        holder = params
    name = holder.get(key)
    if type(name) is not str or not name:
        if not needed:
            return ""
        raise _wrong(f"params has no {key} that says what this method is about.", id, INVALID_PARAMS)
    return name


def _knows_tasks(meta: Any) -> bool:
    """Whether a message of the modern era declares the extension for tasks, without which servers have to refuse."""
    declared = meta.get(CAPABILITIES_KEY) if type(meta) is dict else None
    extensions = declared.get("extensions") if type(declared) is dict else None
    return type(extensions) is dict and TASKS in extensions


def _offered(method: str, params: JsonObject) -> str:
    offer = params.get("protocolVersion") if method == "initialize" else None
    return offer if type(offer) is str else _ASSUMED


def _wrong(message: str, id: Any, code: int = INVALID_REQUEST) -> BadMessage:
    return BadMessage(Reason.BODY_SHAPE, message, code=code, id=id)
