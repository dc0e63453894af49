"""MCP through the real Envoy: the official client in both eras, and messages that no good client sends."""

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client, types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from extproc.demo.mcp_content import CUSTOMER, NOTE
from tests.envoy import policies
from tests.envoy.conftest import Scripted
from tests.envoy.gateway import Gateway, request
from tests.envoy.oracle import assert_clean, masked

CARD = "4111 1111 1111 1111"
ACCEPT = "application/json, text/event-stream"
MODERN = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}


@pytest.fixture(params=["legacy", MODERN])
def era(request) -> str:
    return request.param


def _http(demo: Gateway, *groups: str, **headers: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(headers={"authorization": f"Bearer {demo.token(*groups)}", **headers}, timeout=20.0)


@asynccontextmanager
async def _client(demo: Gateway, era: str, *groups: str, **headers: str) -> AsyncIterator[Client]:
    """The official client, unchanged; `headers` steer the demo."""
    async with (
        _http(demo, *groups, **headers) as http,
        Client(streamable_http_client(f"{demo.url}/mcp/demo", http_client=http), mode=era) as client,
    ):
        yield client


def _text(result: Any) -> str:
    return "".join(block.text for block in result.content if isinstance(block, types.TextContent))


@pytest.mark.promise("clients.mcp")
@pytest.mark.promise("mcp.eras")
@pytest.mark.promise("mcp.filtered")
@pytest.mark.parametrize(
    ("group", "tools"),
    [
        pytest.param("engineering", ["read_note", "find_customer"], id="engineering"),
        pytest.param("interns", ["read_note"], id="interns"),
    ],
)
async def test_the_list_of_tools_is_what_the_caller_may_call(demo: Gateway, era, group, tools):
    async with _client(demo, era, group) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == tools


@pytest.mark.promise("clients.mcp")
@pytest.mark.promise("masking.mcp")
@pytest.mark.parametrize("sse", ["0", "1"], ids=["JSON", "SSE"])
async def test_an_allowed_call_is_answered_and_masked(demo: Gateway, era, sse):
    async with _client(demo, era, "engineering", **{"x-demo-sse": sse}) as client:
        await client.list_tools()
        result = await client.call_tool("find_customer", {"id": 42})
    assert not result.is_error
    assert _text(result) == masked(CUSTOMER)
    assert result.structured_content == {"customer": masked(CUSTOMER)}
    assert_clean(result.model_dump_json())


@pytest.mark.promise("masking.mcp")
async def test_progress_messages_are_masked_too(demo: Gateway, era):
    heard: list[str] = []

    async def progress(_progress: float, _total: float | None, message: str | None) -> None:
        heard.append(message or "")

    async with _client(demo, era, "engineering", **{"x-demo-sse": "1"}) as client:
        await client.call_tool("find_customer", {"id": 42}, progress_callback=progress)
    assert heard == [masked(f"Found: {CUSTOMER}")]


@pytest.mark.promise("clients.mcp")
@pytest.mark.promise("mcp.tools")
@pytest.mark.parametrize(
    ("group", "tool"),
    [
        pytest.param("engineering", "delete_note", id="a tool that nobody may call"),
        pytest.param("interns", "find_customer", id="a tool that others may call"),
        pytest.param("interns", "no_such_tool", id="a tool that does not exist"),
    ],
)
async def test_a_denied_call_is_a_failed_tool_and_the_client_goes_on(demo: Gateway, era, group, tool):
    marker = uuid.uuid4().hex
    async with _client(demo, era, group, **{"x-test": marker}) as client:
        result = await client.call_tool(tool, {"name": "x"})
        assert result.is_error
        assert "tool-not-allowed" in _text(result)
        after = await client.call_tool("read_note", {"name": "x"})
        assert _text(after) == NOTE
    assert "read_note" in _arrived(demo, marker)
    assert tool not in _arrived(demo, marker)


@pytest.mark.promise("mcp.methods")
async def test_prompts_and_resources_are_under_policy_too(demo: Gateway, era):
    async with _client(demo, era, "engineering") as client:
        assert [p.name for p in (await client.list_prompts()).prompts] == ["summarise"]
        resource = await client.read_resource("note://today")
        assert resource.contents[0].text == masked(f"{NOTE} {CUSTOMER}")
    async with _client(demo, era, "interns") as client:
        assert (await client.list_prompts()).prompts == []
        with pytest.raises(MCPError) as caught:
            await client.read_resource("note://today")
        assert "method-not-allowed" in str(caught.value)
        assert [t.name for t in (await client.list_tools()).tools] == ["read_note"]


def _arrived(demo: Gateway, marker: str) -> list[Any]:
    """What the calls that carried this marker were about, as the demo's server saw them."""
    bodies = [entry["body"] for entry in demo.seen("mcp") if entry["headers"].get("x-test") == marker]
    return [body.get("params", {}).get("name") if isinstance(body, dict) else body for body in bodies]


# -- messages by hand ------------------------------------------------------------------------------------------------


def _post(gateway: Gateway, token: str, message: Any, path: str = "/mcp/demo", **headers: str) -> httpx2.Response:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return request(
        "POST",
        f"{gateway.url}{path}",
        content=body,
        headers={"authorization": f"Bearer {token}", "accept": ACCEPT, "content-type": "application/json", **headers},
        timeout=20.0,
    )


def _modern(method: str, id: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": {"_meta": META, **params}}


def _mirrors(method: str, name: str = "") -> dict[str, str]:
    headers = {"mcp-protocol-version": MODERN, "mcp-method": method}
    return headers | ({"mcp-name": name} if name else {})


@pytest.mark.promise("mcp.filtered")
@pytest.mark.parametrize("sse", ["0", "1"], ids=["JSON", "SSE"])
def test_a_filtered_list_keeps_its_pages_and_becomes_private(demo: Gateway, sse):
    cursor, names = None, []
    for _ in range(5):
        params = {"cursor": cursor} if cursor else {}
        answer = _post(demo, demo.token("interns"), _modern("tools/list", **params), **_mirrors("tools/list"),
                       **{"x-demo-page": "1", "x-demo-sse": sse})  # fmt: skip
        assert answer.status_code == 200
        text = answer.text.partition("data: ")[2].partition("\n")[0] if sse == "1" else answer.text
        result = json.loads(text)["result"]
        assert result["cacheScope"] == "private"  # the demo says public
        names += [tool["name"] for tool in result["tools"]]
        cursor = result.get("nextCursor")
        if not cursor:
            break
    assert names == ["read_note"]
    assert cursor is None


@pytest.mark.promise("mcp.headers")
@pytest.mark.parametrize(
    ("headers", "named"),
    [
        pytest.param(_mirrors("tools/list", "read_note"), "read_note", id="Mcp-Method says something else"),
        pytest.param(_mirrors("tools/call", "read_note"), "delete_note", id="Mcp-Name says something else"),
        pytest.param(_mirrors("tools/call"), "read_note", id="Mcp-Name is missing"),
        pytest.param({"mcp-protocol-version": MODERN, "mcp-name": "read_note"}, "read_note",
                     id="Mcp-Method is missing"),
        pytest.param({**_mirrors("tools/call", "read_note"), "mcp-protocol-version": "2025-11-25"}, "read_note",
                     id="MCP-Protocol-Version says something else"),
    ],
)  # fmt: skip
def test_headers_that_contradict_the_body_are_refused(demo: Gateway, headers, named):
    marker = uuid.uuid4().hex
    message = _modern("tools/call", id="a-7", name=named, arguments={})
    answer = _post(demo, demo.token("engineering"), message, **headers, **{"x-test": marker})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == -32020
    assert answer.json()["id"] == "a-7"
    assert _arrived(demo, marker) == []


@pytest.mark.promise("bad-input.header-names")
def test_header_names_in_any_case_mirror_the_body(demo: Gateway):
    headers = {"MCP-PROTOCOL-VERSION": MODERN, "mCP-mETHOD": "tools/call", "MCP-NAME": "read_note"}
    message = _modern("tools/call", name="read_note", arguments={})
    answer = _post(demo, demo.token("engineering"), message, **headers)
    assert answer.status_code == 200
    assert answer.json()["result"]["content"][0]["text"] == NOTE


@pytest.mark.promise("mcp.batches")
def test_a_batch_is_refused(demo: Gateway):
    marker = uuid.uuid4().hex
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "delete_note"}}
    answer = _post(demo, demo.token("engineering"), [call, {**call, "id": 2}], **{"x-test": marker})
    assert answer.status_code == 400
    assert answer.json()["error"]["data"]["reason"] == "batch-refused"
    assert _arrived(demo, marker) == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"{", -32700, id="not JSON"),
        pytest.param(b'"hello"', -32600, id="no object"),
        pytest.param(b'{"jsonrpc":"2.0","id":1}', -32600, id="neither method nor result"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}', -32602, id="a number"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}', -32602, id="params by position"),
    ],
)  # fmt: skip
def test_a_message_that_is_none_is_refused(demo: Gateway, body, code):
    marker = uuid.uuid4().hex
    answer = _post(demo, demo.token("engineering"), body, **{"x-test": marker})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert _arrived(demo, marker) == []


