"""Writes a conversation as a body of Gemini's generateContent.

Gemini names a result's function, where other APIs give only the call's id: the name is looked up in the calls before.
Its newer models refuse a turn with calls of which the first is not signed. Calls that another model made have no
signature; Google's word for "this was not yours" stands in for it.
"""

from mimetypes import guess_type
from typing import Any

from extproc.exchange.model import JsonObject
from extproc.exchange.translation import gemini_call_id
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

MAX_STOP = 5
"""Stop sequences that this API takes."""

_UNSIGNED = "skip_thought_signature_validator"
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}
_LEVELS = {"minimal": "minimal", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
# Tokens of thinking, as Google's own layer for OpenAI's API has them. Models before 3 know no levels.
_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}
_COARSER = frozenset({"xhigh", "max"})


def write(talk: Conversation, model: str) -> JsonObject:
    """Raises `BadRequest` for what this API cannot say. The model's name is in the path, not here."""
    older = model.startswith(("gemini-1", "gemini-2"))
    writer = _Contents(talk.loss, signed=not older)
    system = writer.texts(talk.system)
    contents: list[JsonObject] = []
    for turn in talk.turns:
        if turn.role == "system":
            talk.loss.drop("system.position")  # one in the middle joins those at the beginning
            system += writer.texts(turn.blocks)
            continue
        role = "model" if turn.role == "assistant" else "user"
        parts = writer.parts(turn.blocks)
        if not parts:
            continue
        if contents and contents[-1]["role"] == role:
            merged = contents[-1]["parts"] + parts
            contents[-1]["parts"] = sorted(merged, key=lambda part: "functionResponse" not in part)
        else:
            contents.append({"role": role, "parts": parts})
    doc: JsonObject = {"contents": contents}
    if system:
        doc["systemInstruction"] = {"parts": system}
    _tools(talk, doc)
    config = _sampling(talk)
    thinking = _thinking(talk, older=older)
    if thinking:
        config["thinkingConfig"] = thinking
    if config:
        doc["generationConfig"] = config
    return doc


def _sampling(talk: Conversation) -> JsonObject:
    wanted: dict[str, Any] = {
        "maxOutputTokens": talk.limit,
        "temperature": talk.temperature,
        "topP": talk.top_p,
        "topK": talk.top_k,
    }
    config: JsonObject = {name: value for name, value in wanted.items() if value is not None}
    if len(talk.stop) > MAX_STOP:
        untranslatable("more than five stop sequences")
    if talk.stop:
        config["stopSequences"] = talk.stop
    if talk.user:
        talk.loss.drop("user")
    if talk.format is not None:
        config["responseMimeType"] = "application/json"
        config["responseJsonSchema"] = talk.format.schema
        for name in ("name", "description"):
            if getattr(talk.format, name):
                talk.loss.drop(f"format.{name}")
    return config


def _thinking(talk: Conversation, *, older: bool) -> JsonObject:
    """How much to think; thoughts are only shown to a client that asked for thinking by that name."""
    thinking: JsonObject = {}
    effort = "none" if talk.thinking == "off" else talk.effort
    if effort in _COARSER:
        talk.loss.drop("effort")
    if effort and older:
        thinking["thinkingBudget"] = _BUDGETS[effort]
    elif effort == "none":  # these models cannot be kept from thinking altogether
        thinking["thinkingLevel"] = "minimal"
        talk.loss.drop("thinking" if talk.thinking else "effort")
    elif effort:
        thinking["thinkingLevel"] = _LEVELS[effort]
    if talk.thinking == "on":
        thinking["includeThoughts"] = True
        if talk.budget is not None:
            if "thinkingLevel" in thinking:
                talk.loss.drop("thinking.budget")  # the two exclude each other
            else:
                thinking["thinkingBudget"] = talk.budget
    return thinking


