"""What only answers: tools, resources, prompts and completions with the names and texts that the suite looks for."""

import asyncio
import base64
import json
from typing import Annotated, Any

from mcp import types
from mcp.server import ServerRequestContext
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import Prompt, UserMessage
from mcp.shared.exceptions import MCPError
from pydantic import Field

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
SILENCE = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="

# Every kind of keyword of JSON Schema 2020-12 that a client must get as the server wrote it.
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def text(words: str) -> types.TextContent:
    return types.TextContent(type="text", text=words)


def _image() -> types.ImageContent:
    return types.ImageContent(type="image", data=PIXEL, mime_type="image/png")


def _embedded(uri: str, kind: str, words: str) -> types.EmbeddedResource:
    contents = types.TextResourceContents(uri=uri, mime_type=kind, text=words)
    return types.EmbeddedResource(type="resource", resource=contents)


def add_contents(server: MCPServer) -> None:
    """Tools that show every kind of content."""

    @server.tool()
    def test_simple_text() -> str:
        """Says one sentence."""
        return "This is a simple text response for testing."

    @server.tool()
    def test_image_content() -> list[types.ImageContent]:
        """Shows one pixel."""
        return [_image()]

    @server.tool()
    def test_audio_content() -> list[types.AudioContent]:
        """Plays nothing."""
        return [types.AudioContent(type="audio", data=SILENCE, mime_type="audio/wav")]

    @server.tool()
    def test_embedded_resource() -> list[types.EmbeddedResource]:
        """Brings a resource along."""
        return [_embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]

    @server.tool()
    def test_multiple_content_types() -> list[types.TextContent | types.ImageContent | types.EmbeddedResource]:
        """Mixes three kinds of content."""
        resource = _embedded("test://mixed-content-resource", "application/json", '{"test": "data", "value": 123}')
        return [text("Multiple content types test:"), _image(), resource]

    @server.tool()
    def test_error_handling() -> str:
        """Fails."""
        raise RuntimeError("This tool intentionally returns an error for testing")

    @server.tool()
    def large_text(size: int) -> str:
        """As many letters as asked for."""
        return "x" * size


def add_tools(server: MCPServer) -> None:
    """Tools that do more than to show something."""

    @server.tool()
    async def test_tool_with_logging(ctx: Context) -> str:
        """Logs three lines while it works."""
        for line in ("started", "processing data", "completed"):
            await ctx.info(f"Tool execution {line}")
            await asyncio.sleep(0.02)
        return "Tool with logging executed successfully"

    @server.tool()
    async def test_tool_with_progress(ctx: Context) -> str:
        """Reports progress three times."""
        for done in (0, 50, 100):
            await ctx.report_progress(progress=done, total=100, message=f"Completed step {done} of 100")
            await asyncio.sleep(0.02)
        return "done"

    @server.tool()
    def test_x_mcp_header(
        region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})] = "<none>",
    ) -> str:
        """Has an argument that a header repeats."""
        return f"region={region}"

    @server.tool()
    async def test_missing_capability(ctx: Context) -> str:
        """Needs a client that can sample."""
        known = ctx.session.client_capabilities
        if known is None or known.sampling is None:
            raise MCPError(
                code=types.MISSING_REQUIRED_CLIENT_CAPABILITY,
                message="This tool requires the client 'sampling' capability",
                data={"requiredCapabilities": {"sampling": {}}},
            )
        return "The client can sample."

    @server.tool()
    def json_schema_2020_12_tool() -> str:
        """Has a schema with everything in it."""
        return "json_schema_2020_12_tool"

    # The SDK derives schemas from signatures, and has no public way to give one.
    server._tool_manager._tools["json_schema_2020_12_tool"].parameters = SCHEMA


def add_resources(server: MCPServer) -> None:
    @server.resource("test://static-text")
    def static_text() -> str:
        """A text."""
        return "This is the content of the static text resource."

    @server.resource("test://static-binary")
    def static_binary() -> bytes:
        """A picture."""
        return base64.b64decode(PIXEL)

    @server.resource("test://template/{id}/data")
    def template(id: str) -> str:
        """One of many."""
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @server.resource("test://watched-resource")
    def watched() -> str:
        """One to subscribe to."""
        return "Watched resource content"


def add_prompts(server: MCPServer) -> None:
    @server.prompt()
    def test_simple_prompt() -> list[UserMessage]:
        """Takes nothing."""
        return [UserMessage(role="user", content=text("This is a simple prompt for testing."))]

    @server.prompt()
    def test_prompt_with_arguments(arg1: str, arg2: str) -> list[UserMessage]:
        """Takes two."""
        return [UserMessage(role="user", content=text(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"))]

    @server.prompt()
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:  # noqa: N803  # the suite's word
        """Brings a resource along."""
        embedded = _embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
        return [
            UserMessage(role="user", content=embedded),
            UserMessage(role="user", content=text("Please process the embedded resource above.")),
        ]

    @server.prompt()
    def test_prompt_with_image() -> list[UserMessage]:
        """Brings a picture along."""
        return [
            UserMessage(role="user", content=_image()),
            UserMessage(role="user", content=text("Please analyze the image above.")),
        ]


def add_changes(server: MCPServer) -> None:
    """Lists that change while somebody listens."""

    @server.tool()
    async def test_trigger_tool_change(ctx: Context) -> str:
        """A tool comes and goes."""
        server.add_tool(lambda: "dynamic", name="test_dynamic_tool")
        server.remove_tool("test_dynamic_tool")
        await ctx.notify_tools_changed()
        return "tool list changed"

    @server.tool()
    async def test_trigger_prompt_change(ctx: Context) -> str:
        """A prompt comes and goes."""
        server.add_prompt(Prompt.from_function(_nothing, name="test_dynamic_prompt", description="dynamic"))
        server.remove_prompt("test_dynamic_prompt")
        await ctx.notify_prompts_changed()
        return "prompt list changed"

    @server.tool()
    async def touch_resource(uri: str, ctx: Context) -> str:
        """Says to whoever listens that a resource has changed; in a session, on its GET stream."""
        await ctx.notify_resource_updated(uri)
        await ctx.session.send_resource_updated(uri)
        return "touched"


def _nothing() -> str:
    return ""


def add_handlers(server: MCPServer) -> None:
    """Methods that the SDK's servers of this kind do not have by themselves."""

    async def done(ctx: ServerRequestContext, params: Any) -> types.EmptyResult:
        return types.EmptyResult()

    inner = server._lowlevel_server
    inner.add_request_handler("logging/setLevel", types.SetLevelRequestParams, done)
    inner.add_request_handler("resources/subscribe", types.SubscribeRequestParams, done)
    inner.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, done)

    @server.completion()
    async def complete(
        ref: types.PromptReference | types.ResourceTemplateReference,
        argument: types.CompletionArgument,
        context: types.CompletionContext | None,
    ) -> types.Completion:
        values = [value for value in ("paris", "park", "party") if argument.value and value.startswith(argument.value)]
        return types.Completion(values=values, total=len(values), has_more=False)


ALL = (add_contents, add_tools, add_resources, add_prompts, add_changes, add_handlers)
