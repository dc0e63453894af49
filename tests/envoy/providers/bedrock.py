"""Amazon Bedrock's runtime: Converse, ConverseStream, and InvokeModel (+ stream) for Claude.

Requests are checked against botocore's model of the service, so the same description that boto3 builds requests by.
"""

import json
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from functools import cache
from typing import Any
from urllib.parse import quote, unquote

import botocore.session
from botocore.validate import ParamValidator

from tests.envoy.providers import anthropic, aws
from tests.envoy.providers.plays import (
    CACHED,
    INPUT,
    OUTPUT,
    SIGNATURE,
    THOUGHT,
    Ask,
    Image,
    Play,
    Text,
    Thought,
    pieces,
)
from tests.envoy.providers.stage import Answer, Provider, Wrong
from tests.envoy.upstream import Arrived

CLAUDE = "eu.anthropic.claude-fake-v1:0"
NOVA = "amazon.nova-fake-v1:0"
_STREAM = "application/vnd.amazon.eventstream"
_OPERATIONS = {"converse": False, "converse-stream": True, "invoke": False, "invoke-with-response-stream": True,
               "count-tokens": False}  # fmt: skip
_ERRORS = {400: "ValidationException", 401: "UnrecognizedClientException", 403: "AccessDeniedException",
           404: "ResourceNotFoundException", 429: "ThrottlingException"}  # fmt: skip
_VERSIONS = ("bedrock-2023-05-31", "2026-10-21")


class Bedrock(Provider):
    name = "bedrock"
    own = frozenset({"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"})
    vendor = ("amz-sdk-", "x-amzn-")
    kinds = ("application/json", None)  # boto3 leaves it out where a body is the caller's own

    def credential(self, request: Arrived) -> None:
        aws.authenticate(request)

    def read(self, request: Arrived) -> Ask:
        parts = request.path.split("/")
        if request.method != "POST" or len(parts) != 4 or parts[1] != "model" or parts[3] not in _OPERATIONS:
            raise Wrong("no such path", 404)
        model = unquote(parts[2])
        if model not in (CLAUDE, NOVA) or quote(model, safe="-._~") != parts[2]:
            raise Wrong(f"model {parts[2]}", 404)
        doc, stream = request.json(), _OPERATIONS[parts[3]]
        if parts[3] == "count-tokens":
            if list(doc) != ["input"] or list(doc["input"]) != ["invokeModel"]:
                raise Wrong("counting takes input.invokeModel here")
            ask = _invoke(
                json.loads(b64decode(doc["input"]["invokeModel"]["body"], validate=True)), model, stream=False
            )
            ask.operation = parts[3]
            return ask
        ask = _invoke(doc, model, stream=stream) if "invoke" in parts[3] else converse(doc, model, stream=stream)
        ask.operation = parts[3]
        return ask

    def write(self, ask: Ask, play: Play) -> Answer:
        if ask.operation == "count-tokens":
            return Answer([json.dumps({"inputTokens": INPUT}).encode()])
        if ask.operation == "invoke":
            counts = {"x-amzn-bedrock-input-token-count": str(INPUT), "x-amzn-bedrock-output-token-count": str(OUTPUT)}
            return Answer([json.dumps(anthropic.message(ask, play)).encode()], headers=counts)
        if ask.operation == "converse":
            return Answer([json.dumps(_whole(play)).encode()])
        if ask.operation == "converse-stream":
            return Answer([aws.event(*named) for named in _events(play)], _STREAM, stream=True)
        out = []
        for event in anthropic.events(ask, play):
            if event["type"] == "message_stop":
                event["amazon-bedrock-invocationMetrics"] = {"inputTokenCount": INPUT, "outputTokenCount": OUTPUT,
                                                             "invocationLatency": 9, "firstByteLatency": 5}  # fmt: skip
            out.append(aws.event("chunk", {"bytes": b64encode(json.dumps(event).encode()).decode()}))
        return Answer(out, _STREAM, headers={"x-amzn-bedrock-content-type": "application/json"}, stream=True)

    def fail(self, status: int, text: str) -> Answer:
        kind = _ERRORS.get(status, "InternalServerException")
        return Answer([json.dumps({"message": text}).encode()], status=status, headers={"x-amzn-errortype": kind})


