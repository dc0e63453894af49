"""Reads a request of OpenAI Responses. Facts: the fields of the API as of OpenAI's SDK 3.52.

What refers to the provider's memory (an earlier response, a conversation, a stored prompt, an item by its id) is
refused: another provider does not have it, and without it the request means something else.
"""

from typing import Any

from extproc.exchange import fields
from extproc.exchange.fields import refuse
from extproc.exchange.model import JsonObject, LlmCall
from extproc.exchange.translation import responses_tools
from extproc.exchange.translation.conversation import (
    Block,
    Call,
    Conversation,
    File,
    Format,
    Image,
    Result,
    Text,
    Thought,
    Turn,
)
from extproc.exchange.translation.loss import Loss, untranslatable
from extproc.exchange.translation.shapes import data_url, number, optional, text

SIGNED = "anthropic:"
SEALED = "anthropic-sealed:"
"""What the encrypted content of reasoning begins with if it came from Anthropic through this gateway. Anyone else's
is dropped: only the provider that encrypted it can read it."""

_OWN = {
    "effort": "reasoning.effort",
    "system.position": "input[].role=system",
    "format.name": "text.format.name",
    "format.description": "text.format.description",
    "format.strict": "text.format.strict",
    "user": "safety_identifier",
    "reasoning": "input[].reasoning",
    "reasoning.sealed": "input[].reasoning",
}
_REFUSED = {
    "previous_response_id": "Send the whole input.",
    "conversation": "Send the whole input.",
    "prompt": "Send the prompt itself.",
    "background": "Stream the answer.",
    "image": "Ask for text.",
}
_DEFAULTS: dict[str, object] = {
    "store": False,
    "truncation": "disabled",
    "service_tier": "auto",
    "top_logprobs": 0,
    "include": [],
}
_READ = frozenset(
    {
        "model",
        "input",
        "instructions",
        "stream",
        "stream_options",
        "max_output_tokens",
        "temperature",
        "top_p",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "text",
        "reasoning",
        "metadata",  # goes back to the client with the response, which is all it is for
        "user",
        "safety_identifier",
    }
)
_KNOWN = _READ | _REFUSED.keys() | _DEFAULTS.keys()
_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
_MESSAGE = frozenset({"type", "id", "status", "role", "content", "phase"})
# The members of each kind of part that are read.
_PART = {
    "input_text": frozenset({"type", "text", "annotations", "logprobs"}),
    "output_text": frozenset({"type", "text", "annotations", "logprobs"}),
    "text": frozenset({"type", "text", "annotations", "logprobs"}),
    "refusal": frozenset({"type", "refusal"}),
    "input_image": frozenset({"type", "image_url", "detail", "file_id"}),
    "input_file": frozenset({"type", "file_id", "file_data", "file_url", "filename"}),
}
_CHOICES = frozenset({"auto", "none", "required"})


def read(call: LlmCall) -> Conversation:
    """Raises `BadRequest` for what cannot be carried over, or has no shape the API knows."""
    doc = call.doc
    loss = Loss(_OWN)
    talk = Conversation(loss, stream=call.stream, limit=call.max_tokens)
    for name, hint in _REFUSED.items():
        if doc.get(name):
            untranslatable(name, hint)
    include = optional(doc, "include", list, "") or []
    if any(wanted != "reasoning.encrypted_content" for wanted in include):
        loss.drop("include")
    loss.unless({**doc, "include": None}, _DEFAULTS)
    loss.rest(doc, _KNOWN)
    talk.temperature, talk.top_p = number(doc, "temperature"), number(doc, "top_p")
    talk.parallel = optional(doc, "parallel_tool_calls", bool, "")
    talk.user = text(doc, "safety_identifier", "") or text(doc, "user", "")
    _reasoning(optional(doc, "reasoning", dict, "") or {}, talk)
    _text(optional(doc, "text", dict, "") or {}, talk)
    talk.tools, known = responses_tools.read(doc, "tools", loss)
    instructions = text(doc, "instructions", "")
    if instructions:
        talk.system.append(Text(instructions))
    given = doc.get("input")
    if type(given) is str:
        talk.turns.append(Turn("user", [Text(given)]))
    else:
        reader = _Items(talk, known)
        for position, item in enumerate(fields.objects(doc, "input")):
            reader.item(item, f"input[{position}]")
    _choice(doc.get("tool_choice"), talk)
    return talk


