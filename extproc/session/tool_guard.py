"""A tool's call, held against what is known of the tool: its approval, its schema, the checks on its arguments.

The last place where it can be stopped, even if the model was tricked. What is refused is told to the model as a failed
call that names the argument and the remedy and never quotes a value, so that an honest caller can correct it.
"""

from functools import cache

from extproc.exchange import json_body
from extproc.exchange.model import JsonObject, McpCall
from extproc.exchange.refusal import Reason, Refusal
from extproc.masking import MaskFilter, RuleSet, rules
from extproc.policy.runtime import McpServer
from extproc.policy.tool_rules import Approval

_MOST = 2048  # characters of a call's arguments that the audit tells
_LONGEST = 65_536  # bytes of arguments that are masked for it; of longer ones only the size is told
_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"


def refusal(server: McpServer, call: McpCall, definition: JsonObject | None, wall: float) -> Refusal | None:
    """Why an allowed tools/call may not go on, None if it may. `definition` is the one the server listed last, None if
    it was not seen; `wall` is Unix time."""
    rules = server.rules
    if rules.approval is not None:
        known = definition if definition is not None else {"name": call.name}
        if rules.approval.refuses(rules.approval.standing(known, wall)) and not _only_unseen(
            rules.approval, call, definition, wall
        ):
            return Refusal.of(Reason.TOOL_NOT_APPROVED)
    found = rules.problems(call.name, definition, call.arguments)
    if not found:
        return None
    said = " ".join(f"{problem.where or 'The arguments'}: {problem.message}" for problem in found[:3])
    more = f" There are {len(found) - 3} more." if len(found) > 3 else ""
    return Refusal.of(Reason.ARGUMENT_REFUSED, message=f"An argument of this call is not accepted. {said}{more}")


def _only_unseen(approval: Approval, call: McpCall, definition: JsonObject | None, wall: float) -> bool:
    """An approved tool that no list has shown yet since this gateway runs: nothing says that it has changed."""
    return definition is None and call.name in approval.pins.tools and not approval.lapsed(wall)


def recorded(server: McpServer, call: McpCall) -> str:
    """The arguments for the audit: masked by every built-in rule, whatever the policy masks in answers."""
    if not call.arguments or not server.rules.records_arguments:
        return ""
    text = json_body.encode(call.arguments)
    if len(text) > _LONGEST:
        return f"[{len(text)} bytes]"
    masked = MaskFilter(_every_rule()).text(text.decode("utf-8", "replace"))
    return masked if len(masked) <= _MOST else masked[:_MOST] + "..."


def restrict(server: McpServer, call: McpCall) -> None:
    """The client's capabilities without what the server may not ask for: so it does not even try."""
    denied = server.rules.denied
    params = call.doc.get("params")
    if not denied or type(params) is not dict:
        return
    meta = params.get("_meta")
    for holder, key in ((params, "capabilities"), (meta, _CAPABILITIES)):
        said = holder.get(key) if type(holder) is dict else None
        if type(said) is dict:
            tasks = said.get("tasks")  # 2025-11-25: what may be asked for as a task is declared once more
            requests = tasks.get("requests") if type(tasks) is dict else None
            for name in denied:
                said.pop(name, None)
                if type(requests) is dict:
                    requests.pop(name, None)


@cache
def _every_rule() -> RuleSet:
    return RuleSet(rules())
