"""Why a call of an MCP tool goes on or not, once policy allows it: its definition, approval, scopes and arguments.

For the people who write policy. Says what is wrong with arguments and never quotes one.
"""

from datetime import UTC, datetime

from extproc.exchange.model import JsonObject, McpCall
from extproc.policy.cases import Asked
from extproc.policy.names import Names
from extproc.policy.oauth import granted
from extproc.policy.runtime import McpServer, ToolGrant
from extproc.policy.sensitivity import word
from extproc.policy.tool_calls import scopes_lacking, usable
from extproc.policy.tool_rules import Approval

_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


def tool_lines(server: McpServer, question: Asked) -> list[str]:
    """What the server's document says of a call to it; nothing where it says nothing."""
    scopes = _scopes(server, question)
    if not question.tool:
        return scopes
    lines = [_definition(server, question)]
    if server.rules.approval is not None:
        lines.append(_approval(server.rules.approval, question))
    level = server.rules.data_class(question.tool, server.data_class)
    if level:
        lines.append(f"data     {word(level)}: what its callers count as having seen")
    return lines + scopes + _arguments(server, question)


def _definition(server: McpServer, question: Asked) -> str:
    definition = question.definition
    if definition is None:
        return (
            "tool     its definition is not known: no schema is held against arguments until its server has listed it"
        )
    approval = server.rules.approval
    pin = approval.pins.tools.get(question.tool) if approval is not None else None
    origin = "as it was approved" if pin is not None and pin.definition is definition else "as the question gives it"
    return f"tool     {question.tool}, {origin}{_said(definition)}"


def _said(definition: JsonObject) -> str:
    annotations = definition.get("annotations")
    if type(annotations) is not dict:
        return "; it has no annotations"
    said = [f"{name} {str(annotations[name] is True).lower()}" for name in _HINTS if name in annotations]
    return f"; it says {', '.join(said) or 'nothing of what it does'}"


def _approval(approval: Approval, question: Asked) -> str:
    tool, definition = question.tool, question.definition
    if definition is None or question.recorded:
        known = tool in approval.pins.tools
        said = "its name is approved; its definition is looked at when its server lists it" if known else "by nobody"
    else:
        standing = approval.standing(definition, 0.0)
        said = {"approved": "as approved", "changed": "CHANGED since it was approved", "unknown": "by nobody"}[standing]
    refused = not usable(approval, tool, None if question.recorded else definition, 0.0)
    said += ", so it is refused" if refused else "" if said.startswith(("as", "its")) else ", which is only noted"
    ends = approval.expires
    until = f"; nothing is, after {datetime.fromtimestamp(ends, UTC):%Y-%m-%d %H:%M} UTC" if ends is not None else ""
    return f"approved {said}{until}"


def _scopes(server: McpServer, question: Asked) -> list[str]:
    needed = server.oauth.needed(question.tool) if server.oauth is not None else ()
    if not needed:
        return []
    line = f"scopes   needs {' '.join(needed)}"
    if question.recorded:
        return [f"{line}; a record does not say which the token had"]
    lacking = scopes_lacking(server, question.tool, question.identity.claims)
    has = " ".join(sorted(granted(question.identity.claims))) or "none"
    return [f"{line}; the token has {has}" + (f" and LACKS {' '.join(lacking)}" if lacking else "")]


def _arguments(server: McpServer, question: Asked) -> list[str]:
    call, rules = question.call, server.rules
    assert isinstance(call, McpCall)
    own = [names for names, _ in rules.settings[:-1] if names(call.name)]
    entry = f"tools[].match {list(own[0].patterns)}" if own and isinstance(own[0], Names) else "the server's arguments"
    if question.recorded:
        return [f"args     held to {entry}; a record does not have them as they were"]
    found = rules.problems(call.name, question.definition, call.arguments)
    lines = [f"args     held to {entry}: {'nothing is wrong' if not found else f'{len(found)} REFUSED'}"]
    return lines + [f"         {each.where or 'all'} ({each.check}): {each.message}" for each in found]


def hints_line(grant: ToolGrant, server: McpServer | None, definition: JsonObject | None) -> str:
    """Why the hints that a grant asks for are not there, "" if they are or none are asked for."""
    if grant.hints is None or (server is not None and server.trusted and grant.hints(definition)):
        return ""
    if server is None or not server.trusted:
        return "it asks for hints, and the server is not trusted to give any"
    if definition is None:
        return "it asks for hints, and the tool's definition is not known"
    return "the tool's annotations are not what its hints ask for"
