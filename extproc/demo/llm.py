"""The demo LLM: answers with the last user message, word for word, in three APIs, streamed in random pieces.

Request headers steer it: `X-Demo-Seed` fixes the cuts, `X-Demo-Delay` is the pause between writes in seconds.
Messages steer it: `fail <status>` answers with that error, `die` cuts the stream in the middle, `call <tool> <json>`
(with tools in the request) answers with a tool call.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from extproc.demo import anthropic_messages, openai_chat, openai_responses
from extproc.demo.answer import Answer, answer, byte_pieces, sse
from extproc.demo.http import Die, Request, Response, Server, reply

KEY = "demo-llm-key"
_CREDENTIALS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
_MODELS = ("demo-large", "gpt-4o-mini", "claude-sonnet")


@dataclass(frozen=True, slots=True)
class _Api:
    last_text: Callable[[dict[str, Any]], str]
    whole: Callable[[Answer, dict[str, Any], str], dict[str, Any]]
    stream: Callable[[Answer, dict[str, Any], str, random.Random], openai_chat.Events]
    error: Callable[[int, str], dict[str, Any]]


_CHAT = _Api(openai_chat.last_text, openai_chat.whole, openai_chat.stream, openai_chat.error)
_RESPONSES = _Api(openai_responses.last_text, openai_responses.whole, openai_responses.stream, openai_chat.error)
_MESSAGES = _Api(
    anthropic_messages.last_text, anthropic_messages.whole, anthropic_messages.stream, anthropic_messages.error
)
_APIS = {"/v1/chat/completions": _CHAT, "/v1/responses": _RESPONSES, "/v1/messages": _MESSAGES}


class DemoLlm:
    """Serves the three APIs. Every call must carry the demo's own key and no other credential: that the gateway
    injected the one and removed the others is then visible in each answer."""

    def __init__(self, host: str = "127.0.0.1", port: int = 10001) -> None:
        self.server = Server(self._handle, host, port)
        self._served = 0

    async def _handle(self, request: Request) -> Response:
        api = _MESSAGES if request.path.startswith("/v1/messages") else _APIS.get(request.path, _CHAT)
        if refused := _credential_problem(request):
            return reply(api.error(401, refused), 401)
        if request.method == "GET" and request.path == "/v1/models":
            models = [{"id": name, "object": "model", "created": 0, "owned_by": "demo"} for name in _MODELS]
            return reply({"object": "list", "data": models})
        body = request.json()
        if request.method != "POST" or not isinstance(body, dict):
            return reply(api.error(400, "POST a JSON object."), 400)
        if request.path == "/v1/messages/count_tokens":
            return reply({"input_tokens": _size(body)})
        if request.path not in _APIS:
            return reply(api.error(404, "The demo LLM does not serve this path."), 404)
        return self._complete(api, body, request.headers)

    def _complete(self, api: _Api, body: dict[str, Any], headers: dict[str, str]) -> Response:
        self._served += 1
        serial = f"demo{self._served:08d}"
        text = api.last_text(body)
        words = text.split()
        if len(words) == 2 and words[0] == "fail" and words[1] in ("400", "401", "429", "500", "503"):
            status = int(words[1])
            extra = {"retry-after": "1"} if status == 429 else {}
            return reply(api.error(status, f"The demo LLM failed with {status} as it was asked to."), status, **extra)
        cuts = random.Random(headers.get("x-demo-seed"))
        said = answer(text, body, _size(body))
        if not body.get("stream"):
            # A broken-off answer needs a stream to break; without one the connection is cut half-way as well.
            return _broken(json.dumps(api.whole(said, body, serial)).encode(), cuts) if text == "die" else reply(
                api.whole(said, body, serial), x_request_id=f"req_{serial}"
            )  # fmt: skip
        data = sse(api.stream(said, body, serial, cuts), cuts)
        pause = float(headers.get("x-demo-delay", "0.001"))
        content = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
        return Response(200, {**content, "x-request-id": f"req_{serial}"}, _write(data, cuts, pause, die=text == "die"))


async def _write(data: bytes, cuts: random.Random, pause: float, *, die: bool) -> AsyncIterator[bytes]:
    for piece in byte_pieces(data[: len(data) * 2 // 3] if die else data, cuts):
        yield piece
        await asyncio.sleep(pause)
    if die:
        raise Die


def _broken(data: bytes, cuts: random.Random) -> Response:
    return Response(200, {"content-type": "application/json"}, _write(data, cuts, 0.001, die=True))


def _credential_problem(request: Request) -> str:
    sent = {name: request.headers[name] for name in _CREDENTIALS if name in request.headers}
    if not sent:
        return "The demo LLM got no credential."
    if any(value not in (KEY, f"Bearer {KEY}") for value in sent.values()) or "cookie" in request.headers:
        return "The demo LLM got a credential that is not its own."
    return ""


def _size(body: dict[str, Any]) -> int:
    return max(1, len(json.dumps(body)) // 4)
