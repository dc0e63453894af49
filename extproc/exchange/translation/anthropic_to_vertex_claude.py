"""Anthropic Messages served by Claude on Vertex AI: the same body, which says the API version where the header was, and
leaves the model to the path."""

from extproc.exchange.model import LlmCall
from extproc.exchange.translation.contract import Reply, Translated
from extproc.exchange.translation.same_body import SameReply

VERSION = "vertex-2023-10-16"


class AnthropicToVertexClaude:
    """Implements `translation.contract.Translation`."""

    source = "anthropic-messages"
    target = "vertex-claude"

    def request(self, call: LlmCall, model: str) -> Translated:
        if call.operation == "count_tokens":
            return Translated({**call.doc, "model": model}, model, stream=False)
        doc = {key: value for key, value in call.doc.items() if key != "model"}
        return Translated({"anthropic_version": VERSION, **doc}, model, call.stream)

    def answer(self, call: LlmCall) -> Reply:  # noqa: ARG002  (the Protocol's signature)
        return SameReply()


TRANSLATION = AnthropicToVertexClaude()
