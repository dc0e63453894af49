"""The declared shape of every policy document, as people write it. Says nothing about what documents mean together
(`references`), and nothing here is ever on the request path (`compile` makes the runtime).

Strict: an unknown field, a number where a text belongs, a missing field are problems, never guessed around. Field
names are camelCase in YAML, as in Kubernetes. Each field's description is what the reference documentation says.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from extproc.policy.fields import (
    Currency,
    DnsName,
    Duration,
    DurationOrZero,
    HeaderFormat,
    HeaderName,
    HostName,
    ModelName,
    Pattern,
    Text,
    Url,
)

API_VERSION = "gatereeve.dev/v1alpha1"
Patterns = tuple[Pattern, ...]
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
Action = Literal["redact", "partial", "drop"]
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


def _one_of(part: BaseModel, names: tuple[str, ...]) -> None:
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


class KeySet(Declared):
    """An issuer's public keys, written into the document."""

    keys: tuple[dict[str, Any], ...] = Field(min_length=1, description="Public JSON Web Keys (RFC 7517).")

    @field_validator("keys")
    @classmethod
    def _public(cls, keys: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        for key in keys:
            if key.get("kty") == "oct":
                raise ValueError("holds a shared secret (kty oct); only public keys can be used here")
            if "d" in key:
                raise ValueError(
                    "holds a PRIVATE key ('d'); remove it from the file, replace the key, write its public part"
                )
            if key.get("kty") not in ("RSA", "EC", "OKP"):
                raise ValueError("holds a key whose kty is not RSA, EC or OKP; write public JSON Web Keys")
        return keys


class Keys(Declared):
    """Where an issuer's public keys come from: exactly one of the fields."""

    url: Url | None = Field(default=None, description="URL of the key set (JWKS).")
    discovery: Literal[True] | None = Field(
        default=None, description="true: the issuer's /.well-known/openid-configuration names the key set."
    )
    file: Text | None = Field(default=None, description="A JWKS file, relative to the document's folder.")
    inline: KeySet | None = Field(default=None, description="The key set itself.")

    @model_validator(mode="after")
    def _exactly_one(self) -> "Keys":
        _one_of(self, ("url", "discovery", "file", "inline"))
        return self


class Claims(Declared):
    """Which claim holds which part of the identity. Dots walk into objects, for example realm_access.roles."""

    subject: Text = Field(default="sub", description="Claim with the stable id of the caller.")
    groups: Text = Field(default="groups", description="Claim with the caller's groups, a list of texts or one text.")
    email: Text = Field(default="email", description="Claim with the e-mail address.")
    tenant: Text = Field(default="tenant", description="Claim with the tenant or organisation.")
    data_class: Text | None = Field(
        default=None,
        description="Claim with the class of the data the caller works with; a word that is none counts as restricted.",
    )


class IdentityProviderSpec(Declared):
    """Whose tokens are believed, and how they are verified."""

    issuer: Text = Field(description="The exact `iss` of its tokens.")
    audiences: tuple[Text, ...] = Field(min_length=1, description="A token needs at least one of these in `aud`.")
    keys: Keys = Field(description="Where the public keys come from.")
    algorithms: tuple[Algorithm, ...] = Field(
        default=("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"),
        min_length=1,
        description="Signature algorithms accepted; asymmetric only.",
    )
    types: tuple[str, ...] = Field(
        default=("JWT", "at+jwt", ""),
        min_length=1,
        description='Accepted `typ` headers, any case; "" accepts a token without.',
    )
    leeway: DurationOrZero = Field(default="30s", description="Clock difference allowed for expiry and not-before.")
    max_age: Duration = Field(default="5m", description="A verified token is verified again after this.")
    refresh: Duration = Field(default="5m", description="Keys older than this are fetched again in the background.")
    stale_for: DurationOrZero = Field(default="1d", description="Keys are used this long while the issuer is down.")
    refetch_interval: Duration = Field(
        default="30s", description="An unknown key id causes at most one fetch in this time."
    )
    claims: Claims = Field(default=Claims(), description="Which claim holds which part of the identity.")

    @field_validator("algorithms", mode="before")
    @classmethod
    def _asymmetric(cls, value: object) -> object:
        for name in value if isinstance(value, tuple) else ():
            if isinstance(name, str) and name.upper() == "NONE":
                raise ValueError("none means unsigned tokens, which anyone can write; remove it")
            if isinstance(name, str) and name.upper().startswith("HS"):
                raise ValueError(
                    f"{name} verifies with a shared secret, so whoever can check a token can also forge one; "
                    "use an asymmetric algorithm, for example RS256 or ES256"
                )
        return value


class SecretFrom(Declared):
    """Where a secret is read from: exactly one of the fields."""

    file: Text | None = Field(
        default=None, description="A file, relative to the document's folder; re-read when it changes."
    )
    env: Text | None = Field(default=None, description="An environment variable of the gateway.")
    value: Text | None = Field(default=None, repr=False, description="The secret itself; for demonstrations only.")

    @model_validator(mode="after")
    def _exactly_one(self) -> "SecretFrom":
        _one_of(self, ("file", "env", "value"))
        return self


class AwsCredential(Declared):
    """Requests are signed with AWS keys (Signature Version 4). Needs gatereeve[aws]."""

    region: DnsName | None = Field(default=None, description="Region to sign for; default: the one in the host.")
    service: DnsName | None = Field(default=None, description="Name to sign for; default: by the host, else bedrock.")
    profile: Text | None = Field(default=None, description="Section of the shared AWS files.")
    instance: bool = Field(default=False, description="true: the role of the machine may be used as well.")


class GcpCredential(Declared):
    """Google's access tokens. Needs gatereeve[gcp]."""

    file: Text | None = Field(
        default=None,
        description="Service-account key or workload identity configuration (JSON), relative to the document's folder; "
        "default: the one that GOOGLE_APPLICATION_CREDENTIALS names.",
    )
    instance: bool = Field(default=False, description="true: ask the metadata server instead.")
    scope: Text = Field(
        default="https://www.googleapis.com/auth/cloud-platform", description="The scope that is asked for."
    )

    @model_validator(mode="after")
    def _one_source(self) -> "GcpCredential":
        if self.instance and self.file is not None:
            raise ValueError("has file and instance; keep one of them")
        return self


class AzureSecret(Declared):
    """Where the secret of an application is read from: exactly one of the fields."""

    file: Text | None = Field(default=None, description="A file, relative to the document's folder.")
    env: Text | None = Field(default=None, description="An environment variable of the gateway.")

    @model_validator(mode="after")
    def _exactly_one(self) -> "AzureSecret":
        _one_of(self, ("file", "env"))
        return self


class AzureCredential(Declared):
    """Entra ID's access tokens: exactly one of secret, tokenFile and instance."""

    tenant: Text | None = Field(default=None, description="Tenant id; needed unless instance is set.")
    client_id: Text | None = Field(default=None, description="The application's id, or that of a managed identity.")
    secret: AzureSecret | None = Field(default=None, description="The application's secret.")
    token_file: Text | None = Field(
        default=None, description="A federated token (workload identity), relative to the document's folder."
    )
    instance: bool = Field(default=False, description="true: the managed identity of the machine.")
    scope: Text = Field(
        default="https://cognitiveservices.azure.com/.default", description="The scope that is asked for."
    )
    authority: Url = Field(default="https://login.microsoftonline.com", description="Where tokens are asked for.")

    @model_validator(mode="after")
    def _one_source(self) -> "AzureCredential":
        given = [
            n for n, v in (("secret", self.secret), ("tokenFile", self.token_file), ("instance", self.instance)) if v
        ]
        if len(given) != 1:
            raise ValueError(
                f"has {' and '.join(given)}; keep exactly one of secret, tokenFile, instance"
                if given
                else "says not how; give one of secret, tokenFile, instance"
            )
        if not self.instance and (self.tenant is None or self.client_id is None):
            raise ValueError("needs tenant and clientId with secret or tokenFile")
        return self


class Credential(Declared):
    """What the gateway authenticates with at an upstream, in the client's place: one of from, aws, gcp, azure."""

    header: HeaderName | None = Field(
        default=None,
        description="Header that carries it; default authorization, or the own header of the one API that is spoken.",
    )
    format: HeaderFormat | None = Field(
        default=None,
        description="The header's value, {} for the secret; default 'Bearer {}' for authorization, else '{}'.",
    )
    source: SecretFrom | None = Field(default=None, alias="from", description="Where the secret is read from.")
    aws: AwsCredential | None = Field(default=None, description="Sign with AWS keys.")
    gcp: GcpCredential | None = Field(default=None, description="Google's access tokens.")
    azure: AzureCredential | None = Field(default=None, description="Entra ID's access tokens.")

    @model_validator(mode="after")
    def _exactly_one(self) -> "Credential":
        given = [
            name
            for name, part in (("from", self.source), ("aws", self.aws), ("gcp", self.gcp), ("azure", self.azure))
            if part is not None
        ]
        if len(given) != 1:
            raise ValueError(
                f"has {' and '.join(given)}; keep exactly one of from, aws, gcp, azure"
                if given
                else "says not where from; give one of from, aws, gcp, azure"
            )
        if self.source is None and (self.header is not None or self.format is not None):
            raise ValueError(f"has header or format, which are for `from`; {given[0]} has its own; remove them")
        return self


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
        default=None, description="The provider's name for the model; default: the Model's own name."
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


class MCPServerSpec(Declared):
    """An MCP server behind the gateway, at /mcp/<name> and at its hosts."""

    url: Url = Field(description="Its Streamable HTTP endpoint.")
    hosts: tuple[HostName, ...] = Field(default=(), description="Host names of the gateway that mean this server.")
    data_class: DataClassName | None = Field(
        default=None, description="Class of the data it gives out: LLM calls of who has used it count as at least that."
    )
    remember_for: Duration = Field(default="1h", description="How long such use counts.")
    ca_file: Text | None = Field(
        default=None, description="Trust anchors for TLS (PEM), relative to the document's folder."
    )
    credential: Credential | None = Field(
        default=None, description="What the gateway authenticates with; none sends nothing."
    )


class Subject(Declared):
    """A kind of caller. All given fields must match; in each, any one value is enough. `*` stands for any text."""

    subjects: Patterns = Field(default=(), description="Subject ids.")
    groups: Patterns = Field(default=(), description="Groups; one of the caller's groups must match.")
    emails: Patterns = Field(default=(), description="E-mail addresses, for example *@example.com.")
    tenants: Patterns = Field(default=(), description="Tenants.")
    providers: tuple[DnsName, ...] = Field(
        default=(), description="IdentityProviders that must have vouched for the caller."
    )
    when: Text | None = Field(default=None, description="A CEL condition over identity.* that must hold as well.")

    @model_validator(mode="after")
    def _says_something(self) -> "Subject":
        if not (self.subjects or self.groups or self.emails or self.tenants or self.providers or self.when):
            raise ValueError('is empty; to mean every verified caller write subjects: ["*"]')
        return self


class AllowDeny(Declared):
    """Names that are allowed and names that are denied; deny wins. `*` stands for any text."""

    allow: Patterns = Field(default=(), description="Allowed names.")
    deny: Patterns = Field(
        default=(), description="Denied names, for everyone this policy selects, whatever others allow."
    )


class DenyOnly(Declared):
    """Names that are denied."""

    deny: Patterns = Field(default=(), description="Denied names, for example logging/*.")


class McpGrant(Declared):
    """What may be done on one MCP server."""

    server: Pattern = Field(description="Name of an MCPServer; `*` stands for any text.")
    tools: AllowDeny = Field(
        default=AllowDeny(), description="Tools that may be called; others are hidden from tools/list."
    )
    prompts: AllowDeny = Field(default=AllowDeny(), description="Prompts that may be used.")
    resources: AllowDeny = Field(default=AllowDeny(), description="Resource URIs that may be read.")
    methods: DenyOnly = Field(default=DenyOnly(), description="JSON-RPC methods that may not be used at all.")


class Detect(Declared):
    """Requests are searched with the rules of a MaskProfile; a match makes the call's data at least of this class."""

    profile: DnsName = Field(description="Name of a MaskProfile.")
    data_class: DataClassName = Field(description="The class of a call that holds a match.")


class AgentPolicySpec(Declared):
    """Who may do what."""

    mode: Literal["enforce", "observe"] = Field(
        default="enforce",
        description="observe: refuses nothing, records what it would have decided; who is selected by observing "
        "policies only may do everything.",
    )
    subjects: tuple[Subject, ...] = Field(min_length=1, description="Whom it selects: any of these entries.")
    models: AllowDeny = Field(default=AllowDeny(), description="Models, by name or alias.")
    mcp: tuple[McpGrant, ...] = Field(default=(), description="MCP servers and what may be done there.")
    when: Text | None = Field(
        default=None,
        description="A CEL condition over identity.*, call.*, request.*; unless it holds, nothing is allowed by this.",
    )
    masking: DnsName | None = Field(default=None, description="The MaskProfile for answers to what this policy allows.")
    data_class: DataClassName | None = Field(
        default=None, description="Class of the data in the LLM calls it allows; default internal."
    )
    detect: tuple[Detect, ...] = Field(default=(), description="What raises the class of a call that holds it.")
    show_model: bool = Field(
        default=False, description="true: the header x-gatereeve-model tells clients which target served the call."
    )


class RuleUse(Declared):
    """A built-in rule, and what to do with what it finds."""

    rule: Text = Field(description='Name of a built-in rule, "*" for all of them.')
    action: Action | None = Field(default=None, description="What to do with a match; default: the rule's own.")


def _rule_use(value: object) -> object:
    return {"rule": value} if isinstance(value, str) else value


class MaskPattern(Declared):
    """A rule of your own, with the examples that prove it."""

    name: DnsName = Field(description="Label in the output: [masked:<name>].")
    pattern: Text = Field(repr=False, description="A regular expression (RE2).")
    positives: tuple[Text, ...] = Field(min_length=1, repr=False, description="Texts that hold a match.")
    negatives: tuple[Text, ...] = Field(default=(), repr=False, description="Texts that hold none.")
    action: Action = Field(default="redact", description="What to do with a match.")


class MaskLiterals(Declared):
    """A list of texts that must not pass."""

    name: DnsName = Field(description="Label in the output: [masked:<name>].")
    values: tuple[Text, ...] | None = Field(default=None, repr=False, description="The texts.")
    file: Text | None = Field(
        default=None, description="A file with one text per line, relative to the document's folder."
    )
    case_sensitive: bool = Field(default=True, description="false: any case matches.")
    action: Action = Field(default="redact", description="What to do with a match.")

    @model_validator(mode="after")
    def _exactly_one(self) -> "MaskLiterals":
        _one_of(self, ("values", "file"))
        return self


class MaskProfileSpec(Declared):
    """What is masked in answers."""

    rules: tuple[Annotated[RuleUse, BeforeValidator(_rule_use, json_schema_input_type=str | RuleUse)], ...] = Field(
        default=(), description='Built-in rules: names, {rule, action}, or "*" for all.'
    )
    patterns: tuple[MaskPattern, ...] = Field(default=(), description="Rules of your own.")
    literals: tuple[MaskLiterals, ...] = Field(default=(), description="Lists of texts.")

    @model_validator(mode="after")
    def _masks_something(self) -> "MaskProfileSpec":
        if not (self.rules or self.patterns or self.literals):
            raise ValueError('masks nothing; write rules: ["*"] for all built-in rules')
        return self


SPECS: dict[str, type[Declared]] = {
    "IdentityProvider": IdentityProviderSpec,
    "LLMProvider": LLMProviderSpec,
    "Model": ModelSpec,
    "MCPServer": MCPServerSpec,
    "AgentPolicy": AgentPolicySpec,
    "MaskProfile": MaskProfileSpec,
}
LATER = {"EgressPolicy": "EgressPolicy is not yet supported; remove the document, egress is not governed by it yet"}