def _reasoning(reasoning: JsonObject, talk: Conversation) -> None:
    talk.effort = text(reasoning, "effort", "reasoning.")
    if talk.effort and talk.effort not in _EFFORTS:
        refuse("reasoning.effort", "an effort that this gateway knows")
    talk.loss.rest(reasoning, ("effort",), "reasoning.")


def _text(settings: JsonObject, talk: Conversation) -> None:
    talk.loss.unless(settings, {"verbosity": "medium"}, "text.")
    talk.loss.rest(settings, ("verbosity", "format"), "text.")
    wanted = optional(settings, "format", dict, "text.")
    kind = wanted.get("type") if wanted else "text"
    if wanted is None or kind == "text":
        return
    schema = wanted.get("schema")
    if kind != "json_schema" or type(schema) is not dict:
        untranslatable("text.format.type", "Use json_schema.")
    where = "text.format."
    talk.loss.rest(wanted, ("type", "name", "description", "schema", "strict"), where)
    name = fields.name(wanted, "text.format")
    strict = optional(wanted, "strict", bool, where)
    talk.format = Format(schema, name, text(wanted, "description", where), strict)


def _choice(choice: Any, talk: Conversation) -> None:
    if choice is None:
        return
    if type(choice) is str:
        if choice not in _CHOICES:
            refuse("tool_choice", "auto, none, required or an object")
        talk.choice = choice
        return
    kind = choice.get("type") if type(choice) is dict else None
    if kind in ("function", "custom"):
        talk.choice, talk.chosen = "named", fields.name(choice, "tool_choice")
    elif kind == "allowed_tools":
        if choice.get("mode") not in ("auto", "required"):
            refuse("tool_choice.mode", "auto or required")
        names = {fields.name(tool, "tool_choice.tools") for tool in fields.objects(choice, "tools")}
        talk.choice = choice["mode"]
        talk.tools = [tool for tool in talk.tools if tool.name in names]
    else:
        untranslatable("tool_choice.type")


