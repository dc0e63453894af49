"""The SDK's own client and server, unchanged, with our reading and writing between them, in one process."""

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError

from extproc.exchange import mcp
from extproc.exchange.refusal import Reason, Refusal

CARD = "4111 1111 1111 1111"
DENIED = {"delete_note": Reason.TOOL_NOT_ALLOWED, "greet": Reason.METHOD_NOT_ALLOWED}


class Cards:
    def text(self, text, before=""):
        return text.replace(CARD, "[card]").replace("4111111111111111", "[card]")

    def stream(self, before=""):
        raise AssertionError("MCP masks whole texts")


class Gate(httpx2.AsyncBaseTransport):
    """Between client and server: reads, judges by a small table, writes, inspects. Remembers what it saw."""

    def __init__(self, app):
        self.inner = httpx2.ASGITransport(app)
        self.seen = []

    async def handle_async_request(self, request):
        headers = dict(request.headers)
        if request.method != "POST":
            call = mcp.open_stream("demo", request.method, headers)
            return self.refused(Refusal.of(Reason.METHOD_NOT_ALLOWED), call)
        call = mcp.read("demo", await request.aread(), headers)
        self.seen.append((call.method, call.name, call.era))
        if call.name in DENIED:
            return self.refused(Refusal.of(DENIED[call.name], "r-1"), call)
        del headers["content-length"]
        reply = await self.inner.handle_async_request(
            httpx2.Request("POST", request.url, headers=headers, content=mcp.write(call))
        )
        body = await reply.aread()
        answer = mcp.answer(call, Cards(), lambda kind, name: name not in DENIED)
        if reply.headers.get("content-type", "").startswith("text/event-stream"):
            body = b"".join([answer.feed(bytes([byte])) for byte in body]) + answer.finish()
        else:
            body = answer.document(body)
        kept = {key: value for key, value in reply.headers.items() if key != "content-length"}
        return httpx2.Response(reply.status_code, headers=kept, content=body)

    def refused(self, refusal, call):
        rendered = mcp.refusal(refusal, call)
        return httpx2.Response(rendered.status, headers=list(rendered.headers), content=rendered.body)


def demo():
    server = MCPServer("demo")

    @server.tool()
    def find_customer(number: int) -> dict[str, str]:
        """Finds a customer."""
        return {"card": CARD, "number": str(number)}

    @server.tool()
    def delete_note(number: int) -> str:
        """Deletes a note."""
        raise AssertionError("a denied tool was called")

    @server.prompt()
    def greet() -> str:
        """Greets."""
        raise AssertionError("a denied prompt was read")

    @server.prompt()
    def bye() -> str:
        """Says goodbye."""
        return f"Goodbye, {CARD}"

    return server


@pytest.mark.parametrize("as_json", [True, False], ids=["JSON", "SSE"])
@pytest.mark.parametrize(("mode", "era"), [("legacy", "handshake"), ("2026-07-28", "modern"), ("auto", "modern")])
async def test_the_sdk_client_sees_lists_filtered_results_masked_and_denials_it_can_go_on_from(mode, era, as_json):
    server = demo()
    app = server.streamable_http_app(json_response=as_json)
    gate = Gate(app)
    async with server.session_manager.run(), httpx2.AsyncClient(transport=gate) as http:
        transport = streamable_http_client("http://127.0.0.1:8000/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["find_customer"]
            assert [prompt.name for prompt in (await client.list_prompts()).prompts] == ["bye"]

            found = await client.call_tool("find_customer", {"number": 7})
            assert found.structured_content == {"card": "[card]", "number": "7"}
            assert CARD not in found.model_dump_json()

            denied = await client.call_tool("delete_note", {"number": 7})
            assert denied.is_error is True
            assert denied.content[0].text == Refusal.of(DENIED["delete_note"], "r-1").text

            with pytest.raises(MCPError) as caught:
                await client.get_prompt("greet")
            assert caught.value.error.code == 4030
            assert caught.value.error.message == Refusal.of(DENIED["greet"], "r-1").text

            said = await client.get_prompt("bye")
            assert said.messages[0].content.text == "Goodbye, [card]"
    assert {seen[2] for seen in gate.seen if seen[0].startswith("tools/")} == {era}
    assert ("tools/call", "delete_note", era) in gate.seen