def _tools(talk: Conversation, doc: JsonObject) -> None:
    """Nothing is said about choosing where there is nothing to choose from."""
    if not talk.tools:
        return
    doc["tools"] = [{"functionDeclarations": [_tool(tool, talk.loss) for tool in talk.tools]}]
    if talk.parallel is False:
        talk.loss.drop("parallel")
    if talk.choice:
        choice: JsonObject = {"mode": _MODES[talk.choice]}
        if talk.choice == "named":
            choice["allowedFunctionNames"] = [talk.chosen]
        doc["toolConfig"] = {"functionCallingConfig": choice}


def _tool(tool: Tool, loss: Loss) -> JsonObject:
    doc: JsonObject = {"name": tool.name}
    if tool.description is not None:
        doc["description"] = tool.description
    if tool.schema:
        doc["parametersJsonSchema"] = tool.schema
    if tool.strict:
        loss.drop("tool.strict")
    if tool.cached is not None:
        loss.drop("cache")
    return doc


class _Contents:
    """Writes blocks, and remembers whose id was which function's."""

    def __init__(self, loss: Loss, *, signed: bool) -> None:
        self._loss = loss
        self._signed = signed
        self._names: dict[str, str] = {}

    def texts(self, blocks: list[Block]) -> list[JsonObject]:
        """An instruction: text only."""
        out: list[JsonObject] = []
        for block in blocks:
            if isinstance(block, Text):
                out.append({"text": block.text})
            elif isinstance(block, Mark):
                self._loss.drop("cache")
            else:
                untranslatable("images or documents in instructions", "Put them into a user message.")
        return out

    def parts(self, blocks: list[Block]) -> list[JsonObject]:
        """One turn. Results come first: Gemini wants them directly after the calls they answer."""
        out: list[JsonObject] = []
        results = 0
        calls = 0
        for block in blocks:
            if isinstance(block, Text):
                if block.text:
                    out.append({"text": block.text})
            elif isinstance(block, Call):
                out.append(self._call(block, first=calls == 0))
                calls += 1
            elif isinstance(block, Result):
                out.insert(results, self._result(block))
                results += 1
            elif isinstance(block, Image | File):
                out.append(self._media(block))
            elif isinstance(block, Thought):
                self._loss.drop("reasoning.sealed" if block.sealed else "reasoning")
            else:
                self._loss.drop("cache")
        return out

    def _call(self, block: Call, *, first: bool) -> JsonObject:
        self._names[block.id] = block.name
        known = gemini_call_id.read(block.id)
        call: JsonObject = {"name": block.name, "args": input_object(block, "messages: the arguments of a tool call")}
        part: JsonObject = {"functionCall": {"id": known.id, **call} if known.id else call}
        if known.signature:
            part["thoughtSignature"] = known.signature
        elif first and self._signed:
            part["thoughtSignature"] = _UNSIGNED
        return part

    def _result(self, block: Result) -> JsonObject:
        name = self._names.get(block.id)
        if name is None:
            untranslatable("messages: a tool result without the call it answers")
        texts = [piece.text for piece in block.content if isinstance(piece, Text)]
        media = [self._media(piece) for piece in block.content if isinstance(piece, Image | File)]
        if any(isinstance(piece, Mark) for piece in block.content):
            self._loss.drop("cache")
        known = gemini_call_id.read(block.id)
        said: JsonObject = {"name": name, "response": {"error" if block.error else "output": "\n".join(texts)}}
        if media:
            said["parts"] = media
        return {"functionResponse": {"id": known.id, **said} if known.id else said}

    def _media(self, block: Image | File) -> JsonObject:
        if isinstance(block, File) and block.name:
            self._loss.drop("file.name")
        if not block.url:
            return {"inlineData": {"mimeType": block.media_type, "data": block.data}}
        kind = block.media_type or guess_type(block.url.partition("?")[0].partition("#")[0])[0]
        if kind is None:
            untranslatable("messages: a URL that does not show its media type", "Send the data itself.")
        return {"fileData": {"mimeType": kind, "fileUri": block.url}}
