"""FastMCP as it is released, run by a Python of its own: a server with background tasks, and a client.

    python fastmcp_peer.py serve PORT
    python fastmcp_peer.py use URL TOKEN MODE       prints as JSON what the client found

The project does not depend on FastMCP: nothing imports this file.
"""

import asyncio
import json
import sys
from dataclasses import dataclass

from fastmcp import Client, Context, FastMCP
from fastmcp.client.transports import StreamableHttpTransport
from fastmcp.utilities.tasks import TaskConfig
from fastmcp_tasks import TasksExtension, call_tool_task
from mcp.shared.exceptions import MCPError


@dataclass
class Confirmed:
    confirm: bool


@dataclass
class Named:
    name: str


def server() -> FastMCP:
    """The tools that the suite's scenarios about tasks look for, and some that do a client good."""
    made = FastMCP("peer", instructions="A server for tests.")
    made.add_extension(TasksExtension())

    @made.tool
    def greet(name: str = "you") -> str:
        """Answers at once."""
        return f"Hello, {name}!"

    @made.tool(task=True)
    async def slow_compute(seconds: float = 0.0, label: str = "") -> str:
        """Takes its time."""
        await asyncio.sleep(seconds)
        return "computed"

    @made.tool(task=TaskConfig(mode="required"))
    async def failing_job() -> str:
        """Fails."""
        raise ValueError("This job fails on purpose")

    @made.tool(task=True)
    async def protocol_error_job() -> str:
        """Fails as a request, not as a tool."""
        raise MCPError(code=-32603, message="This job panics on purpose")

    @made.tool(task=True)
    async def confirm_delete(ctx: Context, filename: str = "a.txt") -> str:
        """Asks before it does nothing."""
        answer = await ctx.elicit(f"Delete {filename}?", response_type=Confirmed)
        return f"{answer.action}: {filename}"

    @made.tool(task=True)
    async def multi_input(ctx: Context) -> str:
        """Asks two things at once."""
        asked = (ctx.elicit("Name?", response_type=Named), ctx.elicit("Sure?", response_type=Confirmed))
        return " ".join(answer.action for answer in await asyncio.gather(*asked))

    @made.tool
    async def work(ctx: Context) -> str:
        """Tells how far it is."""
        for done in (1, 2):
            await ctx.report_progress(done, 2, f"step {done}")
        return "worked"

    @made.resource("note://today")
    def today() -> str:
        return "A note."

    @made.prompt
    def summarise(text: str) -> str:
        return f"Summarise: {text}"

    return made


async def use(url: str, token: str, mode: str) -> dict[str, object]:
    heard: list[str | None] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    async def elicit(message: str, response_type: object, params: object, context: object) -> dict[str, bool]:
        heard.append(message)
        return {"value": True}

    transport = StreamableHttpTransport(url, headers={"authorization": f"Bearer {token}"})
    async with Client(transport, mode=mode, progress_handler=progress, elicitation_handler=elicit) as client:
        found: dict[str, object] = {
            "version": client.protocol_version,
            "tools": sorted(tool.name for tool in await client.list_tools()),
            "greeting": (await client.call_tool("greet", {"name": "Ada"})).data,
            "worked": (await client.call_tool("work")).data,
            "note": (await client.read_resource("note://today"))[0].text,
            "prompt": (await client.get_prompt("summarise", {"text": "t"})).messages[0].content.text,
        }
        if mode != "legacy":
            task = await call_tool_task(client, "slow_compute", {"seconds": 0.05})
            found["task"] = (await task.result()).data
        found["heard"] = heard
        return found


def main(arguments: list[str]) -> None:
    if arguments[0] == "serve":
        server().run(transport="http", host="127.0.0.1", port=int(arguments[1]), show_banner=False)
    else:
        print(json.dumps(asyncio.run(use(*arguments[1:]))))


if __name__ == "__main__":
    main(sys.argv[1:])
