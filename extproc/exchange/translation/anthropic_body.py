"""Writes a conversation as a body of Anthropic Messages, for API version 2023-06-01 or 2026-10-21.

The newer version answers 400 to temperature, top_p and top_k, even at their defaults: there they are dropped.
"""

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
    input_object,
)
from extproc.exchange.translation.loss import Loss, untranslatable

VERSION = "2023-06-01"
VERSION_WITHOUT_SAMPLING = "2026-10-21"

DEFAULT_LIMIT = 8192
"""Output tokens where the client set no limit, because this API must be told one: the largest every model takes."""

_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_CHOICES = {"auto": "auto", "required": "any", "none": "none", "named": "tool"}
_NO_PARAMETERS: JsonObject = {"type": "object", "properties": {}}


def write(talk: Conversation, model: str, version: str = VERSION) -> JsonObject:
    """Raises `BadRequest` for what this API cannot say."""
    doc: JsonObject = {"model": model, "max_tokens": DEFAULT_LIMIT if talk.limit is None else talk.limit}
    system = _blocks(talk.system, "system", talk.loss)
    messages: list[JsonObject] = []
    for turn in talk.turns:
        blocks = _blocks(turn.blocks, "messages", talk.loss)
        if turn.role == "system":
            talk.loss.drop("system.position")  # one in the middle joins those at the beginning
            system += blocks
        elif not blocks:
            continue
        elif messages and messages[-1]["role"] == turn.role:
            messages[-1]["content"] = _results_first(messages[-1]["content"] + blocks)
        else:
            messages.append({"role": turn.role, "content": blocks})
    if system:
        doc["system"] = system
    doc["messages"] = messages
    _tools(talk, doc)
    _settings(talk, doc, version)
    if talk.stream:
        doc["stream"] = True
    return doc


def _settings(talk: Conversation, doc: JsonObject, version: str) -> None:
    loss = talk.loss
    _sampling(talk, doc, version)
    stop = [word for word in talk.stop if word.strip()]
    if len(stop) != len(talk.stop):
        loss.drop("stop")  # the API takes no sequence of blanks
    if stop:
        doc["stop_sequences"] = stop
    if talk.user:
        doc["metadata"] = {"user_id": talk.user}
    output: JsonObject = {}
    if talk.effort == "none" or talk.thinking == "off":
        doc["thinking"] = {"type": "disabled"}
    elif talk.effort == "minimal":
        output["effort"] = "low"
        loss.drop("effort")
    elif talk.effort:
        output["effort"] = talk.effort
    if talk.format is not None:
        output["format"] = {"type": "json_schema", "schema": talk.format.schema}
        if talk.format.name:
            loss.drop("format.name")
        if talk.format.description:
            loss.drop("format.description")
    if output:
        doc["output_config"] = output


def _sampling(talk: Conversation, doc: JsonObject, version: str) -> None:
    wanted = {"temperature": talk.temperature, "top_p": talk.top_p, "top_k": talk.top_k}
    for name, value in wanted.items():
        if value is None:
            continue
        if version == VERSION_WITHOUT_SAMPLING:
            talk.loss.drop(name)
        elif name == "temperature" and value > 1:
            talk.loss.drop("temperature>1")
            doc[name] = 1
        else:
            doc[name] = value


def _tools(talk: Conversation, doc: JsonObject) -> None:
    """Nothing is said about choosing where there is nothing to choose from."""
    if not talk.tools:
        return
    doc["tools"] = [_tool(tool) for tool in talk.tools]
    choice: JsonObject = {"type": _CHOICES[talk.choice or "auto"]}
    if talk.choice == "named":
        choice["name"] = talk.chosen
    if talk.parallel is False and talk.choice != "none":
        choice["disable_parallel_tool_use"] = True
    elif not talk.choice:
        return
    doc["tool_choice"] = choice


def _tool(tool: Tool) -> JsonObject:
    doc: JsonObject = {"name": tool.name}
    if tool.description is not None:
        doc["description"] = tool.description
    doc["input_schema"] = tool.schema or _NO_PARAMETERS
    if tool.strict is not None:
        doc["strict"] = tool.strict
    if tool.cached is not None:
        doc["cache_control"] = _cache(tool.cached)
    return doc


def _blocks(blocks: list[Block] | tuple[Block, ...], where: str, loss: Loss) -> list[JsonObject]:
    out: list[JsonObject] = []
    for block in blocks:
        if isinstance(block, Mark):
            if out:
                out[-1]["cache_control"] = _cache(block.ttl)
            continue
        written = _block(block, where, loss)
        if written is not None:
            out.append(written)
    return out


def _results_first(blocks: list[JsonObject]) -> list[JsonObject]:
    """The blocks of several turns as one: the API wants tool results directly after the calls they answer."""
    return sorted(blocks, key=lambda block: block["type"] != "tool_result")


def _block(block: Block, where: str, loss: Loss) -> JsonObject | None:
    if isinstance(block, Text):
        if block.text and not block.text.strip():
            loss.drop("content=blank")  # the API takes no text of blanks only
            return None
        return {"type": "text", "text": block.text} if block.text else None
    if isinstance(block, Call):
        given = input_object(block, f"{where}: the arguments of a tool call")
        return {"type": "tool_use", "id": identifier(block.id), "name": block.name, "input": given}
    if isinstance(block, Result):
        result: JsonObject = {"type": "tool_result", "tool_use_id": identifier(block.id)}
        content = _blocks(block.content, where, loss)
        result["content"] = content[0]["text"] if len(content) == 1 and "text" in content[0] else content
        if block.error:
            result["is_error"] = True
        return result
    if isinstance(block, Image):
        if block.data and block.media_type not in _IMAGES:
            untranslatable(f"{where}: an image of this type", "Send JPEG, PNG, GIF or WebP.")
        return {"type": "image", "source": _source(block)}
    if isinstance(block, File):
        if block.data and block.media_type != "application/pdf":
            untranslatable(f"{where}: a file of this type", "Send PDF, or the text itself.")
        document: JsonObject = {"type": "document", "source": _source(block)}
        if block.name:
            document["title"] = block.name
        return document
    return _thought(block, loss)


def _thought(block: Any, loss: Loss) -> JsonObject | None:
    """Only what this API signed may be shown to it again."""
    assert isinstance(block, Thought)
    if block.sealed:
        return {"type": "redacted_thinking", "data": block.sealed}
    if block.signature:
        return {"type": "thinking", "thinking": block.text, "signature": block.signature}
    loss.drop("reasoning")
    return None


def _source(block: Image | File) -> JsonObject:
    if block.url:
        return {"type": "url", "url": block.url}
    return {"type": "base64", "media_type": block.media_type, "data": block.data}


def _cache(ttl: str) -> JsonObject:
    return {"type": "ephemeral", "ttl": ttl} if ttl else {"type": "ephemeral"}


def identifier(id: str) -> str:
    """A tool call's id in the characters that this API takes. The same id gives the same, so pairs stay pairs."""
    if id.isascii() and id.replace("_", "").replace("-", "").isalnum():
        return id
    return "".join([char if char.isascii() and (char.isalnum() or char in "_-") else "_" for char in id])
