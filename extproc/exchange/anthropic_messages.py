"""Anthropic Messages and its token counting. See `claude_answer` for what comes back, `claude_tools` for what goes."""

from extproc.exchange import fields, json_body, sse
from extproc.exchange.anthropic_answer import AnthropicAnswer
from extproc.exchange.claude_tools import ClaudeTools
from extproc.exchange.model import NOWHERE, Answer, JsonObject, LlmCall, Place
from extproc.exchange.refusal import Refusal, Rendered
from extproc.exchange.text import TextFilter

_ERRORS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}
_TOP = fields.top("messages", "mcp_servers", "max_tokens")
_EPOCH = "1970-01-01T00:00:00Z"


class AnthropicMessages:
    """Implements `exchange.model.Dialect`."""

    name = "anthropic-messages"

    def read(self, operation: str, doc: JsonObject, place: Place = NOWHERE) -> LlmCall:  # noqa: ARG002  (the Protocol's)
        fields.check(doc, _TOP)
        found = ClaudeTools()
        found.document(doc)
        return LlmCall(
            dialect=self.name,
            operation=operation,
            model=fields.model(doc),
            stream=fields.flag(doc, "stream"),
            tools=tuple(found.names),
            server_tools=tuple(found.served),
            max_tokens=fields.number(doc, "max_tokens"),
            doc=doc,
        )

    def write(self, call: LlmCall, model: str) -> bytes:
        return json_body.encode({**call.doc, "model": model})

    def path(self, call: LlmCall, model: str) -> str:  # noqa: ARG002  (the Protocol's signature)
        return "/v1/messages/count_tokens" if call.operation == "count_tokens" else "/v1/messages"

    def models(self, names: tuple[str, ...]) -> bytes:
        first, last = (names[0], names[-1]) if names else (None, None)
        data = [_model(name) for name in names]
        return json_body.encode({"data": data, "has_more": False, "first_id": first, "last_id": last})

    def model(self, name: str) -> bytes:
        return json_body.encode(_model(name))

    def refusal(self, refusal: Refusal) -> Rendered:
        headers = [("content-type", "application/json")]
        if refusal.status < 500 and refusal.status != 429:
            headers.append(("x-should-retry", "false"))
        if refusal.id:
            headers.append(("request-id", refusal.id))
        return Rendered(refusal.status, (*headers, *refusal.headers), json_body.encode(_error(refusal)))

    def error_event(self, refusal: Refusal) -> bytes:
        return sse.encode("error", json_body.encode(_error(refusal)))

    def answer(self, call: LlmCall, mask: TextFilter | None) -> Answer:  # noqa: ARG002  (the Protocol's signature)
        return AnthropicAnswer(mask)


def _model(name: str) -> JsonObject:
    return {"type": "model", "id": name, "display_name": name, "created_at": _EPOCH, "lifecycle": "active"}


def _error(refusal: Refusal) -> JsonObject:
    kind = _ERRORS.get(refusal.status, "api_error" if refusal.status >= 500 else "invalid_request_error")
    error = {"type": kind, "message": refusal.text}
    return {"type": "error", "error": error, "request_id": refusal.id or None}


DIALECT = AnthropicMessages()
