"""Method, path and headers to a route: one exact table, and nothing that merely looks like one of its paths.

Proxies, routers and upstreams disagree about dot segments, doubled or encoded slashes and parameters; whoever
accepts them is policed on one path and served on another. So a path is either in the table, byte for byte, or not
served at all. The query is not looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from extproc.exchange import anthropic_messages, openai_chat, openai_responses
from extproc.exchange.model import Dialect, Plane
from extproc.exchange.refusal import Reason, Refusal

DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect for dialect in (openai_chat.DIALECT, openai_responses.DIALECT, anthropic_messages.DIALECT)
}
"""Every LLM dialect by its name."""

_CHAT, _RESPONSES, _ANTHROPIC = (name for name in DIALECTS)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes. LLM: `dialect` and `operation` ("chat", "count_tokens", "list_models", "get_model", the
    last with `model`). MCP: `server`; dialect and operation are ""."""

    plane: Plane
    dialect: str = ""
    operation: str = ""
    server: str = ""
    model: str = ""


_EXACT = {
    "/v1/chat/completions": ("POST", Route("llm", _CHAT, "chat")),
    "/v1/responses": ("POST", Route("llm", _RESPONSES, "chat")),
    "/v1/messages": ("POST", Route("llm", _ANTHROPIC, "chat")),
    "/v1/messages/count_tokens": ("POST", Route("llm", _ANTHROPIC, "count_tokens")),
}
_MODELS = "/v1/models"
_MCP = "/mcp/"
_MCP_METHODS = ("POST", "GET", "DELETE")
_SERVER_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_MODEL_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:@+")


def classify(method: str, path: str, headers: Mapping[str, str]) -> Route | Refusal:
    """The route of a request, or why there is none. `path` may have a query; `headers` have lower-case names."""
    if "upgrade" in headers or method == "CONNECT":
        # RFC 9110 15.5.22: a 426 must say which protocol would do. Codex falls back to plain requests on it.
        return Refusal.of(Reason.UPGRADE_REFUSED, headers=(("connection", "upgrade"), ("upgrade", "HTTP/1.1")))
    path = path.partition("?")[0]
    exact = _EXACT.get(path)
    if exact is not None:
        allowed, route = exact
        return route if method == allowed else _method(allowed)
    if path.startswith(_MCP):
        return _mcp(method, path)
    if path.startswith(_MODELS):
        return _models(method, path, headers)
    return Refusal.of(Reason.ROUTE_UNKNOWN)


def refusal_dialect(path: str, headers: Mapping[str, str]) -> Dialect:
    """The dialect in which to refuse a request that has no LLM route, or a wrong method for one."""
    exact = _EXACT.get(path.partition("?")[0])
    if exact is not None:
        return DIALECTS[exact[1].dialect]
    return DIALECTS[_ANTHROPIC if "anthropic-version" in headers else _CHAT]


def _mcp(method: str, path: str) -> Route | Refusal:
    server = path[len(_MCP) :].removesuffix("/")
    if not server or not _SERVER_CHARACTERS.issuperset(server):
        return Refusal.of(Reason.ROUTE_UNKNOWN)
    return Route("mcp", server=server) if method in _MCP_METHODS else _method(", ".join(_MCP_METHODS))


def _models(method: str, path: str, headers: Mapping[str, str]) -> Route | Refusal:
    dialect = _ANTHROPIC if "anthropic-version" in headers else _CHAT
    if path == _MODELS:
        return Route("llm", dialect, "list_models") if method == "GET" else _method("GET")
    name = path[len(_MODELS) + 1 :]
    if path[len(_MODELS)] != "/" or name in ("", ".", "..") or not _MODEL_CHARACTERS.issuperset(name):
        return Refusal.of(Reason.ROUTE_UNKNOWN)
    return Route("llm", dialect, "get_model", model=name) if method == "GET" else _method("GET")


def _method(allowed: str) -> Refusal:
    """RFC 9110 15.5.6: a 405 must list what would do."""
    return Refusal.of(Reason.HTTP_METHOD, headers=(("allow", allowed),))
