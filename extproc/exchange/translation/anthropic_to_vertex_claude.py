"""Anthropic Messages served by Claude on Vertex AI: the same body, which says the API version where the header was, and
leaves the model to the path. Betas stay a header there, as Anthropic's own SDK for Vertex sends them."""

from extproc.exchange.model import LlmCall
from extproc.exchange.translation import anthropic_betas
from extproc.exchange.translation.contract import Reply, Translated
from extproc.exchange.translation.loss import Loss
from extproc.exchange.translation.same_body import SameReply

VERSION = "vertex-2023-10-16"


class AnthropicToVertexClaude:
    """Implements `translation.contract.Translation`."""

    source = "anthropic-messages"
    target = "vertex-claude"

    def request(self, call: LlmCall, model: str) -> Translated:
        loss = Loss({})
        betas = anthropic_betas.taken(call.betas, loss)
        headers = ((anthropic_betas.HEADER, ",".join(betas)),) if betas else ()
        if call.operation == "count_tokens":
            return Translated({**call.doc, "model": model}, model, False, loss.names, headers)
        doc = {key: value for key, value in call.doc.items() if key != "model"}
        return Translated({"anthropic_version": VERSION, **doc}, model, call.stream, loss.names, headers)

    def answer(self, call: LlmCall) -> Reply:  # noqa: ARG002  (the Protocol's signature)
        return SameReply()


TRANSLATION = AnthropicToVertexClaude()
