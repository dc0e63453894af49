"""Bodies for Envoy's own failures, in the shape the caller's SDK reads.

They are for the cases where no processor could speak: it failed, the upstream cannot be reached, a limit was met.
Answers of the processor itself (details start with `gatereeve`) pass as they are.
"""

from collections.abc import Callable
from typing import Any

from extproc.xds.names import DETAILS_PREFIX, typed

_FAILURES = {
    404: "Nothing is served at this path.",
    408: "The request took too long to arrive.",
    413: "The body is larger than this gateway accepts.",
    431: "The request headers are larger than this gateway accepts.",
    500: "The gateway could not judge this call, so it was refused. Report the id.",
    502: "The upstream answered something unusable.",
    503: "The upstream cannot be reached now. Try again shortly.",
    504: "The upstream or the gateway's judge took too long.",
    0: "The gateway could not serve this request.",  # any other status
}
_UPGRADE = "Protocol upgrades are not served here. Use plain HTTP requests."
_ID = "%STREAM_ID%"  # survives header changes, unlike the request header
_STATUS = "%RESPONSE_CODE%"  # alone, it becomes a number

_Headers = dict[str, str]
_Shape = Callable[[str, int], tuple[dict[str, Any], _Headers]]
"""Sentence and status (0: some other than those above) to the body, and headers that SDKs read."""

_OPENAI_TYPES = {408: "timeout", 504: "timeout"}
_ANTHROPIC_TYPES = {404: "not_found_error", 408: "timeout_error", 413: "request_too_large", 503: "overloaded_error",
                    504: "timeout_error"}  # fmt: skip
_AWS_TYPES = {404: "ResourceNotFoundException", 500: "InternalServerException"}
_GOOGLE_STATUS = {404: "NOT_FOUND", 408: "DEADLINE_EXCEEDED", 500: "INTERNAL", 504: "DEADLINE_EXCEEDED"}


def _kind(known: dict[int, str], status: int, theirs: str, ours: str) -> str:
    """`theirs`: what else is the caller's fault; `ours`: what else is not."""
    return known.get(status, ours if status >= 500 else theirs)


def _openai(message: str, status: int) -> tuple[dict[str, Any], _Headers]:
    kind = _kind(_OPENAI_TYPES, status, "invalid_request_error", "server_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": f"gateway_{_STATUS}"}}, {}


def _anthropic(message: str, status: int) -> tuple[dict[str, Any], _Headers]:
    kind = _kind(_ANTHROPIC_TYPES, status, "invalid_request_error", "api_error")
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": _ID}, {"request-id": _ID}


def _aws(message: str, status: int) -> tuple[dict[str, Any], _Headers]:
    kind = _kind(_AWS_TYPES, status, "ValidationException", "ServiceUnavailableException")
    return {"message": message}, {"x-amzn-errortype": kind, "x-amzn-requestid": _ID}


def _google(message: str, status: int) -> tuple[dict[str, Any], _Headers]:
    kind = _kind(_GOOGLE_STATUS, status, "INVALID_ARGUMENT", "UNAVAILABLE")
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "gateway", "domain": "gatereeve.dev",
            "metadata": {"id": _ID}}  # fmt: skip
    return {"error": {"code": _STATUS, "message": message, "status": kind, "details": [info]}}, {}


def _cohere(message: str, _status: int) -> tuple[dict[str, Any], _Headers]:
    return {"message": message, "id": _ID}, {}


def _ollama(message: str, _status: int) -> tuple[dict[str, Any], _Headers]:
    return {"error": message}, {}


def _json_rpc(message: str, status: int) -> tuple[dict[str, Any], _Headers]:
    error = {"code": -32603 if status >= 500 else -32600, "message": message}
    return {"jsonrpc": "2.0", "id": None, "error": error}, {}


# In this order: Claude on Vertex stands at Google's paths, and a model's name may have a colon at OpenAI's. The query
# is part of what is matched.
_Paths = tuple[dict[str, Any], ...]
_DIALECTS: tuple[tuple[_Paths, _Shape], ...] = (
    (({"prefix": "/mcp/"},), _json_rpc),
    (
        (
            {"prefix": "/v1/messages"},
            {"prefix": "/anthropic/v1/messages"},
            {"contains": "/publishers/anthropic/models/"},
        ),
        _anthropic,
    ),
    (({"prefix": "/model/"}, {"prefix": "/foundation-models"}), _aws),
    (
        (
            {"prefix": "/v1beta/"},
            {"prefix": "/v1alpha/"},
            {"prefix": "/v1beta1/"},
            {"prefix": "/v1/projects/"},
            {"prefix": "/v1/publishers/"},
            # Envoy takes no program of more than 100 steps
            {"safe_regex": {"regex": "/v1/models/.+:(g|streamG|c)(enerateContent|ountTokens).*"}},
        ),
        _google,
    ),
    (({"prefix": "/v2/chat"},), _cohere),
    (({"prefix": "/api/"},), _ollama),
    ((), _openai),  # OpenAI's own, Azure's, Bedrock Mantle's, and whatever nobody serves
)


def local_reply_config() -> dict[str, Any]:
    """Mappers in order: dialect by path, then status; the last of a dialect takes any other status."""
    mappers: list[dict[str, Any]] = []
    for paths, shape in _DIALECTS:
        mappers.append(_upgrade_refused(paths, shape))
        for status, sentence in _FAILURES.items():
            said = _said(*shape(f"{sentence} [gatereeve: gateway, {_ID}]", status))
            mappers.append({"filter": _filter(paths, status), **said})
    return {"mappers": mappers}


def _said(body: dict[str, Any], headers: _Headers) -> dict[str, Any]:
    said: dict[str, Any] = {"body_format_override": {"json_format": body, "content_type": "application/json"}}
    if headers:
        said["headers_to_add"] = [
            {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, value in headers.items()
        ]
    return said


def _upgrade_refused(paths: _Paths, shape: _Shape) -> dict[str, Any]:
    """Envoy refuses an upgrade with 403 before any filter runs; Codex falls back to HTTP at once only on 426."""
    return {
        "filter": _filter(paths, 0, "response.code_details == 'upgrade_failed'"),
        "status_code": 426,
        **_said(*shape(f"{_UPGRADE} [gatereeve: upgrade-refused, {_ID}]", 426)),
    }


def _filter(paths: _Paths, status: int, expression: str = "") -> dict[str, Any]:
    """What is cheap comes first, and ends the search: an expression costs most, and refusals come here, too."""
    filters: list[dict[str, Any]] = []
    served = [{"header_filter": {"header": {"name": ":path", "string_match": path}}} for path in paths]
    if served:
        filters.append(served[0] if len(served) == 1 else {"or_filter": {"filters": served}})
    if status:
        comparison = {"op": "EQ", "value": {"default_value": status, "runtime_key": f"gatereeve.status.{status}"}}
        filters.append({"status_code_filter": {"comparison": comparison}})
    filters.append(
        {
            "extension_filter": {
                "name": "envoy.access_loggers.extension_filters.cel",
                "typed_config": typed(
                    "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                    expression=expression or f"!response.code_details.startsWith('{DETAILS_PREFIX}')",
                ),
            }
        }
    )
    return filters[0] if len(filters) == 1 else {"and_filter": {"filters": filters}}
