"""Writes a conversation as a body of Bedrock Converse. The model and whether to stream stand in the path.

What only Claude understands (thinking, top_k) goes into additionalModelRequestFields, and only if the model's name says
that it is Claude: other models answer 400 to fields they do not know.
"""

from hashlib import sha256

from extproc.exchange import json_body
from extproc.exchange.model import JsonObject
from extproc.exchange.translation.anthropic_body import identifier
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
    input_object,
)
from extproc.exchange.translation.loss import Loss, untranslatable

_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_FILES = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_NO_PARAMETERS: JsonObject = {"type": "object", "properties": {}}
_MAX_ID = 64  # characters of a tool call's id
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-()[]")


def write(talk: Conversation, model: str) -> JsonObject:
    """Raises `BadRequest` for what this API cannot say."""
    writer = _Blocks(talk.loss)
    system = writer.plain(talk.system)
    messages: list[JsonObject] = []
    for turn in talk.turns:
        if turn.role == "system":
            talk.loss.drop("system.position")  # one in the middle joins those at the beginning
            system += writer.plain(turn.blocks)
            continue
        blocks = writer.blocks(turn.blocks)
        if not blocks:
            continue
        if messages and messages[-1]["role"] == turn.role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": turn.role, "content": blocks})
    doc: JsonObject = {"messages": messages}
    if system:
        doc["system"] = system
    _inference(talk, doc)
    _tools(talk, doc, _has_calls(messages))
    _more(talk, doc, claude=is_claude(model))
    return doc


def is_claude(model: str) -> bool:
    """Whether a model's id, or its profile's, says that it is Claude."""
    return "claude" in model or "anthropic" in model


def _inference(talk: Conversation, doc: JsonObject) -> None:
    config: JsonObject = {}
    if talk.limit is not None:
        config["maxTokens"] = talk.limit
    if talk.temperature is not None:
        if talk.temperature > 1:
            talk.loss.drop("temperature>1")
        config["temperature"] = min(talk.temperature, 1)
    if talk.top_p is not None:
        config["topP"] = talk.top_p
    stop = [word for word in talk.stop if word.strip()]
    if len(stop) != len(talk.stop):
        talk.loss.drop("stop")  # Claude takes no sequence of blanks
    if stop:
        config["stopSequences"] = stop
        # the only way to learn which one it was; models that do not tell are not troubled by the question
        doc["additionalModelResponseFieldPaths"] = ["/stop_sequence"]
    if config:
        doc["inferenceConfig"] = config


def _tools(talk: Conversation, doc: JsonObject, called: bool) -> None:
    if not talk.tools or talk.choice == "none":
        if called:  # this API demands the tools' definitions as soon as there are calls to look back on
            if talk.tools:
                untranslatable("forbidding tools after they were called", "Leave the choice to the model.")
            untranslatable("tool calls without the tools", "Send their definitions along.")
        return
    tools: list[JsonObject] = []
    for tool in talk.tools:
        spec: JsonObject = {"name": tool.name}
        if tool.description:
            spec["description"] = tool.description
        spec["inputSchema"] = {"json": tool.schema or _NO_PARAMETERS}
        if tool.strict is not None:
            spec["strict"] = tool.strict
        tools.append({"toolSpec": spec})
        if tool.cached is not None:
            tools.append(_cache(tool.cached))
    config: JsonObject = {"tools": tools}
    if talk.choice == "named":
        config["toolChoice"] = {"tool": {"name": talk.chosen}}
    elif talk.choice:
        config["toolChoice"] = {"any" if talk.choice == "required" else "auto": {}}
    doc["toolConfig"] = config
    if talk.parallel is False:
        talk.loss.drop("parallel")


def _more(talk: Conversation, doc: JsonObject, *, claude: bool) -> None:
    """Reasoning, structured output, and what has no place here."""
    output: JsonObject = {}
    if talk.effort == "minimal":
        talk.loss.drop("effort")
        output["effort"] = "low"
    elif talk.effort and talk.effort != "none":
        output["effort"] = talk.effort
    if talk.format is not None:
        output["textFormat"] = _format_of_text(talk.format)
        if talk.format.strict is False:
            talk.loss.drop("format.strict")
    if talk.user:
        talk.loss.drop("user")
    if output:
        doc["outputConfig"] = output
    additional = _for_claude(talk)
    if additional and claude:
        doc["additionalModelRequestFields"] = additional
    elif additional:
        for name in additional:
            talk.loss.drop("effort" if name == "thinking" and not talk.thinking else name)


def _for_claude(talk: Conversation) -> JsonObject:
    """What this API has no words for, but Claude behind it has."""
    fields: JsonObject = {}
    if talk.effort == "none" or talk.thinking == "off":
        fields["thinking"] = {"type": "disabled"}
    elif talk.thinking and talk.budget is None:
        fields["thinking"] = {"type": "adaptive"}
    elif talk.thinking:
        fields["thinking"] = {"type": "enabled", "budget_tokens": talk.budget}
    if talk.top_k is not None:
        fields["top_k"] = talk.top_k
    return fields


