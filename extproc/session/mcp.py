"""The MCP plane: one JSON-RPC message, the policy's decision, and the request the server gets."""

from dataclasses import replace

from extproc.errors import BadRequest
from extproc.exchange import mcp
from extproc.exchange.encoding import decode_request
from extproc.exchange.mcp import BadMessage
from extproc.exchange.model import Answer, McpCall
from extproc.exchange.refusal import Reason, Refusal
from extproc.policy.decide import decide_mcp, visible
from extproc.policy.runtime import McpServer, Policy
from extproc.session import forwarding
from extproc.session.actions import RequestBodyReply, RequestHeadersReply
from extproc.session.outgoing import authenticated
from extproc.session.ports import Credentials
from extproc.session.stages import Admitted, Forward, Judged, Limits, Refused, RequestFacts
from extproc.session.voice import McpVoice

# MCP reports an oversized or badly coded body before there is any message to answer.
_VOICE = McpVoice()


def judge(
    admitted: Admitted, body: bytes | None, policy: Policy, credentials: Credentials, limits: Limits
) -> Forward | Refused:
    """A POST's body, or None for a GET or DELETE that has none."""
    arrived = admitted.arrived
    server = arrived.server
    if server is None:
        return Refused(Refusal.of(Reason.SERVER_UNKNOWN), _VOICE, McpCall(arrived.route.server, "", ""))
    try:
        if body is None:
            call = mcp.open_stream(server.name, arrived.method, admitted.headers)
        else:
            plain = decode_request(body, admitted.headers.get("content-encoding", ""), limits.request)
            call = mcp.read(server.name, plain, admitted.headers)
    except BadMessage as error:
        refusal = Refusal.of(Reason(error.reason), message=error.message, status=error.status)
        return Refused(refusal, McpVoice(None, error.id, error.code))
    except BadRequest as error:
        return Refused(Refusal.of(Reason(error.reason), message=error.message, status=error.status), _VOICE)
    return _decide(admitted, server, call, body is not None, policy, credentials)


def _decide(
    admitted: Admitted, server: McpServer, full: McpCall, has_body: bool, policy: Policy, credentials: Credentials
) -> Forward | Refused:
    decision = decide_mcp(policy, admitted.identity, server, full, RequestFacts(admitted))
    call = replace(full, arguments={}, doc={})  # a stream may be open for hours: it needs only what the call was
    voice = McpVoice(call)
    if not decision.allowed:
        return Refused(Refusal.of(decision.reason, message=decision.message), voice, call, decision)
    upstream = server.upstream
    path = (upstream.path or "/") + forwarding.query(admitted.arrived.query, admitted.token)
    sent = mcp.write(full) if has_body else b""
    injected = authenticated(upstream, path, sent, credentials, admitted.arrived.method)
    if injected is None:
        return Refused(Refusal.of(Reason.CREDENTIAL_UNAVAILABLE), voice, call, decision)
    remove = forwarding.stripped(admitted.headers, tuple(name for name, _ in injected.headers), admitted.token)
    masking = decision.obligations.masking
    mask = masking.start() if masking is not None else None
    shown = visible(policy, admitted.identity, server)
    pairs = forwarding.pairs(upstream, path, len(sent) if has_body else None) + injected.headers
    reply = RequestBodyReply(sent, pairs, remove) if has_body else RequestHeadersReply(pairs, remove)

    def read() -> Answer:
        return mcp.answer(call, mask, shown)

    # Any MCP answer may carry a list to be filtered (a GET stream answers other requests too): it must be readable.
    strict = call.kind in ("request", "stream")
    secret = injected.secret
    judged = Judged(call, decision, voice, read, mask, must_read=True, strict=strict, sent=len(sent), secret=secret)
    return Forward(judged, reply)
