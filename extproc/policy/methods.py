"""What an MCP message acts on: nothing (it opens, lists, keeps alive), a tool, a task, a prompt, resources, or the
unknown. Methods and notifications that clients do not send are unknown: no policy can allow them."""

from dataclasses import dataclass, replace
from typing import Any, Literal

from extproc.exchange.mcp_methods import exists
from extproc.exchange.model import McpCall
from extproc.exchange.refusal import Reason
from extproc.policy.resources import is_plain


@dataclass(frozen=True, slots=True)
class Act:
    """`reason` and `message` are for when it is refused. `names`: what it is about; empty, it is the call's own name.
    `task`: it asks for news of tasks as well."""

    subject: Literal["", "tool", "task", "prompt", "resource", "unknown"]
    reason: Reason
    message: str = ""
    names: tuple[str, ...] = ()
    task: bool = False

    @property
    def implicit(self) -> bool:
        """Allowed to whoever may use the server at all."""
        return self.subject == ""

    @property
    def opens(self) -> bool:
        """It calls nothing itself, so that conditions about calls are not asked."""
        return self.subject in ("", "task")


_NOTHING = Act("", Reason.METHOD_NOT_ALLOWED)
_TOOL = Act("tool", Reason.TOOL_NOT_ALLOWED)
_PROMPT = Act("prompt", Reason.METHOD_NOT_ALLOWED, "Policy does not let you use this prompt. Go on without it.")
_RESOURCE = Act("resource", Reason.METHOD_NOT_ALLOWED, "Policy does not let you read this resource. Go on without it.")
_TASK = Act(
    "task",
    Reason.METHOD_NOT_ALLOWED,
    "Policy lets you call no tool of this server, so no task of it is yours.",
    task=True,
)
_DOUBTFUL = Act(
    "unknown",
    Reason.METHOD_NOT_ALLOWED,
    "This resource's address can be read in more than one way. Write it without dot segments, backslashes and needless "
    "percent encoding.",
)
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
    "tools/call": _TOOL,
    "prompts/get": _PROMPT,
    "resources/read": _RESOURCE,
    "resources/subscribe": _RESOURCE,
    "resources/unsubscribe": _RESOURCE,
    "tasks/get": _TASK,
    "tasks/result": _TASK,
    "tasks/cancel": _TASK,
    "tasks/update": _TASK,
    "tasks/list": _TASK,
    "notifications/initialized": _NOTHING,
    "notifications/cancelled": _NOTHING,
    "notifications/progress": _NOTHING,
    "notifications/roots/list_changed": _NOTHING,
    "notifications/tasks/status": _NOTHING,  # of the client's own tasks (2025-11-25)
}
_BODILESS = ("stream", "close", "response")


def act_of(call: McpCall) -> Act:
    """Judged by the method, not by whether an id makes it a request: a tools/call without id still calls a tool."""
    method = call.method
    if method and not exists(method, call.era):
        return _UNKNOWN
    act = _METHODS.get(method)
    if act is not None:
        return _DOUBTFUL if act is _RESOURCE and not is_plain(call.name) else act
    if not method:
        return _NOTHING if call.kind in _BODILESS else _UNKNOWN
    if method == "completion/complete":
        return _completed(call)
    return _subscribed(call) if method == "subscriptions/listen" else _UNKNOWN


def _completed(call: McpCall) -> Act:
    """A completion is about the prompt or resource that it completes an argument of."""
    params = call.doc.get("params")
    ref = params.get("ref") if isinstance(params, dict) else None
    kind = ref.get("type") if isinstance(ref, dict) else None
    if kind == "ref/prompt":
        return _PROMPT
    if kind != "ref/resource":
        return _UNKNOWN
    return _RESOURCE if is_plain(call.name) else _DOUBTFUL


def _subscribed(call: McpCall) -> Act:
    """A subscription (2026-07-28) is about each resource whose changes it asks for; those of lists come with the
    server, those of tasks with its tools."""
    if not call.doc.get("params"):
        return _NOTHING
    wanted: Any = call.doc["params"].get("notifications") if isinstance(call.doc["params"], dict) else None
    if not isinstance(wanted, dict):
        return _UNKNOWN
    uris = wanted.get("resourceSubscriptions")
    task = wanted.get("taskIds") is not None
    if uris is None or uris == []:
        return _TASK if task else _NOTHING
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        return _UNKNOWN
    return replace(_RESOURCE, names=tuple(uris), task=task) if all(map(is_plain, uris)) else _DOUBTFUL
