"""Writes answers of Anthropic Messages: a stream of events, or one message.

In a stream one block is open at a time, and its index rises. Upstreams that let two tool calls grow side by side are
put in order: a call that begins while the input of the one before is unfinished waits until the answer ends.
"""

from functools import partial

from extproc.errors import BadRequest, Uninspectable
from extproc.exchange import json_body, sse
from extproc.exchange.model import JsonObject, LlmCall, Usage
from extproc.exchange.translation.assembly import Failure, Stop, Writing
from extproc.exchange.translation.failures import to_anthropic
from extproc.exchange.translation.shapes import is_object

_REASONS = {
    Stop.END: "end_turn",
    Stop.SEQUENCE: "stop_sequence",
    Stop.LENGTH: "max_tokens",
    Stop.TOOLS: "tool_use",
    Stop.REFUSED: "refusal",
}
_PING = sse.encode("ping", b'{"type":"ping"}')
_STARTS: dict[str, JsonObject] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
}


class AnthropicStream:
    """Implements `translation.assembly.Assembly` as a stream of events."""

    def __init__(self, model: str, *, thinking: bool) -> None:
        self._model = model
        self._shows_thinking = thinking
        self._out: list[bytes] = []
        self._begun = False
        self._index = -1  # of the block that is open, or was last
        self._open = ""  # its kind; "" when none is open
        self._call = -1  # the call that is open, or was last
        self._input: list[str] = []  # its input so far
        self._waiting: dict[int, tuple[str, str, list[str]]] = {}
        self._usage = Usage()
        self._stop: JsonObject = {"stop_reason": None, "stop_sequence": None}

    def begin(self, id: str, usage: Usage | None = None) -> None:
        message = _message(self._model, id)
        message["usage"] = usage_doc(usage or Usage())
        self._begun = True
        self._event("message_start", {"message": message})

    def text(self, text: str) -> None:
        if text:
            self._grow("text", {"type": "text_delta", "text": text})

    def refusal(self, text: str) -> None:
        self.text(text)

    def reasoning(self, text: str) -> None:
        if text and self._shows_thinking:
            self._grow("thinking", {"type": "thinking_delta", "thinking": text})

    def seal(self, signature: str) -> None:
        if self._open == "thinking":
            self._delta({"type": "signature_delta", "signature": signature})
            self._close()

    def sealed(self, data: str) -> None:
        self._start({"type": "redacted_thinking", "data": data})

    def call(self, index: int, id: str, name: str) -> None:
        if self._open == "call" and not is_object("".join(self._input)):
            self._waiting[index] = (id, name, [])
            return
        self._begin_call(index, id, name)

    def arguments(self, index: int, text: str) -> None:
        waiting = self._waiting.get(index)
        if waiting is not None:
            waiting[2].append(text)
        elif index == self._call and self._open == "call":
            self._input.append(text)
            if text:
                self._delta({"type": "input_json_delta", "partial_json": text})
        elif text.strip():
            raise Uninspectable("The answer went on with a tool call that it had ended.")

    def stop(self, stop: Stop, detail: str = "") -> None:
        self._stop = _stop(stop, detail)

    def usage(self, usage: Usage) -> None:
        self._usage = usage

    def end(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for index, (call_id, name, pieces) in waiting.items():
            self._begin_call(index, call_id, name)
            self.arguments(index, "".join(pieces))
        self._close()
        self._event("message_delta", {"delta": self._stop, "usage": usage_doc(self._usage)})
        self._event("message_stop", {})

    def fail(self, failure: Failure) -> None:
        self._out.append(sse.encode("error", failure_body(failure)))

    def alive(self) -> None:
        self._out.append(_PING if self._begun else b":\n\n")  # SDKs expect message_start before any other event

    def take(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)

    def _begin_call(self, index: int, id: str, name: str) -> None:
        self._start({"type": "tool_use", "id": id, "name": name, "input": {}}, "call")
        self._call = index
        self._input = []

    def _grow(self, kind: str, delta: JsonObject) -> None:
        if self._open != kind:
            self._start(_STARTS[kind], kind)
        self._delta(delta)

    def _start(self, block: JsonObject, kind: str = "other") -> None:
        self._close()
        self._index += 1
        self._open = kind
        self._event("content_block_start", {"index": self._index, "content_block": block})

    def _delta(self, delta: JsonObject) -> None:
        self._event("content_block_delta", {"index": self._index, "delta": delta})

    def _close(self) -> None:
        if self._open:
            self._open = ""
            self._event("content_block_stop", {"index": self._index})

    def _event(self, kind: str, members: JsonObject) -> None:
        self._out.append(sse.encode(kind, json_body.encode({"type": kind, **members})))


class AnthropicDocument:
    """Implements `translation.assembly.Assembly` as one message."""

    def __init__(self, model: str, *, thinking: bool) -> None:
        self._model = model
        self._shows_thinking = thinking
        self._id = ""
        self._blocks: list[JsonObject] = []
        self._calls: dict[int, tuple[JsonObject, list[str]]] = {}
        self._stop: JsonObject = {}
        self._cut = False
        self._usage = Usage()

    def begin(self, id: str, usage: Usage | None = None) -> None:
        self._id = id
        self._usage = usage or self._usage

    def text(self, text: str) -> None:
        if not text:
            return
        last = self._blocks[-1] if self._blocks else {}
        if last.get("type") == "text":
            last["text"] += text
        else:
            self._blocks.append({"type": "text", "text": text})

    def refusal(self, text: str) -> None:
        self.text(text)

    def reasoning(self, text: str) -> None:
        if not text or not self._shows_thinking:
            return
        last = self._blocks[-1] if self._blocks else {}
        if last.get("type") == "thinking" and not last["signature"]:
            last["thinking"] += text
        else:
            self._blocks.append({"type": "thinking", "thinking": text, "signature": ""})

    def seal(self, signature: str) -> None:
        last = self._blocks[-1] if self._blocks else {}
        if last.get("type") == "thinking":
            last["signature"] = signature

    def sealed(self, data: str) -> None:
        self._blocks.append({"type": "redacted_thinking", "data": data})

    def call(self, index: int, id: str, name: str) -> None:
        block: JsonObject = {"type": "tool_use", "id": id, "name": name, "input": {}}
        self._blocks.append(block)
        self._calls[index] = (block, [])

    def arguments(self, index: int, text: str) -> None:
        self._calls[index][1].append(text)

    def stop(self, stop: Stop, detail: str = "") -> None:
        self._stop = _stop(stop, detail)
        self._cut = stop is Stop.LENGTH

    def usage(self, usage: Usage) -> None:
        self._usage = usage

    def end(self) -> None:
        """Nothing marks the end of a document."""

    def fail(self, failure: Failure) -> None:
        """Errors are written by `failure_body`."""

    def alive(self) -> None:
        """Documents need no keeping alive."""

    def take(self) -> bytes:
        """Raises `Uninspectable` when a call's input is no JSON object: in this API it has to be one. A call that the
        token limit cut off cannot be made, and is left out; the stop reason tells why."""
        for block, pieces in self._calls.values():
            given = "".join(pieces)
            if not given.strip():
                continue
            try:
                block["input"] = json_body.decode(given.encode("utf-8", "replace"))
            except BadRequest:
                if not self._cut:
                    raise Uninspectable("The input of a tool call in the answer is not a JSON object.") from None
                self._blocks.remove(block)
        message = _message(self._model, self._id)
        message["content"] = self._blocks
        message.update(self._stop)
        message["usage"] = usage_doc(self._usage)
        return json_body.encode(message)


def writing(call: LlmCall) -> Writing:
    thinking = wants_thinking(call)
    return Writing(
        partial(AnthropicDocument, call.model, thinking=thinking),
        partial(AnthropicStream, call.model, thinking=thinking),
        failure_body,
    )


def wants_thinking(call: LlmCall) -> bool:
    """Whether the client asked to see thinking. What this API did not sign is shown to nobody who did not ask: sent
    back to it with the next request, it would be refused."""
    thinking = call.doc.get("thinking")
    return type(thinking) is dict and thinking.get("type") not in (None, "disabled")


def usage_doc(usage: Usage) -> JsonObject:
    """Tokens as this API counts them: the input is what was neither read from the cache nor written to it."""
    read, written = usage.cached_tokens or 0, usage.cache_write_tokens or 0
    doc: JsonObject = {
        "input_tokens": max((usage.input_tokens or 0) - read - written, 0),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": usage.output_tokens or 0,
    }
    if usage.reasoning_tokens is not None:
        doc["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return doc


def failure_body(failure: Failure) -> bytes:
    return json_body.encode(to_anthropic(failure))


def _message(model: str, id: str) -> JsonObject:
    return {
        "id": "msg_" + id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _stop(stop: Stop, detail: str) -> JsonObject:
    word = detail if stop is Stop.SEQUENCE and detail else None
    told: JsonObject = {"stop_reason": _REASONS[stop], "stop_sequence": word}
    if stop is Stop.REFUSED and detail:
        told["stop_details"] = {"type": "refusal", "category": None, "explanation": detail}
    return told
