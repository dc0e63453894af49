"""How OpenAI's APIs say no and list models: the same words for Chat Completions and Responses."""

from extproc.exchange import json_body
from extproc.exchange.model import JsonObject
from extproc.exchange.refusal import Refusal, Rendered


def error(refusal: Refusal) -> JsonObject:
    """The error object. OpenAI calls whatever is the caller's fault an invalid request; the code tells more."""
    if refusal.status == 429:
        kind = "rate_limit_error"
    elif refusal.status >= 500:
        kind = "server_error"
    else:
        kind = "invalid_request_error"
    return {"message": refusal.text, "type": kind, "param": None, "code": refusal.reason.value}


def render(refusal: Refusal) -> Rendered:
    """The refusal as the HTTP error that OpenAI's SDKs raise. Final ones tell the SDK not to try again."""
    headers = [("content-type", "application/json")]
    if refusal.status < 500 and refusal.status != 429:
        headers.append(("x-should-retry", "false"))
    return Rendered(refusal.status, (*headers, *refusal.headers), json_body.encode({"error": error(refusal)}))


def model(name: str) -> JsonObject:
    """One entry of the list of models. When it was made is not ours to tell."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "gatereeve"}


def models(names: tuple[str, ...]) -> bytes:
    return json_body.encode({"object": "list", "data": [model(name) for name in names]})
