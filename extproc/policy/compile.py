"""Documents to the frozen runtime `Policy`. Everything that costs happens here: URLs are taken apart, conditions and
wildcards compiled, masking rules tried. Reads only the small files documents name (literal lists, key sets, CA files).

All problems are collected; a policy with a problem is never built.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from extproc.errors import Problem, RuleError
from extproc.identity.model import ClaimMapping, Issuer, KeySource
from extproc.masking import Rule
from extproc.policy.agents import Finds, compile_agent, condition
from extproc.policy.bedrock_host import service_of
from extproc.policy.conditions import Scope
from extproc.policy.documents import (
    AgentPolicySpec,
    Declared,
    IdentityProviderSpec,
    KeySet,
    LLMProviderSpec,
    MCPServerSpec,
    ModelSpec,
    PriceSpec,
    RoleSpec,
)
from extproc.policy.documents import (
    Credential as CredentialSpec,
)
from extproc.policy.envelope import Document
from extproc.policy.fields import seconds, split_url
from extproc.policy.masks import Profile, builtin_rules, combiner, own_name_problems, profile_of
from extproc.policy.nodes import Loc
from extproc.policy.oauth import OAuth, by_path, compile_delegation, compile_oauth
from extproc.policy.prices import Price
from extproc.policy.runtime import (
    AwsSource,
    AzureSource,
    Credential,
    CredentialSource,
    Failover,
    GcpSource,
    LlmProvider,
    Masking,
    McpServer,
    Model,
    Policy,
    Target,
    Upstream,
)
from extproc.policy.sensitivity import DataClass, named
from extproc.policy.subjects import candidate_index
from extproc.policy.tool_compile import compile_rules

LARGEST_KEYS = 1 << 20  # bytes

# The header an API's key goes into, for providers that speak no other API: the first word of its dialects' names.
_KEY_HEADERS = {
    frozenset({"anthropic"}): "x-api-key",
    frozenset({"azure"}): "api-key",
    frozenset({"gemini"}): "x-goog-api-key",
}

Spec = TypeVar("Spec", bound=Declared)


def compile_policy(documents: Sequence[Document]) -> tuple[Policy | None, list[Problem]]:
    """The runtime, or what is wrong inside the documents. References that do not hold are `references`' to report; they
    are passed over here, so that one run reports both."""
    return _Compiler(documents).policy()


class _Compiler:
    """Collects problems while it builds. Used once."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents
        self._problems: list[Problem] = []

    def policy(self) -> tuple[Policy | None, list[Problem]]:
        issuers: dict[str, tuple[Issuer, ...]] = {}
        for document, identity in self._of(IdentityProviderSpec):
            issuers[identity.issuer] = (*issuers.get(identity.issuer, ()), self._issuer(document, identity))
        providers = {document.name: self._provider(document, spec) for document, spec in self._of(LLMProviderSpec)}
        models: dict[str, Model] = {}
        names: dict[str, tuple[str, ...]] = {}
        for document, model in self._of(ModelSpec):
            names[document.name] = (document.name, *model.aliases)
            models.update(dict.fromkeys(names[document.name], self._model(document, model, providers)))
        servers = {document.name: self._server(document, spec) for document, spec in self._of(MCPServerSpec)}
        profiles, masking = self._masking()
        detectors = self._detectors(profiles)
        roles = {document.name: (document, spec) for document, spec in self._of(RoleSpec)}
        compiled = [
            compile_agent(document, spec, masking, detectors, roles, self._problems)
            for document, spec in self._of(AgentPolicySpec)
        ]
        if self._problems:
            return None, self._problems
        agents = tuple(agent for agent, _ in compiled)
        policy = Policy(
            version=digest(self._documents, profiles),
            issuers=issuers,
            providers=providers,
            models=models,
            servers=servers,
            hosts={host: server for server in servers.values() for host in server.hosts},
            resources=by_path({name: s.oauth for name, s in servers.items() if s.oauth is not None}),
            agents=agents,
            candidates=candidate_index(agents, [selector for _, selector in compiled]),
            masking=masking,
            combined=combiner(profiles, masking),
            names=names,
            exposing=any(s.data_class > DataClass.PUBLIC or s.rules.classes for s in servers.values()),
            warnings=tuple(
                _observes(document) for document, spec in self._of(AgentPolicySpec) if spec.mode == "observe"
            ),
        )
        return policy, []

    def _of(self, kind: type[Spec]) -> list[tuple[Document, Spec]]:
        return [(document, document.spec) for document in self._documents if isinstance(document.spec, kind)]

    def _complain(self, document: Document, loc: Loc, message: str) -> None:
        self._problems.append(document.raw.problem(loc, message))

    def _issuer(self, document: Document, spec: IdentityProviderSpec) -> Issuer:
        return Issuer(
            name=document.name,
            issuer=spec.issuer,
            audiences=spec.audiences,
            keys=self._keys(document, spec),
            algorithms=spec.algorithms,
            types=tuple(text.lower() for text in spec.types),
            leeway=seconds(spec.leeway),
            max_age=seconds(spec.max_age),
            refresh=seconds(spec.refresh),
            stale_for=seconds(spec.stale_for),
            refetch_interval=seconds(spec.refetch_interval),
            mapping=ClaimMapping(
                spec.claims.subject,
                spec.claims.groups,
                spec.claims.email,
                spec.claims.tenant,
                spec.claims.data_class or "",
            ),
            rule=document.rule,
        )

    def _keys(self, document: Document, spec: IdentityProviderSpec) -> KeySource:
        keys = spec.keys
        if keys.url is not None:
            return KeySource(url=keys.url)
        if keys.inline is not None:
            return KeySource(inline=json.dumps({"keys": keys.inline.keys}))
        if keys.file is not None:
            path = Path(document.raw.folder, keys.file)
            problem = _key_file_problem(path)
            if problem:
                self._complain(document, ("spec", "keys", "file"), problem)
            return KeySource(file=str(path))
        try:
            split_url(spec.issuer)
        except ValueError:
            self._complain(
                document, ("spec", "keys", "discovery"), "needs an issuer that is a URL; give keys.url instead"
            )
        return KeySource(discovery=spec.issuer)

    def _provider(self, document: Document, spec: LLMProviderSpec) -> LlmProvider:
        default = _KEY_HEADERS.get(frozenset(dialect.partition("-")[0] for dialect in spec.dialects), "authorization")
        upstream = self._upstream(document, spec, f"llm_{document.name}", default)
        # People write the base URL as SDKs have it, with /v1; the API's own path brings it again.
        upstream = replace(upstream, path=upstream.path.removesuffix("/v1").removesuffix("/v1beta"))
        return LlmProvider(
            document.name,
            spec.dialects,
            spec.approved,
            upstream,
            document.rule,
            clearance=named(spec.data_class),
            asks_usage=spec.ask_usage,
        )

    def _model(self, document: Document, spec: ModelSpec, providers: Mapping[str, LlmProvider]) -> Model:
        targets = [
            Target(
                providers[target.provider],
                target.model or document.name,
                _price(target.price or spec.price),
                place if target.order is None else target.order,
                target.weight,
                condition(document, ("spec", "targets", place, "when"), target.when, Scope.TARGET, self._problems),
            )
            for place, target in enumerate(spec.targets)
            if target.provider in providers
        ]
        failover = spec.failover
        return Model(
            document.name,
            tuple(sorted(targets, key=lambda target: target.order)),
            document.rule,
            Failover(
                failover.attempts,
                seconds(failover.first_byte) if failover.first_byte is not None else 0.0,
                (429, *(status for status in failover.statuses if status != 429)),
            ),
            spec.sticky,
        )

    def _server(self, document: Document, spec: MCPServerSpec) -> McpServer:
        upstream = self._upstream(document, spec, f"mcp_{document.name}", "authorization")
        level = named(spec.data_class) if spec.data_class is not None else DataClass.PUBLIC
        return McpServer(
            document.name,
            upstream,
            spec.hosts,
            document.rule,
            level,
            seconds(spec.remember_for),
            trusted=spec.trusted,
            rules=compile_rules(document, spec, self._problems),
            oauth=self._oauth(document, spec),
            delegation=compile_delegation(spec.credential, upstream.name, Path(document.raw.folder)),
        )

    def _oauth(self, document: Document, spec: MCPServerSpec) -> OAuth | None:
        try:
            return compile_oauth(spec.oauth, document.name, [each for _, each in self._of(IdentityProviderSpec)])
        except ValueError as error:
            self._complain(document, ("spec", "oauth"), str(error))
            return None

    def _upstream(
        self, document: Document, spec: LLMProviderSpec | MCPServerSpec, cluster: str, header: str
    ) -> Upstream:
        url = split_url(spec.url)
        tls = url.scheme == "https"
        host = url.hostname or ""
        port = url.port or (443 if tls else 80)
        shown = f"[{host}]" if ":" in host else host
        ca_file = ""
        if spec.ca_file is not None:
            path = Path(document.raw.folder, spec.ca_file)
            ca_file = str(path)
            if not tls:
                self._complain(
                    document, ("spec", "caFile"), "is for https only; remove it, or write the url with https"
                )
            elif not path.is_file():
                self._complain(document, ("spec", "caFile"), "is no file; correct the path, relative to this document")
        name = f"{document.kind}/{document.name}"
        of_caller = spec.credential.of_caller if spec.credential is not None else ""
        if of_caller and document.kind != "MCPServer":
            self._complain(document, ("spec", "credential", of_caller), "is for an MCPServer; use another kind here")
        return Upstream(
            name=name,
            cluster=cluster,
            host=host,
            port=port,
            tls=tls,
            authority=shown if port == (443 if tls else 80) else f"{shown}:{port}",
            path=url.path.rstrip("/"),
            credential=(
                self._credential(document, spec.credential, name, header, host)
                if spec.credential is not None and not of_caller
                else None
            ),
            ca_file=ca_file,
        )

    def _credential(self, document: Document, spec: CredentialSpec, name: str, header: str, host: str) -> Credential:
        folder = document.raw.folder
        if spec.aws is not None:
            service, region = service_of(host) or ("bedrock", "")
            if not (spec.aws.region or region):
                loc: Loc = ("spec", "credential", "aws")
                self._complain(document, loc, f"needs a region, since none is in the host {host}")
            return AwsSource(
                name, spec.aws.region or region, spec.aws.service or service, spec.aws.profile or "", spec.aws.instance
            )
        if spec.gcp is not None:
            file = str(Path(folder, spec.gcp.file)) if spec.gcp.file else ""
            return GcpSource(name, file, spec.gcp.instance, spec.gcp.scope)
        if spec.azure is not None:
            azure = spec.azure
            secret = azure.secret
            return AzureSource(
                name,
                azure.tenant or "",
                azure.client_id or "",
                str(Path(folder, secret.file)) if secret is not None and secret.file else "",
                (secret.env or "") if secret is not None else "",
                str(Path(folder, azure.token_file)) if azure.token_file else "",
                azure.instance,
                azure.scope,
                azure.authority,
            )
        return _secret(document, spec, name, header)

    def _detectors(self, profiles: Mapping[str, Profile]) -> dict[str, Finds]:
        """Those that policies name: a profile is compiled a second time for it."""
        wanted = {detect.profile for _, spec in self._of(AgentPolicySpec) for detect in spec.detect}
        return {name: profiles[name].finding() for name in sorted(wanted) if name in profiles}

    def _masking(self) -> tuple[dict[str, Profile], dict[str, Masking]]:
        declared = [document for document in self._documents if document.kind == "MaskProfile"]
        builtin: Mapping[str, Rule] = builtin_rules() if declared else {}
        profiles: dict[str, Profile] = {}
        masking: dict[str, Masking] = {}
        self._problems += own_name_problems(declared)
        for document in declared:
            profile = profile_of(document, builtin)
            if isinstance(profile, list):
                self._problems += profile
                continue
            try:
                masking[document.name] = profile.masking()
            except RuleError as error:
                self._complain(document, ("spec",), str(error))
            profiles[document.name] = profile
        return profiles, masking


