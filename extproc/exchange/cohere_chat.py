"""Cohere's Chat API, version 2. See `cohere_answer` for what comes back."""

from typing import Any

from extproc.exchange import fields, json_body, sse
from extproc.exchange.cohere_answer import CohereAnswer
from extproc.exchange.keys import Keys
from extproc.exchange.model import NOWHERE, Answer, JsonObject, LlmCall, Place
from extproc.exchange.refusal import Refusal, Rendered
from extproc.exchange.text import TextFilter

_TOP = fields.top("max_tokens")
_TOOL = Keys("type", "function", "name", "model")


class CohereChat:
    """Implements `exchange.model.Dialect`."""

    name = "cohere-chat"

    def read(self, operation: str, doc: JsonObject, place: Place = NOWHERE) -> LlmCall:  # noqa: ARG002  (the Protocol's)
        fields.check(doc, _TOP)
        names: list[str] = []
        served: list[str] = []
        for position, tool in enumerate(fields.objects(doc, "tools")):
            where = f"tools[{position}]"
            _TOOL.check(tool, where)
            if tool.get("type", "function") == "function":
                inner: Any = tool.get("function")
                names.append(fields.name(inner, f"{where}.function"))
                _TOOL.check(inner, f"{where}.function")
            else:
                served.append(fields.served(tool, fields.name(tool, where, "type"), where))
        return LlmCall(
            dialect=self.name,
            operation=operation,
            model=fields.model(doc),
            stream=fields.flag(doc, "stream"),
            tools=tuple(names),
            server_tools=tuple(served),
            max_tokens=fields.number(doc, "max_tokens"),
            doc=doc,
        )

    def write(self, call: LlmCall, model: str) -> bytes:
        return json_body.encode({**call.doc, "model": model})

    def path(self, call: LlmCall, model: str) -> str:  # noqa: ARG002  (the Protocol's signature)
        return "/v2/chat"

    def models(self, names: tuple[str, ...]) -> bytes:
        return json_body.encode({"models": [_model(name) for name in names]})

    def model(self, name: str) -> bytes:
        return json_body.encode(_model(name))

    def refusal(self, refusal: Refusal) -> Rendered:
        headers = (("content-type", "application/json"), *refusal.headers)
        return Rendered(refusal.status, headers, json_body.encode(_error(refusal)))

    def error_event(self, refusal: Refusal) -> bytes:
        """The event that ends every stream, with a reason that says it failed."""
        delta = {"finish_reason": "ERROR", "error": refusal.text}
        return sse.encode("message-end", json_body.encode({"type": "message-end", "id": refusal.id, "delta": delta}))

    def answer(self, call: LlmCall, mask: TextFilter | None) -> Answer:  # noqa: ARG002  (the Protocol's signature)
        return CohereAnswer(mask)


def _error(refusal: Refusal) -> JsonObject:
    return {"message": refusal.text, "id": refusal.id}


def _model(name: str) -> JsonObject:
    return {"name": name, "endpoints": ["chat"], "finetuned": False}


DIALECT = CohereChat()
