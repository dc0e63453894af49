"""The headers phase: what is this request, in whose dialect is it refused, and can its body be judged at all?"""

from extproc.exchange import classify
from extproc.exchange.classify import Route
from extproc.exchange.encoding import readable
from extproc.exchange.refusal import Reason, Refusal
from extproc.policy.runtime import McpServer, Policy
from extproc.session.events import RequestHeaders
from extproc.session.stages import Arrived, Limits, Refused
from extproc.session.voice import McpVoice, Voice

_MCP_METHODS = ("POST", "GET", "DELETE")


def arrive(event: RequestHeaders, policy: Policy, limits: Limits) -> Arrived | Refused:
    """The request understood from its headers, or refused. Identity is not looked at yet."""
    headers = event.headers
    method = headers.get(":method", "")
    path, _, query = headers.get(":path", "").partition("?")
    server = _server_by_host(policy, headers)
    route = Route("mcp", server=server.name) if server is not None else classify.classify(method, path, headers)
    if isinstance(route, Refusal):
        return Refused(route, classify.refusal_dialect(path, headers))
    voice: Voice = McpVoice() if route.plane == "mcp" else classify.DIALECTS[route.dialect]
    if route.plane == "mcp":
        refusal = _upgrade(headers)
        if refusal is not None:
            return Refused(refusal, voice)
        if method not in _MCP_METHODS:
            return Refused(Refusal.of(Reason.HTTP_METHOD, headers=(("allow", ", ".join(_MCP_METHODS)),)), voice)
        server = server or policy.servers.get(route.server)
    arrived = Arrived(
        method,
        path,
        query,
        event.attributes.get("source.address", ""),
        headers,
        route,
        voice,
        server,
        not event.end_of_stream,
    )
    refusal = _unreadable(arrived, limits)
    return Refused(refusal, voice) if refusal is not None else arrived


def _server_by_host(policy: Policy, headers: dict[str, str]) -> McpServer | None:
    if not policy.hosts:
        return None
    host = headers.get(":authority", "").lower()
    return policy.hosts.get(host) or policy.hosts.get(host.rpartition(":")[0])


def _upgrade(headers: dict[str, str]) -> Refusal | None:
    """Envoy waits for ever for the body of an upgrade; Codex tries a WebSocket first and falls back at once on 426."""
    return Refusal.of(Reason.UPGRADE_REFUSED) if "upgrade" in headers else None


def _unreadable(arrived: Arrived, limits: Limits) -> Refusal | None:
    """Why the body could not be judged, before it is even sent."""
    headers = arrived.headers
    if not arrived.has_body:
        return Refusal.of(Reason.BODY_MISSING) if arrived.method == "POST" else None
    if arrived.method != "POST":
        return Refusal.of(Reason.BODY_SHAPE, message="This request takes no body.")
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > limits.request:
        return too_large(limits)
    if not readable(headers.get("content-encoding", "")):
        return Refusal.of(Reason.CONTENT_ENCODING)
    kind, _, parameters = headers.get("content-type", "").lower().partition(";")
    if kind.strip() != "application/json":
        return Refusal.of(Reason.CONTENT_TYPE)
    charset = parameters.replace(" ", "").replace('"', "")
    # A body that a server reads in another character set than we do is another body.
    if "charset=" in charset and "charset=utf-8" not in charset:
        return Refusal.of(Reason.CONTENT_TYPE, message="Send the body as application/json in UTF-8.")
    return None


def too_large(limits: Limits) -> Refusal:
    return Refusal.of(
        Reason.BODY_TOO_LARGE,
        message=f"The body is larger than this gateway accepts ({limits.request} bytes). Send less context.",
    )