def _price(spec: PriceSpec | None) -> Price | None:
    if spec is None:
        return None
    cached = spec.input if spec.cached_input is None else spec.cached_input
    written = spec.input if spec.cache_write is None else spec.cache_write
    return Price(spec.input, spec.output, cached, written, spec.currency)


def _observes(document: Document) -> Problem:
    """Said of every policy that only observes: people expect it to protect a little."""
    return document.raw.problem(
        ("spec", "mode"),
        f"{document.kind}/{document.name} only observes: callers it selects, and no enforced policy does, may do "
        "everything that can be routed; write mode: enforce when what it records is what you want",
    )


def _secret(document: Document, credential: CredentialSpec, name: str, default: str) -> CredentialSource:
    header = credential.header or default
    source = credential.source
    assert source is not None
    return CredentialSource(
        name=name,
        header=header,
        format=credential.format or ("Bearer {}" if header == "authorization" else "{}"),
        file=str(Path(document.raw.folder, source.file)) if source.file else "",
        env=source.env or "",
        value=source.value or "",
    )


def _key_file_problem(path: Path) -> str:
    """What is wrong with a JWKS file, "" if nothing."""
    try:
        if path.stat().st_size > LARGEST_KEYS:
            return f"is larger than {LARGEST_KEYS >> 20} MiB; that is no key set"
        text = path.read_text(encoding="utf-8")
        keys = json.loads(text)
        KeySet.model_validate_json(json.dumps({"keys": keys["keys"]}))
    except OSError as error:
        return f"cannot be read ({error.strerror or 'no such file'}); correct the path, relative to this document"
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return (
            str(first["ctx"]["error"]) if first["type"] == "value_error" else "is not a key set; write {'keys': [...]}"
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return 'is not a JSON key set; write {"keys": [...]}'
    return ""


def digest(documents: Sequence[Document], profiles: Mapping[str, Profile]) -> str:
    """A short name for exactly these documents and lists: it changes with anything they say, wherever they are kept."""
    canonical: list[Any] = sorted(
        [document.kind, document.name, document.spec.model_dump_json(by_alias=True)] for document in documents
    )
    canonical += sorted(
        [name, *(rule.literals for rule in profile.rules.values())] for name, profile in profiles.items()
    )
    return hashlib.sha256(json.dumps(canonical).encode()).hexdigest()[:12]
