"""JSON-RPC's numbers as MCP uses them, and the error for a message that cannot be judged.

Codes of our own lie outside -32768..-32000: that range belongs to JSON-RPC and to MCP's specification.
"""

from typing import Any

from extproc.errors import BadRequest
from extproc.exchange.refusal import REASONS, Reason

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
HEADER_MISMATCH = -32020  # 2026-07-28: a mirrored header does not say what the body says
MISSING_CAPABILITY = -32021  # 2026-07-28: the client has not declared what this method asks of it
TASKS = "io.modelcontextprotocol/tasks"  # the one capability that is asked for here

DENIED = 4030  # policy says no
UNAUTHENTICATED = 4010  # no identity, so no policy
LIMITED = 4290  # policy says not now

# What a reason means in JSON-RPC, where the HTTP status alone does not tell.
_BY_REASON = {
    Reason.BODY_NOT_JSON: PARSE_ERROR,
    Reason.HEADER_MISMATCH: HEADER_MISMATCH,
    Reason.HANDLE_UNKNOWN: INVALID_PARAMS,  # what servers say of a task that they do not know
}
_BY_STATUS = {401: UNAUTHENTICATED, 403: DENIED, 429: LIMITED}


def code_of(reason: Reason, status: int) -> int:
    """The JSON-RPC code for a refusal: a fault of ours, a verdict of policy, or a fault of the request."""
    if status >= 500:
        return INTERNAL_ERROR
    return _BY_REASON.get(reason) or _BY_STATUS.get(status, INVALID_REQUEST)


class BadMessage(BadRequest):
    """A POST body (or its mirrored headers) that is no MCP message we can judge.

    `code` is the JSON-RPC code and `id` the request's own id, None where it has none that could be read: both go to
    `mcp.refusal`. `message` never quotes what was sent.
    """

    def __init__(self, reason: Reason, message: str = "", *, code: int = 0, id: Any = None, status: int = 0) -> None:
        explained = REASONS[reason]
        super().__init__(reason, message or explained.message, status or explained.status)
        self.code = code or code_of(reason, self.status)
        self.id = id
