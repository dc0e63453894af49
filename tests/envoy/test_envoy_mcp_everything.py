"""Everything that MCP has, through the real Envoy: the official client, unchanged, with a server of the official SDK.

The policy allows everything. In both eras, and whether answers are masked or not, the client must find what it would
find without a gateway.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client, types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.conformance.gate import GROUPS, Gated, gated, serving
from tests.envoy.gateway import Ports, request, until

# What the newest revision removed is what the older ones are tested for.
pytestmark = pytest.mark.filterwarnings("ignore:.*2026-07-28")

LEGACY, MODERN = "legacy", "2026-07-28"
ERAS = [LEGACY, MODERN]
PARIS = "paris"


@pytest.fixture(scope="module")
def gate() -> Iterator[Gated]:
    with serving(Ports.take(1)) as url, gated(url) as made:
        yield made


@pytest.fixture(params=ERAS)
def era(request) -> str:
    return request.param


@pytest.fixture(params=GROUPS)
def group(request) -> str:
    return request.param


class Person:
    """Who sits at the client: answers what servers ask, and remembers what they say."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.heard: list[Any] = []

    async def sample(self, context: Any, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
        self.asked.append(params.messages[0].content.text)
        return types.CreateMessageResult(
            role="assistant", content=types.TextContent(type="text", text=PARIS), model="m"
        )

    async def elicit(self, context: Any, params: types.ElicitRequestFormParams) -> types.ElicitResult:
        self.asked.append(params.message)
        values = {"response": "yes", "name": "Ada", "color": "green", "ok": True, "context": "tea"}
        wanted = params.requested_schema["properties"]
        return types.ElicitResult(action="accept", content={key: values[key] for key in wanted})

    async def roots(self, context: Any) -> types.ListRootsResult:
        self.asked.append("roots")
        return types.ListRootsResult(roots=[types.Root(uri="file:///project", name="project")])

    async def log(self, params: types.LoggingMessageNotificationParams) -> None:
        self.heard.append(params.data)

    async def message(self, message: Any) -> None:
        self.heard.append(type(message).__name__)


@asynccontextmanager
async def connected(gate: Gated, era: str, group: str = "plain", person: Person | None = None) -> AsyncIterator[Client]:
    someone = person or Person()
    headers = {"authorization": f"Bearer {gate.token(group)}"}
    callbacks = {"sampling_callback": someone.sample, "elicitation_callback": someone.elicit,
                 "list_roots_callback": someone.roots, "logging_callback": someone.log,
                 "message_handler": someone.message}  # fmt: skip
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30.0) as http,
        Client(streamable_http_client(gate.url, http_client=http), mode=era, **callbacks) as client,
    ):
        yield client


def said(result: Any) -> str:
    return "".join(block.text for block in result.content if isinstance(block, types.TextContent))


# -- what a server has -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["legacy", "auto"], ids=["by a handshake", "by discovery"])
async def test_who_the_server_is_and_what_it_can_do(gate: Gated, mode, group):
    async with connected(gate, mode, group) as client:
        assert client.server_info.name == "reference"
        assert client.instructions == "A server for tests."
        assert client.protocol_version == ("2025-11-25" if mode == LEGACY else MODERN)
        assert client.server_capabilities.tools is not None


async def test_tools_keep_their_schemas_to_the_last_keyword(gate: Gated, era, group):
    async with connected(gate, era, group) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    schema = tools["json_schema_2020_12_tool"].input_schema
    assert schema["$defs"]["address"]["$anchor"] == "addressDef"
    assert {"allOf", "if", "then", "else"} <= schema.keys()
    assert tools["test_x_mcp_header"].input_schema["properties"]["region"]["x-mcp-header"] == "Region"


async def test_every_kind_of_content_arrives_as_it_was(gate: Gated, era, group):
    async with connected(gate, era, group) as client:
        mixed = await client.call_tool("test_multiple_content_types")
        audio = await client.call_tool("test_audio_content")
        failed = await client.call_tool("test_error_handling")
    assert [block.type for block in mixed.content] == ["text", "image", "resource"]
    assert mixed.content[1].data.startswith("iVBOR")
    assert mixed.content[2].resource.text == '{"test": "data", "value": 123}'
    assert audio.content[0].mime_type == "audio/wav"
    assert failed.is_error
    assert said(failed) == "Error executing tool test_error_handling"


