"""Method, path and headers to a route: one exact table, and nothing that merely looks like one of its paths.

Proxies, routers and upstreams disagree about dot segments, doubled or encoded slashes and parameters; whoever
accepts them is policed on one path and served on another. So a path is either in the table, byte for byte, or not
served at all. The query is not looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from extproc.exchange import (
    anthropic_messages,
    azure,
    bedrock_converse,
    bedrock_invoke,
    bedrock_path,
    cohere_chat,
    gemini,
    google_path,
    ollama,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_responses,
    vertex_claude,
)
from extproc.exchange.model import NOWHERE, Dialect, Place, Plane
from extproc.exchange.refusal import Reason, Refusal

DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        openai_chat.DIALECT,
        openai_responses.DIALECT,
        anthropic_messages.DIALECT,
        openai_completions.DIALECT,
        openai_embeddings.DIALECT,
        azure.CHAT,
        azure.COMPLETIONS,
        azure.EMBEDDINGS,
        gemini.DIALECT,
        gemini.VERTEX,
        vertex_claude.DIALECT,
        ollama.DIALECT,
        cohere_chat.DIALECT,
        bedrock_converse.DIALECT,
        bedrock_invoke.DIALECT,
    )
}
"""Every LLM dialect by its name."""

_CHAT, _RESPONSES, _ANTHROPIC = openai_chat.DIALECT.name, openai_responses.DIALECT.name, anthropic_messages.DIALECT.name
_COMPLETIONS, _EMBEDDINGS = openai_completions.DIALECT.name, openai_embeddings.DIALECT.name
_GEMINI, _VERTEX, _VERTEX_CLAUDE = gemini.DIALECT.name, gemini.VERTEX.name, vertex_claude.DIALECT.name
_OLLAMA, _COHERE = ollama.DIALECT.name, cohere_chat.DIALECT.name
_CONVERSE, _INVOKE = bedrock_converse.DIALECT.name, bedrock_invoke.DIALECT.name


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request goes. LLM: `dialect` and `operation` ("chat", "text_completion", "embeddings", "count_tokens",
    "list_models", "get_model", the last with `model`), and what the path says of the call itself. MCP: `server`;
    dialect and operation are "", but for METADATA, where `server` is the path of what is asked about."""

    plane: Plane
    dialect: str = ""
    operation: str = ""
    server: str = ""
    model: str = ""
    place: Place = NOWHERE


_OPENAI = {
    "chat/completions": (_CHAT, "chat"),
    "responses": (_RESPONSES, "chat"),
    "completions": (_COMPLETIONS, "text_completion"),
    "embeddings": (_EMBEDDINGS, "embeddings"),
}
_EXACT = {
    # OpenAI's own, and Azure's newer surface, which is the same under another prefix
    **{
        f"{prefix}/v1/{end}": ("POST", Route("llm", dialect, operation))
        for prefix in ("", "/openai")
        for end, (dialect, operation) in _OPENAI.items()
    },
    "/api/chat": ("POST", Route("llm", _OLLAMA, "chat")),
    "/api/tags": ("GET", Route("llm", _OLLAMA, "list_models")),
    "/v2/chat": ("POST", Route("llm", _COHERE, "chat")),
    # Azure's older surface names a deployment in the path, except here
    "/openai/responses": ("POST", Route("llm", _RESPONSES, "chat")),
    "/openai/models": ("GET", Route("llm", _CHAT, "list_models")),
    # Anthropic's own, and what Bedrock Mantle and Azure's Foundry make of it
    **{
        f"{prefix}/v1/messages{end}": ("POST", Route("llm", _ANTHROPIC, operation))
        for prefix in ("", "/anthropic")
        for end, operation in (("", "chat"), ("/count_tokens", "count_tokens"))
    },
    "/foundation-models": ("GET", Route("llm", _CONVERSE, "list_models")),
}
_MODELS = "/v1/models"
_AZURE = "/openai"
_DEPLOYMENTS = "/openai/deployments/"
_GOOGLE_MODELS = ("/v1beta/models", "/v1alpha/models")
_GOOGLE = {"generateContent": "chat", "streamGenerateContent": "chat", "countTokens": "count_tokens"}
_BEDROCK = {  # operation in the path to dialect and whether it streams
    "converse": (_CONVERSE, False),
    "converse-stream": (_CONVERSE, True),
    "invoke": (_INVOKE, False),
    "invoke-with-response-stream": (_INVOKE, True),
}
METADATA = "resource_metadata"  # the operation of asking for RFC 9728's document about an MCP server
_WELL_KNOWN = "/.well-known/oauth-protected-resource"
_MCP = "/mcp/"
_MCP_METHODS = ("POST", "GET", "DELETE")
_SERVER_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")
_MODEL_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:@+")


