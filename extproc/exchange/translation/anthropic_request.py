"""Reads a request of Anthropic Messages, of either API version. Facts: the fields of the API as of its SDK 2.11."""

from typing import Any

from extproc.exchange import fields
from extproc.exchange.fields import refuse
from extproc.exchange.model import JsonObject, LlmCall
from extproc.exchange.translation.conversation import (
    Block,
    Call,
    Conversation,
    File,
    Format,
    Image,
    Mark,
    Result,
    Text,
    Thought,
    Tool,
    Turn,
)
from extproc.exchange.translation.loss import Loss, untranslatable
from extproc.exchange.translation.shapes import number, optional, text, texts

_OWN = {
    "effort": "output_config.effort",
    "system.position": "messages[].role=system",
    "thinking.budget": "thinking.budget_tokens",
    "cache": "cache_control",
    "stop": "stop_sequences",
    "user": "metadata.user_id",
    "reasoning": "messages[].content[].thinking",
    "reasoning.sealed": "messages[].content[].redacted_thinking",
    "result.error": "messages[].content[].is_error",
    "parallel": "tool_choice.disable_parallel_tool_use",
    "tool.strict": "tools[].strict",
    "file.name": "messages[].content[].title",
}
_KNOWN = frozenset(
    {
        "model",
        "messages",
        "stream",
        "max_tokens",
        "system",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        "tools",
        "tool_choice",
        "thinking",
        "output_config",
        "metadata",
        "mcp_servers",
        "container",
        "context_management",
        "service_tier",
    }
)
_REFUSED = {
    "mcp_servers": "Connect to MCP servers yourself.",
    "container": "It names something on another provider.",
    "context_management": "Manage the context yourself.",
}
_EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})
_CHOICES = {"auto": "auto", "any": "required", "none": "none", "tool": "named"}
_TOOL = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})
_BLOCK = "messages[].content[]."
_MESSAGE = frozenset({"role", "content"})
# The members of each kind of block that are read.
_MEMBERS = {
    kind: frozenset({"type", "cache_control", *members})
    for kind, members in {
        "text": ("text", "citations"),
        "tool_use": ("id", "name", "input"),
        "tool_result": ("tool_use_id", "content", "is_error"),
        "image": ("source",),
        "document": ("source", "title", "citations"),
        "thinking": ("thinking", "signature"),
        "redacted_thinking": ("data",),
    }.items()
}


def read(call: LlmCall) -> Conversation:
    """Raises `BadRequest` for what cannot be carried over, or has no shape the API knows."""
    doc = call.doc
    if call.operation != "chat":
        untranslatable(f"the operation {call.operation}")
    loss = Loss(_OWN)
    talk = Conversation(loss, stream=call.stream, limit=call.max_tokens)
    if call.max_tokens == 0:
        untranslatable("max_tokens 0", "There is no cache to warm.")
    for name, hint in _REFUSED.items():
        if doc.get(name):
            untranslatable(name, hint)
    loss.unless(doc, {"service_tier": "auto"})
    loss.rest(doc, _KNOWN)
    talk.temperature, talk.top_p = number(doc, "temperature"), number(doc, "top_p")
    talk.top_k = fields.number(doc, "top_k")
    talk.stop = texts(doc.get("stop_sequences"), "stop_sequences")
    metadata = optional(doc, "metadata", dict, "") or {}
    talk.user = text(metadata, "user_id", "metadata.")
    loss.rest(metadata, ("user_id",), "metadata.")
    _thinking(optional(doc, "thinking", dict, "") or {}, talk)
    _output(optional(doc, "output_config", dict, "") or {}, talk)
    talk.tools = [_tool(tool, f"tools[{position}]", loss) for position, tool in enumerate(fields.objects(doc, "tools"))]
    _choice(optional(doc, "tool_choice", dict, ""), talk)
    talk.system = _content(doc.get("system"), "system", loss)
    for position, message in enumerate(fields.objects(doc, "messages")):
        where = f"messages[{position}]"
        role = message.get("role")
        if role not in ("user", "assistant", "system"):
            refuse(f"{where}.role", "a role that this gateway knows")
        loss.rest(message, _MESSAGE, "messages[].")
        talk.turns.append(Turn(role, _content(message.get("content"), where, loss)))
    return talk


def _thinking(thinking: JsonObject, talk: Conversation) -> None:
    kind = thinking.get("type")
    if kind is None:
        return
    talk.thinking = "off" if kind == "disabled" else "on"
    if kind not in ("disabled", "enabled", "adaptive"):
        talk.loss.drop("thinking.type")
    talk.budget = fields.number(thinking, "budget_tokens")
    talk.loss.unless(thinking, {"display": "summarized"}, "thinking.")
    talk.loss.rest(thinking, ("type", "budget_tokens", "display"), "thinking.")


