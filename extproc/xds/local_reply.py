"""Bodies for Envoy's own failures, in the shape the caller's SDK reads.

They are for the cases where no processor could speak: it failed, the upstream cannot be reached, a limit was met.
Answers of the processor itself (details start with `gatereeve`) pass as they are.
"""

from typing import Any

from extproc.xds.names import DETAILS_PREFIX, typed

# status: (sentence, OpenAI type, Anthropic type, JSON-RPC code)
_FAILURES: dict[int, tuple[str, str, str, int]] = {
    404: ("Nothing is served at this path.", "invalid_request_error", "not_found_error", -32600),
    408: ("The request took too long to arrive.", "timeout", "timeout_error", -32600),
    413: ("The body is larger than this gateway accepts.", "invalid_request_error", "request_too_large", -32600),
    431: ("The request headers are larger than this gateway accepts.", "invalid_request_error",
          "invalid_request_error", -32600),
    500: ("The gateway could not judge this call, so it was refused. Report the id.", "api_error", "api_error", -32603),
    502: ("The upstream answered something unusable.", "api_error", "api_error", -32603),
    503: ("The upstream cannot be reached now. Try again shortly.", "api_error", "overloaded_error", -32603),
    504: ("The upstream or the gateway's judge took too long.", "timeout", "timeout_error", -32603),
}  # fmt: skip
_OTHER = ("The gateway could not serve this request.", "invalid_request_error", "invalid_request_error", -32600)
_ID = "%STREAM_ID%"  # survives header changes, unlike the request header


def _openai(message: str, openai: str, _anthropic: str, _code: int) -> dict[str, Any]:
    return {"error": {"message": message, "type": openai, "param": None, "code": "gateway_%RESPONSE_CODE%"}}


def _anthropic(message: str, _openai: str, anthropic: str, _code: int) -> dict[str, Any]:
    return {"type": "error", "error": {"type": anthropic, "message": message}, "request_id": _ID}


def _json_rpc(message: str, _openai: str, _anthropic: str, code: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}


_DIALECTS = (("/mcp/", _json_rpc), ("/v1/messages", _anthropic), ("", _openai))


def local_reply_config() -> dict[str, Any]:
    """Mappers in order: dialect by path prefix, then status; the last of a dialect takes any other status."""
    mappers: list[dict[str, Any]] = []
    for prefix, shape in _DIALECTS:
        mappers.append(_upgrade_refused(prefix, shape))
        for status, words in [*_FAILURES.items(), (0, _OTHER)]:
            sentence = f"{words[0]} [gatereeve: gateway, {_ID}]"
            mappers.append(
                {
                    "filter": _filter(prefix, status),
                    "body_format_override": {
                        "json_format": shape(sentence, *words[1:]),
                        "content_type": "application/json",
                    },
                }
            )
    return {"mappers": mappers}


def _upgrade_refused(prefix: str, shape: Any) -> dict[str, Any]:
    """Envoy refuses an upgrade with 403 before any filter runs; Codex falls back to HTTP at once only on 426."""
    words = ("Protocol upgrades are not served here. Use plain HTTP requests.", "invalid_request_error",
             "invalid_request_error", -32600)  # fmt: skip
    return {
        "filter": _filter(prefix, 0, "response.code_details == 'upgrade_failed'"),
        "status_code": 426,
        "body_format_override": {
            "json_format": shape(f"{words[0]} [gatereeve: upgrade-refused, {_ID}]", *words[1:]),
            "content_type": "application/json",
        },
    }


def _filter(prefix: str, status: int, expression: str = "") -> dict[str, Any]:
    filters: list[dict[str, Any]] = [
        {
            "extension_filter": {
                "name": "envoy.access_loggers.extension_filters.cel",
                "typed_config": typed(
                    "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                    expression=expression or f"!response.code_details.startsWith('{DETAILS_PREFIX}')",
                ),
            }
        }
    ]
    if prefix:
        filters.append({"header_filter": {"header": {"name": ":path", "string_match": {"prefix": prefix}}}})
    if status:
        comparison = {"op": "EQ", "value": {"default_value": status, "runtime_key": f"gatereeve.status.{status}"}}
        filters.append({"status_code_filter": {"comparison": comparison}})
    return filters[0] if len(filters) == 1 else {"and_filter": {"filters": filters}}
