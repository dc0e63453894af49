"""Why a policy decides as it does: each AgentPolicy, whether it is about the caller, what it says, the decision, and
for a call to a model which targets take part.

For the people who write policy: it may show names out of documents and the call, so its text is never sent to clients.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange.model import LlmCall, McpCall
from extproc.identity.model import Identity
from extproc.policy.cases import Asked, decide
from extproc.policy.conditions import CompiledCondition
from extproc.policy.decision import Decision
from extproc.policy.explain_tools import hints_line, tool_lines
from extproc.policy.facts import llm_facts, mcp_facts
from extproc.policy.methods import act_of
from extproc.policy.names import Names
from extproc.policy.routing import leg_of
from extproc.policy.runtime import AgentPolicy, Condition, Matcher, Model, Policy, Target, ToolGrant
from extproc.policy.sensitivity import DataClass, of_claim, word
from extproc.policy.subjects import Selector
from extproc.policy.testing import described

MOST = 50  # policies that do not select the caller and are still explained one by one


def explain(policy: Policy, question: Asked) -> list[str]:
    """Lines of text: the call, each policy and what it says, the decision."""
    identity, call = question.identity, question.call
    groups = f" in {', '.join(identity.groups)}" if identity.groups else ""
    lines = [
        f"caller   {identity.subject}{groups} (by {identity.provider or 'no provider'})",
        f"call     {_shown(call)}",
    ]
    lines += _asked_for(policy, question)
    others = 0
    for agent in policy.agents:
        selected = agent.selects(identity)
        if selected is False:
            others += 1
            if others > MOST:
                continue
        lines += ["", f"{agent.rule}{'' if agent.enforced else ', observes only'}"]
        lines += [f"    {line}" for line in _agent(policy, agent, selected, question)]
    if others > MOST:
        lines += ["", f"and {others - MOST} more policies that do not select the caller"]
    decision = decide(policy, question)
    lines += _routing(policy, question, decision)
    lines += ["", "decision"]
    lines += [f"    {name:<10}{value}" for name, value in described(decision).items() if value]
    return lines


def _shown(call: LlmCall | McpCall) -> str:
    if isinstance(call, LlmCall):
        return f"{call.operation} with {call.model} over {call.dialect}"
    return f"{call.method or call.kind} {call.name}".strip() + f" on MCP server {call.server}"


def _asked_for(policy: Policy, question: Asked) -> list[str]:
    call = question.call
    if isinstance(call, McpCall):
        server = policy.servers.get(call.server)
        if server is None:
            return [f"server   there is no MCPServer {call.server}"]
        return [f"server   {server.rule}", *tool_lines(server, question)]
    model = policy.models.get(call.model)
    if model is None:
        return [f"model    there is no Model or alias {call.model}"]
    return [f"model    {model.rule}" + (f", asked for as {call.model}" if call.model != model.name else "")]


def _routing(policy: Policy, question: Asked, decision: Decision) -> list[str]:
    """The class of the call's data and where it comes from, and what each target makes of the call."""
    call = question.call
    model = policy.models.get(call.model) if isinstance(call, LlmCall) else None
    if model is None:
        return []
    assert isinstance(call, LlmCall)
    said = _classes(question, call, decision.obligations.agents)
    level = max((level for level, _ in said), default=DataClass.PUBLIC)
    why = "; ".join(f"{word(each)} {source}" for each, source in said) or "nothing says more"
    lines = ["", f"data     {word(level)}: {why}"]
    if not decision.obligations.agents:
        lines.append("         no policy lets the call through, so what policies and detectors say is left out")
    facts = llm_facts(question.identity, call, model.name, question.request) | {"call.dataClass": word(level)}
    lines += ["", "targets"]
    several = len(model.targets) > 1
    for target in model.targets:
        place = f" (order {target.order}, weight {target.weight})" if several else ""
        lines.append(f"    {target.provider.name}/{target.model}{place}: {_target(target, call.dialect, level, facts)}")
    return lines + _shared(model, decision)


