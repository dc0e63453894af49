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


def render(voice: Voice, refusal: Refusal) -> Rendered:
    """The refusal in this voice. Never raises: a voice that fails must not turn a no into silence."""
    try:
        return voice.refusal(refusal)
    except Exception:  # noqa: BLE001  # the last thing that can be said is said in plain words
        return Rendered(refusal.status, (("content-type", "application/json"),), _PLAIN)


def last_event(voice: Voice, refusal: Refusal) -> bytes:
    """Bytes that end a begun stream, b"" if even that fails."""
    try:
        return voice.error_event(refusal)
    except Exception:  # noqa: BLE001  # as above: the end of the stream is what counts
        return b""


_PLAIN = b'{"error":{"message":"The gateway refused this call.","type":"server_error","code":"internal-error"}}'
