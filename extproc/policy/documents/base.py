"""What every declared document is made of: strict, closed, immutable parts, and the words they share."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from extproc.policy.fields import DnsName, Pattern, Text

API_VERSION = "gatereeve.dev/v1alpha1"
Patterns = tuple[Pattern, ...]
DataClassName = Literal["public", "internal", "confidential", "restricted"]
DialectName = Literal[
    "openai-chat",
    "openai-responses",
    "openai-completions",
    "openai-embeddings",
    "azure-openai-chat",
    "azure-openai-completions",
    "azure-openai-embeddings",
    "anthropic-messages",
    "bedrock-converse",
    "bedrock-invoke",
    "gemini",
    "vertex-gemini",
    "vertex-claude",
    "ollama",
    "cohere-chat",
]


class Declared(BaseModel):
    """Base of every part of a document: strict, closed, immutable, camelCase."""

    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, alias_generator=to_camel, hide_input_in_errors=True
    )


def one_of(part: BaseModel, names: tuple[str, ...]) -> None:
    given = [name for name in names if name in part.model_fields_set]
    if len(given) != 1:
        listed = ", ".join(names)
        raise ValueError(
            f"has {' and '.join(given)}; keep exactly one of {listed}" if given else f"is empty; give one of {listed}"
        )


class Metadata(Declared):
    """Which document this is."""

    name: Text = Field(description="The document's name, unique among documents of its kind.")
    namespace: DnsName | None = Field(
        default=None, description="Accepted for Kubernetes; names are unique across namespaces."
    )
    labels: dict[str, str] = Field(default={}, description="Labels for your own tools; policy does not read them.")
    annotations: dict[str, str] = Field(default={}, description="Notes for your own tools; policy does not read them.")
