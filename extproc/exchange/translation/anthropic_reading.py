"""Reads answers of Anthropic Messages, whole and streamed, into an assembly."""

from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange import json_body
from extproc.exchange.model import JsonObject, Usage
from extproc.exchange.sse_answer import count
from extproc.exchange.translation.assembly import Assembly, Stop
from extproc.exchange.translation.failures import from_anthropic

_STOPS = {
    "end_turn": Stop.END,
    "pause_turn": Stop.END,
    "stop_sequence": Stop.SEQUENCE,
    "max_tokens": Stop.LENGTH,
    "model_context_window_exceeded": Stop.LENGTH,
    "tool_use": Stop.TOOLS,
    "refusal": Stop.REFUSED,
}


class AnthropicReading:
    """Implements `translation.assembly.Reading`."""

    def __init__(self, into: Assembly) -> None:
        self._into = into
        self._usage = Usage()
        self._calls: dict[int, int] = {}  # the index of a block to that of the call it is
        self._inputs: dict[int, JsonObject] = {}  # inputs that came with the start of a block: used if no delta comes
        self._stopped = False
        self._over = False

    def document(self, doc: JsonObject) -> None:
        if doc.get("type") == "error" or type(doc.get("content")) is not list:
            raise Uninspectable("The answer is not a message.")
        self._count(doc.get("usage"))
        self._into.begin(_text(doc, "id"))
        for index, block in enumerate(doc["content"]):
            if type(block) is not dict:
                raise Uninspectable("A block of the answer is not an object.")
            self._start(index, block)
            signature = block.get("signature")
            if block.get("type") == "thinking" and type(signature) is str and signature:
                self._into.seal(signature)
            self._stop_block(index)
        self._stop(doc)
        self._into.usage(self._usage)
        self._into.end()

    def event(self, name: str, doc: JsonObject) -> None:
        """One event. Unknown ones mean nothing, as the API says."""
        kind = doc.get("type", name)
        if kind == "content_block_delta":
            self._delta(doc)
        elif kind == "content_block_start":
            block = doc.get("content_block")
            if type(block) is not dict:
                raise Uninspectable("A block of the answer is not an object.")
            self._start(_index(doc), block)
        elif kind == "content_block_stop":
            self._stop_block(_index(doc))
        elif kind == "message_start":
            message = doc.get("message")
            if type(message) is not dict:
                raise Uninspectable("The message of the answer is not an object.")
            self._count(message.get("usage"))
            self._into.begin(_text(message, "id"), self._usage)
        elif kind == "message_delta":
            self._count(doc.get("usage"))
            delta = doc.get("delta")
            if type(delta) is dict:
                self._stop(delta)
            self._into.usage(self._usage)
        elif kind == "message_stop":
            self._end()
        elif kind == "ping":
            self._into.alive()
        elif kind == "error":
            self._over = True
            self._into.fail(from_anthropic(doc))

    def done(self) -> None:
        """This API has no such marker; some hosts send it."""

    def finish(self) -> None:
        if self._stopped:
            self._end()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._into.end()

    def _start(self, index: int, block: JsonObject) -> None:
        kind = block.get("type")
        into = self._into
        if kind == "text":
            into.text(_text(block, "text"))
        elif kind == "tool_use":
            name = _text(block, "name")
            if not name or index in self._calls:
                raise Uninspectable("A tool call of the answer has no name, or a number that is taken.")
            call = self._calls[index] = len(self._calls)
            into.call(call, _text(block, "id"), name)
            given = block.get("input")
            self._inputs[index] = given if type(given) is dict else {}
        elif kind == "thinking":
            into.reasoning(_text(block, "thinking"))
        elif kind == "redacted_thinking":
            into.sealed(_text(block, "data"))

    def _delta(self, doc: JsonObject) -> None:
        delta = doc.get("delta")
        if type(delta) is not dict:
            raise Uninspectable("A delta of the answer is not an object.")
        kind = delta.get("type")
        if kind == "text_delta":
            self._into.text(_text(delta, "text"))
        elif kind == "input_json_delta":
            index = _index(doc)
            piece = _text(delta, "partial_json")
            if piece and index in self._calls:
                self._inputs.pop(index, None)
                self._into.arguments(self._calls[index], piece)
        elif kind == "thinking_delta":
            self._into.reasoning(_text(delta, "thinking"))
        elif kind == "signature_delta":
            signature = _text(delta, "signature")
            if signature:
                self._into.seal(signature)

    def _stop_block(self, index: int) -> None:
        given = self._inputs.pop(index, None)
        if given is not None:
            self._into.arguments(self._calls[index], json_body.encode(given).decode("utf-8"))

    def _stop(self, holder: JsonObject) -> None:
        reason = holder.get("stop_reason")
        if type(reason) is not str or self._stopped:
            return
        self._stopped = True
        detail = holder.get("stop_sequence")
        if reason == "refusal" and type(holder.get("stop_details")) is dict:
            detail = holder["stop_details"].get("explanation")
        self._into.stop(_STOPS.get(reason, Stop.END), detail if type(detail) is str else "")

    def _count(self, usage: Any) -> None:
        """The last numbers stand; what message_delta leaves out did not change."""
        own = self._usage
        fresh = count(usage, "input_tokens")
        if fresh is not None:
            read, written = count(usage, "cache_read_input_tokens"), count(usage, "cache_creation_input_tokens")
            own.cached_tokens = own.cached_tokens if read is None else read
            own.cache_write_tokens = own.cache_write_tokens if written is None else written
            own.input_tokens = fresh + (own.cached_tokens or 0) + (own.cache_write_tokens or 0)
        output = count(usage, "output_tokens")
        own.output_tokens = own.output_tokens if output is None else output
        thinking = count(usage, "output_tokens_details", "thinking_tokens")
        own.reasoning_tokens = own.reasoning_tokens if thinking is None else thinking


def _index(doc: JsonObject) -> int:
    index = doc.get("index", 0)
    if type(index) is not int:
        raise Uninspectable("A block of the answer has no number.")
    return index


def _text(node: JsonObject, key: str) -> str:
    value = node.get(key)
    return value if type(value) is str else ""
