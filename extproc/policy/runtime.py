"""What policy documents compile to: frozen, with look-ups whose cost does not grow with the number of documents."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from extproc.errors import Problem
from extproc.exchange.model import JsonObject
from extproc.exchange.text import TextFilter
from extproc.identity.model import ISSUERS_OWN, Audience, Identity, Issuer
from extproc.policy.oauth import Delegation, OAuth
from extproc.policy.prices import Price
from extproc.policy.sensitivity import DataClass
from extproc.policy.tool_rules import ToolRules

# A compiled condition: facts to True (holds), False (does not), None (could not be evaluated: counts as deny).
Condition = Callable[[Mapping[str, Any]], bool | None]
Matcher = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class CredentialSource:
    """Where an upstream's secret comes from and how it is sent. Exactly one of `file`, `env`, `value` is set.

    `format` holds `{}` where the secret goes ("Bearer {}"). The secret itself is never part of a policy's repr.
    """

    name: str  # unique: "LLMProvider/demo"
    header: str  # lower-case
    format: str = "{}"
    file: str = ""
    env: str = ""
    value: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class AwsSource:
    """Requests are signed (Signature Version 4). Keys come from the gateway's environment, the shared files (section
    `profile`), web identity or pod identity; from the machine's role only with `instance`."""

    name: str
    region: str
    service: str
    profile: str = ""
    instance: bool = False


@dataclass(frozen=True, slots=True)
class GcpSource:
    """Google's access tokens. `file` is a service-account key or a workload identity configuration (JSON), "" the one
    that GOOGLE_APPLICATION_CREDENTIALS names; `instance` asks the metadata server instead."""

    name: str
    file: str = ""
    instance: bool = False
    scope: str = "https://www.googleapis.com/auth/cloud-platform"


@dataclass(frozen=True, slots=True)
class AzureSource:
    """Entra ID's access tokens. Exactly one of `secret_file`, `secret_env`, `token_file` (a federated assertion) and
    `instance` (the managed identity of the machine) says how they are asked for."""

    name: str
    tenant: str = ""
    client_id: str = ""
    secret_file: str = ""
    secret_env: str = ""
    token_file: str = ""
    instance: bool = False
    scope: str = "https://cognitiveservices.azure.com/.default"
    authority: str = "https://login.microsoftonline.com"


Credential = CredentialSource | AwsSource | GcpSource | AzureSource
"""What an upstream is authenticated with. `name` is unique among all of them."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """One place traffic may go. `cluster` is the Envoy cluster, `authority` the Host it is asked for,
    `path` what is put before (LLM) or in place of (MCP) the client's path; no trailing slash."""

    name: str  # "LLMProvider/demo", "MCPServer/demo"
    cluster: str
    host: str
    port: int
    tls: bool
    authority: str
    path: str
    credential: Credential | None = None
    ca_file: str = ""  # trust anchor for TLS; "" means the system's


@dataclass(frozen=True, slots=True)
class LlmProvider:
    """`dialects` in the order they are preferred for calls that have to be translated. `clearance`: the most sensitive
    class of data it may receive. `asks_usage`: whether a stream that would not count tokens is asked to."""

    name: str
    dialects: tuple[str, ...]
    approved: bool
    upstream: Upstream
    rule: str
    clearance: DataClass = DataClass.INTERNAL
    asks_usage: bool = True


@dataclass(frozen=True, slots=True)
class Target:
    """Targets of the same `order` share calls by `weight`; a higher order is for when those before it fail."""

    provider: LlmProvider
    model: str
    price: Price | None = None
    order: int = 0
    weight: int = 1
    when: Condition | None = None  # unless it holds, the target takes no part


@dataclass(frozen=True, slots=True)
class Failover:
    """How many targets one call may try, after how many seconds without a first byte the next is tried (0: no limit
    but the gateway's own for silence), and on which statuses besides 5xx."""

    attempts: int = 3
    first_byte: float = 0.0
    statuses: tuple[int, ...] = (429,)


@dataclass(frozen=True, slots=True)
class Model:
    """A name clients ask for. `targets` by ascending order. `sticky`: what keeps its target ("conversation", "caller"
    or "none") where several share calls."""

    name: str
    targets: tuple[Target, ...]
    rule: str
    failover: Failover = Failover()
    sticky: str = "conversation"


