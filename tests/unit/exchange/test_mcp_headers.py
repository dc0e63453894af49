"""Mirrored headers: whatever they say must be what the body says, in every era."""

import base64
import json

import pytest

from extproc.exchange import mcp
from extproc.exchange.mcp_error import HEADER_MISMATCH, BadMessage
from extproc.exchange.mcp_headers import decoded, is_modern
from extproc.exchange.refusal import Reason

VERSION = {"mcp-protocol-version": "2026-07-28"}
CAPABILITIES = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": CAPABILITIES,
}


def body(method, params, *, envelope):
    params = {**params, "_meta": META} if envelope else params
    return json.dumps({"jsonrpc": "2.0", "id": "r1", "method": method, "params": params}).encode()


def wrapped(name):
    return f"=?base64?{base64.b64encode(name.encode()).decode()}?="


@pytest.mark.parametrize(
    ("method", "params", "name"),
    [
        pytest.param("tools/call", {"name": "read_note"}, "read_note", id="plain"),
        pytest.param("tools/call", {"name": "read_note"}, wrapped("read_note"), id="wrapped though it need not be"),
        pytest.param("prompts/get", {"name": "größe"}, wrapped("größe"), id="wrapped because it is not ASCII"),
        pytest.param("prompts/get", {"name": " a "}, wrapped(" a "), id="wrapped because of its edges"),
        pytest.param(
            "prompts/get", {"name": "=?base64?YQ==?="}, wrapped("=?base64?YQ==?="), id="a name like a wrapper"
        ),
        pytest.param("prompts/get", {"name": "a, a"}, wrapped("a, a"), id="a name that holds a comma, wrapped"),
        pytest.param("resources/read", {"uri": "file:///a?b=c,d"}, "file:///a?b=c,d", id="a uri with a comma"),
        pytest.param("tasks/get", {"taskId": "t1"}, "t1", id="a task"),
        pytest.param("tools/list", {}, None, id="a list has no name"),
    ],
)
def test_headers_that_agree_pass_in_both_eras(method, params, name):
    headers = {**VERSION, "mcp-method": method, "mcp-param-region": "anything"}
    if name is not None:
        headers["mcp-name"] = name
    assert mcp.read("demo", body(method, params, envelope=True), headers).era == "modern"
    headers["mcp-protocol-version"] = "2025-11-25"
    assert mcp.read("demo", body(method, params, envelope=False), headers).era == "handshake"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"mcp-name": "delete_note"}, id="another tool"),
        pytest.param({"mcp-name": "READ_NOTE"}, id="another case"),
        pytest.param({"mcp-name": ""}, id="an empty name"),
        pytest.param({"mcp-name": "read_note, read_note"}, id="the name twice"),
        pytest.param({"mcp-name": "=?base64?cmVhZF9ub3Rl?"}, id="half a wrapper"),
        pytest.param({"mcp-name": "=?base64?cmVhZF9ub3Rl =?="}, id="white space in base64"),
        pytest.param({"mcp-name": "=?base64??="}, id="an empty wrapper"),
        pytest.param({"mcp-name": wrapped("delete_note")}, id="another tool, wrapped"),
        pytest.param({"mcp-method": "tools/list"}, id="another method"),
        pytest.param({"mcp-method": "Tools/Call"}, id="the method in another case"),
        pytest.param({"mcp-method": "tools/call, tools/call"}, id="the method twice"),
        pytest.param({"mcp-protocol-version": "2026-07-28, 2026-07-28"}, id="the version twice"),
    ],
)
@pytest.mark.parametrize("envelope", [True, False], ids=["modern", "handshake"])
def test_headers_that_disagree_are_refused_in_both_eras(change, envelope):
    version = VERSION if envelope else {"mcp-protocol-version": "2025-11-25"}
    headers = {**version, "mcp-method": "tools/call", "mcp-name": "read_note", **change}
    with pytest.raises(mcp.BadMessage) as caught:
        mcp.read("demo", body("tools/call", {"name": "read_note"}, envelope=envelope), headers)
    error = caught.value
    assert (error.reason, error.code, error.status, error.id) == (Reason.HEADER_MISMATCH, HEADER_MISMATCH, 400, "r1")


@pytest.mark.parametrize("missing", ["mcp-method", "mcp-name", "mcp-protocol-version"])
def test_the_modern_era_demands_each_header_and_the_handshake_era_none(missing):
    headers = {**VERSION, "mcp-method": "tools/call", "mcp-name": "read_note"}
    del headers[missing]
    with pytest.raises(mcp.BadMessage) as caught:
        mcp.read("demo", body("tools/call", {"name": "read_note"}, envelope=True), headers)
    assert caught.value.code == HEADER_MISMATCH
    assert mcp.read("demo", body("tools/call", {"name": "read_note"}, envelope=False), {}).name == "read_note"


