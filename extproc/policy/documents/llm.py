"""The declared shape of LLMProviders and of the Models they serve."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from extproc.policy.documents.base import DataClassName, Declared, DialectName
from extproc.policy.documents.credential import Credential
from extproc.policy.fields import Currency, DnsName, Duration, ModelName, Text, Url


class LLMProviderSpec(Declared):
    """A place that serves models."""

    dialects: tuple[DialectName, ...] = Field(min_length=1, description="The APIs it speaks.")
    url: Url = Field(
        description="Origin and prefix before the API's own path (/v1/...); with or without /v1 at its end."
    )
    ca_file: Text | None = Field(
        default=None, description="Trust anchors for TLS (PEM), relative to the document's folder."
    )
    credential: Credential | None = Field(
        default=None, description="What the gateway authenticates with; none sends nothing."
    )
    approved: bool = Field(default=True, description="false: known, but no call is sent there.")
    data_class: DataClassName = Field(
        default="internal", description="The most sensitive class of data that may be sent there."
    )
    ask_usage: bool = Field(
        default=True,
        description="Streams are asked to count tokens (stream_options); false for a server that refuses the field.",
    )


class PriceSpec(Declared):
    """What a model's tokens cost, per million of a kind."""

    input: float = Field(ge=0, allow_inf_nan=False, description="Input tokens.")
    output: float = Field(ge=0, allow_inf_nan=False, description="Output tokens, reasoning among them.")
    cached_input: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="Input read from a cache; default: as `input`."
    )
    cache_write: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="Input written into a cache; default: as `input`."
    )
    currency: Currency = Field(default="USD", description="ISO 4217 code.")


class ModelTarget(Declared):
    """One provider that serves a Model."""

    provider: DnsName = Field(description="Name of an LLMProvider.")
    model: Text | None = Field(
        default=None, max_length=512, description="The provider's name for the model; default: the Model's own name."
    )
    price: PriceSpec | None = Field(
        default=None, description="What its tokens cost here; default: the Model's price. The audit names the cost."
    )
    order: int | None = Field(
        default=None,
        ge=0,
        le=1000,
        description="Lower ones are tried first, equal ones share calls by weight; default: the place in the list. "
        "Give all targets one, or none.",
    )
    weight: int = Field(
        default=1, ge=0, le=1000, description="Share of the calls within the same order; 0: only after the others."
    )
    when: Text | None = Field(
        default=None,
        description="A CEL condition over identity.*, call.*, request.*; unless it holds, this target takes no part.",
    )


class FailoverSpec(Declared):
    """When the next target is tried: the one before could not be reached, broke off or timed out before its first byte,
    or answered 429 or 5xx."""

    attempts: int = Field(default=3, ge=1, le=8, description="Targets tried for one call at most; 1: no failover.")
    first_byte: Duration | None = Field(
        default=None,
        description="The next one is tried when there is no first byte of an answer after this; default: the gateway's "
        "own limit for silence, and no failover for it. Answers that are not streamed begin when they are complete.",
    )
    statuses: tuple[Annotated[int, Field(ge=400, le=499)], ...] = Field(
        default=(), description="Further statuses (4xx) after which the next one is tried, for example 401 or 408."
    )


class ModelSpec(Declared):
    """A model name that clients ask for."""

    description: str = Field(default="", description="For readers.")
    aliases: tuple[ModelName, ...] = Field(default=(), description="Other names for the same Model.")
    price: PriceSpec | None = Field(default=None, description="What its tokens cost, for targets without a price.")
    targets: tuple[ModelTarget, ...] = Field(
        min_length=1,
        description="Who may serve it. Passed over is a target whose provider is not approved, neither speaks the "
        "call's API nor can be translated to, or may not receive the call's data.",
    )
    failover: FailoverSpec = Field(default=FailoverSpec(), description="When the next target is tried.")
    sticky: Literal["conversation", "caller", "none"] = Field(
        default="conversation",
        description="What keeps its target where several share calls, so that provider's prompt caches are used.",
    )

    @model_validator(mode="after")
    def _orders(self) -> "ModelSpec":
        given = [target.order is not None for target in self.targets]
        if any(given) and not all(given):
            raise ValueError("has targets with an order and targets without; give all of them one, or none")
        return self
