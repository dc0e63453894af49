"""What an MCP message acts on: nothing (it opens, lists, keeps alive), a tool, a prompt, a resource, or the unknown."""

from dataclasses import dataclass
from typing import Literal

from extproc.exchange.model import McpCall
from extproc.exchange.refusal import Reason


@dataclass(frozen=True, slots=True)
class Act:
    """`implicit`: allowed to whoever may use the server at all. `reason` and `message` are for when it is refused."""

    subject: Literal["", "tool", "prompt", "resource", "unknown"]
    reason: Reason
    message: str = ""

    @property
    def implicit(self) -> bool:
        return self.subject == ""


_NOTHING = Act("", Reason.METHOD_NOT_ALLOWED)
_TOOL = Act("tool", Reason.TOOL_NOT_ALLOWED)
_PROMPT = Act("prompt", Reason.METHOD_NOT_ALLOWED, "Policy does not let you use this prompt. Go on without it.")
_RESOURCE = Act("resource", Reason.METHOD_NOT_ALLOWED, "Policy does not let you read this resource. Go on without it.")
_UNKNOWN = Act("unknown", Reason.METHOD_NOT_ALLOWED)

_METHODS = {
    "initialize": _NOTHING,
    "ping": _NOTHING,
    "tools/list": _NOTHING,
    "prompts/list": _NOTHING,
    "resources/list": _NOTHING,
    "resources/templates/list": _NOTHING,
    "server/discover": _NOTHING,
    "logging/setLevel": _NOTHING,
    "subscriptions/listen": _NOTHING,
    "tools/call": _TOOL,
    "prompts/get": _PROMPT,
    "resources/read": _RESOURCE,
    "resources/subscribe": _RESOURCE,
    "resources/unsubscribe": _RESOURCE,
}
_BODILESS = ("stream", "close", "response")


def act_of(call: McpCall) -> Act:
    """Judged by the method, not by whether an id makes it a request: a tools/call without id still calls a tool."""
    method = call.method
    act = _METHODS.get(method)
    if act is not None:
        return act
    if not method:
        return _NOTHING if call.kind in _BODILESS else _UNKNOWN
    if method == "completion/complete":
        return _completed(call)
    if method.startswith(("notifications/", "tasks/")):
        return _NOTHING
    return _UNKNOWN


def _completed(call: McpCall) -> Act:
    """A completion is about the prompt or resource that it completes an argument of."""
    params = call.doc.get("params")
    ref = params.get("ref") if isinstance(params, dict) else None
    kind = ref.get("type") if isinstance(ref, dict) else None
    if kind == "ref/prompt":
        return _PROMPT
    return _RESOURCE if kind == "ref/resource" else _UNKNOWN
