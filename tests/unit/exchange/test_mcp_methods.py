"""Methods that an era of MCP does not have: read without a name, refused in the server's own words."""

import json

import pytest

from extproc.exchange import mcp, mcp_methods
from extproc.exchange.mcp_error import (
    DENIED,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MISSING_CAPABILITY,
    TASKS,
    BadMessage,
)
from extproc.exchange.mcp_headers import MODERN
from extproc.exchange.model import McpCall
from extproc.exchange.refusal import Reason, Refusal
from extproc.policy import methods
from extproc.policy.methods import act_of

DENY = Refusal.of(Reason.METHOD_NOT_ALLOWED, id="r-1")


@pytest.mark.parametrize("method", ["resources/subscribe", "resources/unsubscribe", "tasks/result"])
def test_a_removed_method_needs_no_name_to_be_refused_as_removed(method):
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": {mcp.VERSION_KEY: MODERN}}}
    call = mcp.read("demo", json.dumps(body).encode(), {"mcp-protocol-version": MODERN, "mcp-method": method})
    assert (call.method, call.name, call.era) == (method, "", "modern")
    assert act_of(call).subject == "unknown"


@pytest.mark.parametrize("method", sorted(mcp_methods.REMOVED))
@pytest.mark.parametrize(("era", "there"), [("handshake", True), ("modern", False)])
def test_what_the_stateless_revision_removed_is_there_before_it_only(method, era, there):
    assert mcp_methods.exists(method, era) is there
    assert (act_of(McpCall("demo", "request", method, "file:///a", 1, era)).subject != "unknown") is there


@pytest.mark.parametrize(
    ("method", "era", "status", "code"),
    [
        pytest.param("nope", "modern", 404, METHOD_NOT_FOUND, id="no method, in the modern era"),
        pytest.param("nope", "handshake", 200, METHOD_NOT_FOUND, id="no method, in the handshake era"),
        pytest.param("resources/subscribe", "modern", 404, METHOD_NOT_FOUND, id="a removed method"),
        pytest.param("resources/subscribe", "handshake", 200, DENIED, id="a method that policy denies"),
        pytest.param("resources/read", "modern", 200, DENIED, id="a method of both that policy denies"),
    ],
)
def test_only_what_is_no_method_is_not_found(method, era, status, code):
    rendered = mcp.refusal(DENY, McpCall("demo", "request", method, "x", 7, era))
    error = json.loads(rendered.body)["error"]
    assert (rendered.status, error["code"]) == (status, code)
    assert error["data"] == {"reason": "method-not-allowed", "id": "r-1"}


def test_a_notification_that_does_not_exist_has_no_answer():
    assert mcp.refusal(DENY, McpCall("demo", "notification", "notifications/x", era="modern")).status == 202


def test_a_server_that_may_not_be_used_says_nothing_of_its_methods():
    rendered = mcp.refusal(Refusal.of(Reason.SERVER_NOT_ALLOWED), McpCall("demo", "request", "nope", id=7))
    assert json.loads(rendered.body)["error"]["code"] == DENIED


@pytest.mark.parametrize("declared", [None, {}, {"extensions": None}, {"extensions": {}}, {"extensions": [TASKS]}])
@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
def test_tasks_are_for_clients_that_declare_them_in_the_stateless_revision(method, declared):
    def read(capabilities):
        meta = {mcp.VERSION_KEY: MODERN, mcp.CAPABILITIES_KEY: capabilities}
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta, "taskId": "t"}}
        headers = {"mcp-protocol-version": MODERN, "mcp-method": method, "mcp-name": "t"}
        return mcp.read("demo", json.dumps(body).encode(), headers)

    assert read({"extensions": {TASKS: {}}}).name == "t"
    with pytest.raises(BadMessage) as caught:
        read(declared)
    error = caught.value
    assert (error.code, error.status, error.id) == (MISSING_CAPABILITY, 400, 1)
    refusal = Refusal.of(error.reason, message=error.message, status=error.status)
    said = json.loads(mcp.refusal(refusal, None, id=error.id, code=error.code).body)["error"]
    assert said["data"]["requiredCapabilities"] == {"extensions": {TASKS: {}}}


def test_tasks_of_a_session_need_no_declaration_in_each_message():
    body = b'{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"t"}}'
    assert mcp.read("demo", body, {"mcp-protocol-version": "2025-11-25"}).name == "t"


def test_a_task_that_is_not_the_caller_s_is_a_wrong_parameter():
    rendered = mcp.refusal(Refusal.of(Reason.HANDLE_UNKNOWN), McpCall("demo", "request", "tasks/get", "t", 7))
    assert (rendered.status, json.loads(rendered.body)["error"]["code"]) == (400, INVALID_PARAMS)


def test_policy_knows_what_every_method_acts_on():
    judged = set(methods._METHODS) | {"completion/complete", "subscriptions/listen"}
    assert judged == mcp_methods.REQUESTS | mcp_methods.NOTIFICATIONS
