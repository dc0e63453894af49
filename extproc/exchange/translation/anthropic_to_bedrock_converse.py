"""Anthropic Messages served by Bedrock Converse."""

from extproc.exchange.model import LlmCall
from extproc.exchange.translation import anthropic_assembly, anthropic_betas, anthropic_request, converse_body
from extproc.exchange.translation.contract import Reply, Translated
from extproc.exchange.translation.converse_reply import ConverseReply


class AnthropicToBedrockConverse:
    """Implements `translation.contract.Translation`."""

    source = "anthropic-messages"
    target = "bedrock-converse"

    def request(self, call: LlmCall, model: str) -> Translated:
        talk = anthropic_request.read(call)
        doc = converse_body.write(talk, model)
        if not converse_body.is_claude(model):
            anthropic_betas.dropped(call.betas, talk.loss)
        elif betas := anthropic_betas.taken(call.betas, talk.loss):
            doc.setdefault("additionalModelRequestFields", {})["anthropic_beta"] = betas
        return Translated(doc, model, talk.stream, talk.loss.names)

    def answer(self, call: LlmCall) -> Reply:
        return ConverseReply(call, anthropic_assembly.writing(call))


TRANSLATION = AnthropicToBedrockConverse()
