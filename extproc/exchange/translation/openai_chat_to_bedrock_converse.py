"""OpenAI Chat Completions served by Bedrock Converse."""

from extproc.exchange.model import LlmCall
from extproc.exchange.translation import chat_assembly, chat_request, converse_body
from extproc.exchange.translation.contract import Reply, Translated
from extproc.exchange.translation.converse_reply import ConverseReply


class OpenAiChatToBedrockConverse:
    """Implements `translation.contract.Translation`."""

    source = "openai-chat"
    target = "bedrock-converse"

    def request(self, call: LlmCall, model: str) -> Translated:
        talk = chat_request.read(call)
        doc = converse_body.write(talk, model)
        return Translated(doc, model, talk.stream, talk.loss.names)

    def answer(self, call: LlmCall) -> Reply:
        return ConverseReply(call, chat_assembly.writing(call))


TRANSLATION = OpenAiChatToBedrockConverse()
