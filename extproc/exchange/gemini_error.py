"""How Google's APIs say no and list models: the same words for the Gemini API and Vertex AI."""

from extproc.exchange import json_body
from extproc.exchange.model import JsonObject
from extproc.exchange.refusal import Refusal, Rendered

_STATUS = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    504: "DEADLINE_EXCEEDED",
}
_METHODS = ["generateContent", "streamGenerateContent", "countTokens"]


def error(refusal: Refusal) -> JsonObject:
    """The error object: google.rpc's name for the status, and our reason as google.rpc.ErrorInfo."""
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": refusal.reason.value,
        "domain": "gatereeve.dev",
        "metadata": {"id": refusal.id} if refusal.id else {},
    }
    return {
        "code": refusal.status,
        "message": refusal.text,
        "status": status(refusal.status),
        "details": [info],
    }


def status(code: int) -> str:
    """google.rpc's name for an HTTP status."""
    return _STATUS.get(code, "UNAVAILABLE" if code >= 500 else "INVALID_ARGUMENT")


def render(refusal: Refusal) -> Rendered:
    """The refusal as the HTTP error that Google's SDKs raise. Final ones tell the SDK not to try again."""
    headers = [("content-type", "application/json")]
    if refusal.status < 500 and refusal.status != 429:
        headers.append(("x-should-retry", "false"))
    return Rendered(refusal.status, (*headers, *refusal.headers), json_body.encode({"error": error(refusal)}))


def model(name: str) -> JsonObject:
    """One entry of the list of models. Its limits are not ours to tell."""
    return {"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": _METHODS}


def models(names: tuple[str, ...]) -> bytes:
    return json_body.encode({"models": [model(name) for name in names]})
