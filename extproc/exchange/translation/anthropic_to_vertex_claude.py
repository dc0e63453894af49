"""Anthropic Messages served by Claude on Vertex AI: the same body, which says the API version where the header was, and
leaves the model to the path. Betas stay a header there, as Anthropic's own SDK for Vertex sends them."""

from extproc.errors import Uninspectable
from extproc.exchange import json_body
from extproc.exchange.model import LlmCall
from extproc.exchange.translation import anthropic_betas, failures, gemini_reading
from extproc.exchange.translation.anthropic_assembly import failure_body
from extproc.exchange.translation.anthropic_to_bedrock_invoke import NOT_ELSEWHERE, refuse_what_anthropic_runs
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
        refuse_what_anthropic_runs(call.doc)
        betas = anthropic_betas.taken(call.betas, loss)
        headers = ((anthropic_betas.HEADER, ",".join(betas)),) if betas else ()
        doc = {"anthropic_version": VERSION}
        for name, value in call.doc.items():
            if name in NOT_ELSEWHERE:
                if value is not None:
                    loss.drop(name)
            elif name != "model":
                doc[name] = value
        if call.operation == "count_tokens":
            del doc["anthropic_version"]
            doc["model"] = model  # the path has no place for it there
        return Translated(doc, model, call.stream, loss.names, headers)

    def answer(self, call: LlmCall) -> Reply:  # noqa: ARG002  (the Protocol's signature)
        return VertexReply("text/event-stream")


class VertexReply(SameReply):
    """Implements `translation.contract.Reply`. Anthropic's words pass; an error may also be Google's, alone or in a
    list, which Anthropic's clients do not know."""

    def document(self, status: int, body: bytes) -> bytes:
        if status < 400:
            return body
        try:
            doc = json_body.decode_any(body)
        except Uninspectable:
            doc = None
        if type(doc) is list and doc:
            doc = doc[0]
        if type(doc) is not dict:
            return failure_body(failures.unread(status))
        if doc.get("type") == "error":
            return body
        return failure_body(gemini_reading.failure(doc, status))


TRANSLATION = AnthropicToVertexClaude()
