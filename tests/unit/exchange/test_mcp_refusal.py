"""How MCP clients hear a no: the table of the module, row by row, parsed with the SDK's own models."""

import json

import pytest
from mcp_types import CallToolResult
from mcp_types.jsonrpc import JSONRPCError, JSONRPCResponse, jsonrpc_message_adapter
from mcp_types.methods import parse_server_result

from extproc.exchange import mcp
from extproc.exchange.mcp_error import DENIED, INTERNAL_ERROR, LIMITED, UNAUTHENTICATED
from extproc.exchange.model import McpCall
from extproc.exchange.refusal import Reason, Refusal

DENY_TOOL = Refusal.of(Reason.TOOL_NOT_ALLOWED, id="r-1")
DENY = Refusal.of(Reason.METHOD_NOT_ALLOWED, id="r-1")
LIMIT = Refusal(Reason.TOOL_NOT_ALLOWED, 429, "Too many calls.", "r-1", (("retry-after", "3"),))
TOOL = McpCall("demo", "request", "tools/call", "delete_note", 7)


def parsed(rendered):
    assert dict(rendered.headers)["content-type"] == "application/json"
    return jsonrpc_message_adapter.validate_json(rendered.body, by_name=False)


@pytest.mark.parametrize("refusal", [DENY_TOOL, LIMIT, Refusal.of(Reason.NO_POLICY)], ids=["denied", "limited", "none"])
@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"])
def test_a_denied_tool_is_a_failed_tool(refusal, version):
    era = "modern" if version == "2026-07-28" else "handshake"
    rendered = mcp.refusal(refusal, McpCall("demo", "request", "tools/call", "x", "id-7", era, version))
    assert rendered.status == 200
    message = parsed(rendered)
    assert isinstance(message, JSONRPCResponse)
    assert message.id == "id-7"
    result = parse_server_result("tools/call", version, message.result)
    assert isinstance(result, CallToolResult)
    assert result.is_error is True
    assert result.content[0].text == refusal.text
    assert message.result.get("resultType") == ("complete" if era == "modern" else None)


@pytest.mark.parametrize("method", ["initialize", "tools/list", "prompts/get", "resources/read", "server/discover"])
def test_another_denied_request_is_an_error_of_our_own(method):
    rendered = mcp.refusal(DENY, McpCall("demo", "request", method, "", 7))
    assert rendered.status == 200
    message = parsed(rendered)
    assert isinstance(message, JSONRPCError)
    assert (message.id, message.error.code, message.error.message) == (7, DENIED, DENY.text)
    assert message.error.data == {"reason": "method-not-allowed", "id": "r-1"}
    assert not -32768 <= message.error.code <= -32000


@pytest.mark.parametrize("kind", ["notification", "response"])
@pytest.mark.parametrize("refusal", [DENY, LIMIT], ids=["denied", "limited"])
def test_a_message_that_gets_no_reply_is_dropped_without_one(kind, refusal):
    rendered = mcp.refusal(refusal, McpCall("demo", kind, "", "", 7))
    assert (rendered.status, rendered.body) == (202, b"")


@pytest.mark.parametrize("kind", ["stream", "close"])
def test_a_denied_stream_is_a_method_that_is_not_served(kind):
    rendered = mcp.refusal(DENY, McpCall("demo", kind, ""))
    assert rendered.status == 405
    assert dict(rendered.headers)["allow"] == "POST"
    assert parsed(rendered).id is None


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("call", [None, TOOL], ids=["no call", "tools/call"])
def test_a_challenge_reaches_the_client_with_its_status(status, call):
    challenge = ("www-authenticate", 'Bearer resource_metadata="https://gate.example/meta"')
    refusal = Refusal(Reason.TOKEN_MISSING, status, "No.", "r-1", (challenge,))
    rendered = mcp.refusal(refusal, call)
    assert rendered.status == status
    assert challenge in rendered.headers
    message = parsed(rendered)
    assert message.id == (7 if call else None)
    assert message.error.code == (UNAUTHENTICATED if status == 401 else DENIED)


