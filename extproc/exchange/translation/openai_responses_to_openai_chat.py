"""OpenAI Responses served by OpenAI Chat Completions, or any of the many hosts that speak it."""

from extproc.exchange.model import LlmCall
from extproc.exchange.translation import chat_body, responses_assembly, responses_request
from extproc.exchange.translation.chat_reading import ChatReading
from extproc.exchange.translation.contract import Reply, Translated
from extproc.exchange.translation.failures import from_openai
from extproc.exchange.translation.sse_reply import SseReply


class OpenAiResponsesToOpenAiChat:
    """Implements `translation.contract.Translation`."""

    source = "openai-responses"
    target = "openai-chat"

    def request(self, call: LlmCall, model: str) -> Translated:
        talk = responses_request.read(call)
        doc = chat_body.write(talk, model)
        return Translated(doc, model, talk.stream, talk.loss.names)

    def answer(self, call: LlmCall) -> Reply:
        return SseReply(ChatReading, from_openai, responses_assembly.writing(call))


TRANSLATION = OpenAiResponsesToOpenAiChat()
