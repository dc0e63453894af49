"""Reading MCP requests: what a message is about, and what is refused because nobody could say."""

import json

import pytest

from extproc.errors import BadRequest
from extproc.exchange import mcp
from extproc.exchange.mcp_error import HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR
from extproc.exchange.refusal import Reason

META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}


def rpc(method, params=None, **more):
    doc = {"jsonrpc": "2.0", "id": 1, "method": method, **more}
    if params is not None:
        doc["params"] = params
    return json.dumps(doc).encode()


def modern(method, name=None):
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
    return headers if name is None else {**headers, "mcp-name": name}


@pytest.mark.parametrize(
    ("method", "params", "name"),
    [
        pytest.param("tools/call", {"name": "read_note"}, "read_note", id="a tool call is about its tool"),
        pytest.param("prompts/get", {"name": "greet"}, "greet", id="a prompt request is about its prompt"),
        pytest.param("resources/read", {"uri": "file:///a"}, "file:///a", id="a read is about its uri"),
        pytest.param("resources/subscribe", {"uri": "file:///a"}, "file:///a", id="a subscription is about its uri"),
        pytest.param("tasks/get", {"taskId": "t1"}, "t1", id="a task request is about its task"),
        pytest.param("tasks/result", {"taskId": "t1"}, "t1", id="so is the request for its result"),
        pytest.param(
            "completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}}, "p", id="completing a prompt"
        ),
        pytest.param(
            "completion/complete", {"ref": {"type": "ref/resource", "uri": "x://{a}"}}, "x://{a}", id="completing a uri"
        ),
        pytest.param("tools/list", None, "", id="a list is about nothing in particular"),
        pytest.param("vendor/own", {"name": "x"}, "", id="a method that nobody knows has no name"),
    ],
)
def test_the_name_of_a_call(method, params, name):
    call = mcp.read("demo", rpc(method, params), {})
    assert (call.server, call.kind, call.method, call.name, call.id) == ("demo", "request", method, name, 1)
    assert call.era == "handshake"


@pytest.mark.parametrize(
    ("body", "kind", "id_"),
    [
        pytest.param({"method": "ping", "id": "a"}, "request", "a", id="method and id make a request"),
        pytest.param({"method": "ping", "id": 0}, "request", 0, id="zero is an id"),
        pytest.param({"method": "ping", "id": ""}, "request", "", id="an empty string is an id"),
        pytest.param({"method": "ping", "id": 10**40}, "request", 10**40, id="an id may be a very large integer"),
        pytest.param({"method": "notifications/initialized"}, "notification", None, id="no id makes a notification"),
        pytest.param({"id": 3, "result": {}}, "response", 3, id="a result makes a response"),
        pytest.param({"id": 3, "error": {"code": 1, "message": "no"}}, "response", 3, id="an error makes a response"),
    ],
)
def test_the_kind_of_a_message(body, kind, id_):
    call = mcp.read("demo", json.dumps({"jsonrpc": "2.0", **body}).encode(), {})
    assert (call.kind, call.id) == (kind, id_)


