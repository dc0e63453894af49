"""An MCP server as OAuth's protected resource: the document that tells clients where to log in (RFC 9728), and the
challenges that lead them to it (RFC 6750 3).

Says nothing that is not public: which servers want OAuth, where their authorization servers are, and which scopes
calls need. A server without OAuth and one that does not exist look the same.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from extproc.exchange import json_body
from extproc.exchange.classify import METADATA
from extproc.exchange.refusal import Reason, Refusal, Rendered
from extproc.identity.model import Identity
from extproc.policy.oauth import WELL_KNOWN, OAuth, granted
from extproc.policy.runtime import McpServer, Policy
from extproc.session.stages import Arrived, Local, Refused

_HOST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-:[]")
_PATH = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/")
_QUOTED = frozenset(map(chr, (0x20, 0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F))))  # RFC 6750 3
# Inspectors that run in a browser read the document from a page of another origin, and send a header of MCP's with the
# question. Nothing in it depends on who asks; no other answer of the gateway's says so.
_OPEN = (("access-control-allow-origin", "*"),)
_PREFLIGHT = (
    *_OPEN,
    ("access-control-allow-methods", "GET"),
    ("access-control-allow-headers", "*"),
    ("access-control-max-age", "3600"),
)
_FRESH = ("cache-control", "public, max-age=300")
_NOT_KEPT = ("cache-control", "no-store")  # it says what the request's own host was


def asked(arrived: Arrived) -> bool:
    """Whether a request is for the document, and so needs no token."""
    return arrived.route.operation == METADATA


def answer(arrived: Arrived, headers: Mapping[str, str], policy: Policy) -> Local | Refused:
    """The document of the server that the path names, or whose own host was asked."""
    suffix = arrived.route.server
    server = arrived.server or policy.servers.get(policy.resources.get(suffix, ""))
    oauth = server.oauth if server is not None else None
    if server is None or oauth is None:
        return Refused(Refusal.of(Reason.ROUTE_UNKNOWN), arrived.voice)
    resource = oauth.resource or _derived(headers, suffix if arrived.server is not None else f"/mcp/{server.name}")
    if not resource:
        return Refused(Refusal.of(Reason.ROUTE_UNKNOWN), arrived.voice)
    if arrived.method == "OPTIONS":
        return Local(Rendered(204, _PREFLIGHT, b""))
    document: dict[str, object] = {
        "resource": resource,
        "authorization_servers": list(oauth.authorization_servers),
        "bearer_methods_supported": ["header"],
        "resource_name": oauth.title,
    }
    # What clients ask for when nothing else is said: the least that is of use. The scopes of single tools come with
    # the challenge of the first call that needs them (MCP's scope selection strategy).
    if oauth.scopes:
        document["scopes_supported"] = _prefixed(oauth, oauth.scopes)
    if oauth.documentation:
        document["resource_documentation"] = oauth.documentation
    cached = _FRESH if oauth.resource else _NOT_KEPT
    return Local(Rendered(200, (("content-type", "application/json"), cached, *_OPEN), json_body.encode(document)))


def metadata(server: McpServer | None, own_host: bool, headers: Mapping[str, str]) -> str:
    """The absolute URL of the server's document, "" for a server that has none. From the policy where it says under
    which name clients come; otherwise from the request."""
    oauth = server.oauth if server is not None else None
    if server is None or oauth is None:
        return ""
    return oauth.metadata or _derived(headers, WELL_KNOWN + ("" if own_host else f"/mcp/{server.name}"))


def challenge(refusal: Refusal, arrived: Arrived | None) -> str:
    """WWW-Authenticate of a 401. Who sent no token is told no error, only what is asked for (RFC 6750 3.1)."""
    parts = []
    if refusal.reason is not Reason.TOKEN_MISSING:
        parts += [("error", "invalid_token"), ("error_description", refusal.reason.value)]
    server = arrived.server if arrived is not None else None
    if arrived is not None and server is not None and server.oauth is not None:
        if server.oauth.scopes:
            parts.append(("scope", " ".join(_prefixed(server.oauth, server.oauth.scopes))))
        if arrived.document:
            parts.append(("resource_metadata", arrived.document))
    return _bearer(parts)


def step_up(server: McpServer, who: Identity, tool: str, document: str) -> Refusal | None:
    """Why a call that policy allows needs another token: 403 with what to ask for (MCP's scope challenge). `tool` is ""
    for what calls none. Asked for are the scopes of this call, and those of this server's that the token has already,
    because clients may ask for exactly what a challenge names."""
    oauth = server.oauth
    if oauth is None:
        return None
    needed = oauth.needed(tool)
    if not needed:
        return None
    held = granted(who.claims)
    missing = [scope for scope in needed if scope not in held]
    if not missing:
        return None
    wanted = dict.fromkeys((*(scope for scope in oauth.known if scope in held), *needed))
    said = f"Your token lacks the scope {' '.join(missing)}. Log in again and grant it."
    parts = [
        ("error", "insufficient_scope"),
        ("error_description", said),
        ("scope", " ".join(_prefixed(oauth, tuple(wanted)))),
    ]
    if document:
        parts.append(("resource_metadata", document))
    return Refusal.of(Reason.INSUFFICIENT_SCOPE, message=said, headers=(("www-authenticate", _bearer(parts)),))


def _bearer(parts: list[tuple[str, str]]) -> str:
    said = ", ".join(f'{name}="{value}"' for name, value in parts if _QUOTED.issuperset(value))
    return f"Bearer {said}" if said else "Bearer"


def _prefixed(oauth: OAuth, scopes: tuple[str, ...]) -> list[str]:
    return [oauth.prefix + scope for scope in scopes]


def _derived(headers: Mapping[str, str], path: str) -> str:
    """A URL of this gateway as the client has it: its own word for the host, and Envoy's for the scheme. Only ever
    told back to the same client, and never what a token is held against. "" if it is no plain host and path."""
    host = headers.get(":authority", "").lower()
    scheme = headers.get("x-forwarded-proto", "")
    if scheme not in ("http", "https") or not host or not _HOST.issuperset(host) or not _PATH.issuperset(path):
        return ""
    try:
        named = urlsplit(f"{scheme}://{host}").hostname
    except ValueError:
        return ""
    return f"{scheme}://{host}{path.rstrip('/')}" if named else ""
