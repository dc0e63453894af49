"""What asks the client back: within the answer's stream (handshake era), or as a result that is not the last one."""

import asyncio
import json
from typing import Any

from mcp import types
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import InputRequiredResult
from pydantic import BaseModel, Field

from tests.conformance.reference.plain import text

_NAME = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
_COLOR = {"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]}
_OK = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
_CONTEXT = {"type": "object", "properties": {"context": {"type": "string"}}, "required": ["context"]}


class Response(BaseModel):
    response: str = Field(description="User's response")


class Defaults(BaseModel):
    name: str = Field(default="John Doe")
    age: int = Field(default=30)
    score: float = Field(default=95.5)
    status: str = Field(default="active", json_schema_extra={"enum": ["active", "inactive", "pending"]})
    verified: bool = Field(default=True)


def _titled(key: str, *pairs: tuple[str, str]) -> dict[str, Any]:
    return {key: [{"const": const, "title": title} for const, title in pairs]}


class Enums(BaseModel):
    untitledSingle: str = Field(json_schema_extra={"enum": ["active", "inactive", "pending"]})  # noqa: N815
    titledSingle: str = Field(  # noqa: N815
        json_schema_extra=_titled("oneOf", ("low", "Low Priority"), ("medium", "Medium"), ("high", "High Priority"))
    )
    untitledMulti: list[str] = Field(  # noqa: N815
        json_schema_extra={"items": {"type": "string", "enum": ["read", "write", "execute"]}}
    )
    titledMulti: list[str] = Field(  # noqa: N815
        json_schema_extra={"items": _titled("anyOf", ("feature", "New Feature"), ("bug", "Bug Fix"), ("docs", "Docs"))}
    )
    legacyEnum: str = Field(  # noqa: N815
        json_schema_extra={"enum": ["small", "medium", "large"], "enumNames": ["Small Size", "Medium", "Large Size"]}
    )


def add_requests(server: MCPServer) -> None:
    """Requests of the server's own, while it answers one of the client's."""

    @server.tool()
    async def test_sampling(prompt: str, ctx: Context) -> str:
        """Asks the client's model."""
        # Without the request's id it would go to the GET stream, which may not be open.
        result = await ctx.session.create_message(
            messages=[types.SamplingMessage(role="user", content=text(prompt))],
            max_tokens=100,
            related_request_id=ctx.request_id,
        )
        return f"LLM response: {result.content.text if result.content.type == 'text' else 'none'}"

    @server.tool()
    async def test_roots(ctx: Context) -> str:
        """Asks which folders the client shows. The question comes on the GET stream."""
        return ", ".join(str(root.uri) for root in (await ctx.session.list_roots()).roots)

    async def elicit(ctx: Context, message: str, schema: type[BaseModel]) -> str:
        result = await ctx.elicit(message=message, schema=schema)
        content = result.data.model_dump_json() if result.action == "accept" else "{}"
        return f"action={result.action}, content={content}"

    @server.tool()
    async def test_elicitation(message: str, ctx: Context) -> str:
        """Asks the user."""
        return "User response: " + await elicit(ctx, message, Response)

    @server.tool()
    async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
        """Asks the user, with a default for everything."""
        return "Elicitation completed: " + await elicit(ctx, "Please provide user information", Defaults)

    @server.tool()
    async def test_elicitation_sep1330_enums(ctx: Context) -> str:
        """Asks the user to choose."""
        return "Elicitation completed: " + await elicit(ctx, "Please select values", Enums)

    @server.tool()
    async def test_reconnection(ctx: Context) -> str:
        """Closes the stream in the middle; the client comes back for the rest."""
        await ctx.info("Before disconnect")
        await ctx.close_sse_stream()
        await asyncio.sleep(0.2)
        await ctx.info("After reconnect")
        return "Reconnection test completed"

    ended: list[str] = []

    @server.tool()
    async def wait_until_cancelled(name: str) -> str:
        """Never ends by itself."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(name)
            raise
        return ""

    @server.tool()
    def who_was_cancelled() -> str:
        """The names of the calls that were."""
        return ",".join(ended)


def _ask(message: str = "What is your name?", schema: dict[str, Any] = _NAME) -> types.ElicitRequest:
    return types.ElicitRequest(params=types.ElicitRequestFormParams(message=message, requested_schema=schema))


def _sample(prompt: str) -> types.CreateMessageRequest:
    messages = [types.SamplingMessage(role="user", content=text(prompt))]
    return types.CreateMessageRequest(params=types.CreateMessageRequestParams(messages=messages, max_tokens=50))


def _said(responses: Any, key: str, field: str) -> Any:
    """What the user filled in, None for nothing."""
    answer = (responses or {}).get(key)
    return answer.content.get(field) if isinstance(answer, types.ElicitResult) and answer.content else None


def add_rounds(server: MCPServer) -> None:
    """Calls that take several rounds (2026-07-28)."""

    @server.tool()
    async def test_input_required_result_elicitation(ctx: Context) -> str | InputRequiredResult:
        """Needs a name."""
        if "user_name" in (ctx.input_responses or {}):
            return f"Hello, {_said(ctx.input_responses, 'user_name', 'name')}!"
        return InputRequiredResult(input_requests={"user_name": _ask()})

    @server.tool()
    async def test_input_required_result_sampling(ctx: Context) -> str | InputRequiredResult:
        """Needs a model."""
        answer = (ctx.input_responses or {}).get("capital_question")
        if isinstance(answer, types.CreateMessageResult) and answer.content.type == "text":
            return f"Model said: {answer.content.text}"
        return InputRequiredResult(input_requests={"capital_question": _sample("What is the capital of France?")})

    @server.tool()
    async def test_input_required_result_list_roots(ctx: Context) -> str | InputRequiredResult:
        """Needs to know the client's folders."""
        answer = (ctx.input_responses or {}).get("client_roots")
        if isinstance(answer, types.ListRootsResult):
            return f"Client exposed {len(answer.roots)} root(s)."
        return InputRequiredResult(input_requests={"client_roots": types.ListRootsRequest()})


def add_states(server: MCPServer) -> None:
    """The same, with a state that the client brings back."""

    @server.tool()
    async def test_input_required_result_request_state(ctx: Context) -> str | InputRequiredResult:
        """Needs a yes, and its own state back."""
        if "confirm" in (ctx.input_responses or {}) and ctx.request_state == "request-state-nonce":
            return "state-ok: confirmation received"
        asked = {"confirm": _ask("Please confirm", _OK)}
        return InputRequiredResult(input_requests=asked, request_state="request-state-nonce")

    @server.tool()
    async def test_input_required_result_tampered_state(ctx: Context) -> str | InputRequiredResult:
        """Takes no state but its own; the SDK sees to that."""
        if ctx.request_state is not None:
            return f"state-ok: {ctx.request_state}"
        return InputRequiredResult(input_requests={"confirm": _ask("Please confirm", _OK)}, request_state="round-1")

    @server.tool()
    async def test_input_required_result_multiple_inputs(ctx: Context) -> str | InputRequiredResult:
        """Needs three things at once."""
        if {"user_name", "greeting", "client_roots"} <= (ctx.input_responses or {}).keys():
            return "All inputs received."
        asked = {
            "user_name": _ask(),
            "greeting": _sample("Generate a greeting"),
            "client_roots": types.ListRootsRequest(),
        }
        return InputRequiredResult(input_requests=asked, request_state="multiple-inputs")

    @server.tool()
    async def test_input_required_result_multi_round(ctx: Context) -> str | InputRequiredResult:
        """Needs two things, one after the other."""
        state = json.loads(ctx.request_state) if ctx.request_state else {"round": 0}
        if state["round"] == 1 and "step1" in (ctx.input_responses or {}):
            then = json.dumps({"round": 2, "name": _said(ctx.input_responses, "step1", "name")})
            asked = {"step2": _ask("Step 2: What is your favorite color?", _COLOR)}
            return InputRequiredResult(input_requests=asked, request_state=then)
        if state["round"] == 2 and "step2" in (ctx.input_responses or {}):
            return f"{state['name']} likes {_said(ctx.input_responses, 'step2', 'color')}."
        first = {"step1": _ask("Step 1: What is your name?")}
        return InputRequiredResult(input_requests=first, request_state=json.dumps({"round": 1}))


def add_more_rounds(server: MCPServer) -> None:
    """Rounds that depend on the client, and those of a prompt."""

    @server.tool()
    async def test_input_required_result_capabilities(ctx: Context) -> InputRequiredResult:
        """Asks for no more than the client can do."""
        can = ctx.client_capabilities
        asked: dict[str, types.InputRequest] = {}
        if can is None or can.sampling is not None:
            asked["sample"] = _sample("Say hello")
        if can is None or can.elicitation is not None:
            asked["ask"] = _ask()
        return InputRequiredResult(input_requests=asked, request_state="capability-gated")

    @server.prompt()
    async def test_input_required_result_prompt(ctx: Context) -> list[UserMessage] | InputRequiredResult:
        """A prompt that needs to know more."""
        if "user_context" in (ctx.input_responses or {}):
            said = _said(ctx.input_responses, "user_context", "context")
            return [UserMessage(role="user", content=text(f"Use the following context: {said}"))]
        asked = {"user_context": _ask("What context should the prompt use?", _CONTEXT)}
        return InputRequiredResult(input_requests=asked)


ALL = (add_requests, add_rounds, add_states, add_more_rounds)