@pytest.mark.parametrize(
    ("body", "reason", "code", "id_"),
    [
        pytest.param(b"{", Reason.BODY_NOT_JSON, PARSE_ERROR, None, id="cut off JSON"),
        pytest.param(b'{"a":"\xff"}', Reason.BODY_NOT_JSON, PARSE_ERROR, None, id="not UTF-8"),
        pytest.param(b"\xef\xbb\xbf{}", Reason.BODY_NOT_JSON, PARSE_ERROR, None, id="a byte order mark"),
        pytest.param(b"", Reason.BODY_MISSING, INVALID_REQUEST, None, id="no body"),
        pytest.param(b"[]", Reason.BATCH_REFUSED, INVALID_REQUEST, None, id="an empty batch"),
        pytest.param(b" \n[{}]", Reason.BATCH_REFUSED, INVALID_REQUEST, None, id="a batch after white space"),
        pytest.param(b'"x"', Reason.BODY_SHAPE, INVALID_REQUEST, None, id="a string"),
        pytest.param(b"{}", Reason.BODY_SHAPE, INVALID_REQUEST, None, id="an empty object"),
        pytest.param(b'{"id":1,"method":"ping"}', Reason.BODY_SHAPE, INVALID_REQUEST, 1, id="no version of JSON-RPC"),
        pytest.param(rpc("ping", jsonrpc="1.0"), Reason.BODY_SHAPE, INVALID_REQUEST, 1, id="another one"),
        pytest.param(rpc("ping", jsonrpc=2.0), Reason.BODY_SHAPE, INVALID_REQUEST, 1, id="the version as a number"),
        pytest.param(rpc("ping", id=None), Reason.BODY_SHAPE, INVALID_REQUEST, None, id="id null"),
        pytest.param(rpc("ping", id=True), Reason.BODY_SHAPE, INVALID_REQUEST, None, id="id true"),
        pytest.param(rpc("ping", id={}), Reason.BODY_SHAPE, INVALID_REQUEST, None, id="id an object"),
        pytest.param(rpc(1), Reason.BODY_SHAPE, INVALID_REQUEST, 1, id="method a number"),
        pytest.param(rpc(""), Reason.BODY_SHAPE, INVALID_REQUEST, 1, id="method empty"),
        pytest.param(rpc(None), Reason.BODY_SHAPE, INVALID_REQUEST, 1, id="method null"),
        pytest.param(rpc("ping", params="x"), Reason.BODY_SHAPE, INVALID_REQUEST, 1, id="params a string"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":null}', Reason.BODY_SHAPE, INVALID_REQUEST, 1,
                     id="params null"),
        pytest.param(rpc("ping", result={}), Reason.BODY_SHAPE, INVALID_REQUEST, 1, id="request and response at once"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', Reason.BODY_SHAPE, INVALID_REQUEST, 1,
                     id="result and error at once"),
        pytest.param(b'{"jsonrpc":"2.0","result":{}}', Reason.BODY_SHAPE, INVALID_REQUEST, None,
                     id="a response to nothing"),
        pytest.param(rpc("tools/call", {}), Reason.BODY_SHAPE, INVALID_PARAMS, 1, id="a tool call without a tool"),
        pytest.param(rpc("tools/call"), Reason.BODY_SHAPE, INVALID_PARAMS, 1, id="a tool call without params"),
        pytest.param(rpc("tools/call", ["read_note"]), Reason.BODY_SHAPE, INVALID_PARAMS, 1, id="params by position"),
        pytest.param(rpc("tools/call", {"name": ["a"]}), Reason.BODY_SHAPE, INVALID_PARAMS, 1, id="a list of tools"),
        pytest.param(rpc("tools/call", {"name": ""}), Reason.BODY_SHAPE, INVALID_PARAMS, 1, id="a tool without a name"),
        pytest.param(rpc("tools/call", {"name": "a", "arguments": [1]}), Reason.BODY_SHAPE, INVALID_PARAMS, 1,
                     id="arguments in a list"),
        pytest.param(rpc("completion/complete", {"ref": "p"}), Reason.BODY_SHAPE, INVALID_PARAMS, 1,
                     id="a completion of something unclear"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"x","params":' + b"[" * 500 + b"]" * 500 + b"}",
                     Reason.BODY_TOO_DEEP, INVALID_REQUEST, None, id="deep nesting"),
    ],
)  # fmt: skip
def test_a_message_that_cannot_be_judged_is_refused(body, reason, code, id_):
    with pytest.raises(mcp.BadMessage) as caught:
        mcp.read("demo", body, {})
    error = caught.value
    assert (error.reason, error.code, error.id, error.status) == (reason, code, id_, 400)
    assert isinstance(error, BadRequest)


def test_a_refusal_never_quotes_the_message():
    with pytest.raises(mcp.BadMessage) as caught:
        mcp.read("demo", rpc("tools/call", {"name": ["4111111111111111"]}), {})
    assert "4111" not in caught.value.message + str(caught.value)