@pytest.mark.promise("mcp.judged-is-sent")
@pytest.mark.promise("bad-input.duplicate-keys")
def test_a_name_said_twice_is_judged_and_sent_as_one(scripted: Scripted):
    async def answer(line):
        await line.whole(b'{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":false}}')

    scripted.upstream.scripts["mcp twice"] = answer
    body = (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_a","arguments":{},"name":"delete_all"}}'
    )
    token = scripted.issuer.token("engineering")
    first = _post(scripted.gateway, token, body, "/mcp/tools", **{"x-script": "mcp twice"})
    assert first.json()["result"]["isError"] is True
    assert scripted.upstream.arrivals("mcp twice") == []
    swapped = body.replace(b"read_a", b"x").replace(b"delete_all", b"read_b")
    assert _post(scripted.gateway, token, swapped, "/mcp/tools", **{"x-script": "mcp twice"}).status_code == 200
    [arrived] = scripted.upstream.arrivals("mcp twice")
    assert arrived.body.count(b'"name"') == 1
    assert arrived.json()["params"]["name"] == "read_b"


@pytest.mark.promise("mcp.route")
def test_a_server_is_found_by_host_as_well_and_gets_its_own_credential(scripted: Scripted):
    async def answer(line):
        await line.whole(b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"ok"}],"isError":false}}')

    scripted.upstream.scripts["by host"] = answer
    token = scripted.issuer.token("engineering")
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "read_x", "arguments": {}}}
    got = _post(scripted.gateway, token, message, "/", host="Tools.test", **{"x-script": "by host"})
    assert got.status_code == 200
    [arrived] = scripted.upstream.arrivals("by host")
    assert arrived.path == "/mcp"
    assert arrived.header("authorization") == f"Bearer {policies.MCP_KEY}"
    assert token.encode() not in arrived.everything
    denied = _post(scripted.gateway, token, {**message, "params": {"name": "delete_x"}}, "/", host="tools.test:80")
    assert denied.json()["result"]["isError"] is True


@pytest.mark.promise("mcp.eras")
def test_sessions_pass_in_both_directions(demo: Gateway):
    token = demo.token("engineering")
    hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize",
             "params": {"protocolVersion": "2025-11-25", "capabilities": {},
                        "clientInfo": {"name": "t", "version": "1"}}}  # fmt: skip
    opened = _post(demo, token, hello)
    session = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
    listing = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    assert len(_post(demo, token, listing, **session).json()["result"]["tools"]) == 2
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert _post(demo, token, note, **session).status_code == 202
    closed = request("DELETE", f"{demo.url}/mcp/demo", headers={"authorization": f"Bearer {token}", **session})
    assert closed.status_code == 204
    assert _post(demo, token, listing, **session).status_code == 404


def test_a_server_that_does_not_exist_is_404(demo: Gateway):
    answer = _post(demo, demo.token("engineering"), _modern("tools/list"), "/mcp/nobody", **_mirrors("tools/list"))
    assert answer.status_code == 404
    assert answer.json()["error"]["data"]["reason"] == "server-unknown"