async def test_an_argument_that_a_header_repeats_reaches_the_tool(gate: Gated, era, group):
    async with connected(gate, era, group) as client:
        await client.list_tools()
        assert said(await client.call_tool("test_x_mcp_header", {"region": "eu-1"})) == "region=eu-1"


@pytest.mark.parametrize("size", [100_000, 1_500_000], ids=["100 kB", "1.5 MB"])
async def test_large_results_arrive_whole(gate: Gated, era, group, size):
    # A client of the SDK takes SSE events up to 1 MiB by itself, JSON answers of any size.
    headers = {"authorization": f"Bearer {gate.token(group)}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30.0) as http,
        Client(streamable_http_client(gate.url, http_client=http, max_sse_event_size=None), mode=era) as client,
    ):
        assert said(await client.call_tool("large_text", {"size": size})) == "x" * size


async def test_resources_prompts_and_completions(gate: Gated, era, group):
    async with connected(gate, era, group) as client:
        assert "test://static-text" in [str(r.uri) for r in (await client.list_resources()).resources]
        [template] = (await client.list_resource_templates()).resource_templates
        assert template.uri_template == "test://template/{id}/data"
        read = await client.read_resource("test://template/7/data")
        assert json.loads(read.contents[0].text)["id"] == "7"
        blob = await client.read_resource("test://static-binary")
        assert blob.contents[0].blob.startswith("iVBOR")
        assert "test_simple_prompt" in [p.name for p in (await client.list_prompts()).prompts]
        prompt = await client.get_prompt("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})
        assert "arg1='a', arg2='b'" in prompt.messages[0].content.text
        ref = types.PromptReference(type="ref/prompt", name="test_prompt_with_arguments")
        completed = await client.complete(ref, {"name": "arg1", "value": "par"})
        assert completed.completion.values == ["paris", "park", "party"]


@pytest.mark.parametrize("what", ["tool", "prompt", "resource"])
async def test_what_is_not_there_fails_as_it_does_without_a_gateway(gate: Gated, era, group, what):
    async with connected(gate, era, group) as client:
        if what == "tool":
            try:
                answer = said(await client.call_tool("no_such_tool"))
            except MCPError as error:
                answer = error.error.message
            assert answer == "Unknown tool: no_such_tool"
        else:
            asked = client.get_prompt("nobody") if what == "prompt" else client.read_resource("test://nobody")
            with pytest.raises(MCPError) as caught:
                await asked
            assert "gatereeve" not in str(caught.value)


# -- what a server says while it works -------------------------------------------------------------------------------


async def test_progress_is_heard_in_order(gate: Gated, era, group):
    heard: list[tuple[float, str | None]] = []

    async def progress(done: float, _total: float | None, message: str | None) -> None:
        heard.append((done, message))

    async with connected(gate, era, group) as client:
        await client.call_tool("test_tool_with_progress", progress_callback=progress)
    assert heard == [(done, f"Completed step {done} of 100") for done in (0, 50, 100)]


async def test_log_messages_are_heard(gate: Gated, group):
    person = Person()
    async with connected(gate, LEGACY, group, person) as client:
        await client.set_logging_level("info")
        await client.call_tool("test_tool_with_logging")
    assert [line for line in person.heard if str(line).startswith("Tool execution")] == [
        "Tool execution started", "Tool execution processing data", "Tool execution completed",
    ]  # fmt: skip


@pytest.mark.promise("mcp.streams")
async def test_a_stream_that_the_server_closed_is_taken_up_again(gate: Gated, group):
    """Priming event, retry, then GET with Last-Event-ID (2025-11-25)."""
    async with connected(gate, LEGACY, group) as client:
        assert said(await client.call_tool("test_reconnection")) == "Reconnection test completed"


# -- what a server asks back -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "arguments", "question", "answer"),
    [
        pytest.param("test_sampling", {"prompt": "Capital?"}, "Capital?", "LLM response: paris", id="sampling"),
        pytest.param("test_elicitation", {"message": "Sure?"}, "Sure?",
                     'User response: action=accept, content={"response":"yes"}', id="elicitation"),
        pytest.param("test_roots", {}, "roots", "file:///project", id="roots, asked on the GET stream"),
    ],
)  # fmt: skip
async def test_requests_of_the_server_are_answered_in_a_session(gate: Gated, group, tool, arguments, question, answer):
    person = Person()
    async with connected(gate, LEGACY, group, person) as client:
        assert said(await client.call_tool(tool, arguments)) == answer
    assert person.asked == [question]