def test_of_duplicate_keys_only_the_judged_one_is_sent():
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_note","name":"read_note"}}'
    call = mcp.read("demo", body, {})
    assert call.name == "read_note"
    assert b"delete_note" not in mcp.write(call)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param({"method": "ping", "Method": "tools/call"}, INVALID_REQUEST, id="method"),
        pytest.param({"method": "ping", "Params": {"name": "delete_note"}}, INVALID_REQUEST, id="params"),
        pytest.param({"method": "ping", "ID": 2}, INVALID_REQUEST, id="id"),
        pytest.param({"method": "ping", "Result": {}}, INVALID_REQUEST, id="result"),
        pytest.param({"method": "ping", "Error": {}}, INVALID_REQUEST, id="error"),
        pytest.param({"method": "ping", "JsonRPC": "1.0"}, INVALID_REQUEST, id="jsonrpc"),
        pytest.param({"method": "ping", "param\u017f": {}}, INVALID_REQUEST, id="params with a long s"),
        pytest.param({"method": "ping", "method\u0000": "tools/call"}, INVALID_REQUEST, id="method with a NUL"),
        pytest.param({"method": "tools/call", "params": {"name": "read_note", "Name": "delete_note"}}, INVALID_PARAMS,
                     id="a tool's name"),
        pytest.param({"method": "tools/call", "params": {"name": "a", "Arguments": {"n": 1}}}, INVALID_PARAMS,
                     id="arguments"),
        pytest.param({"method": "resources/read", "params": {"uri": "x:a", "URI": "x:b"}}, INVALID_PARAMS, id="a uri"),
        pytest.param({"method": "tasks/get", "params": {"taskId": "a", "tas\u212aid": "b"}}, INVALID_PARAMS,
                     id="a task with the kelvin sign"),
        pytest.param({"method": "subscriptions/listen", "params": {"notifications": {}, "Notifications": {}}},
                     INVALID_PARAMS, id="the filter of a subscription"),
        pytest.param({"method": "subscriptions/listen", "params": {"notifications": {"ResourceSubscriptions": ["x:"]}}},
                     INVALID_PARAMS, id="the resources of a subscription"),
        pytest.param({"method": "ping", "params": {"_Meta": {}}}, INVALID_PARAMS, id="_meta"),
        pytest.param({"method": "ping", "params": {"_meta": {"IO.modelcontextprotocol/protocolVersion": "x"}}},
                     INVALID_PARAMS, id="the version in _meta"),
        pytest.param({"method": "completion/complete",
                      "params": {"ref": {"type": "ref/prompt", "name": "a", "Name": "b"}}}, INVALID_PARAMS,
                     id="what is completed"),
        pytest.param({"method": "completion/complete",
                      "params": {"ref": {"type": "ref/prompt", "name": "a", "TYPE": "b"}}}, INVALID_PARAMS,
                     id="the type of what is completed"),
    ],
)  # fmt: skip
def test_a_key_that_some_readers_take_for_a_judged_one_is_refused(body, code):
    with pytest.raises(mcp.BadMessage) as caught:
        mcp.read("demo", json.dumps({"jsonrpc": "2.0", "id": 1, **body}).encode(), {})
    assert (caught.value.reason, caught.value.status, caught.value.code, caught.value.id) == (
        Reason.BODY_SHAPE, 400, code, 1,
    )  # fmt: skip


def test_a_response_with_a_key_that_some_readers_take_for_a_method_is_refused():
    with pytest.raises(mcp.BadMessage):
        mcp.read("demo", b'{"jsonrpc":"2.0","id":1,"result":{},"Method":"tools/call"}', {})


def test_arguments_and_results_are_the_tools_own_and_may_have_any_keys():
    body = rpc("tools/call", {"name": "a", "arguments": {"Name": 1, "name": 2, "METHOD": 3}})
    assert mcp.read("demo", body, {}).arguments == {"Name": 1, "name": 2, "METHOD": 3}
    assert mcp.read("demo", b'{"jsonrpc":"2.0","id":1,"result":{"Method":1}}', {}).kind == "response"


def test_unknown_members_key_order_and_large_integers_survive():
    body = b'{"vendor":[1],"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"z":1,"name":"a","arguments":{"n":123456789012345678901234567890}}}'  # noqa: E501
    assert mcp.write(mcp.read("demo", body, {})) == body


