"""A call of a tool that policy allows, held against what is known of the tool: scopes, approval, schema, checks.

What is refused is told to the model as a failed call that names the argument and the remedy and never quotes a value,
so that an honest caller can correct it.
"""

from collections.abc import Mapping
from typing import Any

from extproc.exchange.model import JsonObject, McpCall
from extproc.exchange.refusal import Reason, Refusal
from extproc.policy.oauth import granted
from extproc.policy.runtime import McpServer
from extproc.policy.tool_rules import Approval

_MOST_TOLD = 3  # findings; a model corrects these first


def refusal(server: McpServer, call: McpCall, definition: JsonObject | None, wall: float) -> Refusal | None:
    """Why an allowed tools/call may not go on, None if it may. `definition` is the one the server listed last, None if
    it was not seen; `wall` is Unix time."""
    approval = server.rules.approval
    if approval is not None and not usable(approval, call.name, definition, wall):
        return Refusal.of(Reason.TOOL_NOT_APPROVED)
    found = server.rules.problems(call.name, definition, call.arguments)
    if not found:
        return None
    said = " ".join(f"{problem.where or 'The arguments'}: {problem.message}" for problem in found[:_MOST_TOLD])
    more = f" There are {len(found) - _MOST_TOLD} more." if len(found) > _MOST_TOLD else ""
    return Refusal.of(Reason.ARGUMENT_REFUSED, message=f"An argument of this call is not accepted. {said}{more}")


def usable(approval: Approval, tool: str, definition: JsonObject | None, wall: float) -> bool:
    """Whether a tool of this definition may be called as far as its approval goes."""
    if definition is not None:
        return not approval.refuses(approval.standing(definition, wall))
    # An approved tool that no list has shown yet since this gateway runs: nothing says that it has changed.
    unseen = tool in approval.pins.tools and not approval.lapsed(wall)
    return unseen or not approval.refuses("unknown")


def scopes_lacking(server: McpServer, tool: str, claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The scopes that a call of `tool` ("": a message that calls none) needs and a token with these claims has not."""
    needed = server.oauth.needed(tool) if server.oauth is not None else ()
    if not needed:
        return ()
    held = granted(claims)
    return tuple(scope for scope in needed if scope not in held)
