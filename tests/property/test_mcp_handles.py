"""Handles in messages of any shape: what leaves bound comes back as it was, and no message is too strange."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from extproc.exchange.mcp_handles import brought_back, given_out

RELATED = "io.modelcontextprotocol/related-task"
_KEYS = st.sampled_from(
    ["taskId", "requestState", "_meta", RELATED, "task", "tasks", "result", "params", "error", "method", "content",
     "notifications", "taskIds", "id"]
)  # fmt: skip
_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["tasks/get", "tools/call"])
DOCS = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5), max_leaves=25
)
OBJECTS = st.dictionaries(_KEYS, DOCS, max_size=6).map(
    lambda doc: doc if type(doc.get("method", "")) is str else {**doc, "method": "tasks/get"}  # others are not read
)
HANDLES = st.text(max_size=20)


def _close(kind: str) -> Any:
    return lambda handle: f"{kind}({handle})"


def _open(kind: str) -> Any:
    return lambda sealed: sealed[2:-1] if sealed[:2] == f"{kind}(" and sealed[-1:] == ")" else None


@given(DOCS)
def test_no_message_of_a_server_is_too_strange(message: Any):
    given_out(message, _close("T"), _close("S"))


@given(OBJECTS)
def test_a_message_of_a_client_goes_on_with_no_handle_that_was_not_opened(doc: dict[str, Any]):
    before = copy.deepcopy(doc)
    if brought_back(doc, _open("T"), _open("S")):
        params, said = doc.get("params"), before.get("params")
        if type(params) is dict and type(said) is dict:
            for key, kind in (("taskId", "T"), ("requestState", "S")):
                if key in params and params[key] is not None:
                    assert said[key] == f"{kind}({params[key]})"


@given(HANDLES, HANDLES, HANDLES)
def test_what_a_result_gave_comes_back_in_the_next_request(task: str, state: str, related: str):
    message: Any = {
        "result": {
            "taskId": task,
            "requestState": state,
            "_meta": {RELATED: {"taskId": related}},
            "tasks": [{"taskId": task}],
        }
    }
    given_out(message, _close("T"), _close("S"))
    result = message["result"]
    back: Any = {
        "method": "tasks/update",
        "params": {name: result[name] for name in ("taskId", "requestState", "_meta")}
        | {"notifications": {"taskIds": [entry["taskId"] for entry in result["tasks"]]}},
    }
    assert brought_back(back, _open("T"), _open("S"))
    assert back["params"] == {
        "taskId": task,
        "requestState": state,
        "_meta": {RELATED: {"taskId": related}},
        "notifications": {"taskIds": [task]},
    }
