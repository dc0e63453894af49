"""Why a policy decides as it does: each AgentPolicy, whether it is about the caller, what it says, and the decision.

For the people who write policy: it may show names out of documents and the call, so its text is never sent to clients.
"""

from extproc.exchange.model import LlmCall, McpCall
from extproc.identity.model import Identity
from extproc.policy.cases import Asked, decide
from extproc.policy.conditions import CompiledCondition
from extproc.policy.facts import llm_facts, mcp_facts
from extproc.policy.methods import act_of
from extproc.policy.names import Names
from extproc.policy.runtime import AgentPolicy, Matcher, Policy, ToolGrant
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
    lines += _model(policy, call)
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
    lines += ["", "decision"]
    lines += [f"    {name:<9}{value}" for name, value in described(decide(policy, question)).items() if value]
    return lines


def _shown(call: LlmCall | McpCall) -> str:
    if isinstance(call, LlmCall):
        return f"{call.operation} with {call.model} over {call.dialect}"
    return f"{call.method or call.kind} {call.name}".strip() + f" on MCP server {call.server}"


def _model(policy: Policy, call: LlmCall | McpCall) -> list[str]:
    if isinstance(call, McpCall):
        server = policy.servers.get(call.server)
        return [f"server   {server.rule}" if server else f"server   there is no MCPServer {call.server}"]
    model = policy.models.get(call.model)
    if model is None:
        return [f"model    there is no Model or alias {call.model}"]
    lines = [f"model    {model.rule}" + (f", asked for as {call.model}" if call.model != model.name else "")]
    for target in model.targets:
        provider = target.provider
        if not provider.approved:
            why = "not approved"
        elif call.dialect not in provider.dialects:
            why = f"does not speak {call.dialect}"
        else:
            why = "can take it"
        lines.append(f"         target {provider.name} as {target.model}: {why}")
    return lines


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
        said = [_grant(grant, call) for grant in grants]
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


def _grant(grant: ToolGrant, call: McpCall) -> str:
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
    source = condition.source if isinstance(condition, CompiledCondition) else ""
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
