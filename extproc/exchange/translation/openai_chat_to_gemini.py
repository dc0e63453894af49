"""OpenAI Chat Completions served by Gemini, at Google's Gemini API or on Vertex AI."""

from dataclasses import dataclass, replace

from extproc.exchange.model import JsonObject, LlmCall
from extproc.exchange.translation import chat_assembly, chat_request, gemini_body
from extproc.exchange.translation.contract import Reply, Translated
from extproc.exchange.translation.gemini_reading import GeminiReading, failure
from extproc.exchange.translation.shapes import number
from extproc.exchange.translation.sse_reply import SseReply

# What Gemini has, and other upstreams of this API's clients have not.
_ALIKE = {"seed": "seed", "frequency_penalty": "frequencyPenalty", "presence_penalty": "presencePenalty"}


@dataclass(frozen=True, slots=True)
class OpenAiChatToGemini:
    """Implements `translation.contract.Translation`."""

    target: str = "gemini"
    source: str = "openai-chat"

    def request(self, call: LlmCall, model: str) -> Translated:
        config: JsonObject = {}
        for name, theirs in _ALIKE.items():
            value = number(call.doc, name)
            if value is not None:
                config[theirs] = value
        rest = {key: value for key, value in call.doc.items() if key not in _ALIKE}
        wanted = rest.get("response_format")
        if type(wanted) is dict and wanted.get("type") == "json_object":
            config["responseMimeType"] = "application/json"
            del rest["response_format"]
        talk = chat_request.read(replace(call, doc=rest))
        doc = gemini_body.write(talk, model)
        if config:
            doc["generationConfig"] = {**doc.get("generationConfig", {}), **config}
        return Translated(doc, model, talk.stream, talk.loss.names)

    def answer(self, call: LlmCall) -> Reply:
        return SseReply(GeminiReading, failure, chat_assembly.writing(call))


TRANSLATION = OpenAiChatToGemini()
VERTEX = OpenAiChatToGemini("vertex-gemini")
