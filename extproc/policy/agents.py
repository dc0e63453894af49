"""AgentPolicy documents to their runtime: subjects, grants and conditions compiled. Decides nothing."""

from collections.abc import Callable, Mapping, Sequence

from extproc.errors import Problem
from extproc.exchange.model import JsonObject
from extproc.policy.conditions import CompiledCondition, ConditionError, Scope, compile_condition
from extproc.policy.documents import AgentPolicySpec, McpGrant, RoleSpec, Subject, ToolHints
from extproc.policy.envelope import Document
from extproc.policy.names import Names
from extproc.policy.nodes import Loc
from extproc.policy.resources import AllowedResources, DeniedResources
from extproc.policy.runtime import AgentPolicy, Detector, Masking, ToolGrant
from extproc.policy.sensitivity import DataClass, named
from extproc.policy.subjects import Selector, SubjectEntry

Finds = Callable[[JsonObject], tuple[bool, tuple[str, ...]]]


class Grants:
    """Callable as `AgentPolicy.grants`: one look-up, plus the grants whose server is a pattern."""

    __slots__ = ("_exact", "_wild")

    def __init__(self, grants: Sequence[ToolGrant], servers: Sequence[str]) -> None:
        self._wild = tuple(grant for grant, server in zip(grants, servers, strict=True) if "*" in server)
        self._exact: dict[str, tuple[ToolGrant, ...]] = {}
        for grant, server in zip(grants, servers, strict=True):
            if "*" not in server:
                self._exact[server] = (*self._exact.get(server, ()), grant)

    def __call__(self, server: str) -> tuple[ToolGrant, ...]:
        exact = self._exact.get(server, ())
        if not self._wild:
            return exact
        return (*exact, *(grant for grant in self._wild if grant.server(server)))


def compile_agent(
    document: Document,
    spec: AgentPolicySpec,
    masking: Mapping[str, Masking],
    detectors: Mapping[str, Finds],
    roles: Mapping[str, tuple[Document, RoleSpec]],
    problems: list[Problem],
) -> tuple[AgentPolicy, Selector]:
    """The runtime of one AgentPolicy. A condition that does not compile is added to `problems`."""
    selector = Selector(_subject(document, index, subject, problems) for index, subject in enumerate(spec.subjects))
    when = condition(document, ("spec", "when"), spec.when, Scope.CALL, problems)
    taken = [roles[name] for name in spec.roles if name in roles]
    granted = [(document, index, grant) for index, grant in enumerate(spec.mcp)]
    granted += [(role, index, grant) for role, said in taken for index, grant in enumerate(said.mcp)]
    mcp = tuple(_grant(*entry) for entry in granted)
    policy = AgentPolicy(
        name=document.name,
        enforced=spec.mode == "enforce",
        selects=selector,
        models=Names((*spec.models.allow, *(name for _, said in taken for name in said.models.allow))),
        models_denied=Names((*spec.models.deny, *(name for _, said in taken for name in said.models.deny))),
        mcp=mcp,
        when=when,
        masking=masking.get(spec.masking) if spec.masking is not None else None,
        rule=document.rule,
        grants=Grants(mcp, [grant.server for _, _, grant in granted]),
        opens=when if when is not None and when.scope <= Scope.PLACE else None,
        lists=when if when is not None and when.scope <= Scope.IDENTITY else None,
        data_class=named(spec.data_class) if spec.data_class is not None else DataClass.INTERNAL,
        # The highest first: what it finds makes asking the others needless.
        detectors=tuple(
            sorted(
                (
                    Detector(detectors[detect.profile], named(detect.data_class), document.rule)
                    for detect in spec.detect
                    if detect.profile in detectors
                ),
                key=lambda detector: -detector.data_class,
            )
        ),
        shows_model=spec.show_model,
        exact=not selector.conditional,
    )
    return policy, selector


def _subject(document: Document, index: int, subject: Subject, problems: list[Problem]) -> SubjectEntry:
    loc: Loc = ("spec", "subjects", index, "when")
    return SubjectEntry(
        Names(subject.subjects),
        Names(subject.groups),
        Names(subject.emails),
        Names(subject.tenants),
        Names(subject.providers),
        condition(document, loc, subject.when, Scope.IDENTITY, problems),
    )


def _grant(document: Document, index: int, grant: McpGrant) -> ToolGrant:
    line = document.raw.line_of(("spec", "mcp", index))
    return ToolGrant(
        server=Names((grant.server,)),
        tools=Names(grant.tools.allow),
        tools_denied=Names(grant.tools.deny),
        prompts=Names(grant.prompts.allow),
        prompts_denied=Names(grant.prompts.deny),
        resources=AllowedResources(grant.resources.allow),
        resources_denied=DeniedResources(grant.resources.deny),
        methods_denied=Names(grant.methods.deny),
        rule=f"{document.kind}/{document.name} ({document.raw.short}:{line})",
        hints=_hints(grant.tools.hints) if grant.tools.hints is not None else None,
    )


def _hints(wanted: ToolHints) -> Callable[[JsonObject | None], bool]:
    """Whether a definition's annotations fit. What is not said is what MCP takes it for: not read-only, destructive,
    open to the world."""

    def fits(definition: JsonObject | None) -> bool:
        said = definition.get("annotations") if definition is not None else None
        hints = said if type(said) is dict else {}
        reads = hints.get("readOnlyHint") is True
        if wanted.read_only and not reads:
            return False
        if wanted.destructive is False and not reads and hints.get("destructiveHint") is not False:
            return False
        return wanted.open_world is None or hints.get("openWorldHint") is False

    return fits


def condition(
    document: Document, loc: Loc, source: str | None, scope: Scope, problems: list[Problem]
) -> CompiledCondition | None:
    """The condition at a place in a document; None without one, or with a problem that is added to `problems`."""
    if source is None:
        return None
    try:
        return compile_condition(source, scope)
    except ConditionError as error:
        scalar = document.raw.scalar(loc)
        block = scalar is not None and scalar.style in ("|", ">")
        # In a block (`when: |`) the condition's lines are the file's lines; a folded or quoted one has no lines left.
        after = error.line if block and scalar is not None and scalar.style == "|" else 0
        where = f"column {error.column}: " if error.column else ""
        problems.append(document.raw.problem(loc, f"{where}{error.message}", after=after))
        return None