def classify(method: str, path: str, headers: Mapping[str, str]) -> Route | Refusal:
    """The route of a request, or why there is none. `path` may have a query; `headers` have lower-case names."""
    if "upgrade" in headers or method == "CONNECT":
        # RFC 9110 15.5.22: a 426 must say which protocol would do. Codex falls back to plain requests on it.
        return Refusal.of(Reason.UPGRADE_REFUSED, headers=(("connection", "upgrade"), ("upgrade", "HTTP/1.1")))
    path, _, query = path.partition("?")
    exact = _EXACT.get(path)
    if exact is not None:
        allowed, route = exact
        return route if method == allowed else _method(allowed)
    if path.startswith(_MCP):
        return _mcp(method, path)
    if path.startswith(_WELL_KNOWN):
        return metadata(method, path)
    named = _by_model(path, query)
    if named is not None:
        return named if method == "POST" else _method("POST")
    if path.startswith(_AZURE + _MODELS):
        return _models(method, path[len(_AZURE) :], _CHAT)
    if path.startswith(_MODELS):
        return _models(method, path, _lister(headers))
    for models in _GOOGLE_MODELS:
        if path.startswith(models) and ":" not in path:  # what follows a colon is a method, and none we serve
            return _models(method, _MODELS + path[len(models) :], _GEMINI)
    return Refusal.of(Reason.ROUTE_UNKNOWN)


def metadata(method: str, path: str) -> Route | Refusal:
    """The route of a path under which documents about MCP servers are, at any host of the gateway."""
    about = path.removeprefix(_WELL_KNOWN)
    if about == path or about[:1] not in ("", "/"):
        return Refusal.of(Reason.ROUTE_UNKNOWN)
    if method not in ("GET", "OPTIONS"):
        return _method("GET, OPTIONS")
    return Route("mcp", operation=METADATA, server=about.rstrip("/"))


def refusal_dialect(path: str, headers: Mapping[str, str]) -> Dialect:
    """The dialect in which to refuse a request that has no LLM route, or a wrong method for one."""
    path = path.partition("?")[0]
    exact = _EXACT.get(path)
    if exact is not None:
        return DIALECTS[exact[1].dialect]
    named = _by_model(path, "")
    if named is not None:
        return DIALECTS[named.dialect]
    if path.startswith(bedrock_path.PREFIX):
        return DIALECTS[_CONVERSE]
    return DIALECTS[_GEMINI if path.startswith(_GOOGLE_MODELS) else _lister(headers)]


def _mcp(method: str, path: str) -> Route | Refusal:
    server = path[len(_MCP) :].removesuffix("/")
    if not server or not _SERVER_CHARACTERS.issuperset(server):
        return Refusal.of(Reason.ROUTE_UNKNOWN)
    return Route("mcp", server=server) if method in _MCP_METHODS else _method(", ".join(_MCP_METHODS))


def _by_model(path: str, query: str) -> Route | None:
    """The route of a path that names the model."""
    google = google_path.decode(path)
    if google is not None:
        return _at_google(google, query)
    if path.startswith(_DEPLOYMENTS):
        deployment, _, end = path[len(_DEPLOYMENTS) :].partition("/")
        if _is_model(deployment) and end in _OPENAI:
            dialect, operation = _OPENAI[end]
            return Route("llm", dialect, operation, place=Place(deployment))
    bedrock = bedrock_path.decode(path)
    if bedrock is not None and bedrock[1] in _BEDROCK:
        dialect, stream = _BEDROCK[bedrock[1]]
        return Route("llm", dialect, "chat", place=Place(bedrock[0], stream))
    return None


def _at_google(path: google_path.GooglePath, query: str) -> Route | None:
    if path.publisher == "anthropic":
        if path.model == "count-tokens":
            return Route("llm", _VERTEX_CLAUDE, "count_tokens") if path.method == "rawPredict" else None
        if path.method not in ("rawPredict", "streamRawPredict"):
            return None
        return Route("llm", _VERTEX_CLAUDE, "chat", place=Place(path.model, path.method == "streamRawPredict"))
    if path.method not in _GOOGLE:
        return None
    stream = path.method == "streamGenerateContent"
    place = Place(path.model, stream, google_path.framing(query) if stream else "")
    return Route("llm", _VERTEX if path.publisher else _GEMINI, _GOOGLE[path.method], place=place)


def _lister(headers: Mapping[str, str]) -> str:
    """Whose list of models is asked for where several APIs keep it at the same path."""
    if "anthropic-version" in headers:
        return _ANTHROPIC
    return _GEMINI if "x-goog-api-key" in headers or "x-goog-api-client" in headers else _CHAT


def _is_model(name: str) -> bool:
    return name not in ("", ".", "..") and _MODEL_CHARACTERS.issuperset(name)


def _models(method: str, path: str, dialect: str) -> Route | Refusal:
    if path == _MODELS:
        return Route("llm", dialect, "list_models") if method == "GET" else _method("GET")
    name = path[len(_MODELS) + 1 :]
    if path[len(_MODELS)] != "/" or not _is_model(name):
        return Refusal.of(Reason.ROUTE_UNKNOWN)
    return Route("llm", dialect, "get_model", model=name) if method == "GET" else _method("GET")


def _method(allowed: str) -> Refusal:
    """RFC 9110 15.5.6: a 405 must list what would do."""
    return Refusal.of(Reason.HTTP_METHOD, headers=(("allow", allowed),))
