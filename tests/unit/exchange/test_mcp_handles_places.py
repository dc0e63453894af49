"""Where messages hold a server's handles: each is changed in both directions, nothing else is."""

import copy
from typing import Any

import pytest

from extproc.exchange.mcp_handles import brought_back, given_out

_RELATED = {"io.modelcontextprotocol/related-task": {"taskId": "t"}}
_RELATED_SEALED = {"io.modelcontextprotocol/related-task": {"taskId": "T(t)"}}


def _given(message: Any) -> Any:
    message = copy.deepcopy(message)
    given_out(message, lambda handle: f"T({handle})", lambda handle: f"S({handle})")
    return message


def _opener(kind: str) -> Any:
    return lambda sealed: sealed[2:-1] if sealed.startswith(f"{kind}(") else None


def _back(message: Any) -> Any:
    """The message as the server gets it, None if one of its handles is unknown."""
    message = copy.deepcopy(message)
    return message if brought_back(message, _opener("T"), _opener("S")) else None


@pytest.mark.parametrize(
    ("message", "sealed"),
    [
        pytest.param({"result": {"taskId": "t"}}, {"result": {"taskId": "T(t)"}}, id="a task"),
        pytest.param({"result": {"task": {"taskId": "t"}}}, {"result": {"task": {"taskId": "T(t)"}}}, id="2025-11-25"),
        pytest.param({"result": {"tasks": [{"taskId": "t"}, 7]}}, {"result": {"tasks": [{"taskId": "T(t)"}, 7]}},
                     id="a list of tasks"),
        pytest.param({"result": {"requestState": "s"}}, {"result": {"requestState": "S(s)"}}, id="a state"),
        pytest.param({"error": {"requestState": "s"}}, {"error": {"requestState": "S(s)"}}, id="in an error"),
        pytest.param({"result": {"_meta": _RELATED}}, {"result": {"_meta": _RELATED_SEALED}}, id="a related task"),
        pytest.param({"result": {"result": {"_meta": _RELATED, "requestState": "s"}}},
                     {"result": {"result": {"_meta": _RELATED_SEALED, "requestState": "S(s)"}}}, id="a task's result"),
        pytest.param({"method": "notifications/tasks/status", "params": {"taskId": "t"}},
                     {"method": "notifications/tasks/status", "params": {"taskId": "T(t)"}}, id="a notification"),
        pytest.param({"method": "elicitation/create", "params": {"_meta": _RELATED, "taskId": "mine"}},
                     {"method": "elicitation/create", "params": {"_meta": _RELATED_SEALED, "taskId": "mine"}},
                     id="a question within a task"),
    ],
)  # fmt: skip
def test_what_is_given_out_is_bound(message: Any, sealed: Any):
    assert _given(message) == sealed


@pytest.mark.parametrize(
    "message",
    [None, 7, [], {"result": 7}, {"params": []}, {"result": {"taskId": 7, "tasks": "x", "task": [], "_meta": 1}},
     {"result": {"content": [{"taskId": "in the tool's own data"}]}}, {"method": 7, "params": {"taskId": "t"}}],
)  # fmt: skip
def test_what_is_no_handle_stays(message: Any):
    assert _given(message) == message


@pytest.mark.parametrize(
    ("sealed", "message"),
    [
        pytest.param({"method": "tasks/get", "params": {"taskId": "T(t)"}},
                     {"method": "tasks/get", "params": {"taskId": "t"}}, id="a task"),
        pytest.param({"method": "tools/call", "params": {"requestState": "S(s)"}},
                     {"method": "tools/call", "params": {"requestState": "s"}}, id="a state"),
        pytest.param({"method": "x", "params": {"_meta": _RELATED_SEALED}},
                     {"method": "x", "params": {"_meta": _RELATED}}, id="a related task"),
        pytest.param({"result": {"_meta": _RELATED_SEALED}}, {"result": {"_meta": _RELATED}}, id="in a response"),
        pytest.param({"method": "subscriptions/listen", "params": {"notifications": {"taskIds": ["T(a)", "T(b)"]}}},
                     {"method": "subscriptions/listen", "params": {"notifications": {"taskIds": ["a", "b"]}}},
                     id="tasks to hear of"),
    ],
)  # fmt: skip
def test_what_comes_back_is_what_the_server_gave_out(sealed: Any, message: Any):
    assert _back(sealed) == message


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"method": "tasks/get", "params": {"taskId": "t"}}, id="a task that was not given out"),
        pytest.param({"method": "tasks/cancel", "params": {"taskId": "S(t)"}}, id="a state as a task"),
        pytest.param({"method": "tools/call", "params": {"requestState": "T(s)"}}, id="a task as a state"),
        pytest.param({"method": "tools/call", "params": {"requestState": 7}}, id="a number"),
        pytest.param({"method": "tools/call", "params": {"requestState": {"a": 1}}}, id="an object"),
        pytest.param({"method": "tools/call", "params": {"taskId": "t"}}, id="a task in another method"),
        pytest.param({"method": "x", "params": {"_meta": _RELATED}}, id="a related task"),
        pytest.param({"method": "x", "params": {"notifications": {"taskIds": ["T(a)", "b"]}}}, id="one of several"),
        pytest.param({"method": "x", "params": {"notifications": {"taskIds": "T(a)"}}}, id="no list"),
        pytest.param({"method": "x", "params": {"notifications": {"taskIds": [["T(a)"]]}}}, id="a list of lists"),
        pytest.param({"method": "x", "params": {"_meta": _RELATED, "requestState": "S(s)"}}, id="one good, one not"),
    ],
)
def test_a_message_with_an_unknown_handle_does_not_go_on(message: Any):
    assert _back(message) is None
