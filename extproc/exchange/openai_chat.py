"""OpenAI Chat Completions, and the many upstreams that speak it. See `openai_chat_answer` for what comes back."""

from typing import Any

from extproc.exchange import fields, json_body, openai_error, openai_usage, sse
from extproc.exchange.keys import Keys
from extproc.exchange.model import NOWHERE, Answer, JsonObject, LlmCall, Place
from extproc.exchange.openai_chat_answer import OpenAiChatAnswer
from extproc.exchange.refusal import Refusal, Rendered
from extproc.exchange.text import TextFilter

_TOP = fields.top(
    "functions", "web_search_options", "data_sources", "max_tokens", "max_completion_tokens", openai_usage.OPTIONS
)
_TOOL = Keys("type", "function", "custom", "name", "model")


class OpenAiChat:
    """Implements `exchange.model.Dialect`."""

    name = "openai-chat"

    def read(self, operation: str, doc: JsonObject, place: Place = NOWHERE) -> LlmCall:
        fields.check(doc, _TOP)
        tools, server_tools = _tools(doc)
        stream = fields.flag(doc, "stream")
        return LlmCall(
            dialect=self.name,
            operation=operation,
            model=place.model or fields.model(doc),
            stream=stream,
            tools=tools,
            server_tools=server_tools,
            max_tokens=fields.number(doc, "max_completion_tokens", "max_tokens"),
            doc=doc,
            hide_usage=openai_usage.hides(doc, stream=stream),
        )

    def write(self, call: LlmCall, model: str) -> bytes:
        doc = openai_usage.asking(call.doc) if call.hide_usage else call.doc
        return json_body.encode({**doc, "model": model})

    def path(self, call: LlmCall, model: str) -> str:  # noqa: ARG002  (the Protocol's signature)
        return "/v1/chat/completions"

    def models(self, names: tuple[str, ...]) -> bytes:
        return openai_error.models(names)

    def model(self, name: str) -> bytes:
        return json_body.encode(openai_error.model(name))

    def refusal(self, refusal: Refusal) -> Rendered:
        return openai_error.render(refusal)

    def error_event(self, refusal: Refusal) -> bytes:
        """One data line with the error, which SDKs raise. No `[DONE]`: it would say that the answer is whole."""
        return sse.encode("", json_body.encode({"error": openai_error.error(refusal)}))

    def answer(self, call: LlmCall, mask: TextFilter | None) -> Answer:
        return OpenAiChatAnswer(mask, hide_usage=call.hide_usage)


def _tools(doc: JsonObject) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the tools the client runs, and kinds of those the provider runs."""
    names: list[str] = []
    served: list[str] = []
    for position, tool in enumerate(fields.objects(doc, "tools")):
        kind = tool.get("type", "function")
        where = f"tools[{position}]"
        _TOOL.check(tool, where)
        if kind in ("function", "custom"):
            inner: Any = tool.get(kind)
            names.append(fields.name(inner, f"{where}.{kind}"))
            _TOOL.check(inner, f"{where}.{kind}")
        else:
            served.append(fields.served(tool, fields.name(tool, where, "type"), where))
    for position, function in enumerate(fields.objects(doc, "functions")):
        _TOOL.check(function, f"functions[{position}]")
        names.append(fields.name(function, f"functions[{position}]"))
    if doc.get("web_search_options") is not None:
        served.append("web_search")
    if doc.get("data_sources") is not None:  # Azure searches in the caller's stores
        served.append("data_sources")
    return tuple(names), tuple(served)


DIALECT = OpenAiChat()
