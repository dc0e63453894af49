"""Azure OpenAI's deployments: OpenAI's bodies at paths that name the deployment, and errors as OpenAI's.

For Azure's newer surface, /openai/v1, the plain OpenAI dialects do: an LLMProvider with that URL needs nothing of this.
"""

from urllib.parse import quote

from extproc.exchange import openai_chat, openai_completions, openai_embeddings
from extproc.exchange.model import LlmCall

_VERSION = "2024-10-21"  # the last generally available version of the deployments' API; what is newer is in /openai/v1


def _path(model: str, operation: str) -> str:
    return f"/openai/deployments/{quote(model, safe='')}/{operation}?api-version={_VERSION}"


class AzureChat(openai_chat.OpenAiChat):
    name = "azure-openai-chat"

    def path(self, call: LlmCall, model: str) -> str:  # noqa: ARG002  (the Protocol's signature)
        return _path(model, "chat/completions")


class AzureEmbeddings(openai_embeddings.OpenAiEmbeddings):
    name = "azure-openai-embeddings"

    def path(self, call: LlmCall, model: str) -> str:  # noqa: ARG002  (the Protocol's signature)
        return _path(model, "embeddings")


class AzureCompletions(openai_completions.OpenAiCompletions):
    name = "azure-openai-completions"

    def path(self, call: LlmCall, model: str) -> str:  # noqa: ARG002  (the Protocol's signature)
        return _path(model, "completions")


CHAT, EMBEDDINGS, COMPLETIONS = AzureChat(), AzureEmbeddings(), AzureCompletions()