def _classes(question: Asked, call: LlmCall, agents: Sequence[AgentPolicy]) -> list[tuple[DataClass, str]]:
    """Everything that makes the call's data more than public, the highest first."""
    said = [(agent.data_class, f"by {agent.rule}") for agent in agents]
    claim = question.identity.data_class
    if claim:
        known = claim.upper() in DataClass.__members__
        said.append((of_claim(claim), f"by the token's {claim}" + ("" if known else ", which is no class")))
    said.append((question.exposed, "by what the caller has used before"))
    for agent in agents:
        for detector in agent.detectors:
            try:
                if detector.finds(call.doc)[0]:
                    said.append((detector.data_class, f"by what {agent.rule} detects"))
            except Uninspectable:
                said.append((detector.data_class, f"because {agent.rule} detects, and this cannot be looked through"))
    return sorted((each for each in said if each[0] > DataClass.PUBLIC), key=lambda each: -each[0])


def _target(target: Target, dialect: str, level: DataClass, facts: Mapping[str, Any]) -> str:
    """Whether a target takes part, and how it is spoken to; else every reason why not."""
    provider = target.provider
    leg = leg_of(target, dialect)
    against = []
    if leg is None:
        spoken = ", ".join(provider.dialects)
        against.append(f"speaks {spoken}, which {dialect} cannot be translated to")
    if not provider.approved:
        against.append(f"{provider.rule} is not approved")
    if target.when is not None and (held := target.when(facts)) is not True:
        against.append(f"when {'CANNOT BE EVALUATED' if held is None else 'is false'}: {_source(target.when)}")
    if provider.clearance < level:
        against.append(f"{provider.rule} may receive {word(provider.clearance)} data at most")
    if leg is None or against:
        return "takes no part: " + "; ".join(against)
    return "takes part" + (f", translated to {leg.dialect}" if leg.translation is not None else "")


def _shared(model: Model, decision: Decision) -> list[str]:
    """How the order came about, where that is not plain."""
    tried = decision.obligations.legs
    lines = []
    orders = [leg.target.order for leg in tried]
    if len(set(orders)) < len(orders):
        keeps = {
            "conversation": "each conversation keeps its own",
            "caller": "each caller keeps its own",
            "none": "each call draws anew",
        }
        lines.append(f"    of the same order, calls are shared by weight: {keeps[model.sticky]}")
    if len(tried) == model.failover.attempts < len(model.targets):
        lines.append(f"    at most {model.failover.attempts} are tried for one call")
    return lines


def _source(condition: Condition | None) -> str:
    return condition.source if isinstance(condition, CompiledCondition) else ""


def _agent(policy: Policy, agent: AgentPolicy, selected: bool | None, question: Asked) -> list[str]:
    if not selected:
        return _not_selected(agent, question.identity)
    lines = ["selects the caller"]
    call = question.call
    if isinstance(call, LlmCall):
        model = policy.models.get(call.model)
        names = policy.names.get(model.name, (model.name,)) if model else (call.model,)
        asked = [call.model, model.name] if model else [call.model]
        denied = [name for name in names if agent.models_denied(name)]
        if denied:
            return [*lines, f"DENIES {denied[0]}: models.deny {_patterns(agent.models_denied)}"]
        if not any(agent.models(name) for name in asked):
            return [*lines, f"says nothing of {call.model}: models.allow {_patterns(agent.models)}"]
        lines.append(f"allows {call.model}: models.allow {_patterns(agent.models)}")
    else:
        grants = agent.grants(call.server)
        if not grants:
            return [*lines, f"says nothing of the server {call.server}"]
        said = [_grant(grant, call, policy, question) + _origin(agent, grant) for grant in grants]
        denials = [line for line in said if line.startswith("DENIES")]
        lines += denials or said
        if denials or not any(line.startswith("allows") for line in said):
            return lines
    return [*lines, *_when(policy, agent, question), *_masking(agent)]


