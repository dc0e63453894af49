"""Dialects that share their bodies and differ in the path alone: nothing is translated but where the call goes."""

from dataclasses import dataclass

from extproc.exchange.model import LlmCall
from extproc.exchange.translation.contract import Reply, Translated
from extproc.exchange.translation.loss import untranslatable


@dataclass(frozen=True, slots=True)
class SameBody:
    """Implements `translation.contract.Translation`."""

    source: str
    target: str

    def request(self, call: LlmCall, model: str) -> Translated:
        doc = {key: value for key, value in call.doc.items() if key != "model"}
        if "model" in call.doc and call.dialect.startswith("openai"):
            doc["model"] = model
        if call.operation == "count_tokens":
            untranslatable("counting tokens", "Count with the model's own API.")  # its body is not the same after all
        return Translated(doc, model, call.stream)

    def answer(self, call: LlmCall) -> Reply:
        return SameReply("application/json" if call.framing == "array" else "text/event-stream")


class SameReply:
    """Implements `translation.contract.Reply`."""

    def __init__(self, content_type: str) -> None:
        self.content_type = content_type

    def document(self, status: int, body: bytes) -> bytes:  # noqa: ARG002  (the Protocol's signature)
        return body

    def feed(self, chunk: bytes) -> bytes:
        return chunk

    def finish(self) -> bytes:
        return b""


TRANSLATIONS = (
    SameBody("openai-chat", "azure-openai-chat"),
    SameBody("openai-completions", "azure-openai-completions"),
    SameBody("openai-embeddings", "azure-openai-embeddings"),
    SameBody("gemini", "vertex-gemini"),
    SameBody("vertex-gemini", "gemini"),
)