def _output(output: JsonObject, talk: Conversation) -> None:
    talk.effort = text(output, "effort", "output_config.")
    if talk.effort and talk.effort not in _EFFORTS:
        refuse("output_config.effort", "an effort that this gateway knows")
    wanted = optional(output, "format", dict, "output_config.")
    if wanted is not None:
        if wanted.get("type") != "json_schema" or type(wanted.get("schema")) is not dict:
            untranslatable("output_config.format.type", "Use json_schema.")
        talk.loss.rest(wanted, ("type", "schema"), "output_config.format.")
        talk.format = Format(wanted["schema"], strict=True)
    talk.loss.rest(output, ("effort", "format"), "output_config.")


def _tool(tool: JsonObject, where: str, loss: Loss) -> Tool:
    if tool.get("type") not in (None, "custom"):
        untranslatable(f"{where}.type", "Declare the tool yourself.")
    loss.rest(tool, _TOOL, "tools[].")
    mark = _mark(tool)
    return Tool(
        fields.name(tool, where),
        optional(tool, "description", str, f"{where}."),
        optional(tool, "input_schema", dict, f"{where}."),
        optional(tool, "strict", bool, f"{where}."),
        mark.ttl if mark else None,
    )


def _choice(choice: JsonObject | None, talk: Conversation) -> None:
    if choice is None:
        return
    kind = choice.get("type")
    if type(kind) is not str or kind not in _CHOICES:
        refuse("tool_choice.type", "auto, any, tool or none")
    talk.choice = _CHOICES[kind]
    if kind == "tool":
        talk.chosen = fields.name(choice, "tool_choice")
    if fields.flag(choice, "disable_parallel_tool_use"):
        talk.parallel = False
    talk.loss.rest(choice, ("type", "name", "disable_parallel_tool_use"), "tool_choice.")


def _content(content: Any, where: str, loss: Loss) -> list[Block]:
    """A string or blocks, with a `Mark` after each that ends a cached beginning."""
    if content is None:
        return []
    if type(content) is str:
        return [Text(content)] if content else []
    if type(content) is not list:
        refuse(where, "a string or a list of blocks")
    out: list[Block] = []
    for position, block in enumerate(content):
        here = f"{where}[{position}]" if where == "system" else f"{where}.content[{position}]"
        out.append(_block(block, fields.name(block, here, "type"), here, loss))
        mark = _mark(block)
        if mark is not None:
            out.append(mark)
    return out


def _block(block: JsonObject, kind: str, where: str, loss: Loss) -> Block:
    read: Block
    if kind == "text":
        read = Text(text(block, "text", where + "."))
        if block.get("citations"):
            loss.drop(_BLOCK + "citations")
    elif kind == "tool_use":
        given = optional(block, "input", dict, where + ".") or {}
        read = Call(fields.name(block, where, "id"), fields.name(block, where), given)
    elif kind == "tool_result":
        content = _content(block.get("content"), where, loss)
        if not all(isinstance(item, Text | Image | File | Mark) for item in content):
            untranslatable(f"{where}.content", "Let tools answer with text, images or documents.")
        read = Result(fields.name(block, where, "tool_use_id"), tuple(content), fields.flag(block, "is_error"))
    elif kind == "image":
        read = _image(block, where)
    elif kind == "document":
        citations = block.get("citations")
        if type(citations) is dict and citations.get("enabled"):
            loss.drop(_BLOCK + "citations")
        read = _document(block, where, loss)
    elif kind == "thinking":
        read = Thought(text(block, "thinking", where + "."), text(block, "signature", where + "."))
    elif kind == "redacted_thinking":
        read = Thought(sealed=text(block, "data", where + "."))
    else:
        untranslatable(f"{where}.type", "It belongs to tools that only one provider runs.")
    loss.rest(block, _MEMBERS[kind], _BLOCK)
    return read


def _image(block: JsonObject, where: str) -> Image:
    source = optional(block, "source", dict, where + ".") or {}
    kind = source.get("type")
    where += ".source"
    if kind == "base64":
        return Image(fields.name(source, where, "media_type"), fields.name(source, where, "data"))
    if kind == "url":
        return Image(url=fields.name(source, where, "url"))
    return untranslatable(f"{where}.type", "Send the image itself, or its URL.")


def _document(block: JsonObject, where: str, loss: Loss) -> Text | File:
    """A document that is text becomes a text, and its title is lost."""
    source = optional(block, "source", dict, where + ".") or {}
    kind = source.get("type")
    title = text(block, "title", where + ".")
    where += ".source"
    if kind == "base64":
        return File(fields.name(source, where, "media_type"), fields.name(source, where, "data"), name=title)
    if kind == "url":
        return File(url=fields.name(source, where, "url"), name=title)
    if kind == "text":
        if title:
            loss.drop(_BLOCK + "title")
        return Text(fields.name(source, where, "data"))
    return untranslatable(f"{where}.type", "Send the document itself.")


def _mark(block: JsonObject) -> Mark | None:
    control = block.get("cache_control")
    if control is None:
        return None
    ttl = control.get("ttl") if type(control) is dict else None
    return Mark(ttl if type(ttl) is str else "")
