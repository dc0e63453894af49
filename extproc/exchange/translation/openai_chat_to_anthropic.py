"""OpenAI Chat Completions served by Anthropic Messages."""

from dataclasses import dataclass

from extproc.exchange.model import LlmCall
from extproc.exchange.translation import anthropic_body, chat_assembly, chat_request
from extproc.exchange.translation.anthropic_reading import AnthropicReading
from extproc.exchange.translation.contract import Reply, Translated
from extproc.exchange.translation.failures import from_anthropic
from extproc.exchange.translation.sse_reply import SseReply


@dataclass(frozen=True, slots=True)
class OpenAiChatToAnthropic:
    """Implements `translation.contract.Translation`. `version`: the API version that the upstream is asked for."""

    version: str = anthropic_body.VERSION
    source: str = "openai-chat"
    target: str = "anthropic-messages"

    def request(self, call: LlmCall, model: str) -> Translated:
        talk = chat_request.read(call)
        doc = anthropic_body.write(talk, model, self.version)
        return Translated(doc, model, talk.stream, talk.loss.names, (("anthropic-version", self.version),))

    def answer(self, call: LlmCall) -> Reply:
        return SseReply(AnthropicReading, from_anthropic, chat_assembly.writing(call))


TRANSLATION = OpenAiChatToAnthropic()
