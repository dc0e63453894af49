"""Bedrock Converse and ConverseStream. See `bedrock_converse_answer` for what comes back.

Tools stand in `toolConfig`, in tool additions inside messages, and for Claude in `additionalModelRequestFields`, which
go to the model as they are: whatever there would say again what the body says elsewhere is refused. A stored prompt
(its ARN in place of the model) is a server tool `prompt`, because it may bring tools this gateway never sees.
"""

from typing import Any

from extproc.exchange import bedrock_error, bedrock_path, fields, json_body
from extproc.exchange.bedrock_converse_answer import BedrockConverseAnswer
from extproc.exchange.claude_tools import ClaudeTools
from extproc.exchange.keys import Keys
from extproc.exchange.model import NOWHERE, Answer, JsonObject, LlmCall, Place
from extproc.exchange.refusal import Refusal, Rendered
from extproc.exchange.text import TextFilter

_ADDITIONAL = "additionalModelRequestFields"
_TOP = fields.top("toolConfig", "messages", "inferenceConfig", _ADDITIONAL)
_SAID_ELSEWHERE = frozenset({"model", "modelId", "messages", "system", "stream", "prompt", "inputText"})
_MORE = fields.top(*_SAID_ELSEWHERE, "mcp_servers", "max_tokens", "maxTokens")
_LIMIT = Keys("maxTokens")
_CONFIG = Keys("tools")
_TOOL = Keys("toolSpec", "systemTool", "cachePoint", "name", "serverName")
_MESSAGE = Keys("content")
_BLOCK = Keys("toolAddition", "tool")


class BedrockConverse:
    """Implements `exchange.model.Dialect`."""

    name = "bedrock-converse"

    def read(self, operation: str, doc: JsonObject, place: Place = NOWHERE) -> LlmCall:
        fields.check(doc, _TOP)
        found = ClaudeTools()
        config = _object(doc, "toolConfig")
        _CONFIG.check(config, "toolConfig")
        for position, tool in enumerate(fields.objects(config, "tools", "toolConfig.tools")):
            _tool(tool, f"toolConfig.tools[{position}]", found)
        for position, message in enumerate(fields.objects(doc, "messages")):
            _message(message, f"messages[{position}]", found)
        additional = _object(doc, _ADDITIONAL)
        fields.check(additional, _MORE, _ADDITIONAL)
        limits = _object(doc, "inferenceConfig")
        _LIMIT.check(limits, "inferenceConfig")
        twice = sorted(_SAID_ELSEWHERE.intersection(additional))
        if twice:
            fields.refuse(f"{_ADDITIONAL}.{twice[0]}", "left to the body and the path")
        found.document(additional, f"{_ADDITIONAL}.")
        model = fields.model({"model": place.model})
        if ":prompt/" in model:
            found.served.append("prompt")
        return LlmCall(
            dialect=self.name,
            operation=operation,
            model=model,
            stream=place.stream,
            tools=tuple(found.names),
            server_tools=tuple(found.served),
            max_tokens=_max_tokens(limits, additional),
            doc=doc,
        )

    def write(self, call: LlmCall, model: str) -> bytes:  # noqa: ARG002  (it stands in the path)
        return json_body.encode(call.doc)

    def path(self, call: LlmCall, model: str) -> str:
        return bedrock_path.encode(model, "converse-stream" if call.stream else "converse")

    def models(self, names: tuple[str, ...]) -> bytes:
        return bedrock_error.models(names)

    def model(self, name: str) -> bytes:
        return bedrock_error.model(name)

    def refusal(self, refusal: Refusal) -> Rendered:
        return bedrock_error.render(refusal)

    def error_event(self, refusal: Refusal) -> bytes:
        return bedrock_error.event(refusal)

    def answer(self, call: LlmCall, mask: TextFilter | None) -> Answer:  # noqa: ARG002  (the Protocol's signature)
        return BedrockConverseAnswer(mask)


def _object(doc: JsonObject, key: str) -> JsonObject:
    """An optional object; null is absent."""
    value = doc.get(key)
    if value is None:
        return {}
    if type(value) is not dict:
        fields.refuse(key, "an object")
    return value


def _max_tokens(config: JsonObject, additional: JsonObject) -> int | None:
    """The largest limit on output, under every name that a model behind Converse may know it by."""
    limits = [fields.number(config, "maxTokens"), fields.number(additional, "max_tokens", "maxTokens")]
    return max((limit for limit in limits if limit is not None), default=None)


def _tool(tool: JsonObject, where: str, found: ClaudeTools) -> None:
    _TOOL.check(tool, where)
    for kind, value in tool.items():
        if value is None or kind == "cachePoint":
            continue
        if kind == "toolSpec":
            found.names.append(fields.name(value, f"{where}.toolSpec"))
            _TOOL.check(value, f"{where}.toolSpec")
        elif kind == "systemTool":
            found.served.append(fields.name(value, f"{where}.systemTool"))
            _TOOL.check(value, f"{where}.systemTool")
        else:
            fields.refuse(where, "a kind of tool this gateway knows")


def _message(message: JsonObject, where: str, found: ClaudeTools) -> None:
    """Tools added in one message: references to what is declared, or to the tools of an MCP server."""
    _MESSAGE.check(message, where)
    content = message.get("content")
    for block in content if type(content) is list else []:
        if type(block) is dict:
            _BLOCK.check(block, f"{where}.content")
        addition = block.get("toolAddition") if type(block) is dict else None
        if addition is None:
            continue
        here = f"{where}.content.toolAddition"
        if type(addition) is dict:
            _BLOCK.check(addition, here)
        tool: Any = addition.get("tool") if type(addition) is dict else None
        if type(tool) is not dict:
            fields.refuse(f"{here}.tool", "an object")
        _TOOL.check(tool, f"{here}.tool")
        if tool.get("serverName") is not None:
            found.server(tool, f"{here}.tool", "serverName")
        else:
            found.names.append(fields.name(tool, f"{here}.tool"))


DIALECT = BedrockConverse()
