"""Reads a request of OpenAI Chat Completions. Facts: the fields of the API as of its SDK 3.52."""

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
    Result,
    Text,
    Tool,
    Turn,
)
from extproc.exchange.translation.loss import Loss, untranslatable
from extproc.exchange.translation.shapes import data_url, number, optional, text, texts

_OWN = {
    "effort": "reasoning_effort",
    "system.position": "messages[].role=system",
    "format.name": "response_format.json_schema.name",
    "format.description": "response_format.json_schema.description",
    "format.strict": "response_format.json_schema.strict",
    "parallel": "parallel_tool_calls",
    "tool.strict": "tools[].function.strict",
    "file.name": "messages[].content[].file.filename",
}
_READ = frozenset(
    {
        "model",
        "messages",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "stop",
        "n",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "reasoning_effort",
        "user",
        "safety_identifier",
        "modalities",
        "audio",
        "functions",
        "function_call",
        "web_search_options",
    }
)
# Settings without an equivalent anywhere, and the value that says the same as nothing.
_DEFAULTS: dict[str, object] = {
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "logit_bias": {},
    "logprobs": False,
    "store": False,
    "service_tier": "auto",
    "metadata": {},
}
_REFUSED = {
    "audio": "Ask for text.",
    "functions": "Use tools.",
    "function_call": "Use tool_choice.",
    "web_search_options": "Use a tool of your own.",
}
_KNOWN = _READ | _DEFAULTS.keys()
_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
_CHOICES = frozenset({"auto", "none", "required"})
# The members of each object that are read.
_TOOL = frozenset({"type", "function"})
_FUNCTION = frozenset({"name", "description", "parameters", "strict"})
_SCHEMA = frozenset({"name", "description", "schema", "strict"})
_MESSAGE = frozenset({"role", "content"})
_TOOL_MESSAGE = frozenset({"role", "content", "tool_call_id"})
_ASSISTANT = frozenset({"role", "content", "refusal", "tool_calls", "annotations", "audio", "function_call"})
_CALL = frozenset({"id", "type", "function", "index"})
_CALLED = frozenset({"name", "arguments"})
_TEXT = frozenset({"type", "text", "refusal"})
_IMAGE = frozenset({"type", "image_url"})
_FILE = frozenset({"type", "file"})


def read(call: LlmCall) -> Conversation:
    """Raises `BadRequest` for what cannot be carried over, or has no shape the API knows."""
    doc = call.doc
    loss = Loss(_OWN)
    talk = Conversation(loss, stream=call.stream, limit=call.max_tokens)
    for name, hint in _REFUSED.items():
        if doc.get(name) is not None:
            untranslatable(name, hint)
    if doc.get("n") not in (None, 1):
        untranslatable("n", "Ask once for each choice.")
    if doc.get("modalities") not in (None, ["text"]):
        untranslatable("modalities", "Ask for text.")
    loss.unless(doc, _DEFAULTS)
    loss.rest(doc, _KNOWN)
    talk.temperature, talk.top_p = number(doc, "temperature"), number(doc, "top_p")
    talk.stop = texts(doc.get("stop"), "stop")
    talk.parallel = optional(doc, "parallel_tool_calls", bool, "")
    talk.user = text(doc, "safety_identifier", "") or text(doc, "user", "")
    talk.effort = text(doc, "reasoning_effort", "")
    if talk.effort and talk.effort not in _EFFORTS:
        refuse("reasoning_effort", "an effort that this gateway knows")
    talk.format = _format(doc, loss)
    talk.tools = [_tool(tool, f"tools[{position}]", loss) for position, tool in enumerate(fields.objects(doc, "tools"))]
    _choice(doc.get("tool_choice"), talk)
    for position, message in enumerate(fields.objects(doc, "messages")):
        _message(message, f"messages[{position}]", talk)
    return talk


def _tool(tool: JsonObject, where: str, loss: Loss) -> Tool:
    if tool.get("type", "function") != "function":
        untranslatable(f"{where}.type", "Use function tools.")
    function = tool.get("function")
    name = fields.name(function, f"{where}.function")
    assert type(function) is dict
    loss.rest(tool, _TOOL, "tools[].")
    loss.rest(function, _FUNCTION, "tools[].function.")
    where += ".function."
    return Tool(
        name,
        optional(function, "description", str, where),
        optional(function, "parameters", dict, where),
        optional(function, "strict", bool, where),
    )


def _choice(choice: Any, talk: Conversation) -> None:
    if choice is None:
        return
    if type(choice) is str:
        if choice not in _CHOICES:
            refuse("tool_choice", "auto, none, required or an object")
        talk.choice = choice
        return
    kind = choice.get("type") if type(choice) is dict else None
    if kind == "function":
        talk.choice, talk.chosen = "named", fields.name(choice.get("function"), "tool_choice.function")
    elif kind == "allowed_tools":
        allowed = choice.get("allowed_tools")
        if type(allowed) is not dict or allowed.get("mode") not in ("auto", "required"):
            refuse("tool_choice.allowed_tools", "an object with a mode and tools")
        where = "tool_choice.allowed_tools.tools"
        names = {fields.name(tool.get("function"), where) for tool in fields.objects(allowed, "tools", where)}
        talk.choice = allowed["mode"]
        talk.tools = [tool for tool in talk.tools if tool.name in names]
    else:
        untranslatable("tool_choice.type")


