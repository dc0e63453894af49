"""Anthropic Messages, as Anthropic serves it; Bedrock InvokeModel and Vertex AI take the same with small changes.

Versions are kept apart: 2026-10-21 refuses sampling fields, which 2023-06-01 takes.
"""

import json
import typing
from base64 import b64decode
from binascii import Error as NotBase64
from typing import Any

from anthropic.types import message_create_params

from tests.envoy.providers import shapes
from tests.envoy.providers.plays import (
    CACHED,
    INPUT,
    OUTPUT,
    REASONING,
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

KEY = "sk-ant-canary-0123456789"
VERSIONS = ("2023-06-01", "2026-10-21")
_SAMPLING = ("temperature", "top_p", "top_k")
_KINDS = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
          429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"}  # fmt: skip
_PARAMS = message_create_params.MessageCreateParamsBase


class Anthropic(Provider):
    name = "anthropic"
    own = frozenset({"x-api-key", "authorization", "anthropic-version", "anthropic-beta"})
    vendor = ("x-stainless-", "anthropic-", "x-app")

    def credential(self, request: Arrived) -> None:
        """The key is taken in either header, but not in both: two credentials are one too many."""
        given = (request.header("x-api-key"), request.header("authorization"))
        if given not in ((KEY, None), (None, f"Bearer {KEY}")):
            raise Wrong("not the provider's key, once", 401)

    def read(self, request: Arrived) -> Ask:
        if request.method != "POST" or request.path not in ("/v1/messages", "/v1/messages/count_tokens"):
            raise Wrong("no such path", 404)
        version = request.header("anthropic-version")
        if version not in VERSIONS:
            raise Wrong(f"anthropic-version {version}")
        doc = request.json()
        stream = doc.pop("stream", False)
        if type(stream) is not bool:
            raise Wrong("stream is no boolean")
        if request.path.endswith("count_tokens"):
            if stream or "max_tokens" in doc:
                raise Wrong("counting takes no stream and no max_tokens")
            ask = read({"max_tokens": 1, **doc}, doc.get("model", ""), version, stream=False)
            ask.operation = "count_tokens"
            return ask
        return read(doc, doc.get("model", ""), version, stream=stream)

    def write(self, ask: Ask, play: Play) -> Answer:
        if ask.operation == "count_tokens":
            return Answer([json.dumps({"input_tokens": INPUT}).encode()])
        if ask.stream:
            return Answer([sse(event) for event in events(ask, play)], "text/event-stream; charset=utf-8", stream=True)
        return Answer([json.dumps(message(ask, play)).encode()])

    def fail(self, status: int, text: str) -> Answer:
        return Answer([json.dumps(failure(status, text)).encode()], status=status)


def read(doc: dict[str, Any], model: str, version: str, *, stream: bool) -> Ask:
    """Raises `Wrong` for what the API refuses. `doc` is a body without `stream`."""
    # The SDK's types are those of the newer version, which has no sampling.
    shapes.check({"model": model, **{name: value for name, value in doc.items() if name not in _SAMPLING}}, _PARAMS)
    for name in _SAMPLING:
        shapes.check(doc.get(name, 0), float, name)
    if not doc["max_tokens"] > 0:
        raise Wrong("max_tokens is not positive")
    if version == VERSIONS[1] and (found := [name for name in _SAMPLING if name in doc]):
        raise Wrong(f"{found} are not taken by version {version}")
    if not 0 <= doc.get("temperature", 1) <= 1:
        raise Wrong("temperature is not within 0 and 1")
    if not doc["messages"] or doc["messages"][0]["role"] != "user":
        raise Wrong("messages do not begin with the user's")
    system = doc.get("system", "")
    ask = Ask(model, stream, system if isinstance(system, str) else "\n".join(block["text"] for block in system))
    open_calls: list[str] = []
    last = ""
    for message in doc["messages"]:
        if message["role"] == last:
            raise Wrong("roles do not alternate")  # the API would join them; a translator has no reason to need that
        last = message["role"]
        blocks = message["content"]
        if isinstance(blocks, str):
            blocks = [{"type": "text", "text": blocks}]
        open_calls = _message(ask, message["role"], list(blocks), open_calls)
    if open_calls:
        raise Wrong(f"tool_use without tool_result: {open_calls}")
    ask.tools = [tool["name"] for tool in doc.get("tools", [])]
    if ask.calls and not ask.tools:
        raise Wrong("tool_use in the history, but no tools")
    if "tool_choice" in doc and not ask.tools:
        raise Wrong("tool_choice without tools")
    ask.schema = (doc.get("output_config") or {}).get("format", {}).get("schema")
    return ask


def _message(ask: Ask, role: str, blocks: list[dict[str, Any]], open_calls: list[str]) -> list[str]:
    """The ids of the calls that the next message has to answer."""
    if not blocks:
        raise Wrong("a message without content")
    kinds = [block["type"] for block in blocks]
    results = [block for block in blocks if block["type"] == "tool_result"]
    if sorted(block["tool_use_id"] for block in results) != sorted(open_calls):
        raise Wrong(f"results {[block['tool_use_id'] for block in results]} for calls {open_calls}")
    if "tool_result" in kinds[len(results) :]:
        raise Wrong("a tool_result after other content")
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    if any(not text.strip() for text in texts):
        raise Wrong("a blank text")
    if role == "user":
        if any(block["type"] in ("tool_use", "thinking", "redacted_thinking") for block in blocks):
            raise Wrong("a block of the assistant's in a message of the user's")
        if texts and not results:
            ask.text, ask.calls, ask.results, ask.images, ask.thoughts = "\n".join(texts), 0, [], [], []
        by_id = {block["tool_use_id"]: _result(block) for block in results}
        ask.results += [by_id[call] for call in open_calls]
        ask.images += [image(block) for block in blocks if block["type"] == "image"]
        return []
    if results or "image" in kinds:
        raise Wrong("a block of the user's in a message of the assistant's")
    for block in blocks:
        if block["type"] == "thinking":
            if (block["thinking"], block["signature"]) != (THOUGHT, SIGNATURE):
                raise Wrong("thinking that was not signed here, or was changed")
            ask.thoughts.append(block["signature"])
    calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
    if len(set(calls)) != len(calls) or not all(call.replace("_", "").replace("-", "").isalnum() for call in calls):
        raise Wrong(f"ids of tool_use: {calls}")
    ask.calls += len(calls)
    return calls


def _result(block: dict[str, Any]) -> str:
    content = block.get("content", "")
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    return f"failed: {text}" if block.get("is_error") else text


def image(block: dict[str, Any]) -> Image:
    """Raises `Wrong` unless its data is given and is base64."""
    source = block["source"]
    try:
        return Image(source["media_type"], b64decode(source["data"], validate=True))
    except (KeyError, NotBase64):
        raise Wrong(f"an image of {source.get('type')}") from None


# -- answers -----------------------------------------------------------------------------------------------------------


def _usage(play: Play) -> dict[str, Any]:
    details = {"output_tokens_details": {"thinking_tokens": REASONING}} if play.thought else {}
    return {"input_tokens": INPUT - CACHED, "cache_read_input_tokens": CACHED, "cache_creation_input_tokens": 0,
            "output_tokens": OUTPUT, **details}  # fmt: skip


def _block(part: Any, *, empty: bool = False) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": "" if empty else part.text}
    if isinstance(part, Thought):
        return {
            "type": "thinking",
            "thinking": "" if empty else part.text,
            "signature": "" if empty else part.signature,
        }
    return {"type": "tool_use", "id": part.id, "name": part.name, "input": {} if empty else part.input}


def message(ask: Ask, play: Play) -> dict[str, Any]:
    return {
        "id": "msg_fake01", "type": "message", "role": "assistant", "model": ask.model,
        "content": [_block(part) for part in play.parts],
        "stop_reason": "tool_use" if play.calls else "end_turn", "stop_sequence": None, "usage": _usage(play),
    }  # fmt: skip


def events(ask: Ask, play: Play) -> typing.Iterator[dict[str, Any]]:
    """A stream's events in order."""
    usage = _usage(play)
    begun = {**message(ask, play), "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": begun}
    yield {"type": "ping"}
    for n, part in enumerate(play.parts):
        yield {"type": "content_block_start", "index": n, "content_block": _block(part, empty=True)}
        for delta in _deltas(part):
            yield {"type": "content_block_delta", "index": n, "delta": delta}
        yield {"type": "content_block_stop", "index": n}
    stop = "tool_use" if play.calls else "end_turn"
    yield {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage}
    yield {"type": "message_stop"}


def _deltas(part: Any) -> list[dict[str, Any]]:
    if isinstance(part, Text):
        return [{"type": "text_delta", "text": piece} for piece in pieces(part.text)]
    if isinstance(part, Thought):
        told = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(part.text)]
        return [*told, {"type": "signature_delta", "signature": part.signature}]
    return [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(json.dumps(part.input))]]


def sse(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def failure(status: int, text: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": _KINDS.get(status, "api_error"), "message": text},
            "request_id": "req_fake"}  # fmt: skip
