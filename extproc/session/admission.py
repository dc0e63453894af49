"""The headers phase: what is this request, in whose dialect is it refused, and can its body be judged at all?

A caller who is not known yet learns only what is public: which paths exist, and with which methods. What a body may be
(`unreadable`), which servers exist and who may use them is told after the token was verified; and so every such
refusal is recorded with the caller's name.
"""

from collections.abc import Mapping
from functools import lru_cache

from extproc.exchange import classify
from extproc.exchange.classify import Route
from extproc.exchange.encoding import readable
from extproc.exchange.refusal import Reason, Refusal
from extproc.policy import catalogue
from extproc.policy.runtime import McpServer, Policy
from extproc.session import protected_resource
from extproc.session.events import RequestHeaders
from extproc.session.stages import Arrived, Limits, Refused
from extproc.session.voice import McpVoice, Voice

_MCP_METHODS = ("POST", "GET", "DELETE")
_AGENT = 64  # characters kept of a user agent


def arrive(event: RequestHeaders, policy: Policy) -> Arrived | Refused:
    """The request understood from its headers, or refused. Identity is not looked at yet."""
    headers = event.headers
    method = headers.get(":method", "")
    whole = headers.get(":path", "")
    path, _, query = whole.partition("?")
    server = _server_by_host(policy, headers)
    route = _at_host(server, method, path, headers) if server is not None else classify.classify(method, whole, headers)
    if isinstance(route, Refusal):
        return Refused(route, McpVoice() if server is not None else early_voice(path, headers))
    voice: Voice = McpVoice() if route.plane == "mcp" else classify.DIALECTS[route.dialect]
    meant = server or policy.servers.get(route.server)
    return Arrived(
        method,
        path,
        query,
        event.attributes.get("source.address", ""),
        _agent(headers.get("user-agent", "")),
        route,
        voice,
        meant,
        not event.end_of_stream,
        _asked(headers.get(":authority", "")),
        protected_resource.metadata(meant, server is not None, headers) if meant is not None else "",
    )


def early_voice(path: str, headers: Mapping[str, str]) -> Voice:
    """The voice for a request that has no route (or no policy to find one by)."""
    return McpVoice() if path.startswith("/mcp/") else classify.refusal_dialect(path, headers)


def unreadable(arrived: Arrived, headers: Mapping[str, str], limits: Limits) -> Refusal | None:
    """Why the body could not be judged, before it is even sent; None for a body that may come."""
    if not arrived.has_body:
        return Refusal.of(Reason.BODY_MISSING) if arrived.method == "POST" else None
    if arrived.method != "POST":
        return Refusal.of(Reason.BODY_SHAPE, message="This request takes no body.")
    length = headers.get("content-length", "")
    # Python reads no number of more than 4,300 digits, and none of these is one we accept.
    if length.isdecimal() and (len(length) > 18 or int(length) > limits.request):
        return too_large(limits)
    if not readable(headers.get("content-encoding", "")):
        return Refusal.of(Reason.CONTENT_ENCODING)
    # AWS's SDKs leave it out of InvokeModel, whose bodies are JSON all the same.
    usual = "application/json" if arrived.route.dialect == "bedrock-invoke" else ""
    kind, _, parameters = headers.get("content-type", usual).lower().partition(";")
    if kind.strip() != "application/json":
        return Refusal.of(Reason.CONTENT_TYPE)
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        # A body that a server reads in another character set than we do is another body.
        if name.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8"):
            return Refusal.of(Reason.CONTENT_TYPE, message="Send the body as application/json in UTF-8.")
    return None


def too_large(limits: Limits) -> Refusal:
    return Refusal.of(
        Reason.BODY_TOO_LARGE,
        message=f"The body is larger than this gateway accepts ({limits.request} bytes). Send less context.",
    )


def _server_by_host(policy: Policy, headers: Mapping[str, str]) -> McpServer | None:
    if not policy.hosts:
        return None
    host = headers.get(":authority", "").lower()
    return policy.hosts.get(host) or policy.hosts.get(host.rpartition(":")[0])


def _at_host(server: McpServer, method: str, path: str, headers: Mapping[str, str]) -> Route | Refusal:
    """The route of a request to a host that is one MCP server's own: any path is its endpoint, but for those where
    clients look for an authorization server that is not there, or for the document that names one that is."""
    if "upgrade" in headers or method == "CONNECT":
        return Refusal.of(Reason.UPGRADE_REFUSED, headers=(("connection", "upgrade"), ("upgrade", "HTTP/1.1")))
    if path.startswith("/.well-known/"):
        return classify.metadata(method, path)
    if method not in _MCP_METHODS:
        return Refusal.of(Reason.HTTP_METHOD, headers=(("allow", ", ".join(_MCP_METHODS)),))
    return Route("mcp", server=server.name)


_asked = lru_cache(maxsize=256)(catalogue.asked)


def _agent(said: str) -> str:
    """The first product that a user agent names ("claude-cli/2.0"); what follows is free text."""
    product = said.partition(" ")[0][:_AGENT]
    return product if product.isascii() and product.isprintable() else ""
