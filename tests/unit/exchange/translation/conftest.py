"""A gateway in miniature: an unchanged SDK on one side, a strict upstream on the other, a translation between."""

import json
from dataclasses import dataclass, field

import anthropic
import httpx2
import openai
import pytest
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming, MessageCreateParamsStreaming
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from pydantic import TypeAdapter

from extproc.errors import BadRequest
from extproc.exchange import anthropic_messages, openai_chat, openai_responses, sse
from extproc.exchange.refusal import Reason, Refusal
from extproc.exchange.translation.registry import TRANSLATIONS

DIALECTS = {module.DIALECT.name: module.DIALECT for module in (openai_chat, openai_responses, anthropic_messages)}
BODIES = {
    ("openai-chat", False): TypeAdapter(CompletionCreateParamsNonStreaming),
    ("openai-chat", True): TypeAdapter(CompletionCreateParamsStreaming),
    ("anthropic-messages", False): TypeAdapter(MessageCreateParamsNonStreaming),
    ("anthropic-messages", True): TypeAdapter(MessageCreateParamsStreaming),
}
SAMPLING = {"temperature", "top_p", "top_k"}  # no longer in the SDK's types, still in the API of 2023-06-01


def strict(target, doc):
    """Fails unless `doc` is what the target's own SDK would let its user send, member by member."""
    checked = BODIES[target, bool(doc.get("stream"))].validate_python(doc)
    assert _forced(checked).keys() | SAMPLING >= doc.keys()


def _forced(value):
    """Iterables are validated as they are read, so everything is read."""
    if isinstance(value, dict):
        return {key: _forced(child) for key, child in value.items()}
    if isinstance(value, (str, bytes, int, float)) or value is None:
        return value
    return [_forced(child) for child in value]


@dataclass
class Gateway:
    """`answers`: what the upstream says next, each (status, document) or a list of events. `seen`: what it got."""

    pair: tuple[str, str]
    answers: list
    size: int = 7
    mask: object = None
    seen: list = field(default_factory=list)
    dropped: list = field(default_factory=list)

    def __call__(self, request):
        source, target = (DIALECTS[name] for name in self.pair)
        translation = TRANSLATIONS[self.pair]
        call = source.read("chat", json.loads(request.content))
        try:
            translated = translation.request(call, "upstream-model")
        except BadRequest as error:
            rendered = source.refusal(Refusal.of(Reason(error.reason), message=error.message, status=error.status))
            return httpx2.Response(rendered.status, headers=rendered.headers, content=rendered.body)
        judged = target.read("chat", translated.doc)
        strict(target.name, translated.doc)
        self.seen.append(translated.doc)
        self.dropped.append(translated.dropped)
        said = self.answers.pop(0)
        reply = translation.answer(call)
        answer = target.answer(judged, self.mask)
        if isinstance(said, list):
            assert translated.stream
            wire = b"".join(said)
            pieces = [wire[start : start + self.size] for start in range(0, len(wire), self.size)]
            out = b"".join(reply.feed(answer.feed(piece)) for piece in pieces)
            out += reply.feed(answer.finish()) + reply.finish()
            return httpx2.Response(200, headers={"content-type": reply.content_type}, content=out)
        status, doc = said
        body = reply.document(status, answer.document(json.dumps(doc).encode()))
        return httpx2.Response(status, headers={"content-type": "application/json"}, content=body)

    def client(self):
        http = httpx2.Client(transport=httpx2.MockTransport(self))
        if self.pair[0] == "anthropic-messages":
            return anthropic.Anthropic(api_key="k", http_client=http, max_retries=0)
        return openai.OpenAI(api_key="k", http_client=http, max_retries=0)


@pytest.fixture
def gateway():
    return Gateway


@pytest.fixture
def upstream():
    return Upstream


class Upstream:
    """Answers as the two upstreams give them, as documents and as events."""

    @staticmethod
    def message(*content, stop="end_turn", **usage):
        usage = {"input_tokens": 10, "output_tokens": 5, **usage}
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "upstream-model",
            "content": list(content),
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": usage,
        }

    @staticmethod
    def message_events(*content, stop="end_turn", **usage):
        """The same as a stream: texts and inputs in pieces of three characters."""
        doc = Upstream.message(stop=None, output_tokens=1, **usage)
        events = [("message_start", {"message": doc}), ("ping", {})]
        for index, block in enumerate(content):
            start, deltas = _block_events(block)
            events.append(("content_block_start", {"index": index, "content_block": start}))
            events += [("content_block_delta", {"index": index, "delta": delta}) for delta in deltas]
            events.append(("content_block_stop", {"index": index}))
        events.append(
            ("message_delta", {"delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 5}})
        )
        events.append(("message_stop", {}))
        return [sse.encode(name, json.dumps({"type": name, **members}).encode()) for name, members in events]

    @staticmethod
    def completion(message, reason="stop", **usage):
        choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": reason}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "upstream-model",
            "choices": [choice],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, **usage},
        }

    @staticmethod
    def chunks(*deltas, reason="stop", **usage):
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "upstream-model"}
        docs = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        docs.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        docs.append(
            {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, **usage}}
        )
        events = [sse.encode("", json.dumps({**head, **doc}).encode()) for doc in docs]
        return [*events, b"data: [DONE]\n\n"]


def _block_events(block):
    kind = block["type"]
    if kind == "tool_use":
        text = json.dumps(block["input"])
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in _cut(text)]
    if kind == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in _cut(block["text"])]
    if kind == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _cut(block["thinking"])]
        start = {"type": "thinking", "thinking": "", "signature": ""}
        return start, [*deltas, {"type": "signature_delta", "signature": block["signature"]}]
    return block, []


def _cut(text):
    return [text[start : start + 3] for start in range(0, len(text), 3)]
