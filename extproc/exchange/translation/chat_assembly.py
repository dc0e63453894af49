"""Writes answers of OpenAI Chat Completions: chunks, or one completion. When an answer was made is not known here and
not ours to guess, so `created` is 0."""

from functools import partial

from extproc.exchange import json_body, sse
from extproc.exchange.model import JsonObject, LlmCall, Usage
from extproc.exchange.translation.assembly import Failure, Stop, Writing
from extproc.exchange.translation.failures import to_openai

_REASONS = {
    Stop.END: "stop",
    Stop.SEQUENCE: "stop",
    Stop.LENGTH: "length",
    Stop.TOOLS: "tool_calls",
    Stop.REFUSED: "content_filter",
}
_DONE = sse.encode("", b"[DONE]")


class ChatStream:
    """Implements `translation.assembly.Assembly` as a stream of chunks."""

    def __init__(self, model: str, *, counting: bool) -> None:
        self._counting = counting  # whether the client wants to know the usage
        self._model = model
        self._head: JsonObject = {}
        self._usage: Usage | None = None
        self._out: list[bytes] = []

    def begin(self, id: str, usage: Usage | None = None) -> None:
        self._head = {
            "id": "chatcmpl-" + id,
            "object": "chat.completion.chunk",
            "created": 0,
            "model": self._model,
        }
        self._usage = usage
        self._delta({"role": "assistant", "content": ""})

    def text(self, text: str) -> None:
        if text:
            self._delta({"content": text})

    def refusal(self, text: str) -> None:
        if text:
            self._delta({"refusal": text})

    def reasoning(self, text: str) -> None:
        if text:
            self._delta({"reasoning_content": text})

    def seal(self, signature: str) -> None:
        """This API has no place for it."""

    def sealed(self, data: str) -> None:
        """As above."""

    def call(self, index: int, id: str, name: str) -> None:
        function = {"name": name, "arguments": ""}
        self._delta({"tool_calls": [{"index": index, "id": id, "type": "function", "function": function}]})

    def arguments(self, index: int, text: str) -> None:
        if text:
            self._delta({"tool_calls": [{"index": index, "function": {"arguments": text}}]})

    def stop(self, stop: Stop, detail: str = "") -> None:
        self._delta({"refusal": detail} if stop is Stop.REFUSED and detail else {}, _REASONS[stop])

    def usage(self, usage: Usage) -> None:
        self._usage = usage

    def end(self) -> None:
        if self._counting:
            chunk = {**self._head, "choices": [], "usage": usage_doc(self._usage or Usage())}
            self._out.append(sse.encode("", json_body.encode(chunk)))
        self._out.append(_DONE)

    def fail(self, failure: Failure) -> None:
        """No `[DONE]` after it: that would say that the answer is whole."""
        self._out.append(sse.encode("", failure_body(failure)))

    def alive(self) -> None:
        self._out.append(b":\n\n")

    def take(self) -> bytes:
        out, self._out = self._out, []
        return b"".join(out)

    def _delta(self, delta: JsonObject, reason: str | None = None) -> None:
        chunk = {**self._head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}
        if self._counting:
            chunk["usage"] = None
        self._out.append(sse.encode("", json_body.encode(chunk)))


class ChatDocument:
    """Implements `translation.assembly.Assembly` as one completion."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._id = ""
        self._texts: list[str] = []
        self._refusals: list[str] = []
        self._reasoning: list[str] = []
        self._calls: list[JsonObject] = []
        self._arguments: list[list[str]] = []
        self._reason = "stop"
        self._usage = Usage()

    def begin(self, id: str, usage: Usage | None = None) -> None:
        self._id = id
        self._usage = usage or self._usage

    def text(self, text: str) -> None:
        self._texts.append(text)

    def refusal(self, text: str) -> None:
        self._refusals.append(text)

    def reasoning(self, text: str) -> None:
        self._reasoning.append(text)

    def seal(self, signature: str) -> None:
        """This API has no place for it."""

    def sealed(self, data: str) -> None:
        """As above."""

    def call(self, index: int, id: str, name: str) -> None:
        assert index == len(self._calls)
        self._calls.append({"id": id, "type": "function", "function": {"name": name}})
        self._arguments.append([])

    def arguments(self, index: int, text: str) -> None:
        self._arguments[index].append(text)

    def stop(self, stop: Stop, detail: str = "") -> None:
        self._reason = _REASONS[stop]
        if stop is Stop.REFUSED and detail:
            self._refusals.append(detail)

    def usage(self, usage: Usage) -> None:
        self._usage = usage

    def end(self) -> None:
        """Nothing marks the end of a document."""

    def fail(self, failure: Failure) -> None:
        """Errors are written by `failure_body`."""

    def alive(self) -> None:
        """Documents need no keeping alive."""

    def take(self) -> bytes:
        message: JsonObject = {
            "role": "assistant",
            "content": "".join(self._texts) or None,
            "refusal": "".join(self._refusals) or None,
        }
        if self._reasoning:
            message["reasoning_content"] = "".join(self._reasoning)
        if self._calls:
            for call, pieces in zip(self._calls, self._arguments, strict=True):
                call["function"]["arguments"] = "".join(pieces)
            message["tool_calls"] = self._calls
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self._reason}
        return json_body.encode(
            {
                "id": "chatcmpl-" + self._id,
                "object": "chat.completion",
                "created": 0,
                "model": self._model,
                "choices": [choice],
                "usage": usage_doc(self._usage),
            }
        )


def writing(call: LlmCall) -> Writing:
    options = call.doc.get("stream_options")
    counting = type(options) is dict and options.get("include_usage") is True
    return Writing(partial(ChatDocument, call.model), partial(ChatStream, call.model, counting=counting), failure_body)


def usage_doc(usage: Usage) -> JsonObject:
    """Tokens as this API counts them: the input includes what was cached, the output what was reasoned."""
    read, written = usage.input_tokens or 0, usage.output_tokens or 0
    doc: JsonObject = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    details = {"cached_tokens": usage.cached_tokens or 0}
    if usage.cache_write_tokens is not None:
        details["cache_write_tokens"] = usage.cache_write_tokens
    doc["prompt_tokens_details"] = details
    doc["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens or 0}
    return doc


def failure_body(failure: Failure) -> bytes:
    return json_body.encode({"error": to_openai(failure)})
