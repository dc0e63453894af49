"""Google's generateContent: the Gemini API with an API key, and Vertex AI with an access token; Vertex's Claude, too.

Bodies are checked against google-genai's own types, which refuse unknown fields.
"""

import json
from base64 import urlsafe_b64decode
from typing import Any
from urllib.parse import unquote

import pydantic
from google.genai import types

from tests.envoy.providers import anthropic
from tests.envoy.providers.plays import (
    CACHED,
    INPUT,
    OUTPUT,
    REASONING,
    SIGNATURE,
    Ask,
    Image,
    Play,
    Text,
    Thought,
    pieces,
)
from tests.envoy.providers.stage import Answer, Provider, Wrong
from tests.envoy.upstream import Arrived

KEY = "AIza-canary-gemini-0123456789"
TOKEN = "ya29.canary-vertex-0123456789"
MODEL = "gemini-3-fake"
CLAUDE = "claude-fake@20260101"
PLACE = "/v1/projects/p-1/locations/europe-west1"
_STATES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
           429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}  # fmt: skip
_TOP: dict[str, Any] = {
    "contents": list[types.Content],
    "systemInstruction": types.Content,
    "tools": list[types.Tool],
    "toolConfig": types.ToolConfig,
    "generationConfig": types.GenerationConfig,
    "safetySettings": list[types.SafetySetting],
}
_ADAPTERS = {name: pydantic.TypeAdapter(shape) for name, shape in _TOP.items()}
_UNSIGNED = "skip_thought_signature_validator"


class Gemini(Provider):
    name = "gemini"
    own = frozenset({"x-goog-api-key"})
    vendor = ("x-goog-", "x-server-timeout")
    prefixes: tuple[str, ...] = ("/v1beta", "/v1")

    def credential(self, request: Arrived) -> None:
        if request.header("x-goog-api-key") != KEY:
            raise Wrong("x-goog-api-key is not the provider's key", 401)

    def read(self, request: Arrived) -> Ask:
        path, _, query = request.path.partition("?")
        prefix, _, rest = path.rpartition("/models/")
        model, _, method = rest.rpartition(":")
        if request.method != "POST" or prefix not in self.prefixes or model != MODEL:
            raise Wrong("no such path", 404)
        if method not in ("generateContent", "streamGenerateContent", "countTokens") or query not in ("", "alt=sse"):
            raise Wrong(f"method {method} with query {query}", 404)
        if method == "countTokens":
            ask = _read(request.json(), model)
            ask.operation = method
            return ask
        ask = _read(request.json(), model)
        ask.stream = method != "generateContent"
        ask.operation = "sse" if query else "array"
        return ask

    def write(self, ask: Ask, play: Play) -> Answer:
        if ask.operation == "countTokens":
            return Answer([json.dumps({"totalTokens": INPUT}).encode()])
        if not ask.stream:
            return Answer([json.dumps(_chunk(ask, play.parts, play, last=True)).encode()])
        chunks = _chunks(ask, play)
        if ask.operation == "sse":
            events = [b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in chunks]
            return Answer(events, "text/event-stream", stream=True)
        whole = [
            (b"[" if n == 0 else b"\n,\r\n") + json.dumps(chunk, indent=2).encode() for n, chunk in enumerate(chunks)
        ]
        return Answer([*whole, b"\n]"], "application/json; charset=UTF-8", stream=True)

    def fail(self, status: int, text: str) -> Answer:
        error = {"error": {"code": status, "message": text, "status": _STATES.get(status, "INTERNAL"), "details": []}}
        return Answer([json.dumps(error).encode()], "application/json; charset=UTF-8", status)


class Vertex(Gemini):
    name = "vertex"
    own = frozenset({"authorization"})
    prefixes = (f"{PLACE}/publishers/google",)

    def credential(self, request: Arrived) -> None:
        if request.header("authorization") != f"Bearer {TOKEN}":
            raise Wrong("authorization is not the provider's token", 401)

    def read(self, request: Arrived) -> Ask:
        if not request.path.startswith(f"{PLACE}/publishers/anthropic/"):
            return super().read(request)
        named = unquote(request.path.removeprefix(f"{PLACE}/publishers/anthropic/models/"))
        model, _, method = named.rpartition(":")
        if request.method != "POST" or model != CLAUDE or method not in ("rawPredict", "streamRawPredict"):
            raise Wrong("no such path", 404)
        doc = request.json()
        version = doc.pop("anthropic_version", None)
        if version not in ("vertex-2023-10-16", "2026-10-21"):
            raise Wrong(f"anthropic_version {version}")
        if "model" in doc:
            raise Wrong("model is in the path, not in the body")
        stream = doc.pop("stream", False)
        if stream != (method == "streamRawPredict"):
            raise Wrong(f"stream {stream} at {method}")
        ask = anthropic.read(doc, model, "2026-10-21" if version == "2026-10-21" else "2023-06-01", stream=stream)
        ask.operation = "claude"
        return ask

    def write(self, ask: Ask, play: Play) -> Answer:
        if ask.operation != "claude":
            return super().write(ask, play)
        return anthropic.Anthropic.write(self, ask, play)  # type: ignore[arg-type]


