"""OpenAI Responses served by Bedrock Converse."""

from extproc.exchange.model import LlmCall
from extproc.exchange.translation import converse_body, responses_assembly, responses_request
from extproc.exchange.translation.contract import Reply, Translated
from extproc.exchange.translation.converse_reply import ConverseReply


class OpenAiResponsesToBedrockConverse:
    """Implements `translation.contract.Translation`."""

    source = "openai-responses"
    target = "bedrock-converse"

    def request(self, call: LlmCall, model: str) -> Translated:
        talk = responses_request.read(call)
        doc = converse_body.write(talk, model)
        return Translated(doc, model, talk.stream, talk.loss.names)

    def answer(self, call: LlmCall) -> Reply:
        return ConverseReply(call, responses_assembly.writing(call))


TRANSLATION = OpenAiResponsesToBedrockConverse()
