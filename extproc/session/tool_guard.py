"""What is done with a message to an MCP server that may go on: what of it the audit tells, and what the server does
not learn of the client. Whether a call may go on at all is for `policy.tool_calls` to say.
"""

from extproc.exchange import json_body
from extproc.exchange.model import McpCall
from extproc.policy.runtime import McpServer
from extproc.session import audited

_LONGEST = 65_536  # bytes of arguments that are masked for it; of longer ones only the size is told
_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"


def recorded(server: McpServer, call: McpCall) -> str:
    """The arguments for the audit: masked by every built-in rule, whatever the policy masks in answers."""
    if not call.arguments or not server.rules.records_arguments:
        return ""
    size = len(json_body.encode(call.arguments))
    return f"[{size} bytes]" if size > _LONGEST else audited.arguments(call.arguments)


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
