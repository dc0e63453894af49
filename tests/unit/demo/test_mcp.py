"""The demo MCP server speaks both eras, as the `mcp` SDK's client understands them."""

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from extproc.demo.mcp import KEY, DemoMcp

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture
async def demo():
    served = DemoMcp(port=0)
    async with served.server:
        yield served


def url(demo):
    return f"http://127.0.0.1:{demo.server.port}/mcp"


@pytest.fixture(params=["json", "sse"])
async def http(request):
    headers = {"authorization": f"Bearer {KEY}"} | ({"x-demo-sse": "1"} if request.param == "sse" else {})
    async with httpx2.AsyncClient(headers=headers) as client:
        yield client


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_sdk_client_lists_calls_prompts_and_reads(demo, http, mode):
    async with Client(streamable_http_client(url(demo), http_client=http), mode=mode) as client:
        assert client.protocol_version == ("2026-07-28" if mode == "auto" else "2025-11-25")
        tools = await client.list_tools()
        assert [t.name for t in tools.tools] == ["read_note", "find_customer", "delete_note"]
        assert tools.tools[2].annotations.destructive_hint
        found = await client.call_tool("find_customer", {"id": 42})
        assert "4111 1111 1111 1111" in found.content[0].text
        assert (await client.call_tool("nothing", {})).is_error
        assert (await client.list_prompts()).prompts[0].name == "summarise"
        assert "hello" in (await client.get_prompt("summarise", {"text": "hello"})).messages[0].content.text
        assert (await client.read_resource("note://today")).contents[0].text


async def test_progress_comes_before_the_result_in_a_stream(demo):
    heard = []

    async def note(progress, total, message):
        heard.append((progress, total, message))

    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {KEY}", "x-demo-sse": "1"}) as http,
        Client(streamable_http_client(url(demo), http_client=http)) as client,
    ):
        await client.call_tool("find_customer", {}, progress_callback=note)
    assert len(heard) == 1
    assert "jane.example@example.com" in heard[0][2]


async def post(demo, body, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx2.AsyncClient() as client:
        return await client.post(url(demo), json=body, headers={"authorization": f"Bearer {KEY}", **names})


def call(method, modern=False, **params):
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params | ({"_meta": META} if modern else {})}


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        pytest.param([call("ping")], {}, 400, -32600, id="a batch"),
        pytest.param(call("tools/list", modern=True), {}, 400, -32020, id="modern without mirrored headers"),
        pytest.param(
            call("tools/call", modern=True, name="read_note"),
            {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call", "mcp_name": "delete_note"},
            400, -32020, id="a name in the header that is not the body's",
        ),
        pytest.param(
            call("ping", modern=True), {"mcp_protocol_version": "2026-07-28", "mcp_method": "ping"}, 404, -32601,
            id="a method that 2026-07-28 does not have",
        ),
        pytest.param(
            call("tools/list"), {"mcp_protocol_version": "2025-11-25"}, 400, -32600, id="a missing session"
        ),
        pytest.param(
            call("tools/list"), {"mcp_protocol_version": "2025-11-25", "mcp_session_id": "gone"}, 404, -32600,
            id="an unknown session",
        ),
        pytest.param(call("tools/list"), {"mcp_protocol_version": "1999-01-01"}, 400, -32600, id="an unknown version"),
    ],
)  # fmt: skip
async def test_what_the_protocol_refuses_is_refused(demo, body, headers, status, code):
    answer = await post(demo, body, **headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_2025_06_18_works_without_a_session_and_pages(demo):
    begun = await post(demo, call("initialize", protocolVersion="2025-06-18"))
    assert begun.json()["result"]["protocolVersion"] == "2025-06-18"
    assert "mcp-session-id" not in begun.headers
    names, cursor = [], {}
    for _ in range(3):
        page = (
            await post(demo, call("tools/list", **cursor), mcp_protocol_version="2025-06-18", x_demo_page="1")
        ).json()
        names += [tool["name"] for tool in page["result"]["tools"]]
        cursor = {"cursor": page["result"].get("nextCursor", "")}
    assert names == ["read_note", "find_customer", "delete_note"]
    assert cursor == {"cursor": ""}


async def test_a_foreign_credential_is_refused_and_get_has_no_stream(demo):
    async with httpx2.AsyncClient() as client:
        assert (await client.post(url(demo), json=call("ping"))).status_code == 401
        got = await client.get(url(demo), headers={"authorization": f"Bearer {KEY}"})
    assert (got.status_code, "POST" in got.headers["allow"]) == (405, True)
