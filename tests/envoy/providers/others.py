"""Ollama's and Cohere's own chat APIs, as far as plain text goes: what they are asked is checked by hand, since their
SDKs are not among our dependencies."""

import json
from typing import Any

from tests.envoy.providers.plays import INPUT, OUTPUT, Ask, Play, pieces
from tests.envoy.providers.stage import Answer, Provider, Wrong
from tests.envoy.upstream import Arrived

OLLAMA_KEY = "ollama-canary-0123456789"
COHERE_KEY = "cohere-canary-0123456789"


class _Own(Provider):
    own = frozenset({"authorization"})
    path = ""
    key = ""
    fields = frozenset({"model", "messages", "stream"})
    streams = False

    def credential(self, request: Arrived) -> None:
        if request.header("authorization") != f"Bearer {self.key}":
            raise Wrong("authorization is not the provider's key", 401)

    def read(self, request: Arrived) -> Ask:
        if (request.method, request.path) != ("POST", self.path):
            raise Wrong("no such path", 404)
        doc = request.json()
        if unknown := doc.keys() - self.fields:
            raise Wrong(f"unknown fields {sorted(unknown)}")
        stream = doc.get("stream", self.streams)
        if type(stream) is not bool or not isinstance(doc.get("model"), str) or not doc.get("messages"):
            raise Wrong("model, messages or stream")
        for message in doc["messages"]:
            if message.keys() != {"role", "content"} or not isinstance(message["content"], str):
                raise Wrong(f"a message with {sorted(message)}")
        return Ask(doc["model"], stream, text=doc["messages"][-1]["content"])


class Ollama(_Own):
    name = "ollama"
    path = "/api/chat"
    key = OLLAMA_KEY
    fields = _Own.fields | {"options", "think", "format", "keep_alive"}
    streams = True

    def write(self, ask: Ask, play: Play) -> Answer:
        def line(text: str, **more: Any) -> dict[str, Any]:
            return {"model": ask.model, "created_at": "2026-01-01T00:00:00Z",
                    "message": {"role": "assistant", "content": text}, "done": False, **more}  # fmt: skip

        end = {"done": True, "done_reason": "stop", "prompt_eval_count": INPUT, "eval_count": OUTPUT}
        if not ask.stream:
            return Answer([json.dumps(line(play.text, **end)).encode()])
        lines = [*(line(piece) for piece in pieces(play.text)), line("", **end)]
        return Answer([json.dumps(it).encode() + b"\n" for it in lines], "application/x-ndjson", stream=True)

    def fail(self, status: int, text: str) -> Answer:
        return Answer([json.dumps({"error": text}).encode()], status=status)


class Cohere(_Own):
    name = "cohere"
    path = "/v2/chat"
    key = COHERE_KEY
    fields = _Own.fields | {"max_tokens", "temperature"}

    def write(self, ask: Ask, play: Play) -> Answer:
        usage = {"billed_units": {"input_tokens": 1, "output_tokens": 1},
                 "tokens": {"input_tokens": INPUT, "output_tokens": OUTPUT}}  # fmt: skip
        if not ask.stream:
            message = {"role": "assistant", "content": [{"type": "text", "text": play.text}]}
            whole = {"id": "co-1", "finish_reason": "COMPLETE", "message": message, "usage": usage}
            return Answer([json.dumps(whole).encode()])

        def content(kind: str, piece: str) -> dict[str, Any]:
            told = {"type": "text", "text": piece} if kind == "content-start" else {"text": piece}
            return {"type": kind, "index": 0, "delta": {"message": {"content": told}}}

        events: list[dict[str, Any]] = [
            {"type": "message-start", "id": "co-1", "delta": {"message": {"role": "assistant", "content": []}}},
            content("content-start", ""),
            *(content("content-delta", piece) for piece in pieces(play.text)),
            {"type": "content-end", "index": 0},
            {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
        ]
        written = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
        return Answer(written, "text/event-stream", stream=True)

    def fail(self, status: int, text: str) -> Answer:
        return Answer([json.dumps({"id": "co-1", "message": text}).encode()], status=status)