class _Items:
    """Puts input items into turns: what an assistant said and called in a row is one turn, what tools answered too."""

    def __init__(self, talk: Conversation, known: dict[str, responses_tools.Origin]) -> None:
        self._talk = talk
        self._known = known

    def item(self, item: JsonObject, where: str) -> None:
        kind = item.get("type", "message")
        loss = self._talk.loss
        if kind == "message":
            self._message(item, where)
        elif kind == "function_call":
            given = text(item, "arguments", where + ".")
            self._assistant(Call(fields.name(item, where, "call_id"), fields.name(item, where), given))
            loss.rest(item, ("type", "id", "status", "call_id", "name", "namespace", "arguments"), "input[].")
        elif kind == "custom_tool_call":
            free = {"input": text(item, "input", where + ".")}
            self._assistant(Call(fields.name(item, where, "call_id"), fields.name(item, where), free))
            loss.rest(item, ("type", "id", "status", "call_id", "name", "namespace", "input"), "input[].")
        elif kind in ("function_call_output", "custom_tool_call_output"):
            self._result(item, where)
            loss.rest(item, ("type", "id", "status", "call_id", "name", "namespace", "output"), "input[].")
        elif kind == "reasoning":
            self._thought(item, where)
        elif kind == "additional_tools":
            more, origins = responses_tools.read(item, f"{where}.tools", loss)
            if not self._known.keys().isdisjoint(origins):
                untranslatable(f"{where}.tools: a name twice", "Give tools different names.")
            self._talk.tools += more
            self._known |= origins
        else:
            untranslatable(f"{where}.type", "It belongs to tools or memory that only OpenAI has.")

    def _message(self, item: JsonObject, where: str) -> None:
        role = item.get("role")
        blocks = _content(item.get("content"), where + ".content", self._talk.loss)
        self._talk.loss.rest(item, _MESSAGE, "input[].")
        if role == "assistant":
            self._assistant(*blocks)
        elif role == "user":
            self._talk.turns.append(Turn("user", blocks))
        elif role in ("system", "developer"):
            if self._talk.turns:
                self._talk.turns.append(Turn("system", blocks))
            else:
                self._talk.system += blocks
        else:
            refuse(f"{where}.role", "a role that this gateway knows")

    def _assistant(self, *blocks: Block) -> None:
        turns = self._talk.turns
        if not turns or turns[-1].role != "assistant":
            turns.append(Turn("assistant", []))
        turns[-1].blocks += blocks

    def _result(self, item: JsonObject, where: str) -> None:
        content = _content(item.get("output"), where + ".output", self._talk.loss)
        result = Result(fields.name(item, where, "call_id"), tuple(content))
        turns = self._talk.turns
        last = turns[-1] if turns else None
        if last is None or last.role != "user" or not last.blocks or not isinstance(last.blocks[-1], Result):
            last = Turn("user", [])
            turns.append(last)
        last.blocks.append(result)

    def _thought(self, item: JsonObject, where: str) -> None:
        """Reasoning goes back to whom it came from, and to nobody else."""
        encrypted = text(item, "encrypted_content", where + ".")
        if encrypted.startswith(SEALED):
            self._assistant(Thought(sealed=encrypted[len(SEALED) :]))
        elif encrypted.startswith(SIGNED):
            summary = fields.objects(item, "summary", where + ".summary")
            said = "".join([text(part, "text", where + ".summary.") for part in summary])
            self._assistant(Thought(said, encrypted[len(SIGNED) :]))
        else:
            self._talk.loss.drop("reasoning")


def _content(content: Any, where: str, loss: Loss) -> list[Block]:
    """A string, or parts. Empty texts say nothing and are left out."""
    if content is None:
        return []
    if type(content) is str:
        return [Text(content)] if content else []
    if type(content) is not list:
        refuse(where, "a string or a list of parts")
    blocks: list[Block] = []
    for position, part in enumerate(content):
        here = f"{where}[{position}]"
        kind = fields.name(part, here, "type")
        if kind in ("input_text", "output_text", "text"):
            loss.unless(part, {"annotations": [], "logprobs": []}, "input[].content[].")
            said = text(part, "text", here + ".")
            blocks += [Text(said)] if said else []
        elif kind == "refusal":
            said = text(part, "refusal", here + ".")
            blocks += [Text(said)] if said else []
        elif kind == "input_image":
            loss.unless(part, {"detail": "auto"}, "input[].content[].")
            blocks.append(_image(part, here))
        elif kind == "input_file":
            blocks.append(_file(part, here))
        else:
            untranslatable(f"{here}.type")
        loss.rest(part, _PART[kind], "input[].content[].")
    return blocks


def _image(part: JsonObject, where: str) -> Image:
    if part.get("file_id") is not None:
        untranslatable(f"{where}.file_id", "Send the image, or its URL.")
    url = fields.name(part, where, "image_url")
    return Image(*data_url(url, f"{where}.image_url")) if url[:5].lower() == "data:" else Image(url=url)


def _file(part: JsonObject, where: str) -> File:
    if part.get("file_id") is not None:
        untranslatable(f"{where}.file_id", "Send the file's data.")
    name = text(part, "filename", where + ".")
    if part.get("file_url") is not None:
        return File(url=fields.name(part, where, "file_url"), name=name)
    media_type, data = data_url(fields.name(part, where, "file_data"), f"{where}.file_data")
    return File(media_type, data, name=name)