def test_arguments_are_those_of_tools_and_prompts_only():
    assert mcp.read("demo", rpc("tools/call", {"name": "a", "arguments": {"x": 1}}), {}).arguments == {"x": 1}
    assert mcp.read("demo", rpc("tools/call", {"name": "a", "arguments": None}), {}).arguments == {}
    assert mcp.read("demo", rpc("vendor/own", {"arguments": {"x": 1}}), {}).arguments == {}


@pytest.mark.parametrize(
    ("method", "params", "headers", "era", "version"),
    [
        pytest.param("ping", None, {}, "handshake", "2025-03-26", id="no version means 2025-03-26"),
        pytest.param("ping", None, {"mcp-protocol-version": "2025-11-25"}, "handshake", "2025-11-25", id="by header"),
        pytest.param("initialize", {"protocolVersion": "2025-06-18"}, {}, "handshake", "2025-06-18", id="as offered"),
        pytest.param(
            "ping", {"_meta": {"progressToken": 1}}, {}, "handshake", "2025-03-26", id="_meta of another kind"
        ),
        pytest.param("tools/list", {"_meta": META}, modern("tools/list"), "modern", "2026-07-28", id="by envelope"),
        pytest.param("ping", None, {"mcp-protocol-version": "zzz"}, "handshake", "zzz", id="a version that is no date"),
    ],
)
def test_the_era_of_a_call(method, params, headers, era, version):
    call = mcp.read("demo", rpc(method, params), headers)
    assert (call.era, call.version) == (era, version)


def test_the_envelope_alone_makes_a_call_modern_so_its_headers_are_due():
    with pytest.raises(mcp.BadMessage) as caught:
        mcp.read("demo", rpc("tools/list", {"_meta": META}), {})
    assert (caught.value.code, caught.value.status, caught.value.id) == (HEADER_MISMATCH, 400, 1)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        pytest.param({}, INVALID_PARAMS, id="no envelope"),
        pytest.param({"_meta": {"io.modelcontextprotocol/protocolVersion": 7}}, INVALID_PARAMS, id="version a number"),
        pytest.param(
            {"_meta": {"io.modelcontextprotocol/protocolVersion": "2027-01-01"}}, HEADER_MISMATCH, id="another version"
        ),
    ],
)
def test_a_modern_header_with_another_envelope_is_refused(params, code):
    with pytest.raises(mcp.BadMessage) as caught:
        mcp.read("demo", rpc("tools/list", params), modern("tools/list"))
    assert (caught.value.code, caught.value.status) == (code, 400)


def test_the_modern_era_takes_no_responses_from_clients():
    with pytest.raises(mcp.BadMessage) as caught:
        mcp.read("demo", b'{"jsonrpc":"2.0","id":1,"result":{}}', {"mcp-protocol-version": "2026-07-28"})
    assert (caught.value.code, caught.value.status) == (INVALID_REQUEST, 400)


def test_a_modern_notification_needs_no_mirrors_because_the_revision_defines_none():
    body = b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}'
    call = mcp.read("demo", body, {"mcp-protocol-version": "2026-07-28"})
    assert (call.kind, call.era) == ("notification", "modern")


@pytest.mark.parametrize(("method", "kind"), [("GET", "stream"), ("DELETE", "close")])
def test_requests_without_a_body(method, kind):
    call = mcp.open_stream("demo", method, {"mcp-protocol-version": "2025-06-18"})
    assert (call.kind, call.method, call.id, call.version, call.era) == (kind, "", None, "2025-06-18", "handshake")


def test_other_http_methods_are_refused():
    with pytest.raises(mcp.BadMessage) as caught:
        mcp.open_stream("demo", "PUT", {})
    assert (caught.value.status, caught.value.reason) == (405, Reason.HTTP_METHOD)


def test_a_get_that_claims_to_be_a_call_is_refused():
    with pytest.raises(mcp.BadMessage) as caught:
        mcp.open_stream("demo", "GET", {"mcp-method": "tools/call"})
    assert caught.value.code == HEADER_MISMATCH


def test_the_session_id_is_the_header_or_nothing():
    assert mcp.session_id({"mcp-session-id": "s1"}) == "s1"
    assert mcp.session_id({}) == ""
