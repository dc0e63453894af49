"""OpenAI's legacy Completions, which llama.cpp, vLLM and editors still speak. No tools; a choice is a `text`."""

from extproc.exchange import fields, json_body, openai_error, openai_usage, sse
from extproc.exchange.model import NOWHERE, Answer, JsonObject, LlmCall, Place
from extproc.exchange.openai_chat_answer import OpenAiChatAnswer
from extproc.exchange.refusal import Refusal, Rendered
from extproc.exchange.text import TextFilter

_TOP = fields.top("max_tokens", openai_usage.OPTIONS)


class OpenAiCompletions:
    """Implements `exchange.model.Dialect`."""

    name = "openai-completions"

    def read(self, operation: str, doc: JsonObject, place: Place = NOWHERE) -> LlmCall:
        fields.check(doc, _TOP)
        stream = fields.flag(doc, "stream")
        return LlmCall(
            dialect=self.name,
            operation=operation,
            model=place.model or fields.model(doc),
            stream=stream,
            max_tokens=fields.number(doc, "max_tokens"),
            doc=doc,
            hide_usage=openai_usage.hides(doc, stream=stream),
        )

    def write(self, call: LlmCall, model: str) -> bytes:
        doc = openai_usage.asking(call.doc) if call.hide_usage else call.doc
        return json_body.encode({**doc, "model": model})

    def path(self, call: LlmCall, model: str) -> str:  # noqa: ARG002  (the Protocol's signature)
        return "/v1/completions"

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
        return CompletionsAnswer(mask, hide_usage=call.hide_usage)


class CompletionsAnswer(OpenAiChatAnswer):
    """A choice is masked as a tree whatever is in it; only a chunk made for a tail must not look like a chat's."""

    blank: JsonObject = {}  # noqa: RUF012  (never changed)


DIALECT = OpenAiCompletions()
