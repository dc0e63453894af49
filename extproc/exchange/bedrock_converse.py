"""Bedrock Converse and ConverseStream. See `bedrock_converse_answer` for what comes back.

Tools stand in `toolConfig`, in tool additions inside messages, and for Claude in `additionalModelRequestFields`, which
go to the model as they are: whatever there would say again what the body says elsewhere is refused. A stored prompt
(its ARN in place of the model) is a server tool `prompt`, because it may bring tools this gateway never sees.
"""

from typing import Any

from extproc.exchange import bedrock_error, bedrock_path, fields, json_body
from extproc.exchange.bedrock_converse_answer import BedrockConverseAnswer
from extproc.exchange.claude_tools import ClaudeTools
from extproc.exchange.model import NOWHERE, Answer, JsonObject, LlmCall, Place
from extproc.exchange.refusal import Refusal, Rendered
from extproc.exchange.text import TextFilter

_ADDITIONAL = "additionalModelRequestFields"
_SAID_ELSEWHERE = frozenset({"model", "modelId", "messages", "system", "stream", "prompt", "inputText"})


class BedrockConverse:
    """Implements `exchange.model.Dialect`."""

    name = "bedrock-converse"

    def read(self, operation: str, doc: JsonObject, place: Place = NOWHERE) -> LlmCall:
        found = ClaudeTools()
        config = _object(doc, "toolConfig")
        for position, tool in enumerate(fields.objects(config, "tools", "toolConfig.tools")):
            _tool(tool, f"toolConfig.tools[{position}]", found)
        for position, message in enumerate(fields.objects(doc, "messages")):
            _message(message, f"messages[{position}]", found)
        additional = _object(doc, _ADDITIONAL)
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
            max_tokens=_max_tokens(_object(doc, "inferenceConfig"), additional),
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
    for kind, value in tool.items():
        if value is None or kind == "cachePoint":
            continue
        if kind == "toolSpec":
            found.names.append(fields.name(value, f"{where}.toolSpec"))
        elif kind == "systemTool":
            found.served.append(fields.name(value, f"{where}.systemTool"))
        else:
            fields.refuse(where, "a kind of tool this gateway knows")


def _message(message: JsonObject, where: str, found: ClaudeTools) -> None:
    """Tools added in one message: references to what is declared, or to the tools of an MCP server."""
    content = message.get("content")
    for block in content if type(content) is list else []:
        addition = block.get("toolAddition") if type(block) is dict else None
        if addition is None:
            continue
        here = f"{where}.content.toolAddition"
        tool: Any = addition.get("tool") if type(addition) is dict else None
        if type(tool) is not dict:
            fields.refuse(f"{here}.tool", "an object")
        if tool.get("serverName") is not None:
            found.server(tool, f"{here}.tool", "serverName")
        else:
            found.names.append(fields.name(tool, f"{here}.tool"))


DIALECT = BedrockConverse()
