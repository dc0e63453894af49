"""Anthropic Messages served by Gemini, at Google's Gemini API or on Vertex AI."""

from dataclasses import dataclass

from extproc.exchange.model import LlmCall
from extproc.exchange.translation import anthropic_assembly, anthropic_betas, anthropic_request, gemini_body
from extproc.exchange.translation.contract import Reply, Translated
from extproc.exchange.translation.gemini_reading import GeminiReading, failure
from extproc.exchange.translation.sse_reply import SseReply


@dataclass(frozen=True, slots=True)
class AnthropicToGemini:
    """Implements `translation.contract.Translation`."""

    target: str = "gemini"
    source: str = "anthropic-messages"

    def request(self, call: LlmCall, model: str) -> Translated:
        talk = anthropic_request.read(call)
        anthropic_betas.dropped(call.betas, talk.loss)
        doc = gemini_body.write(talk, model)
        return Translated(doc, model, talk.stream, talk.loss.names)

    def answer(self, call: LlmCall) -> Reply:
        return SseReply(GeminiReading, failure, anthropic_assembly.writing(call))


TRANSLATION = AnthropicToGemini()
VERTEX = AnthropicToGemini("vertex-gemini")