@pytest.mark.parametrize(
    ("reason", "status", "code"),
    [
        pytest.param(Reason.NOT_READY, 503, INTERNAL_ERROR, id="no policy loaded yet"),
        pytest.param(Reason.KEYS_UNAVAILABLE, 503, INTERNAL_ERROR, id="no keys"),
        pytest.param(Reason.CREDENTIAL_UNAVAILABLE, 503, INTERNAL_ERROR, id="no credential"),
        pytest.param(Reason.INTERNAL_ERROR, 500, INTERNAL_ERROR, id="our own failure"),
        pytest.param(Reason.ANSWER_UNREADABLE, 502, INTERNAL_ERROR, id="an answer that cannot be read"),
        pytest.param(Reason.BODY_TOO_LARGE, 413, -32600, id="too large"),
        pytest.param(Reason.CONTENT_TYPE, 415, -32600, id="of another type"),
        pytest.param(Reason.SERVER_UNKNOWN, 404, -32600, id="no such server"),
        pytest.param(Reason.TOKEN_EXPIRED, 401, UNAUTHENTICATED, id="token expired"),
    ],
)
def test_what_is_no_verdict_keeps_its_status_even_for_tools(reason, status, code):
    rendered = mcp.refusal(Refusal.of(reason, id="r-1"), TOOL)
    message = parsed(rendered)
    assert isinstance(message, JSONRPCError)
    assert (rendered.status, message.id, message.error.code) == (status, 7, code)


@pytest.mark.parametrize(
    ("body", "id_", "code"),
    [
        pytest.param(b"{", None, -32700, id="not JSON"),
        pytest.param(b"[{}]", None, -32600, id="a batch"),
        pytest.param(b'{"jsonrpc":"2.0","id":"a","method":"tools/call"}', "a", -32602, id="no tool named"),
        pytest.param(b'{"jsonrpc":"1.0","id":9,"method":"ping"}', 9, -32600, id="another JSON-RPC"),
    ],
)
def test_a_malformed_message_is_told_so_under_its_own_id(body, id_, code):
    with pytest.raises(mcp.BadMessage) as caught:
        mcp.read("demo", body, {})
    error = caught.value
    refusal = Refusal.of(Reason(error.reason), message=error.message, status=error.status)
    rendered = mcp.refusal(refusal, None, id=error.id, code=error.code)
    message = parsed(rendered)
    assert isinstance(message, JSONRPCError)
    assert (rendered.status, message.id, message.error.code) == (400, id_, code)


def test_a_limit_on_another_request_keeps_its_status_and_retry_after():
    rendered = mcp.refusal(LIMIT, McpCall("demo", "request", "tools/list", "", 7))
    assert (rendered.status, parsed(rendered).error.code) == (429, LIMITED)
    assert dict(rendered.headers)["retry-after"] == "3"


def test_a_stream_ends_with_an_error_under_the_id_of_its_request():
    refusal = Refusal.of(Reason.ANSWER_UNREADABLE, id="r-1")
    blocks = mcp.error_event(refusal, TOOL).decode().split("\n\n")
    assert blocks[0] == ""  # ends what was cut off
    head, data = blocks[1].split("\n")
    assert (head, blocks[2:]) == ("event: message", [""])
    message = jsonrpc_message_adapter.validate_json(data.removeprefix("data: "), by_name=False)
    assert isinstance(message, JSONRPCError)
    assert (message.id, message.error.code, message.error.message) == (7, INTERNAL_ERROR, refusal.text)


def test_a_stream_that_answers_no_request_ends_with_a_comment():
    end = mcp.error_event(Refusal.of(Reason.ANSWER_UNREADABLE), McpCall("demo", "stream", ""))
    assert end == b"\n\n: ended by gatereeve (answer-unreadable)\n\n"


@pytest.mark.parametrize("id_", ["a\r\ndata: x", "\u2028", '"}', 10**40, 1.5, "", 0], ids=repr)
def test_hostile_ids_come_back_as_they_were_and_break_no_framing(id_):
    call = McpCall("demo", "request", "tools/call", "x", id_)
    assert json.loads(mcp.refusal(DENY_TOOL, call).body)["id"] == id_
    event = mcp.error_event(DENY_TOOL, call)
    assert event.count(b"\n") == 5
    assert b"\r" not in event
    assert json.loads(event.split(b"data: ", 1)[1])["id"] == id_
