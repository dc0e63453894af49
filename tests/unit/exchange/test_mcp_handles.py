"""Handles in MCP messages: which are changed on their way, and which are none of ours."""

import json

import pytest

from extproc.exchange import mcp, mcp_handles
from extproc.exchange.mcp import BadMessage

RELATED = "io.modelcontextprotocol/related-task"


def opened(handle):
    return handle.removesuffix("~me") if handle.endswith("~me") else None


def closed(handle):
    return f"{handle}~me"


def brought_back(doc):
    return mcp_handles.brought_back(doc, opened, opened)


def given_out(message):
    mcp_handles.given_out(message, closed, closed)
    return message


def call(**params):
    doc = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "add", **params}}
    return mcp.read("demo", json.dumps(doc).encode(), {})


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"RequestState": "another's"}, id="a request state in other letters"),
        pytest.param({"requestState\0": "another's"}, id="a request state with something behind a NUL"),
        pytest.param({"_meta": {RELATED.upper(): {"taskId": "another's"}}}, id="a related task in other letters"),
        pytest.param({"_meta": {RELATED: {"TaskId": "another's"}}}, id="a related task's id in other letters"),
    ],
)
def test_a_handle_under_a_name_that_lenient_servers_read_is_refused_because_nobody_would_open_it(params):
    with pytest.raises(BadMessage, match="spelled exactly so"):
        call(**params)


def test_the_task_that_a_client_runs_for_a_server_is_told_of_under_its_own_id():
    doc = {"method": "notifications/tasks/status", "params": {"taskId": "clients-own", "status": "working"}}
    assert brought_back(doc)
    assert doc["params"]["taskId"] == "clients-own"


def test_the_result_of_a_task_that_a_client_runs_passes_without_the_id_that_nobody_gave_out():
    doc = {"id": 7, "result": {"action": "accept", "_meta": {RELATED: {"taskId": "clients-own"}, "kept": 1}}}
    assert brought_back(doc)
    assert doc["result"] == {"action": "accept", "_meta": {"kept": 1}}


@pytest.mark.parametrize("more", [{}, {"params": {}}], ids=["alone", "with params that a response does not have"])
def test_an_answer_to_what_a_servers_task_asked_names_that_task(more):
    doc = {"id": 7, "result": {"_meta": {RELATED: {"taskId": "theirs~me"}}}, **more}
    assert brought_back(doc)
    assert doc["result"]["_meta"][RELATED] == {"taskId": "theirs"}


@pytest.mark.parametrize("method", ["tasks/get", "tasks/cancel", "notifications/cancelled"])
def test_a_task_of_another_caller_is_unknown(method):
    assert not brought_back({"method": method, "params": {"taskId": "theirs"}})


def test_an_acknowledged_subscription_names_tasks_as_the_client_knows_them():
    message = given_out(
        {"method": "notifications/subscriptions/acknowledged", "params": {"notifications": {"taskIds": ["a", "b"]}}}
    )
    assert message["params"]["notifications"]["taskIds"] == ["a~me", "b~me"]


def test_a_server_that_asks_for_a_task_of_the_clients_names_it_as_the_client_does():
    message = {"id": 3, "method": "tasks/result", "params": {"taskId": "clients-own"}}
    assert given_out(message)["params"]["taskId"] == "clients-own"