def _read(doc: dict[str, Any], model: str) -> Ask:
    if unknown := doc.keys() - _TOP.keys():
        raise Wrong(f"unknown fields {sorted(unknown)}")
    try:
        # Google reads either spelling of a name; from here on there is one.
        doc = {name: _plain(_ADAPTERS[name].validate_json(json.dumps(value))) for name, value in doc.items()}
    except pydantic.ValidationError as error:
        raise Wrong(str(error.errors(include_url=False)[0])) from None
    ask = Ask(model)
    ask.system = "".join(part.get("text", "") for part in doc.get("systemInstruction", {}).get("parts", []))
    if not doc.get("contents"):
        raise Wrong("no contents")
    open_calls: list[tuple[str, str]] = []
    last = ""
    for content in doc["contents"]:
        role = content.get("role", "user")
        if role not in ("user", "model") or role == last:
            raise Wrong(f"role {role} after {last}")
        last = role
        open_calls = _content(ask, role, content["parts"], open_calls)
    if last != "user" or open_calls:
        raise Wrong("the last turn is not the user's")
    ask.tools = [it["name"] for tool in doc.get("tools", []) for it in tool.get("functionDeclarations", [])]
    config = doc.get("generationConfig", {})
    ask.schema = config.get("responseJsonSchema") or config.get("responseSchema")
    if ask.schema and config.get("responseMimeType") != "application/json":
        raise Wrong("a schema without responseMimeType application/json")
    return ask


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.model_dump(by_alias=True, exclude_none=True, mode="json")


def _content(
    ask: Ask, role: str, parts: list[dict[str, Any]], open_calls: list[tuple[str, str]]
) -> list[tuple[str, str]]:
    """(id, name) of the calls that the next turn has to answer."""
    if not parts:
        raise Wrong("a turn without parts")
    results = [part["functionResponse"] for part in parts if "functionResponse" in part]
    if [(it.get("id", ""), it["name"]) for it in results] != open_calls:
        raise Wrong(f"results {[(it.get('id'), it['name']) for it in results]} for calls {open_calls}")
    texts = [part["text"] for part in parts if "text" in part]
    if role == "user":
        if any("functionCall" in part or "thoughtSignature" in part for part in parts):
            raise Wrong("a part of the model's in a turn of the user's")
        if texts and not results:
            ask.text, ask.calls, ask.results, ask.images, ask.thoughts = "\n".join(texts), 0, [], [], []
        for result in results:
            response = result["response"]
            if not isinstance(response, dict):
                raise Wrong("a response that is no object")
            failed = response.get("error")
            ask.results.append(f"failed: {failed}" if failed is not None else str(response.get("output", response)))
        for part in parts:
            if "inlineData" in part:
                ask.images.append(Image(part["inlineData"]["mimeType"], urlsafe_b64decode(part["inlineData"]["data"])))
        return []
    calls = [part for part in parts if "functionCall" in part]
    if calls and calls[0].get("thoughtSignature") not in (SIGNATURE, _UNSIGNED):
        raise Wrong("Function call is missing a thought_signature in functionCall parts.")
    ask.thoughts += [part["thoughtSignature"] for part in calls if "thoughtSignature" in part]
    ask.calls += len(calls)
    return [(part["functionCall"].get("id", ""), part["functionCall"]["name"]) for part in calls]


# -- answers -----------------------------------------------------------------------------------------------------------


def _part(part: Any) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"text": part.text}
    if isinstance(part, Thought):
        return {"text": part.text, "thought": True}
    return {"functionCall": {"id": part.id, "name": part.name, "args": part.input}}


def _chunk(ask: Ask, parts: list[Any], play: Play, *, last: bool, signed: bool = True) -> dict[str, Any]:
    """Without `signed` the first call of `parts` is not the answer's first."""
    written = [_part(part) for part in parts]
    if signed:
        for part in written:
            if "functionCall" in part:
                part["thoughtSignature"] = SIGNATURE
                break
    candidate: dict[str, Any] = {"content": {"parts": written, "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "STOP"
    thoughts = REASONING if play.thought else 0
    usage = {"promptTokenCount": INPUT, "cachedContentTokenCount": CACHED, "candidatesTokenCount": OUTPUT - thoughts,
             "totalTokenCount": INPUT + OUTPUT}  # fmt: skip
    if thoughts:
        usage["thoughtsTokenCount"] = thoughts
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": ask.model, "responseId": "resp-fake"}


def _chunks(ask: Ask, play: Play) -> list[dict[str, Any]]:
    cut: list[Any] = []
    for part in play.parts:
        if isinstance(part, Text):
            cut += [Text(piece) for piece in pieces(part.text)]
        elif isinstance(part, Thought):
            cut += [Thought(piece) for piece in pieces(part.text)]
        else:
            cut.append(part)
    first = next((n for n, part in enumerate(cut) if not isinstance(part, Text | Thought)), -1)
    return [_chunk(ask, [part], play, last=n == len(cut) - 1, signed=n == first) for n, part in enumerate(cut)]
