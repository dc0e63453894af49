"""Errors, from one API's words to another's. A message passes as it came (the upstream's dialect has masked it)."""

from extproc.exchange.model import JsonObject
from extproc.exchange.translation.assembly import Failure

_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_OF_ANTHROPIC = {kind: status for status, kind in _ANTHROPIC.items()}
_OF_OPENAI = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "requests": 429,
    "tokens": 429,
    "insufficient_quota": 429,
    "service_unavailable": 503,
    "service_unavailable_error": 503,
    "overloaded_error": 529,
    "context_length_exceeded": 400,
}


def unread(status: int) -> Failure:
    """For an error whose body says nothing that can be read."""
    return Failure(status, f"The upstream answered with status {status} and no readable error.")


def from_anthropic(doc: JsonObject, status: int = 0) -> Failure:
    """`status` 0: tell it from the type."""
    error = doc.get("error")
    if type(error) is not dict:
        return unread(status or 500)
    kind, message = error.get("type"), error.get("message")
    kind = kind if type(kind) is str else ""
    status = status or _OF_ANTHROPIC.get(kind, 500)
    return Failure(status, message if type(message) is str else unread(status).message, kind)


def from_openai(doc: JsonObject, status: int = 0) -> Failure:
    """OpenAI's error, and what compatible hosts make of it: a bare string, or the members at the top."""
    error = doc.get("error", doc)
    if type(error) is str:
        return Failure(status or 500, error)
    if type(error) is not dict:
        return unread(status or 500)
    message, kind, code = error.get("message"), error.get("type"), error.get("code")
    if not status:
        status = code if type(code) is int and 400 <= code < 600 else 0
        status = status or next(
            (_OF_OPENAI[word] for word in (code, kind) if type(word) is str and word in _OF_OPENAI), 500
        )
    word = code if type(code) is str and code else kind if type(kind) is str else ""
    return Failure(status, message if type(message) is str else unread(status).message, word)


def to_anthropic(failure: Failure) -> JsonObject:
    kind = _ANTHROPIC.get(failure.status, "api_error" if failure.status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": failure.message}, "request_id": None}


def to_openai(failure: Failure) -> JsonObject:
    """The error object, without the envelope."""
    if failure.status == 429:
        kind = "rate_limit_error"
    elif failure.status >= 500:
        kind = "server_error"
    else:
        kind = "invalid_request_error"
    return {"message": failure.message, "type": kind, "param": None, "code": failure.code or None}