def _format_of_text(wanted: Format) -> JsonObject:
    schema = {"schema": json_body.encode(wanted.schema).decode("utf-8")}
    if wanted.name:
        schema["name"] = wanted.name
    if wanted.description:
        schema["description"] = wanted.description
    return {"type": "json_schema", "structure": {"jsonSchema": schema}}


class _Blocks:
    """Writes content blocks of one request, whose documents must have different names."""

    def __init__(self, loss: Loss) -> None:
        self._loss = loss
        self._names: dict[str, int] = {}

    def plain(self, blocks: list[Block]) -> list[JsonObject]:
        """Instructions: texts and cache marks."""
        out: list[JsonObject] = []
        for block in blocks:
            if isinstance(block, Text):
                out += [{"text": block.text}] if block.text else []
            elif isinstance(block, Mark):
                out += [_cache(block.ttl)] if out else []
            else:
                untranslatable("instructions that are not text")
        return out

    def blocks(self, blocks: list[Block]) -> list[JsonObject]:
        """A turn's blocks, tool results first: models want them directly after the calls they answer."""
        results: list[JsonObject] = []
        others: list[JsonObject] = []
        into = others
        for block in blocks:
            if isinstance(block, Mark):
                if into:
                    into.append(_cache(block.ttl))
                continue
            written = self._block(block)
            if written is None:
                continue
            into = results if isinstance(block, Result) else others
            into.append(written)
        return results + others

    def _block(self, block: Block) -> JsonObject | None:
        if isinstance(block, Text):
            if block.text and not block.text.strip():
                self._loss.drop("content=blank")  # the API takes no text of blanks only
                return None
            return {"text": block.text} if block.text else None
        if isinstance(block, Call):
            given = input_object(block, "messages: the arguments of a tool call")
            return {"toolUse": {"toolUseId": _identifier(block.id), "name": block.name, "input": given}}
        if isinstance(block, Result):
            return {"toolResult": self._result(block)}
        if isinstance(block, Image):
            return {"image": {"format": _format(block, _IMAGES, "an image"), "source": _source(block, "an image")}}
        if isinstance(block, File):
            kind = _format(block, _FILES, "a file")
            return {"document": {"format": kind, "name": self._name(block), "source": _source(block, "a file")}}
        if isinstance(block, Thought):
            return self._thought(block)
        return None

    def _result(self, block: Result) -> JsonObject:
        content: list[JsonObject] = []
        for part in block.content:
            if isinstance(part, Mark):
                self._loss.drop("cache")
                continue
            written = {"text": part.text} if isinstance(part, Text) else self._block(part)
            if written is not None:
                content.append(written)
        result: JsonObject = {"toolUseId": _identifier(block.id), "content": content or [{"text": ""}]}
        if block.error:
            result["status"] = "error"
        return result

    def _thought(self, block: Thought) -> JsonObject | None:
        """Only what this API signed may be shown to it again."""
        if block.sealed:
            return {"reasoningContent": {"redactedContent": block.sealed}}
        if block.signature:
            return {"reasoningContent": {"reasoningText": {"text": block.text, "signature": block.signature}}}
        self._loss.drop("reasoning")
        return None

    def _name(self, file: File) -> str:
        """A document's name: required, of few characters, and different from the others'."""
        name = "".join([char if char in _NAME else " " for char in file.name])
        name = " ".join(name.split())[:150] or "document"
        if file.name and name != file.name:
            self._loss.drop("file.name")
        count = self._names[name] = self._names.get(name, 0) + 1
        return name if count == 1 else f"{name} ({count})"


def _identifier(id: str) -> str:
    """A tool call's id in the characters and the length that this API takes. Pairs stay pairs."""
    return identifier(id) if len(id) <= _MAX_ID else sha256(id.encode("utf-8", "replace")).hexdigest()


def _format(block: Image | File, formats: dict[str, str], what: str) -> str:
    kind = formats.get(block.media_type)
    if kind is None and block.url.startswith("s3://"):
        kind = formats.get(_guessed(block.url))
    if kind is None:
        if block.url and not block.url.startswith("s3://"):
            untranslatable(f"{what} by its URL", "Send the data itself.")
        untranslatable(f"{what} of this type", f"Send one of: {', '.join(dict.fromkeys(formats.values()))}.")
    return kind


def _guessed(url: str) -> str:
    """The media type that a name's ending tells."""
    ending = url.rpartition(".")[2].lower()
    ending = "jpeg" if ending == "jpg" else ending
    return next((media for media, kind in (_IMAGES | _FILES).items() if kind == ending), "")


def _source(block: Image | File, what: str) -> JsonObject:
    if not block.url:
        return {"bytes": block.data}
    if not block.url.startswith("s3://"):
        untranslatable(f"{what} by its URL", "Send the data itself.")
    return {"s3Location": {"uri": block.url}}


def _cache(ttl: str) -> JsonObject:
    return {"cachePoint": {"type": "default", "ttl": ttl} if ttl else {"type": "default"}}


def _has_calls(messages: list[JsonObject]) -> bool:
    return any("toolUse" in block or "toolResult" in block for message in messages for block in message["content"])
