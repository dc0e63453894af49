"""Other people's clients and servers through the real Envoy, unchanged: FastMCP, and the reference server "everything".

Each runs where `make conformance` has put it; none is a dependency of the project.
"""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest
from mcp import Client, types
from mcp.client.streamable_http import streamable_http_client

from tests.conformance.gate import GROUPS, Gated, gated, serving
from tests.conformance.peers import Peers
from tests.envoy.gateway import Ports

PEERS = Peers()
pytestmark = pytest.mark.filterwarnings("ignore:.*2026-07-28")


@pytest.fixture(params=GROUPS)
def group(request) -> str:
    return request.param


def _behind(stack: ExitStack, port: int, command: tuple[str, ...]) -> Gated:
    return stack.enter_context(gated(stack.enter_context(serving(port, *command))))


@pytest.fixture(scope="module")
def fastmcp() -> Iterator[Gated]:
    if PEERS.missing_fastmcp:
        pytest.skip(PEERS.missing_fastmcp)
    port = Ports.take(1)
    with ExitStack() as stack:
        yield _behind(stack, port, PEERS.fastmcp("serve", str(port)))


@pytest.fixture(scope="module")
def everything() -> Iterator[Gated]:
    if PEERS.missing_everything:
        pytest.skip(PEERS.missing_everything)
    port = Ports.take(1)
    with ExitStack() as stack:
        yield _behind(stack, port, PEERS.everything(port))


@pytest.mark.parametrize(
    ("mode", "version"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")], ids=["by a handshake", "by discovery"]
)
@pytest.mark.promise("proof.fastmcp")
def test_fastmcp_finds_its_own_server_behind_the_gateway(fastmcp: Gated, group, mode, version):
    command = PEERS.fastmcp("use", fastmcp.url, fastmcp.token(group), mode)
    ran = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert found["version"] == version
    assert {"greet", "slow_compute", "work"} <= set(found["tools"])
    assert (found["greeting"], found["worked"]) == ("Hello, Ada!", "worked")
    assert (found["note"], found["prompt"]) == ("A note.", "Summarise: t")
    assert found["heard"] == ["step 1", "step 2"]
    assert found.get("task") == (None if mode == "legacy" else "computed")


class Person:
    """Who sits at the client."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def sample(self, context: Any, params: types.CreateMessageRequestParams) -> types.CreateMessageResult:
        return types.CreateMessageResult(
            role="assistant", content=types.TextContent(type="text", text="sampled"), model="m"
        )

    async def elicit(self, context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="decline")

    async def roots(self, context: Any) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri="file:///project", name="project")])

    async def message(self, message: Any) -> None:
        self.heard.append(type(message).__name__)


def _said(result: Any) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.promise("proof.fastmcp")
async def test_the_server_everything_does_what_it_does_without_a_gateway(everything: Gated, group, mode):
    """It knows no stateless revision: a client that asks for one first has to find that out through us."""
    person, progress = Person(), []

    async def report(done: float, _total: float | None, _message: str | None) -> None:
        progress.append(done)

    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {everything.token(group)}"}, timeout=30.0) as http,
        Client(
            streamable_http_client(everything.url, http_client=http), mode=mode, sampling_callback=person.sample,
            elicitation_callback=person.elicit, list_roots_callback=person.roots, message_handler=person.message,
        ) as client,
    ):  # fmt: skip
        assert client.protocol_version == "2025-11-25"
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"echo", "get-sum", "get-tiny-image"} <= tools
        assert _said(await client.call_tool("echo", {"message": "hello"})) == "Echo: hello"
        assert "5" in _said(await client.call_tool("get-sum", {"a": 2, "b": 3}))
        image = await client.call_tool("get-tiny-image")
        assert "image" in [block.type for block in image.content]
        structured = await client.call_tool("get-structured-content", {"location": "New York"})
        assert set(structured.structured_content) >= {"temperature", "conditions"}
        links = await client.call_tool("get-resource-links", {"count": 2})
        assert [block.type for block in links.content].count("resource_link") == 2
        await client.call_tool("trigger-long-running-operation", {"duration": 0.3, "steps": 3},
                               progress_callback=report)  # fmt: skip
        assert progress == [1, 2, 3]
        sampled = await client.call_tool("trigger-sampling-request", {"prompt": "p", "maxTokens": 5})
        assert "sampled" in _said(sampled)
        assert "declin" in _said(await client.call_tool("trigger-elicitation-request")).lower()
        assert "file:///project" in _said(await client.call_tool("get-roots-list"))
        read = await client.read_resource("demo://resource/dynamic/text/1")
        assert "1" in read.contents[0].text
        prompt = await client.get_prompt("args-prompt", {"city": "Paris"})
        assert "Paris" in prompt.messages[0].content.text
        ref = types.PromptReference(type="ref/prompt", name="completable-prompt")
        assert (await client.complete(ref, {"name": "department", "value": "E"})).completion.values == ["Engineering"]
        await client.subscribe_resource("demo://resource/dynamic/text/1")
        await client.call_tool("toggle-subscriber-updates")
        async with asyncio.timeout(20):
            while "ResourceUpdatedNotification" not in person.heard:
                await client.send_ping()
