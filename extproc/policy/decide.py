"""The decision: identity, call and policy to a `Decision`. Pure and synchronous; the hot path of the house.

Of the policies that select the caller, deny lists are asked first, then allow lists, then conditions:

    a deny list hits                       deny, whatever else allows, and whether or not the policy's `when` holds
    a policy would allow, `when` fails     deny: what cannot be evaluated is not passed over
    a policy allows and its `when` holds   allow
    otherwise                              deny

Policies that observe never take part while one that enforces selects the caller; what they would have changed is put
into `Decision.observed`. A caller whom only observing policies select is allowed (reason observed), and masked by every
profile they name: to observe is to refuse nothing, not to let secrets out while looking on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange.model import JsonObject, LlmCall, McpCall
from extproc.exchange.opening import opening
from extproc.exchange.refusal import Reason
from extproc.identity.model import Identity
from extproc.policy.decision import Decision, Obligations, Verdict
from extproc.policy.facts import Facts, llm_facts, mcp_facts
from extproc.policy.methods import Act, act_of
from extproc.policy.names import Names
from extproc.policy.routing import NoTarget, legs
from extproc.policy.runtime import AgentPolicy, Condition, Masking, McpServer, Model, Policy, ToolGrant
from extproc.policy.sensitivity import DataClass, of_claim, word

# What one policy says of a call: its denial, or whether it allows and the condition that then counts.
Opinion = tuple[Decision | None, bool, Condition | None]
Opine = Callable[[AgentPolicy], Opinion]

# A tool's name to its definition, None for one that nobody has seen.
Known = Callable[[str], JsonObject | None]


def _unknown(_tool: str) -> None:
    return None


_NO_POLICY = Decision(Verdict.DENY, Reason.NO_POLICY)


def decide_llm(
    policy: Policy,
    identity: Identity,
    call: LlmCall,
    request: Mapping[str, Any],
    exposed: DataClass = DataClass.PUBLIC,
) -> Decision:
    """`request` has path, source, headers and size, for conditions, and the exchange's id. `exposed` is the class of
    what the caller has seen of MCP servers lately. Never raises on what a client sent."""
    selected, unsure = _selected(policy, identity)
    if not selected and not unsure:
        return _NO_POLICY
    model = policy.models.get(call.model)
    if model is None:
        return Decision(Verdict.DENY, Reason.MODEL_UNKNOWN, _first(selected or unsure))
    names = policy.names.get(model.name, (model.name,))
    asked = call.model

    def opine(agent: AgentPolicy) -> Opinion:
        denied = agent.models_denied
        for name in names:
            if denied(name):
                return Decision(Verdict.DENY, Reason.MODEL_NOT_ALLOWED, agent.rule), False, None
        return None, agent.models(asked) or agent.models(model.name), agent.when

    facts = Facts(lambda: llm_facts(identity, call, model.name, request))
    deciding = [agent for agent in (*selected, *unsure) if agent.enforced] or [*selected, *unsure]
    otherwise = Decision(Verdict.DENY, Reason.MODEL_NOT_ALLOWED, _first(deciding))
    decision = _weigh(policy, selected, unsure, opine, facts, otherwise)
    if decision.verdict is not Verdict.ALLOW:
        return decision
    return _routed(decision, model, identity, call, request, exposed)


def decide_mcp(
    policy: Policy,
    identity: Identity,
    server: McpServer,
    call: McpCall,
    request: Mapping[str, Any],
    known: Known = _unknown,
) -> Decision:
    """The same for one JSON-RPC message (or GET, DELETE) to `server`. `known` gives the definitions of its tools."""
    selected, unsure = _selected(policy, identity)
    if not selected and not unsure:
        return _NO_POLICY
    act = act_of(call)
    deciding = [agent for agent in (*selected, *unsure) if agent.enforced] or [*selected, *unsure]
    reachable = any(agent.grants(server.name) for agent in deciding)
    denying = [grant for agent in deciding for grant in agent.grants(server.name)] if act.task else []

    def opine(agent: AgentPolicy) -> Opinion:
        allowed = False
        for grant in agent.grants(server.name):
            if grant.methods_denied(call.method):
                return Decision(Verdict.DENY, Reason.METHOD_NOT_ALLOWED, grant.rule), False, None
            denied, allows = _granted(grant, act, call.name, known if server.trusted else _unknown)
            if denied:
                return Decision(Verdict.DENY, act.reason, grant.rule, act.message), False, None
            allowed = allowed or allows
        if act.task:
            allowed = (allowed or act.subject == "task") and _calls_a_tool(agent.grants(server.name), denying)
        return None, allowed, agent.opens if act.opens else agent.when

    otherwise = Decision(Verdict.DENY, act.reason, _first(deciding), act.message)
    if not reachable:
        otherwise = Decision(Verdict.DENY, Reason.SERVER_NOT_ALLOWED, _first(deciding))
    facts = Facts(lambda: mcp_facts(identity, call, server.name, request))
    decision = _weigh(policy, selected, unsure, opine, facts, otherwise)
    if decision.verdict is not Verdict.ALLOW:
        return decision
    return replace(decision, obligations=replace(decision.obligations, upstream=server.upstream))


def visible_models(policy: Policy, identity: Identity) -> tuple[str, ...]:
    """The names, sorted, of Models and aliases that the caller may ask for and that an approved provider serves.

    Conditions that need the call cannot be asked here: a listed model may still be refused when it is called.
    """
    selected, unsure = _selected(policy, identity)
    enforcing = [agent for agent in (*selected, *unsure) if agent.enforced]
    if not enforcing and not selected:
        return ()
    granting = _listing(enforcing, unsure, identity)
    shown = []
    for name, model in policy.models.items():
        if not any(target.provider.approved for target in model.targets):
            continue
        if enforcing:
            names = policy.names.get(model.name, (model.name,))
            if any(agent.models_denied(other) for agent in enforcing for other in names):
                continue
            if not any(agent.models(name) or agent.models(model.name) for agent in granting):
                continue
        shown.append(name)
    return tuple(sorted(shown))


def visible(
    policy: Policy, identity: Identity, server: McpServer, known: Known = _unknown
) -> Callable[[str, str], bool]:
    """(kind, name) to whether it may stand in a list; kinds are tool, prompt, resource and resource_template."""
    known = known if server.trusted else _unknown
    selected, unsure = _selected(policy, identity)
    enforcing = [agent for agent in (*selected, *unsure) if agent.enforced]
    if not enforcing:
        everything = bool(selected)
        return lambda _kind, _name: everything
    denying = tuple(grant for agent in enforcing for grant in agent.grants(server.name))
    granting = tuple(grant for agent in _listing(enforcing, unsure, identity) for grant in agent.grants(server.name))

    def shown(kind: str, name: str) -> bool:
        if kind == "tool":
            if any(g.tools_denied(name) for g in denying):
                return False
            return any(g.tools(name) and (g.hints is None or g.hints(known(name))) for g in granting)
        if kind == "prompt":
            return any(g.prompts(name) for g in granting) and not any(g.prompts_denied(name) for g in denying)
        if kind in ("resource", "resource_template"):
            return any(g.resources(name) for g in granting) and not any(g.resources_denied(name) for g in denying)
        return False

    return shown


def _selected(policy: Policy, identity: Identity) -> tuple[Sequence[AgentPolicy], Sequence[AgentPolicy]]:
    """The policies that select the caller, and those of which it cannot be told."""
    candidates = policy.candidates(identity)
    for agent in candidates:
        if not agent.exact:
            break
    else:
        return candidates, ()
    selected, unsure = [], []
    for agent in candidates:
        held = True if agent.exact else agent.selects(identity)
        if held:
            selected.append(agent)
        elif held is None:
            unsure.append(agent)
    return selected, unsure


def _weigh(
    policy: Policy,
    selected: Sequence[AgentPolicy],
    unsure: Sequence[AgentPolicy],
    opine: Opine,
    facts: Facts,
    otherwise: Decision,
) -> Decision:
    """Enforcing policies decide; what observing ones would change is noted."""
    for agent in selected:
        if not agent.enforced:
            break
    else:
        if not unsure:
            return _tally(policy, selected, (), opine, facts, otherwise)
    enforced = [agent for agent in selected if agent.enforced]
    enforced_unsure = [agent for agent in unsure if agent.enforced]
    everything = _tally(policy, selected, unsure, opine, facts, otherwise)
    if not enforced and not enforced_unsure:
        if not selected:
            return everything  # nobody is let in because it cannot be told whether a policy is about them
        obligations = Obligations(masking=_masking(policy, [*selected, *unsure]), agents=(*selected, *unsure))
        allowed = Decision(Verdict.ALLOW, Reason.OBSERVED, _first(selected), obligations=obligations)
        return replace(allowed, observed=_difference(allowed, everything))
    decision = _tally(policy, enforced, enforced_unsure, opine, facts, otherwise)
    if len(enforced) + len(enforced_unsure) == len(selected) + len(unsure):
        return decision
    return replace(decision, observed=_difference(decision, everything))


def _tally(
    policy: Policy,
    selected: Sequence[AgentPolicy],
    unsure: Sequence[AgentPolicy],
    opine: Opine,
    facts: Facts,
    otherwise: Decision,
) -> Decision:
    """What these policies decide together, as if all of them were enforced."""
    allowing: list[AgentPolicy] = []
    failed = unmet = ""
    for agent in selected:
        denied, allows, when = opine(agent)
        if denied is not None:
            return denied
        if not allows:
            continue
        held = True if when is None else when(facts.all())
        if held:
            allowing.append(agent)
        elif held is None:
            failed = failed or agent.rule
        else:
            unmet = unmet or agent.rule
    for agent in unsure:
        denied, allows, _ = opine(agent)
        if denied is not None or allows:
            failed = failed or agent.rule
    if failed:
        return Decision(Verdict.DENY, Reason.CONDITION_ERROR, failed)
    if allowing:
        obligations = Obligations(masking=_masking(policy, allowing), agents=tuple(allowing))
        return Decision(Verdict.ALLOW, Reason.ALLOWED, allowing[0].rule, obligations=obligations)
    if unmet:
        return Decision(Verdict.DENY, Reason.CONDITION_FALSE, unmet)
    return otherwise


def _masking(policy: Policy, allowing: Sequence[AgentPolicy]) -> Masking | None:
    """The masking that satisfies every policy that allows the call, or lets it through by only observing."""
    first = allowing[0].masking
    if len(allowing) == 1:
        return first
    names = frozenset(agent.masking.name for agent in allowing if agent.masking is not None)
    return policy.combined(names) if names else None


def _routed(
    decision: Decision,
    model: Model,
    identity: Identity,
    call: LlmCall,
    request: Mapping[str, Any],
    exposed: DataClass,
) -> Decision:
    """An allowed LLM call with the targets that can take it, or refused when there is none."""
    old = decision.obligations
    level, notes = _data_class(old.agents, identity, call, exposed)

    def made() -> dict[str, Any]:
        return {**llm_facts(identity, call, model.name, request), "call.dataClass": word(level)}

    def key() -> bytes:
        if model.sticky == "none":
            return str(request.get("id", "")).encode()
        caller = f"{identity.issuer}\0{identity.subject}\0{model.name}\0".encode()
        # Who goes on with a response (`previous_response_id`) must be who gave it: its id does not say who that was.
        keeps_state = call.dialect == "openai-responses"
        return caller if model.sticky == "caller" or keeps_state else caller + opening(call)

    found = legs(model, call.dialect, level, Facts(made), key)
    if isinstance(found, NoTarget):
        told = Obligations(data_class=level, not_inspected=notes, agents=old.agents)
        return Decision(Verdict.DENY, found.reason, found.rule, obligations=told)
    first = found[0].target
    obligations = Obligations(
        first.provider.upstream,
        first.model,
        old.masking,
        first.price,
        found,
        model.failover,
        level,
        notes,
        old.agents,
    )
    return Decision(decision.verdict, decision.reason, decision.rule, decision.message, obligations, decision.observed)


def _data_class(
    agents: Sequence[AgentPolicy], identity: Identity, call: LlmCall, exposed: DataClass
) -> tuple[DataClass, tuple[str, ...]]:
    """The highest of what the policies that let the call through say, what its token says, what its caller has seen,
    and what is found in it; with notes on what could not be looked into."""
    level = max(exposed, of_claim(identity.data_class))
    for agent in agents:
        level = max(level, agent.data_class)
    searching = [detector for agent in agents for detector in agent.detectors if detector.data_class > level]
    if not searching:
        return level, ()
    notes: tuple[str, ...] = ()
    for detector in sorted(searching, key=lambda each: -each.data_class):
        if detector.data_class <= level:
            break
        try:
            found, said = detector.finds(call.doc)
            notes = tuple(dict.fromkeys((*notes, *said)))
        except Uninspectable:  # what could not be looked through is not taken to be harmless
            found = True
        if found:
            level = detector.data_class
    return level, notes


def _granted(grant: ToolGrant, act: Act, name: str, known: Known) -> tuple[bool, bool]:
    """What one grant says of the names an act is about: whether it denies one, whether it allows all."""
    if act.implicit:
        return False, True
    if act.subject == "tool":
        allows = grant.tools(name) and (grant.hints is None or grant.hints(known(name)))
        return grant.tools_denied(name), allows
    if act.subject == "prompt":
        return grant.prompts_denied(name), grant.prompts(name)
    if act.subject == "resource":
        names = act.names or (name,)
        return any(map(grant.resources_denied, names)), all(map(grant.resources, names))
    return False, False


def _calls_a_tool(grants: Sequence[ToolGrant], denying: Sequence[ToolGrant]) -> bool:
    """Whether the grants leave any tool to be called: a pattern of theirs that no deny list covers."""
    return any(
        not any(other.tools_denied(pattern) for other in denying)
        for grant in grants
        if isinstance(grant.tools, Names)
        for pattern in grant.tools.patterns
    )


def _listing(
    enforcing: Sequence[AgentPolicy], unsure: Sequence[AgentPolicy], identity: Identity
) -> tuple[AgentPolicy, ...]:
    """The policies whose allow lists count in a list: conditions over the identity alone must hold."""
    facts = Facts(lambda: llm_facts(identity, LlmCall("", "list_models", ""), "", {}))
    return tuple(
        agent
        for agent in enforcing
        if agent not in unsure and (agent.lists is None or agent.lists(facts.all()) is True)
    )


def _difference(decision: Decision, would: Decision) -> str:
    """What would be decided otherwise, "" for nothing."""
    is_masking, be_masking = decision.obligations.masking, would.obligations.masking
    if would.verdict is not decision.verdict:
        return f"{would.verdict.value} {would.reason.value} {would.rule}".strip()
    if would.verdict is Verdict.ALLOW and be_masking is not None and be_masking is not is_masking:
        return f"allow masking {be_masking.name} {would.rule}"
    return ""


def _first(agents: Sequence[AgentPolicy]) -> str:
    return agents[0].rule if agents else ""