def test_a_name_on_a_method_that_has_none_is_refused():
    with pytest.raises(mcp.BadMessage) as caught:
        mcp.read("demo", body("tools/list", {}, envelope=False), {"mcp-name": "read_note"})
    assert caught.value.code == HEADER_MISMATCH


def test_a_response_that_claims_a_method_is_refused():
    with pytest.raises(mcp.BadMessage) as caught:
        mcp.read("demo", b'{"jsonrpc":"2.0","id":1,"result":{}}', {"mcp-method": "tools/call"})
    assert caught.value.code == HEADER_MISMATCH


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        pytest.param("abc", "abc", id="plain"),
        pytest.param("=?base64?YWJj?=", "abc", id="wrapped"),
        pytest.param("=?base64?YWI=?=", "ab", id="wrapped with padding"),
        pytest.param("=?base64?YWJ=?=", None, id="bits behind the end, which another reader may not ignore"),
        pytest.param("=?base64?YWI?=", None, id="no padding"),
        pytest.param("=?base64?_-8=?=", None, id="the other alphabet"),
        pytest.param("=?base64?/w==?=", None, id="not UTF-8"),
        pytest.param("=?base64?=", "=?base64?=", id="too short for a wrapper"),
        pytest.param("gr\u00f6\u00dfe", None, id="not ASCII"),
        pytest.param("a\tb", None, id="a control character"),
        pytest.param("a, b", None, id="sent twice"),
    ],
)
def test_what_a_mirrored_header_says(value, meaning):
    assert decoded(value) == meaning


@pytest.mark.parametrize(
    ("version", "modern"),
    [("2026-07-28", True), ("2027-01-01", True), ("2025-11-25", False), ("", False), ("zzz", False), ("9", False)],
)
def test_which_versions_are_modern(version, modern):
    assert is_modern(version) is modern


PING = b'{"jsonrpc":"2.0","id":4,"method":"ping"}'


@pytest.mark.parametrize(
    "origin",
    ["http://localhost", "http://localhost:6274", "https://127.0.0.1:8443", "http://[::1]:3000", "HTTP://LocalHost",
     "https://tools.corp.test", "https://tools.corp.test:8443"],
)  # fmt: skip
def test_web_pages_of_loopback_and_of_our_own_names_may_call(origin):
    assert mcp.read("demo", PING, {"origin": origin}, ("tools.corp.test",)).method == "ping"
    assert mcp.open_stream("demo", "GET", {"origin": origin}, ("tools.corp.test",)).kind == "stream"


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param("http://evil.example.com", id="another name"),
        pytest.param("http://localhost.evil.example.com", id="a name that begins like loopback"),
        pytest.param("http://evil.example.com:localhost", id="loopback for a port"),
        pytest.param("http://localhost:80@evil.example.com", id="loopback for a user"),
        pytest.param("http://[::1]evil.example.com", id="loopback before a name"),
        pytest.param("http://localhost, http://evil.example.com", id="two origins"),
        pytest.param("http://2130706433", id="loopback as a number, which browsers never send"),
        pytest.param("http://localhost/", id="more than an origin"),
        pytest.param("file://", id="a file"),
        pytest.param("null", id="the origin of no page"),
        pytest.param("", id="an empty one"),
    ],
)  # fmt: skip
def test_web_pages_of_foreign_origins_may_not_call(origin):
    for read in (lambda: mcp.read("demo", PING, {"origin": origin, "host": "evil.example.com"}),
                 lambda: mcp.open_stream("demo", "GET", {"origin": origin, "host": "evil.example.com"})):  # fmt: skip
        with pytest.raises(BadMessage) as caught:
            read()
        assert (caught.value.reason, caught.value.status) == (Reason.ORIGIN_NOT_ALLOWED, 403)
        assert "evil" not in str(caught.value)


@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel"])
def test_a_task_s_id_need_not_be_repeated_but_if_it_is_it_has_to_be_the_same(method):
    said = body(method, {"taskId": "t-1"}, envelope=True)
    headers = {**VERSION, "mcp-method": method}
    assert mcp.read("demo", said, headers).name == "t-1"
    assert mcp.read("demo", said, {**headers, "mcp-name": "t-1"}).name == "t-1"
    with pytest.raises(BadMessage) as caught:
        mcp.read("demo", said, {**headers, "mcp-name": "t-2"})
    assert caught.value.code == HEADER_MISMATCH