def _invoke(doc: dict[str, Any], model: str, *, stream: bool) -> Ask:
    version = doc.pop("anthropic_version", None)
    if version not in _VERSIONS:
        raise Wrong(f"anthropic_version {version}")
    if found := {"model", "stream"} & doc.keys():
        raise Wrong(f"{found} are in the path, not in the body")
    doc.pop("anthropic_beta", None)
    return anthropic.read(doc, model, "2026-10-21" if version == "2026-10-21" else "2023-06-01", stream=stream)


# -- Converse: requests ------------------------------------------------------------------------------------------------


@cache
def _shape() -> Any:
    service = botocore.session.get_session().get_service_model("bedrock-runtime")
    return service.operation_model("Converse").input_shape


def converse(doc: dict[str, Any], model: str, *, stream: bool) -> Ask:
    """Raises `Wrong` for what Converse refuses."""
    report = ParamValidator().validate({**_parsed(doc, _shape(), "body"), "modelId": model}, _shape())
    if report.has_errors():
        raise Wrong(report.generate_report())
    ask = Ask(model, stream, "\n".join(block["text"] for block in doc.get("system", []) if "text" in block))
    if not doc.get("messages") or doc["messages"][0]["role"] != "user":
        raise Wrong("messages do not begin with the user's")
    open_calls: list[str] = []
    last = ""
    for message in doc["messages"]:
        if message["role"] == last:
            raise Wrong("roles do not alternate")
        last = message["role"]
        open_calls = _message(ask, message["role"], message["content"], open_calls)
    if open_calls:
        raise Wrong(f"toolUse without toolResult: {open_calls}")
    tools = doc.get("toolConfig", {})
    ask.tools = [tool["toolSpec"]["name"] for tool in tools.get("tools", []) if "toolSpec" in tool]
    if ask.calls and not ask.tools:
        raise Wrong("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
    if not 0 <= doc.get("inferenceConfig", {}).get("temperature", 1) <= 1:
        raise Wrong("temperature is not within 0 and 1")
    if doc.get("additionalModelRequestFields") and "claude" not in model:
        raise Wrong("additionalModelRequestFields that this model does not know")
    wanted = doc.get("outputConfig", {}).get("textFormat", {}).get("structure", {}).get("jsonSchema")
    ask.schema = json.loads(wanted["schema"]) if wanted else None
    return ask


def _message(ask: Ask, role: str, blocks: list[dict[str, Any]], open_calls: list[str]) -> list[str]:
    """The ids of the calls that the next message has to answer."""
    if not blocks or any(len(block) != 1 for block in blocks):
        raise Wrong("a message without content, or a block that is two")
    kinds = [next(iter(block)) for block in blocks]
    results = {block["toolResult"]["toolUseId"]: block["toolResult"] for block in blocks if "toolResult" in block}
    if sorted(results) != sorted(open_calls) or kinds.count("toolResult") != len(results):
        raise Wrong(f"results {sorted(results)} for calls {open_calls}")
    texts = [block["text"] for block in blocks if "text" in block]
    if any(not text.strip() for text in texts):
        raise Wrong("a blank text")
    if role == "user":
        if {"toolUse", "reasoningContent"} & set(kinds):
            raise Wrong("a block of the assistant's in a message of the user's")
        if texts and not results:
            ask.text, ask.calls, ask.results, ask.images, ask.thoughts = "\n".join(texts), 0, [], [], []
        ask.results += [_result(results[call]) for call in open_calls]
        for block in blocks:
            if "image" in block:
                image = block["image"]
                ask.images.append(Image(f"image/{image['format']}", b64decode(image["source"]["bytes"])))
        return []
    if {"toolResult", "image", "document"} & set(kinds):
        raise Wrong("a block of the user's in a message of the assistant's")
    for block in blocks:
        thought = block.get("reasoningContent", {}).get("reasoningText")
        if thought is not None:
            if (thought["text"], thought.get("signature")) != (THOUGHT, SIGNATURE):
                raise Wrong("reasoning that was not signed here, or was changed")
            ask.thoughts.append(thought["signature"])
    calls = [block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block]
    ask.calls += len(calls)
    return calls


def _result(result: dict[str, Any]) -> str:
    text = "".join(part["text"] if "text" in part else json.dumps(part.get("json")) for part in result["content"])
    return f"failed: {text}" if result.get("status") == "error" else text


def _parsed(value: Any, shape: Any, where: str) -> Any:
    """The JSON as boto3's parameters, whose blobs are bytes."""
    kind = shape.type_name
    if getattr(shape, "is_document_type", False):
        return value
    if kind == "structure" and isinstance(value, dict):
        return {name: _parsed(item, shape.members[name], f"{where}.{name}") if name in shape.members else item
                for name, item in value.items()}  # fmt: skip
    if kind == "list" and isinstance(value, list):
        return [_parsed(item, shape.member, where) for item in value]
    if kind == "map" and isinstance(value, dict):
        return {name: _parsed(item, shape.value, where) for name, item in value.items()}
    if kind == "blob":
        try:
            return b64decode(value, validate=True)
        except (NotBase64, TypeError, ValueError):
            raise Wrong(f"{where}: not base64") from None
    if kind == "string" and shape.enum and value not in shape.enum:
        raise Wrong(f"{where}: {value!r} is none of {shape.enum}")
    return value


# -- Converse: answers -------------------------------------------------------------------------------------------------


def _usage() -> dict[str, Any]:
    return {"inputTokens": INPUT - CACHED, "outputTokens": OUTPUT, "totalTokens": INPUT + OUTPUT,
            "cacheReadInputTokens": CACHED, "cacheWriteInputTokens": 0}  # fmt: skip


def _block(part: Any) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"text": part.text}
    if isinstance(part, Thought):
        return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}}
    return {"toolUse": {"toolUseId": part.id, "name": part.name, "input": part.input}}