def _format(doc: JsonObject, loss: Loss) -> Format | None:
    wanted = optional(doc, "response_format", dict, "")
    kind = wanted.get("type") if wanted else "text"
    if kind == "text":
        return None
    if kind != "json_schema":
        untranslatable("response_format.type", "Use json_schema.")
    inner = wanted.get("json_schema")
    name = fields.name(inner, "response_format.json_schema")
    where = "response_format.json_schema."
    schema = optional(inner, "schema", dict, where)
    if schema is None:
        refuse(where + "schema", "an object")
    loss.rest(inner, _SCHEMA, where)
    return Format(schema, name, text(inner, "description", where), optional(inner, "strict", bool, where))


def _message(message: JsonObject, where: str, talk: Conversation) -> None:
    role = message.get("role")
    content = message.get("content")
    loss = talk.loss
    if role == "user":
        loss.rest(message, _MESSAGE, "messages[].")
        talk.turns.append(Turn("user", _content(content, where, loss)))
    elif role == "assistant":
        blocks = _content(content, where, loss)
        if not _MESSAGE.issuperset(message):
            _assistant(message, blocks, where, loss)
        talk.turns.append(Turn("assistant", blocks))
    elif role == "tool":
        loss.rest(message, _TOOL_MESSAGE, "messages[].")
        result = Result(fields.name(message, where, "tool_call_id"), tuple(_content(content, where, loss)))
        last = talk.turns[-1] if talk.turns else None
        if last is None or last.role != "user" or not last.blocks or not isinstance(last.blocks[-1], Result):
            last = Turn("user", [])
            talk.turns.append(last)
        last.blocks.append(result)
    elif role in ("system", "developer"):
        loss.rest(message, _MESSAGE, "messages[].")
        blocks = _content(content, where, loss)
        if talk.turns:
            talk.turns.append(Turn("system", blocks))
        else:
            talk.system += blocks
    elif role == "function":
        untranslatable(f"{where}.role", "Use tools.")
    else:
        refuse(f"{where}.role", "a role that this gateway knows")


def _assistant(message: JsonObject, blocks: list[Block], where: str, loss: Loss) -> None:
    """What an assistant's message has besides content."""
    refused = text(message, "refusal", where + ".")
    if refused:
        blocks.append(Text(refused))
    for name in ("audio", "function_call"):
        if message.get(name) is not None:
            untranslatable(f"{where}.{name}")
    for position, call in enumerate(fields.objects(message, "tool_calls", f"{where}.tool_calls")):
        blocks.append(_call(call, f"{where}.tool_calls[{position}]", loss))
    loss.rest(message, _ASSISTANT, "messages[].")
    if message.get("annotations"):
        loss.drop("messages[].annotations")


def _call(call: JsonObject, where: str, loss: Loss) -> Call:
    if call.get("type", "function") != "function":
        untranslatable(f"{where}.type", "Use function tools.")
    function = call.get("function")
    name = fields.name(function, f"{where}.function")
    assert type(function) is dict
    loss.rest(call, _CALL, "messages[].tool_calls[].")
    loss.rest(function, _CALLED, "messages[].tool_calls[].function.")
    return Call(fields.name(call, where, "id"), name, text(function, "arguments", f"{where}.function."))


def _content(content: Any, where: str, loss: Loss) -> list[Block]:
    """A string, or parts. Empty texts say nothing and are left out."""
    if content is None:
        return []
    if type(content) is str:
        return [Text(content)] if content else []
    if type(content) is not list:
        refuse(f"{where}.content", "a string or a list of parts")
    blocks: list[Block] = []
    for position, part in enumerate(content):
        here = f"{where}.content[{position}]"
        kind = fields.name(part, here, "type")
        if kind in ("text", "refusal"):
            loss.rest(part, _TEXT, "messages[].content[].")
            said = text(part, kind, here + ".")
            if said:
                blocks.append(Text(said))
        elif kind == "image_url":
            blocks.append(_image(part, here, loss))
        elif kind == "file":
            blocks.append(_file(part, here, loss))
        else:
            untranslatable(f"{here}.type")
    return blocks


def _image(part: JsonObject, where: str, loss: Loss) -> Image:
    holder = part.get("image_url")
    url = fields.name(holder, f"{where}.image_url", "url")
    assert type(holder) is dict
    loss.unless(holder, {"detail": "auto"}, "messages[].content[].image_url.")
    loss.rest(part, _IMAGE, "messages[].content[].")
    if url[:5].lower() != "data:":
        return Image(url=url)
    return Image(*data_url(url, f"{where}.image_url.url"))


def _file(part: JsonObject, where: str, loss: Loss) -> File:
    holder = part.get("file")
    if type(holder) is not dict:
        refuse(f"{where}.file", "an object")
    if holder.get("file_id") is not None:
        untranslatable(f"{where}.file.file_id", "Send the file's data.")
    data = fields.name(holder, f"{where}.file", "file_data")
    loss.rest(part, _FILE, "messages[].content[].")
    media_type, data = data_url(data, f"{where}.file.file_data")
    return File(media_type, data, name=text(holder, "filename", f"{where}.file."))
