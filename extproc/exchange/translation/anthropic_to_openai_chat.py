"""Anthropic Messages served by OpenAI Chat Completions, or any of the many hosts that speak it."""

from extproc.exchange.model import LlmCall
from extproc.exchange.translation import anthropic_assembly, anthropic_betas, anthropic_request, chat_body
from extproc.exchange.translation.chat_reading import ChatReading
from extproc.exchange.translation.contract import Reply, Translated
from extproc.exchange.translation.failures import from_openai
from extproc.exchange.translation.sse_reply import SseReply


class AnthropicToOpenAiChat:
    """Implements `translation.contract.Translation`."""

    source = "anthropic-messages"
    target = "openai-chat"

    def request(self, call: LlmCall, model: str) -> Translated:
        talk = anthropic_request.read(call)
        anthropic_betas.dropped(call.betas, talk.loss)
        doc = chat_body.write(talk, model)
        return Translated(doc, model, talk.stream, talk.loss.names)

    def answer(self, call: LlmCall) -> Reply:
        return SseReply(ChatReading, from_openai, anthropic_assembly.writing(call))


TRANSLATION = AnthropicToOpenAiChat()
