"""The MCP plane: one JSON-RPC message, the policy's decision, and the request the server gets."""

from dataclasses import dataclass, field, replace
from functools import partial

from extproc.errors import BadRequest
from extproc.exchange import mcp, mcp_handles, mcp_headers
from extproc.exchange.encoding import decode_request
from extproc.exchange.mcp import BadMessage
from extproc.exchange.model import Answer, JsonObject, McpCall
from extproc.exchange.refusal import Reason, Refusal
from extproc.policy import tool_calls
from extproc.policy.decide import decide_mcp, visible
from extproc.policy.decision import Decision
from extproc.policy.methods import act_of
from extproc.policy.runtime import McpServer, Policy
from extproc.policy.sensitivity import DataClass
from extproc.session import forwarding, protected_resource, tool_guard
from extproc.session.actions import Pairs, RequestBodyReply, RequestHeadersReply
from extproc.session.delegation import rejection, with_credential
from extproc.session.ports import Injected, Ports, Tools
from extproc.session.stages import Admitted, Forward, Judged, Limits, Refused, RequestFacts, Waiting, key_of
from extproc.session.tool_watch import ToolWatch
from extproc.session.voice import McpVoice

# MCP reports an oversized or badly coded body before there is any message to answer.
_VOICE = McpVoice()
_RESUME = "last-event-id"


@dataclass(frozen=True, slots=True)
class _Allowed:
    """A message that may go on as soon as there is something to authenticate it with. `full` is `call` with its
    document, `sent` the same in bytes."""

    admitted: Admitted
    server: McpServer
    full: McpCall = field(repr=False)
    call: McpCall
    decision: Decision
    voice: McpVoice
    caller: bytes
    handles: Pairs = field(repr=False)
    path: str = field(repr=False)
    sent: bytes = field(repr=False)
    has_body: bool


def judge(
    admitted: Admitted,
    body: bytes | None,
    policy: Policy,
    ports: Ports,
    limits: Limits,
    id: str,  # noqa: ARG001
    wall: float,
) -> Forward | Refused | Waiting:
    """A POST's body, or None for a GET or DELETE that has none. `id` is the exchange's, `wall` is Unix time."""
    arrived = admitted.arrived
    server = arrived.server
    if server is None:
        return Refused(Refusal.of(Reason.SERVER_UNKNOWN), _VOICE, McpCall(arrived.route.server, "", ""))
    try:
        if body is None:
            call = mcp.open_stream(server.name, arrived.method, admitted.headers, server.hosts)
        else:
            plain = decode_request(body, admitted.headers.get("content-encoding", ""), limits.request)
            call = mcp.read(server.name, plain, admitted.headers, server.hosts)
    except BadMessage as error:
        refusal = Refusal.of(Reason(error.reason), message=error.message, status=error.status)
        return Refused(refusal, McpVoice(None, error.id, error.code))
    except BadRequest as error:
        return Refused(Refusal.of(Reason(error.reason), message=error.message, status=error.status), _VOICE)
    return _decide(admitted, server, call, body is not None, policy, ports, wall)


def _decide(
    admitted: Admitted, server: McpServer, full: McpCall, has_body: bool, policy: Policy, ports: Ports, wall: float
) -> Forward | Refused | Waiting:
    known = partial(_definition, server, ports.tools)
    decision = decide_mcp(policy, admitted.identity, server, full, RequestFacts(admitted), known)
    # A stream may be open for hours: it needs only what the call was.
    call = replace(full, arguments={}, doc={}, recorded=tool_guard.recorded(server, full))
    voice = McpVoice(call)
    if not decision.allowed:
        return Refused(Refusal.of(decision.reason, message=decision.message), voice, call, decision)
    more = protected_resource.step_up(server, admitted.identity, _tool(full), admitted.arrived.document)
    if more is not None:
        return Refused(more, voice, call, decision)
    if full.method == "tools/call":
        guarded = tool_calls.refusal(server, full, known(full.name), wall)
        if guarded is not None:
            return Refused(guarded, voice, call, decision)
    tool_guard.restrict(server, full)
    caller = key_of(admitted.identity)
    handles = _opened(admitted, server, full, ports, caller)
    if isinstance(handles, Refusal):
        return Refused(handles, voice, call, decision)
    upstream = server.upstream
    path = (upstream.path or "/") + forwarding.query(admitted.arrived.query, admitted.token)
    sent = mcp.write(full) if has_body else b""
    allowed = _Allowed(admitted, server, full, call, decision, voice, caller, handles, path, sent, has_body)
    return with_credential(
        admitted,
        server,
        path,
        sent,
        ports,
        lambda injected: _forward(allowed, injected, policy, ports, wall),
        Refused(Refusal.of(Reason.CREDENTIAL_UNAVAILABLE), voice, call, decision),
    )


