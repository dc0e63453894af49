"""Who says no: the dialect a refusal is spoken in. LLM dialects are voices themselves; MCP's depends on the message."""

from typing import Any, Protocol

from extproc.exchange import mcp
from extproc.exchange.model import McpCall
from extproc.exchange.refusal import Refusal, Rendered


class Voice(Protocol):
    def refusal(self, refusal: Refusal) -> Rendered: ...

    def error_event(self, refusal: Refusal) -> bytes: ...


class McpVoice:
    """A refusal in JSON-RPC, about `call` or about something that never became one."""

    __slots__ = ("_call", "_code", "_id")

    def __init__(self, call: McpCall | None = None, id: Any = None, code: int | None = None) -> None:
        self._call = call
        self._id = id
        self._code = code

    def refusal(self, refusal: Refusal) -> Rendered:
        return mcp.refusal(refusal, self._call, id=self._id, code=self._code)

    def error_event(self, refusal: Refusal) -> bytes:
        # Only a judged call can have an answer that has begun.
        return mcp.error_event(refusal, self._call) if self._call is not None else b""
