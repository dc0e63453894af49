"""Writes a conversation as a body of OpenAI Chat Completions."""

from typing import Any

from extproc.exchange.model import JsonObject
from extproc.exchange.translation.conversation import (
    Block,
    Call,
    Conversation,
    File,
    Image,
    Mark,
    Result,
    Text,
    Thought,
    Tool,
    Turn,
    input_text,
)
from extproc.exchange.translation.loss import Loss, untranslatable

MAX_STOP = 4
"""Stop sequences that this API takes."""

_NO_PARAMETERS: JsonObject = {"type": "object", "properties": {}}


def write(talk: Conversation, model: str) -> JsonObject:
    """Raises `BadRequest` for what this API cannot say."""
    doc: JsonObject = {"model": model}
    messages: list[JsonObject] = []
    if talk.system:
        messages.append({"role": "system", "content": _content(talk.system, "system", talk.loss)})
    for turn in talk.turns:
        _turn(turn, messages, talk.loss)
    doc["messages"] = messages
    if talk.limit is not None:
        doc["max_completion_tokens"] = talk.limit
    if talk.temperature is not None:
        doc["temperature"] = talk.temperature
    if talk.top_p is not None:
        doc["top_p"] = talk.top_p
    if talk.top_k is not None:
        talk.loss.drop("top_k")
    if len(talk.stop) > MAX_STOP:
        untranslatable("more than four stop sequences")
    if talk.stop:
        doc["stop"] = talk.stop
    if talk.user:
        doc["safety_identifier"] = talk.user
    _reasoning(talk, doc)
    _tools(talk, doc)
    if talk.stream:
        doc["stream"] = True
        doc["stream_options"] = {"include_usage": True}
    return doc


def _reasoning(talk: Conversation, doc: JsonObject) -> None:
    """Effort, and structured output. That the model may think needs no saying here; how long cannot be said."""
    if talk.effort:
        doc["reasoning_effort"] = talk.effort
    elif talk.thinking == "off":
        doc["reasoning_effort"] = "none"
    elif talk.thinking == "on" and talk.budget is None:
        talk.loss.drop("thinking")
    if talk.budget is not None:
        talk.loss.drop("thinking.budget")
    wanted = talk.format
    if wanted is not None:
        schema: JsonObject = {"name": wanted.name or "answer"}
        if wanted.description:
            schema["description"] = wanted.description
        schema["schema"] = wanted.schema
        if wanted.strict is not None:
            schema["strict"] = wanted.strict
        doc["response_format"] = {"type": "json_schema", "json_schema": schema}


def _tools(talk: Conversation, doc: JsonObject) -> None:
    """Nothing is said about choosing where there is nothing to choose from."""
    if not talk.tools:
        return
    doc["tools"] = [_tool(tool, talk.loss) for tool in talk.tools]
    if talk.choice == "named":
        doc["tool_choice"] = {"type": "function", "function": {"name": talk.chosen}}
    elif talk.choice:
        doc["tool_choice"] = talk.choice
    if talk.parallel is not None:
        doc["parallel_tool_calls"] = talk.parallel


def _tool(tool: Tool, loss: Loss) -> JsonObject:
    function: JsonObject = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = tool.schema or _NO_PARAMETERS
    if tool.strict is not None:
        function["strict"] = tool.strict
    if tool.cached is not None:
        loss.drop("cache")
    return {"type": "function", "function": function}


def _turn(turn: Turn, messages: list[JsonObject], loss: Loss) -> None:
    """Tool results become messages of their own, directly after the calls; what they show comes after all of them."""
    rest: list[Block] = []
    shown: list[Block] = []
    calls: list[JsonObject] = []
    for block in turn.blocks:
        if isinstance(block, Result):
            messages.append(_result(block, shown, loss))
        elif isinstance(block, Call):
            function = {"name": block.name, "arguments": input_text(block)}
            calls.append({"id": block.id, "type": "function", "function": function})
        elif isinstance(block, Thought):
            loss.drop("reasoning.sealed" if block.sealed else "reasoning")
        else:
            rest.append(block)
    rest = shown + rest
    if not rest and not calls:
        return
    message: JsonObject = {"role": turn.role}
    content = _content(rest, "messages", loss)
    if turn.role != "user" and type(content) is list and any("text" not in part for part in content):
        untranslatable("images or documents in messages that are not the user's")
    message["content"] = content or ("" if not calls else None)
    if calls:
        message["tool_calls"] = calls
    messages.append(message)


def _result(result: Result, shown: list[Block], loss: Loss) -> JsonObject:
    """Text only. That a tool failed is said in words; images and files are handed to `shown`."""
    said: list[Block] = [Text("Error:")] if result.error else []
    for block in result.content:
        if isinstance(block, Image | File):
            shown.append(block)
        else:
            said.append(block)
    content = _content(said, "", loss)
    if result.error and type(content) is list:
        content = "\n".join([part["text"] for part in content])
    return {"role": "tool", "tool_call_id": result.id, "content": content or ""}


def _content(blocks: list[Block], where: str, loss: Loss) -> Any:
    """One text as a string, which every host of this API takes; anything else as parts."""
    parts: list[JsonObject] = []
    for block in blocks:
        if isinstance(block, Text):
            if block.text:
                parts.append({"type": "text", "text": block.text})
        elif isinstance(block, Image):
            url = block.url or f"data:{block.media_type};base64,{block.data}"
            parts.append({"type": "image_url", "image_url": {"url": url}})
        elif isinstance(block, File):
            if block.url:
                untranslatable(f"{where}: a document's URL", "Send the document itself.")
            data = f"data:{block.media_type};base64,{block.data}"
            parts.append({"type": "file", "file": {"filename": block.name or "document.pdf", "file_data": data}})
        elif isinstance(block, Mark):
            loss.drop("cache")
    if len(parts) == 1 and "text" in parts[0]:
        return parts[0]["text"]
    return parts