@dataclass(frozen=True, slots=True)
class McpServer:
    """Whoever has touched it may have data of `data_class` in mind for `remember` seconds. Its upstream's credential is
    one for all callers, or one for each by `delegation`."""

    name: str
    upstream: Upstream
    hosts: tuple[str, ...]
    rule: str
    data_class: DataClass = DataClass.PUBLIC
    remember: float = 3600.0
    trusted: bool = False  # whether its tools' annotations are believed
    rules: ToolRules = field(default_factory=ToolRules)
    oauth: OAuth | None = None
    delegation: Delegation | None = None

    @property
    def audience(self) -> Audience:
        """Whom tokens must be for."""
        return self.oauth.audience if self.oauth is not None else ISSUERS_OWN


@dataclass(frozen=True, slots=True)
class Masking:
    """A compiled MaskProfile. `start()` makes the filter for one exchange; `directions` says where it applies."""

    name: str
    start: Callable[[], TextFilter]
    rule: str


@dataclass(frozen=True, slots=True)
class Detector:
    """A request in whose document `finds` is true holds data of `data_class`; with it come notes on what could not be
    looked into. It raises `errors.Uninspectable` for one that cannot be looked through, which counts as holding it."""

    finds: Callable[[JsonObject], tuple[bool, tuple[str, ...]]]
    data_class: DataClass
    rule: str


@dataclass(frozen=True, slots=True)
class ToolGrant:
    """What one AgentPolicy says about one MCP server: allow and deny by name for tools, prompts, resources, methods.
    `hints` (None: no matter) says whether an allowed tool's definition has the annotations that are asked for."""

    server: Matcher
    tools: Matcher
    tools_denied: Matcher
    prompts: Matcher
    prompts_denied: Matcher
    resources: Matcher
    resources_denied: Matcher
    methods_denied: Matcher
    rule: str
    hints: Callable[[JsonObject | None], bool] | None = None


def _no_grants(_server: str) -> tuple[ToolGrant, ...]:
    return ()


def _no_masking(names: frozenset[str]) -> Masking:
    raise KeyError(*names)


@dataclass(frozen=True, slots=True)
class AgentPolicy:
    name: str
    enforced: bool
    selects: Callable[[Identity], bool | None]  # None: a CEL subject could not be evaluated
    models: Matcher
    models_denied: Matcher
    mcp: tuple[ToolGrant, ...]
    when: Condition | None  # unless it holds, nothing is allowed by this policy; its deny lists count regardless
    masking: Masking | None
    rule: str
    grants: Callable[[str], tuple[ToolGrant, ...]] = _no_grants  # those of `mcp` whose server matches a server's name
    opens: Condition | None = None  # `when`, if it also governs what acts on nothing: opening a session, listing
    lists: Condition | None = None  # `when`, if identity.* alone decides it: asked when names are listed
    data_class: DataClass = DataClass.INTERNAL  # of what it allows, before anything raises it
    detectors: tuple[Detector, ...] = ()
    shows_model: bool = False  # whether clients are told which target served
    exact: bool = False  # no subject has a condition: being a candidate is being selected


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything a request is judged by. Immutable; swapped whole on reload.

    `version` is a short digest of the documents, named in audits. `candidates` gives the AgentPolicies worth trying
    for an identity (indexed by subject and group), so that a thousand documents cost what ten do.
    """

    version: str
    issuers: Mapping[str, tuple[Issuer, ...]]  # by `iss`
    providers: Mapping[str, LlmProvider]
    models: Mapping[str, Model]  # by name and by alias
    servers: Mapping[str, McpServer]  # by name
    hosts: Mapping[str, McpServer]  # by lower-case host
    agents: tuple[AgentPolicy, ...]
    candidates: Callable[[Identity], tuple[AgentPolicy, ...]]
    masking: Mapping[str, Masking]
    combined: Callable[[frozenset[str]], Masking] = (
        _no_masking  # by names of `masking`: the masking that satisfies all of them
    )
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # Model name to all its names, itself first
    exposing: bool = False  # whether any MCPServer's class has to be remembered
    resources: Mapping[str, str] = field(default_factory=dict)  # see `oauth.by_path`
    warnings: tuple[Problem, ...] = ()  # what is no mistake but easily taken for less than it is; told by `check`

    @property
    def upstreams(self) -> tuple[Upstream, ...]:
        """Every upstream the policy names, providers first, each once."""
        return tuple(p.upstream for p in self.providers.values()) + tuple(s.upstream for s in self.servers.values())

    @property
    def shared_upstreams(self) -> tuple[Upstream, ...]:
        """Those of providers that serve a Model which others serve as well: what fails there can go elsewhere."""
        names = {
            target.provider.name: target.provider.upstream
            for model in self.models.values()
            if len({target.provider.name for target in model.targets}) > 1
            for target in model.targets
        }
        return tuple(names[name] for name in sorted(names))