def _not_selected(agent: AgentPolicy, identity: Identity) -> list[str]:
    selector = agent.selects
    if not isinstance(selector, Selector):
        return ["does not select the caller"]
    lines = []
    for number, entry in enumerate(selector.entries):
        field = entry.failing(identity)
        if field:
            has: dict[str, object] = {
                "subjects": identity.subject,
                "groups": list(identity.groups),
                "emails": identity.email,
                "tenants": identity.tenant,
                "providers": identity.provider,
            }
            patterns = list(getattr(entry, field).patterns)
            lines.append(
                f"does not select the caller: subjects[{number}].{field} {patterns}, the caller has {has[field]!r}"
            )
        elif entry.holds(identity) is None:
            lines.append(f"CANNOT TELL: subjects[{number}].when cannot be evaluated for this caller")
        else:
            lines.append(f"does not select the caller: subjects[{number}].when is false")
    return lines


def _origin(agent: AgentPolicy, grant: ToolGrant) -> str:
    """The role that a grant is from, "" for a policy's own."""
    return "" if grant.rule.partition(" (")[0] == agent.rule.partition(" (")[0] else f", by {grant.rule}"


def _grant(grant: ToolGrant, call: McpCall, policy: Policy, question: Asked) -> str:
    if grant.methods_denied(call.method):
        return f"DENIES {call.method}: methods.deny {_patterns(grant.methods_denied)}"
    act = act_of(call)
    if act.implicit:
        return f"allows {call.method or call.kind}: it comes with any use of the server"
    lists: dict[str, tuple[Matcher, Matcher]] = {
        "tool": (grant.tools, grant.tools_denied),
        "prompt": (grant.prompts, grant.prompts_denied),
        "resource": (grant.resources, grant.resources_denied),
    }
    if act.subject == "task":
        said = "allows" if isinstance(grant.tools, Names) and grant.tools.patterns else "says nothing of"
        return f"{said} {call.method}: it comes with any tool that may be called, tools.allow {_patterns(grant.tools)}"
    if act.subject not in lists:
        return f"says nothing of {call.method}: {act.message or 'no policy can allow this method'}"
    allow, deny = lists[act.subject]
    names = act.names or (call.name,)
    for name in names:
        if deny(name):
            return f"DENIES {name}: {act.subject}s.deny {_patterns(deny)}"
    for name in names:
        if not allow(name):
            return f"says nothing of {name}: {act.subject}s.allow {_patterns(allow)}"
    missing = hints_line(grant, policy.servers.get(call.server), question.definition) if act.subject == "tool" else ""
    if missing:
        return f"says nothing of {', '.join(names)}: {missing}"
    return f"allows {', '.join(names)}: {act.subject}s.allow {_patterns(allow)}"


def _when(policy: Policy, agent: AgentPolicy, question: Asked) -> list[str]:
    call = question.call
    if isinstance(call, LlmCall):
        model = policy.models.get(call.model)
        condition, facts = agent.when, llm_facts(question.identity, call, model.name if model else "", question.request)
    else:
        condition = agent.opens if act_of(call).opens else agent.when
        facts = mcp_facts(question.identity, call, call.server, question.request)
    if condition is None:
        return [] if agent.when is None else ["when is not asked: it is about calls, and this only opens or lists"]
    source = _source(condition)
    held = condition(facts)
    if held:
        return [f"when holds: {source}"]
    if held is None:
        return [f"when CANNOT BE EVALUATED, which denies: {source}"]
    return [f"when is false, so it allows nothing: {source}"]


def _masking(agent: AgentPolicy) -> list[str]:
    return [f"masks with {agent.masking.rule}"] if agent.masking is not None else []


def _patterns(matcher: Matcher) -> str:
    return str(list(matcher.patterns)) if isinstance(matcher, Names) else ""
