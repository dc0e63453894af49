"""What documents say about each other: names twice, names that do not exist, names that clash. Reads no file.

A name that nothing uses is no problem. An allow or deny list that names a Model which does not exist is one: a typo in
an allow list locks people out, one in a deny list lets them in.
"""

from collections.abc import Iterable, Mapping, Sequence

from extproc.errors import Problem
from extproc.policy.complaints import listed, similar
from extproc.policy.documents import AgentPolicySpec, MCPServerSpec, ModelSpec, RoleSpec
from extproc.policy.envelope import Document
from extproc.policy.nodes import Loc, Raw


def reference_problems(documents: Sequence[Document], broken: Sequence[Raw] = ()) -> list[Problem]:
    """Every problem between these documents. Those that are wrong by themselves (`broken`) still exist by name: to
    say of a reference to one that it does not exist would be an echo."""
    problems: list[Problem] = []
    kinds: dict[str, dict[str, Document | None]] = {}
    for raw in broken:
        _declare(raw, kinds)
    for document in documents:
        first = kinds.setdefault(document.kind, {}).setdefault(document.name, document)
        if first is not None and first is not document:
            problems.append(
                document.raw.problem(("metadata", "name"), f"is taken by {first.rule}; choose another name")
            )
    models = _model_names([d for d in documents if d.kind == "Model"], problems) | set(kinds.get("Model", {}))
    _hosts([d for d in documents if d.kind == "MCPServer"], problems)
    for document in documents:
        match document.spec:
            case ModelSpec() as spec:
                for index, target in enumerate(spec.targets):
                    loc = ("spec", "targets", index, "provider")
                    problems += _missing(document, loc, target.provider, "LLMProvider", kinds.get("LLMProvider", {}))
                problems += _twice(document, spec)
            case AgentPolicySpec() as spec:
                problems += _agent(document, spec, kinds, models)
            case RoleSpec() as spec:
                problems += _lists(document, spec, kinds, models)
            case _:
                pass
    return problems


def _declare(raw: Raw, kinds: dict[str, dict[str, Document | None]]) -> None:
    value = raw.value if isinstance(raw.value, dict) else {}
    kind, metadata, spec = value.get("kind"), value.get("metadata"), value.get("spec")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(kind, str) or not isinstance(name, str):
        return
    names = kinds.setdefault(kind, {})
    names[name] = None
    aliases = spec.get("aliases") if kind == "Model" and isinstance(spec, dict) else None
    for alias in aliases if isinstance(aliases, tuple) else ():
        if isinstance(alias, str):
            names[alias] = None


def _missing(document: Document, loc: Loc, name: str, kind: str, known: Iterable[str]) -> list[Problem]:
    if name in known:
        return []
    names = list(known)
    hint = similar(name, names) or (f"; there are {listed(names)}" if names else f"; no {kind} is declared")
    return [document.raw.problem(loc, f"there is no {kind} {name}{hint}")]


def _twice(document: Document, spec: ModelSpec) -> list[Problem]:
    """A provider's model that is two targets at once: which of them served could not be told."""
    seen: set[tuple[str, str]] = set()
    problems = []
    for index, target in enumerate(spec.targets):
        named = (target.provider, target.model or document.name)
        if named in seen:
            loc: Loc = ("spec", "targets", index)
            problems.append(document.raw.problem(loc, f"names {named[1]} of {named[0]} a second time; keep one"))
        seen.add(named)
    return problems


def _model_names(models: Sequence[Document], problems: list[Problem]) -> set[str]:
    taken: dict[str, Document] = {}
    for document in models:
        taken[document.name] = document
    for document in models:
        assert isinstance(document.spec, ModelSpec)
        for index, alias in enumerate(document.spec.aliases):
            holder = taken.setdefault(alias, document)
            if holder is not document:
                loc = ("spec", "aliases", index)
                problems.append(document.raw.problem(loc, f"{alias} already means {holder.rule}; choose another alias"))
    return set(taken)


def _hosts(servers: Iterable[Document], problems: list[Problem]) -> None:
    taken: dict[str, Document] = {}
    for document in servers:
        assert isinstance(document.spec, MCPServerSpec)
        for index, host in enumerate(document.spec.hosts):
            holder = taken.setdefault(host, document)
            if holder is not document:
                loc = ("spec", "hosts", index)
                problems.append(document.raw.problem(loc, f"{host} already means {holder.rule}; choose another host"))


def _agent(
    document: Document, spec: AgentPolicySpec, kinds: Mapping[str, Mapping[str, Document | None]], models: set[str]
) -> list[Problem]:
    problems: list[Problem] = []
    for index, subject in enumerate(spec.subjects):
        for at, provider in enumerate(subject.providers):
            loc: Loc = ("spec", "subjects", index, "providers", at)
            problems += _missing(document, loc, provider, "IdentityProvider", kinds.get("IdentityProvider", {}))
    problems += _lists(document, spec, kinds, models)
    if spec.masking is not None:
        known = kinds.get("MaskProfile", {})
        problems += _missing(document, ("spec", "masking"), spec.masking, "MaskProfile", known)
    for index, role in enumerate(spec.roles):
        problems += _missing(document, ("spec", "roles", index), role, "Role", kinds.get("Role", {}))
    for index, detect in enumerate(spec.detect):
        loc = ("spec", "detect", index, "profile")
        problems += _missing(document, loc, detect.profile, "MaskProfile", kinds.get("MaskProfile", {}))
    return problems


def _lists(
    document: Document,
    spec: AgentPolicySpec | RoleSpec,
    kinds: Mapping[str, Mapping[str, Document | None]],
    models: set[str],
) -> list[Problem]:
    """The names in allow and deny lists, of policies and of roles."""
    problems: list[Problem] = []
    for side, names in (("allow", spec.models.allow), ("deny", spec.models.deny)):
        for index, name in enumerate(names):
            if "*" not in name:
                problems += _missing(document, ("spec", "models", side, index), name, "Model", models)
    for index, grant in enumerate(spec.mcp):
        if "*" not in grant.server:
            loc = ("spec", "mcp", index, "server")
            problems += _missing(document, loc, grant.server, "MCPServer", kinds.get("MCPServer", {}))
    return problems
