"""All fake providers together, and the policy documents under which a gateway serves models from them."""

from dataclasses import dataclass
from typing import Any

from tests.envoy.gateway import Ports
from tests.envoy.policies import document
from tests.envoy.providers import anthropic as anthropic_messages
from tests.envoy.providers import aws, bedrock, gemini, openai_chat, others
from tests.envoy.providers.stage import Provider, Stage

AWS_ENVIRONMENT = {"AWS_ACCESS_KEY_ID": aws.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": aws.SECRET_KEY,
                   "AWS_SESSION_TOKEN": aws.SESSION_TOKEN, "AWS_EC2_METADATA_DISABLED": "true"}  # fmt: skip


@dataclass(frozen=True)
class Target:
    """One upstream API: an LLMProvider document of its own, since a translation is chosen by what a provider speaks."""

    provider: str  # name of the fake in the cast
    dialects: tuple[str, ...]
    model: str
    credential: dict[str, Any]
    path: str = ""


def _key(value: str, header: str = "authorization") -> dict[str, Any]:
    return {"from": {"value": value}, "header": header}


_AWS: dict[str, Any] = {"aws": {"region": aws.REGION}}
TARGETS = {
    "openai-chat": Target("openai", ("openai-chat",), "gpt-fake", _key(openai_chat.KEY)),
    "openai-responses": Target("openai", ("openai-responses",), "gpt-fake", _key(openai_chat.KEY)),
    "openai-completions": Target("openai", ("openai-completions",), "gpt-fake", _key(openai_chat.KEY)),
    "openai-embeddings": Target("openai", ("openai-embeddings",), "embed-fake", _key(openai_chat.KEY)),
    "azure-openai-chat": Target(
        "azure",
        ("azure-openai-chat", "azure-openai-completions", "azure-openai-embeddings"),
        "deployed-fake",
        _key(openai_chat.AZURE_KEY, "api-key"),
    ),
    "azure-v1": Target(
        "azure",
        ("openai-chat", "openai-responses", "openai-embeddings"),
        "deployed-fake",
        _key(openai_chat.AZURE_KEY, "api-key"),
        "/openai/v1",
    ),
    "anthropic-messages": Target(
        "anthropic", ("anthropic-messages",), "claude-fake", _key(anthropic_messages.KEY, "x-api-key")
    ),
    "bedrock-converse": Target("bedrock", ("bedrock-converse",), bedrock.CLAUDE, _AWS),
    "bedrock-nova": Target("bedrock", ("bedrock-converse",), bedrock.NOVA, _AWS),
    "bedrock-invoke": Target("bedrock", ("bedrock-invoke",), bedrock.CLAUDE, _AWS),
    "bedrock-bearer": Target("bedrock", ("bedrock-converse", "bedrock-invoke"), bedrock.CLAUDE, _key(aws.BEARER)),
    "gemini": Target("gemini", ("gemini",), gemini.MODEL, _key(gemini.KEY, "x-goog-api-key")),
    "vertex-gemini": Target("vertex", ("vertex-gemini",), gemini.MODEL, _key(gemini.TOKEN), gemini.PLACE),
    "vertex-claude": Target("vertex", ("vertex-claude",), gemini.CLAUDE, _key(gemini.TOKEN), gemini.PLACE),
    "ollama": Target("ollama", ("ollama",), "llama-fake", _key(others.OLLAMA_KEY)),
    "cohere-chat": Target("cohere", ("cohere-chat",), "command-fake", _key(others.COHERE_KEY)),
}
"""By the name of the Model that a client asks for."""


class Cast:
    """Every provider on a port of its own. `close` ends them."""

    def __init__(self) -> None:
        kinds: tuple[type[Provider], ...] = (
            anthropic_messages.Anthropic,
            openai_chat.OpenAi,
            openai_chat.Azure,
            bedrock.Bedrock,
            gemini.Gemini,
            gemini.Vertex,
            others.Ollama,
            others.Cohere,
        )
        self.providers = {kind.name: kind(Ports.take(1)) for kind in kinds}
        self._stage = Stage(*self.providers.values())
        self.close = self._stage.close

    def __getitem__(self, name: str) -> Provider:
        return self.providers[name]

    def taken(self) -> tuple[list[str], set[str]]:
        """The violations since it was last asked, and the headers that no provider knows."""
        violations: list[str] = []
        strangers: set[str] = set()
        for provider in self.providers.values():
            violations += provider.violations
            strangers |= provider.strangers
            provider.violations, provider.strangers = [], set()
        return violations, strangers

    def documents(self) -> list[dict[str, Any]]:
        out = []
        for name, target in TARGETS.items():
            url = self[target.provider].url + target.path
            out.append(document("LLMProvider", name, dialects=list(target.dialects), url=url,
                                credential=target.credential))  # fmt: skip
            out.append(document("Model", f"on-{name}", targets=[{"provider": name, "model": target.model}]))
        return out
