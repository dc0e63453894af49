"""OpenAI's APIs: Chat Completions, legacy Completions, Embeddings and Responses; and Azure's, at paths of its own."""

import json
from base64 import b64decode, b64encode
from struct import pack
from typing import Any

from openai.types import completion_create_params as completion_params
from openai.types import embedding_create_params as embedding_params
from openai.types.chat import completion_create_params as chat_params

from tests.envoy.providers import openai_responses, shapes
from tests.envoy.providers.plays import (
    CACHED,
    INPUT,
    OUTPUT,
    REASONING,
    Ask,
    Call,
    Image,
    Play,
    Text,
    Thought,
    pieces,
)
from tests.envoy.providers.stage import Answer, Provider, Wrong
from tests.envoy.upstream import Arrived

KEY = "sk-canary-openai-0123456789"
AZURE_KEY = "azure-canary-0123456789abcdef"
AZURE_VERSION = "2024-10-21"
VECTOR = [0.25, -0.5, 1.0]
_KINDS = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
_SHAPES = {"chat/completions": (chat_params.CompletionCreateParamsStreaming, "stream"),
           "completions": (completion_params.CompletionCreateParamsStreaming, "stream"),
           "embeddings": (embedding_params.EmbeddingCreateParams, "")}  # fmt: skip


class OpenAi(Provider):
    name = "openai"
    own = frozenset({"authorization"})
    vendor = ("x-stainless-", "openai-")

    def credential(self, request: Arrived) -> None:
        if request.header("authorization") != f"Bearer {KEY}":
            raise Wrong("authorization is not the provider's key", 401)

    def operation(self, request: Arrived) -> tuple[str, str]:
        """The operation, and the model if the path names it."""
        if request.method != "POST" or not request.path.startswith("/v1/"):
            raise Wrong("no such path", 404)
        return request.path.removeprefix("/v1/"), ""

    def read(self, request: Arrived) -> Ask:
        operation, model = self.operation(request)
        if operation == "responses":
            ask = openai_responses.read(request.json())
            ask.operation = operation
            return ask
        if operation not in _SHAPES:
            raise Wrong("no such path", 404)
        doc = request.json()
        shape, streams = _SHAPES[operation]
        stream = doc.get(streams, False)
        shapes.check({**doc, "stream": True} if streams and not stream else doc, shape)
        if not stream and doc.get("stream_options") is not None:
            raise Wrong("stream_options without stream")
        if operation == "chat/completions":
            ask = _chat(doc)
        else:
            text = doc.get("prompt") or doc.get("input")
            ask = Ask(doc["model"], text=text[0] if isinstance(text, list) else text)
        ask.operation, ask.stream, ask.model = operation, stream, model or doc["model"]
        ask.usage = (doc.get("stream_options") or {}).get("include_usage", False)
        if doc.get("encoding_format") == "base64":
            ask.operation += "/base64"
        return ask

    def write(self, ask: Ask, play: Play) -> Answer:
        if ask.operation == "responses":
            return openai_responses.write(ask, play)
        if ask.operation.startswith("embeddings"):
            return Answer([json.dumps(_embedding(ask)).encode()])
        if ask.stream:
            body = _chunks(ask, play) if ask.operation == "chat/completions" else _texts(ask, play)
            events = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in body]
            return Answer([*events, b"data: [DONE]\n\n"], "text/event-stream; charset=utf-8", stream=True)
        doc = _completion(ask, play) if ask.operation == "chat/completions" else _legacy(ask, play)
        return Answer([json.dumps(doc).encode()])

    def fail(self, status: int, text: str) -> Answer:
        error = {"message": text, "type": "server_error" if status >= 500 else "invalid_request_error", "param": None,
                 "code": _KINDS.get(status)}  # fmt: skip
        return Answer([json.dumps({"error": error}).encode()], status=status)


class Azure(OpenAi):
    name = "azure"
    own = frozenset({"api-key"})

    def credential(self, request: Arrived) -> None:
        if request.header("api-key") != AZURE_KEY:
            raise Wrong("api-key is not the provider's key", 401)

    def operation(self, request: Arrived) -> tuple[str, str]:
        path, _, query = request.path.partition("?")
        if path.startswith("/openai/v1/"):  # the newer surface: the body names the deployment
            if query:
                raise Wrong(f"query {query}")
            return path.removeprefix("/openai/v1/"), ""
        deployment, _, operation = path.removeprefix("/openai/deployments/").partition("/")
        if path.startswith("/openai/deployments/") and query == f"api-version={AZURE_VERSION}":
            return operation, deployment
        raise Wrong("no such path", 404)


