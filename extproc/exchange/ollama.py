"""Ollama's /api/chat, which streams lines of JSON unless told not to. See `ollama_answer` for what comes back.

Ollama speaks OpenAI's and Anthropic's APIs as well, at their own paths; those dialects serve them.
"""

from typing import Any

from extproc.exchange import fields, json_body
from extproc.exchange.keys import Keys
from extproc.exchange.model import NOWHERE, Answer, JsonObject, LlmCall, Place
from extproc.exchange.ollama_answer import OllamaAnswer
from extproc.exchange.refusal import Refusal, Rendered
from extproc.exchange.text import TextFilter

_TOP = fields.top("options")
_OPTIONS = Keys("num_predict")
_TOOL = Keys("function", "name")


class Ollama:
    """Implements `exchange.model.Dialect`."""

    name = "ollama"

    def read(self, operation: str, doc: JsonObject, place: Place = NOWHERE) -> LlmCall:  # noqa: ARG002  (the Protocol's)
        fields.check(doc, _TOP)
        options = doc.get("options")
        if options is not None and type(options) is not dict:
            fields.refuse("options", "an object")
        _OPTIONS.check(options or {}, "options")
        limit = (options or {}).get("num_predict")
        if limit is not None and type(limit) is not int:
            fields.refuse("options.num_predict", "an integer")
        tools = [_tool(tool, f"tools[{position}]") for position, tool in enumerate(fields.objects(doc, "tools"))]
        return LlmCall(
            dialect=self.name,
            operation=operation,
            model=fields.model(doc),
            stream=doc.get("stream") is None or fields.flag(doc, "stream"),
            tools=tuple(tools),
            max_tokens=limit if limit is not None and limit >= 0 else None,  # negative: without a limit
            doc=doc,
        )

    def write(self, call: LlmCall, model: str) -> bytes:
        return json_body.encode({**call.doc, "model": model})

    def path(self, call: LlmCall, model: str) -> str:  # noqa: ARG002  (the Protocol's signature)
        return "/api/chat"

    def models(self, names: tuple[str, ...]) -> bytes:
        return json_body.encode({"models": [_model(name) for name in names]})

    def model(self, name: str) -> bytes:
        return json_body.encode(_model(name))

    def refusal(self, refusal: Refusal) -> Rendered:
        headers = (("content-type", "application/json"), *refusal.headers)
        return Rendered(refusal.status, headers, json_body.encode({"error": refusal.text}))

    def error_event(self, refusal: Refusal) -> bytes:
        """One line with the error, which clients raise."""
        return json_body.encode({"error": refusal.text}) + b"\n"

    def answer(self, call: LlmCall, mask: TextFilter | None) -> Answer:  # noqa: ARG002  (the Protocol's signature)
        return OllamaAnswer(mask)


def _tool(tool: JsonObject, where: str) -> str:
    _TOOL.check(tool, where)
    inner: Any = tool.get("function")
    name = fields.name(inner, f"{where}.function")
    _TOOL.check(inner, f"{where}.function")
    return name


def _model(name: str) -> JsonObject:
    return {"name": name, "model": name, "modified_at": "1970-01-01T00:00:00Z", "size": 0, "digest": "", "details": {}}


DIALECT = Ollama()