def _whole(play: Play) -> dict[str, Any]:
    message = {"role": "assistant", "content": [_block(part) for part in play.parts]}
    return {"output": {"message": message}, "stopReason": "tool_use" if play.calls else "end_turn",
            "usage": _usage(), "metrics": {"latencyMs": 7}}  # fmt: skip


def _events(play: Play) -> list[tuple[str, dict[str, Any]]]:
    out: list[tuple[str, dict[str, Any]]] = [("messageStart", {"role": "assistant"})]
    for n, part in enumerate(play.parts):
        place = {"contentBlockIndex": n}
        if isinstance(part, Text):
            deltas: list[dict[str, Any]] = [{"text": piece} for piece in pieces(part.text)]
        elif isinstance(part, Thought):
            deltas = [{"reasoningContent": {"text": piece}} for piece in pieces(part.text)]
            deltas.append({"reasoningContent": {"signature": part.signature}})
        else:
            out.append(
                ("contentBlockStart", {"start": {"toolUse": {"toolUseId": part.id, "name": part.name}}, **place})
            )
            deltas = [{"toolUse": {"input": piece}} for piece in pieces(json.dumps(part.input))]
        out += [("contentBlockDelta", {"delta": delta, **place}) for delta in deltas]
        out.append(("contentBlockStop", place))
    out.append(("messageStop", {"stopReason": "tool_use" if play.calls else "end_turn"}))
    return [*out, ("metadata", {"usage": _usage(), "metrics": {"latencyMs": 7}})]