def _chat(doc: dict[str, Any]) -> Ask:
    ask = Ask(doc["model"])
    open_calls: list[str] = []
    by_id: dict[str, str] = {}
    order: list[str] = []
    for message in doc["messages"]:
        role, content = message["role"], message.get("content")
        if role == "tool":
            if message["tool_call_id"] not in open_calls:
                raise Wrong(f"a result for {message['tool_call_id']}, where {open_calls} are open")
            open_calls.remove(message["tool_call_id"])
            by_id[message["tool_call_id"]] = _text(content)
            continue
        if open_calls:
            raise Wrong(f"calls without results: {open_calls}")
        if role in ("system", "developer"):
            ask.system += _text(content)
        elif role == "user":
            ask.text, ask.calls, order = _text(content), 0, []
            ask.images = _images(content)
        else:
            calls = message.get("tool_calls") or []
            if not calls and not content:
                raise Wrong("an assistant's message that says nothing")
            for call in calls:
                _object(call["function"]["arguments"])
            open_calls = [call["id"] for call in calls]
            order += open_calls
            ask.calls += len(calls)
    if open_calls:
        raise Wrong(f"calls without results: {open_calls}")
    if not doc["messages"]:
        raise Wrong("no messages")
    ask.results = [by_id[call] for call in order]
    ask.tools = [tool["function"]["name"] for tool in doc.get("tools", [])]
    if not ask.tools and ("tool_choice" in doc or "parallel_tool_calls" in doc):
        raise Wrong("tool_choice or parallel_tool_calls without tools")
    ask.schema = (doc.get("response_format") or {}).get("json_schema", {}).get("schema")
    return ask


def _object(text: str) -> None:
    try:
        known = type(json.loads(text)) is dict
    except ValueError:
        known = False
    if not known:
        raise Wrong(f"arguments that are no object: {text!r}")


def _text(content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def _images(content: Any) -> list[Image]:
    images = []
    for part in content if isinstance(content, list) else []:
        if part["type"] == "image_url":
            kind, _, data = part["image_url"]["url"].removeprefix("data:").partition(";base64,")
            images.append(Image(kind, b64decode(data, validate=True)))
    return images


# -- answers -----------------------------------------------------------------------------------------------------------


def _usage(play: Play) -> dict[str, Any]:
    return {"prompt_tokens": INPUT, "completion_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT,
            "prompt_tokens_details": {"cached_tokens": CACHED, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": REASONING if play.thought else 0}}  # fmt: skip


def _completion(ask: Ask, play: Play) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": play.text or None, "refusal": None}
    if play.thought:
        message["reasoning_content"] = play.thought
    if play.calls:
        message["tool_calls"] = [_call(call) for call in play.calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(play)}
    return {"id": "chatcmpl-fake", "object": "chat.completion", "created": 1_760_000_000, "model": ask.model,
            "choices": [choice], "usage": _usage(play), "service_tier": "default"}  # fmt: skip


def _call(call: Call) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.input)}}


def _finish(play: Play) -> str:
    return "tool_calls" if play.calls else "stop"


def _chunks(ask: Ask, play: Play) -> list[dict[str, Any]]:
    head = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": ask.model}
    more = {"usage": None} if ask.usage else {}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}], **more}

    out = [chunk({"role": "assistant", "content": "", "refusal": None})]
    calls = 0
    for part in play.parts:
        if isinstance(part, Text):
            out += [chunk({"content": piece}) for piece in pieces(part.text)]
        elif isinstance(part, Thought):
            out += [chunk({"reasoning_content": piece}) for piece in pieces(part.text)]
        else:
            begun = {"index": calls, **_call(part), "function": {"name": part.name, "arguments": ""}}
            out.append(chunk({"tool_calls": [begun]}))
            for piece in pieces(json.dumps(part.input)):
                out.append(chunk({"tool_calls": [{"index": calls, "function": {"arguments": piece}}]}))
            calls += 1
    out.append(chunk({}, _finish(play)))
    if ask.usage:
        out.append({**head, "choices": [], "usage": _usage(play)})
    return out


def _legacy(ask: Ask, play: Play) -> dict[str, Any]:
    choice = {"index": 0, "text": play.text, "logprobs": None, "finish_reason": "stop"}
    return {"id": "cmpl-fake", "object": "text_completion", "created": 1_760_000_000, "model": ask.model,
            "choices": [choice], "usage": _usage(play)}  # fmt: skip


def _texts(ask: Ask, play: Play) -> list[dict[str, Any]]:
    head = {"id": "cmpl-fake", "object": "text_completion", "created": 1_760_000_000, "model": ask.model}
    texts = [(piece, None) for piece in pieces(play.text)] + [("", "stop")]
    out = [
        {**head, "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": finish}]}
        for text, finish in texts
    ]
    return [*out, {**head, "choices": [], "usage": _usage(play)}] if ask.usage else out


def _embedding(ask: Ask) -> dict[str, Any]:
    packed = b64encode(pack(f"<{len(VECTOR)}f", *VECTOR)).decode()
    vector = packed if ask.operation.endswith("base64") else VECTOR
    return {"object": "list", "model": ask.model, "usage": {"prompt_tokens": INPUT, "total_tokens": INPUT},
            "data": [{"object": "embedding", "index": 0, "embedding": vector}]}  # fmt: skip