@pytest.mark.parametrize(
    ("tool", "asked", "answer"),
    [
        pytest.param("elicitation", ["What is your name?"], "Hello, Ada!", id="the user is asked"),
        pytest.param("sampling", ["What is the capital of France?"], "Model said: paris", id="the model is asked"),
        pytest.param("list_roots", ["roots"], "Client exposed 1 root(s).", id="roots are asked for"),
        pytest.param("request_state", ["Please confirm"], "state-ok: confirmation received", id="a state comes back"),
        pytest.param("multi_round", ["Step 1: What is your name?", "Step 2: What is your favorite color?"],
                     "Ada likes green.", id="two rounds with a state that grows"),
    ],
)  # fmt: skip
@pytest.mark.promise("mcp.rounds")
async def test_calls_take_several_rounds_without_a_session(gate: Gated, group, tool, asked, answer):
    person = Person()
    async with connected(gate, MODERN, group, person) as client:
        assert said(await client.call_tool(f"test_input_required_result_{tool}")) == answer
    assert person.asked == asked


async def test_prompts_take_several_rounds_too(gate: Gated, group):
    async with connected(gate, MODERN, group) as client:
        prompt = await client.get_prompt("test_input_required_result_prompt")
    assert prompt.messages[0].content.text == "Use the following context: tea"


# -- what goes on beside calls ---------------------------------------------------------------------------------------


@pytest.mark.promise("mcp.rounds")
async def test_changes_are_heard_on_a_subscription(gate: Gated, group):
    uri = "test://watched-resource"
    async with (
        connected(gate, MODERN, group) as client,
        client.listen(tools_list_changed=True, resource_subscriptions=[uri]) as heard,
    ):
        assert heard.honored.tools_list_changed
        await client.call_tool("test_trigger_tool_change")
        await client.call_tool("touch_resource", {"uri": uri})
        async with asyncio.timeout(10):
            kinds = [type(await anext(heard)).__name__ for _ in range(2)]
    assert sorted(kinds) == ["ResourceUpdated", "ToolsListChanged"]


@pytest.mark.promise("mcp.rounds")
async def test_changes_are_heard_on_the_stream_of_a_session(gate: Gated, group):
    person = Person()
    async with connected(gate, LEGACY, group, person) as client:
        await client.subscribe_resource("test://watched-resource")
        await client.send_ping()
        await client.send_roots_list_changed()
        async with asyncio.timeout(20):
            while "ResourceUpdatedNotification" not in person.heard:  # the GET stream opens beside the first calls
                await client.call_tool("touch_resource", {"uri": "test://watched-resource"})
        await client.unsubscribe_resource("test://watched-resource")


async def test_a_call_that_the_client_gives_up_ends_at_the_server(gate: Gated, era, group):
    name = f"{era}-{group}"
    async with connected(gate, era, group) as client:
        with pytest.raises((TimeoutError, MCPError)):
            async with asyncio.timeout(1.0):
                await client.call_tool("wait_until_cancelled", {"name": name})
        async with asyncio.timeout(10):
            while name not in said(await client.call_tool("who_was_cancelled")).split(","):
                pass


def test_a_session_ends_when_the_client_says_so_and_is_then_unknown(gate: Gated, group):
    headers = {"authorization": f"Bearer {gate.token(group)}", "accept": "application/json, text/event-stream"}
    hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize",
             "params": {"protocolVersion": "2025-11-25", "capabilities": {},
                        "clientInfo": {"name": "t", "version": "1"}}}  # fmt: skip
    opened = request("POST", gate.url, json=hello, headers=headers)
    session = headers | {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert request("POST", gate.url, json=note, headers=session).status_code == 202
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert request("POST", gate.url, json=ping, headers=session).status_code == 200
    assert request("DELETE", gate.url, headers=session).status_code == 200
    assert request("POST", gate.url, json=ping, headers=session).status_code == 404
    assert request("POST", gate.url, json=ping, headers=headers).status_code == 400  # a session is asked for


def test_the_audit_names_what_was_called(gate: Gated):
    until("records of calls", lambda: {e["method"] for e in gate.gateway.audit()} >= {"tools/call"} or None)
