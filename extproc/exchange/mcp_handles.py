"""Where the messages of MCP hold a server's handles: task ids, and the state that a client is to bring back.

Tasks are known in both shapes (2025-11-25, and the extension of 2026-07-28). Changes messages in place. Knows neither
callers nor how a handle is bound to one.
"""

from collections.abc import Callable
from typing import Any

from extproc.exchange.model import JsonObject

Change = Callable[[str], str | None]

_RELATED = "io.modelcontextprotocol/related-task"
_TASK_METHODS = frozenset({"tasks/get", "tasks/result", "tasks/cancel", "tasks/update"})
_CLIENTS_OWN = "notifications/tasks/status"  # from a client it tells of a task that the client runs for the server
_INSIDE = 8  # results within results (tasks/get has the tool's own)


def given_out(message: Any, task: Change, state: Change) -> None:
    """Changes every handle in a message of a server's. The functions never say None here."""
    if type(message) is not dict:
        return
    params = message.get("params")
    if type(params) is dict and type(message.get("method")) is str:
        if message["method"].startswith("notifications/tasks"):
            _result(params, task, state, _INSIDE)
        else:
            _meta(params, task)
            _watched(params, task)
    for key in ("result", "error"):
        if type(message.get(key)) is dict:
            _result(message[key], task, state, _INSIDE)


def brought_back(doc: JsonObject, task: Change, state: Change) -> bool:
    """Changes every handle in a message of a client's. False if one of them is unknown: then the message, of which a
    part may be changed already, must not go on."""
    result = doc.get("result")
    if type(result) is dict and not _meta(result, task):
        # The result of a task that the client runs says which one, and that one nobody gave out. A response is found
        # by its id; without the name of a task it cannot be taken for another caller's.
        del result["_meta"][_RELATED]
    params = doc.get("params")
    if type(params) is not dict:
        return True
    method = doc.get("method")
    known = _meta(params, task)
    if method != _CLIENTS_OWN and (method in _TASK_METHODS or "taskId" in params):
        known = _one(params, "taskId", task) and known
    if "requestState" in params:
        known = _one(params, "requestState", state) and known
    return _watched(params, task) and known


def _result(result: JsonObject, task: Change, state: Change, levels: int) -> None:
    _meta(result, task)
    _one(result, "taskId", task)
    _one(result, "requestState", state)
    holder = result.get("task")
    if type(holder) is dict:
        _one(holder, "taskId", task)
    listed = result.get("tasks")
    for entry in listed if type(listed) is list else ():
        if type(entry) is dict:
            _one(entry, "taskId", task)
    inner = result.get("result")
    if type(inner) is dict and levels:
        _result(inner, task, state, levels - 1)


def _watched(params: JsonObject, task: Change) -> bool:
    """Changes the ids of the tasks that a subscription is about: as it was asked for, or as it was acknowledged."""
    wanted = params.get("notifications")
    if type(wanted) is not dict or wanted.get("taskIds") is None:
        return True
    listed = wanted["taskIds"]
    if type(listed) is not list or not all(type(entry) is str for entry in listed):
        return False
    changed = [task(entry) for entry in listed]
    if None in changed:
        return False
    wanted["taskIds"] = changed
    return True


def _meta(holder: JsonObject, task: Change) -> bool:
    meta = holder.get("_meta")
    related = meta.get(_RELATED) if type(meta) is dict else None
    return _one(related, "taskId", task) if type(related) is dict else True


def _one(holder: JsonObject, key: str, change: Change) -> bool:
    """Changes one handle; what is no string is none."""
    value = holder.get(key)
    if value is None:
        return True
    changed = change(value) if type(value) is str else None
    if changed is None:
        return False
    holder[key] = changed
    return True