def _forward(allowed: _Allowed, injected: Injected, policy: Policy, ports: Ports, wall: float) -> Forward:
    """The request that the server gets, and how its answer will be read."""
    admitted, server, call, caller = allowed.admitted, allowed.server, allowed.call, allowed.caller
    level = _data_class(server, allowed.full)
    if level and not act_of(allowed.full).opens:  # to open or to list is to see nothing yet
        ports.exposure.touched(caller, level, wall, server.remember)
    remove = forwarding.stripped(admitted.headers, tuple(name for name, _ in injected.headers), admitted.token)
    if _RESUME in admitted.headers and mcp_headers.SESSION not in admitted.headers:
        # An event's id is nobody's own. Within a session, which is, the server knows whose events it repeats.
        remove += (_RESUME,)
    masking = allowed.decision.obligations.masking
    mask = masking.start() if masking is not None else None
    shown = visible(policy, admitted.identity, server, partial(_definition, server, ports.tools))
    sent, path = allowed.sent, allowed.path
    pairs = forwarding.pairs(server.upstream, path, len(sent) if allowed.has_body else None)
    pairs += injected.headers + allowed.handles
    reply = RequestBodyReply(sent, pairs, remove) if allowed.has_body else RequestHeadersReply(pairs, remove)
    task = ports.seal.closer("task", server.name, caller)
    state = ports.seal.closer("state", server.name, caller)

    watch = ToolWatch(server, call, ports.tools, wall)

    def read() -> Answer:
        return mcp.answer(call, mask, shown, lambda message: mcp_handles.given_out(message, task, state), watch)

    # Any MCP answer may carry a list to be filtered (a GET stream answers other requests too): it must be readable.
    strict = call.kind in ("request", "stream")
    judged = Judged(
        call,
        allowed.decision,
        allowed.voice,
        read,
        mask,
        must_read=True,
        strict=strict,
        sent=len(sent),
        secret=injected.secret,
        rejected=rejection(admitted, server, ports),
        session=ports.seal.closer("session", server.name, caller),
        watch=watch,
    )
    return Forward(judged, reply)


def _tool(call: McpCall) -> str:
    """The tool that a message calls, with or without an id to answer; "" for any other."""
    return call.name if call.method == "tools/call" else ""


def _definition(server: McpServer, tools: Tools, tool: str) -> JsonObject | None:
    """What a tool is held to: the definition its server listed last, or the approved one until it has listed any."""
    found = tools.definition(server.name, tool)
    approval = server.rules.approval
    if found is not None or approval is None:
        return found
    approved = approval.pins.tools.get(tool)
    return approved.definition if approved is not None else None


def _data_class(server: McpServer, full: McpCall) -> DataClass:
    """Of what a message makes its sender see. Only names of tools are held against patterns of tools."""
    tool = _tool(full)
    return server.rules.data_class(tool, server.data_class) if tool else server.data_class


def _opened(admitted: Admitted, server: McpServer, full: McpCall, ports: Ports, caller: bytes) -> Pairs | Refusal:
    """The headers that carry handles, as the server knows these; the message's own are changed in place. A handle that
    is another caller's is unknown, in the words in which the server itself would say it of one that has expired."""
    sets: Pairs = ()
    said = mcp.session_id(admitted.headers)
    if said:
        session = ports.seal.opener("session", server.name, caller)(said)
        if session is None:
            return Refusal.of(Reason.SESSION_UNKNOWN)
        sets += ((mcp_headers.SESSION, session),)
    task = ports.seal.opener("task", server.name, caller)
    state = ports.seal.opener("state", server.name, caller)
    if not mcp_handles.brought_back(full.doc, task, state):
        return Refusal.of(Reason.HANDLE_UNKNOWN)
    if mcp_headers.NAME in admitted.headers and full.method.startswith("tasks/"):
        name = full.doc["params"]["taskId"]
        sets += ((mcp_headers.NAME, mcp_headers.encoded(name)),)
    return sets
