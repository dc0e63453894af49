"""Reads answers of Bedrock Converse, whole and streamed, into an assembly.

Calls of tools that AWS runs itself, and what they said, are not the client's to see as its own: they are left out.
"""

from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange import json_body
from extproc.exchange.event_answer import count
from extproc.exchange.model import JsonObject, Usage
from extproc.exchange.translation.assembly import Assembly, Stop

_STOPS = {
    "end_turn": Stop.END,
    "stop_sequence": Stop.SEQUENCE,
    "max_tokens": Stop.LENGTH,
    "model_context_window_exceeded": Stop.LENGTH,
    "tool_use": Stop.TOOLS,
    "guardrail_intervened": Stop.REFUSED,
    "content_filtered": Stop.REFUSED,
}


class ConverseReading:
    """Implements `translation.assembly.Reading`. An event's name is its event-type; `id` is the answer's."""

    def __init__(self, into: Assembly, id: str) -> None:
        self._into = into
        self._id = id
        self._calls: dict[int, int] = {}  # the index of a block to that of the call it is
        self._silent: set[int] = set()  # calls that have said nothing of their input yet
        self._stopped = False
        self._over = False

    def document(self, doc: JsonObject) -> None:
        output = doc.get("output")
        message = output.get("message") if type(output) is dict else None
        content = message.get("content") if type(message) is dict else None
        if type(content) is not list:
            raise Uninspectable("The answer is not a message.")
        self._into.begin(self._id)
        for index, block in enumerate(content):
            if type(block) is not dict:
                raise Uninspectable("A block of the answer is not an object.")
            self._block(index, block)
        self._stop(doc)
        self._into.usage(_usage(doc.get("usage")))
        self._into.end()

    def event(self, name: str, doc: JsonObject) -> None:
        """One event. Unknown ones mean nothing."""
        if name == "contentBlockDelta":
            self._delta(_index(doc), _object(doc, "delta"))
        elif name == "contentBlockStart":
            started = _object(doc, "start").get("toolUse")
            if type(started) is dict:
                self._call(_index(doc), started)
        elif name == "contentBlockStop":
            self._end_block(_index(doc))
        elif name == "messageStart":
            self._into.begin(self._id)
        elif name == "messageStop":
            self._stop(doc)
        elif name == "metadata":  # the last one, after messageStop
            self._into.usage(_usage(doc.get("usage")))
            self._end()

    def done(self) -> None:
        """This API has no such marker."""

    def fail(self) -> None:
        """An exception has been told to the assembly: the answer does not end any more."""
        self._over = True

    def finish(self) -> None:
        self._end()

    def _end(self) -> None:
        if self._stopped and not self._over:
            self._over = True
            self._into.end()

    def _block(self, index: int, block: JsonObject) -> None:
        into = self._into
        call, reasoning, cited = block.get("toolUse"), block.get("reasoningContent"), block.get("citationsContent")
        if "text" in block:
            into.text(_text(block, "text"))
        elif type(call) is dict:
            self._call(index, call)
            if index in self._calls:
                self._silent.discard(index)
                into.arguments(self._calls[index], json_body.encode(call.get("input", {})).decode("utf-8"))
        elif type(reasoning) is dict:
            told = reasoning.get("reasoningText")
            if type(told) is dict:
                into.reasoning(_text(told, "text"))
                self._sign(_text(told, "signature"))
            elif _text(reasoning, "redactedContent"):
                into.sealed(_text(reasoning, "redactedContent"))
        elif type(cited) is dict and type(cited.get("content")) is list:
            for part in cited["content"]:
                into.text(_text(part, "text") if type(part) is dict else "")

    def _delta(self, index: int, delta: JsonObject) -> None:
        into = self._into
        text, call, reasoning = delta.get("text"), delta.get("toolUse"), delta.get("reasoningContent")
        if type(text) is str:
            into.text(text)
        elif type(call) is dict:
            piece = _text(call, "input")
            if piece and index in self._calls:
                self._silent.discard(index)
                into.arguments(self._calls[index], piece)
        elif type(reasoning) is dict:
            into.reasoning(_text(reasoning, "text"))
            self._sign(_text(reasoning, "signature"))
            if _text(reasoning, "redactedContent"):
                into.sealed(_text(reasoning, "redactedContent"))

    def _call(self, index: int, call: JsonObject) -> None:
        if call.get("type") == "server_tool_use":
            return
        self._calls[index] = len(self._calls)
        self._silent.add(index)
        self._into.call(self._calls[index], _text(call, "toolUseId"), _text(call, "name"))

    def _end_block(self, index: int) -> None:
        """A call without input is one with an empty input."""
        if index in self._silent:
            self._silent.discard(index)
            self._into.arguments(self._calls[index], "{}")

    def _sign(self, signature: str) -> None:
        if signature:
            self._into.seal(signature)

    def _stop(self, holder: JsonObject) -> None:
        reason = holder.get("stopReason")
        if type(reason) is not str or self._stopped:
            return
        self._stopped = True
        more = holder.get("additionalModelResponseFields")
        detail = _text(more, "stop_sequence") if type(more) is dict and reason == "stop_sequence" else ""
        self._into.stop(_STOPS.get(reason, Stop.END), detail)


def _usage(usage: Any) -> Usage:
    read, written = count(usage, "cacheReadInputTokens"), count(usage, "cacheWriteInputTokens")
    fresh = count(usage, "inputTokens")
    total = None if fresh is None else fresh + (read or 0) + (written or 0)
    return Usage(total, count(usage, "outputTokens"), read, written)


def _index(doc: JsonObject) -> int:
    index = doc.get("contentBlockIndex", 0)
    if type(index) is not int:
        raise Uninspectable("A block of the answer has no number.")
    return index


def _object(doc: JsonObject, key: str) -> JsonObject:
    value = doc.get(key)
    if type(value) is not dict:
        raise Uninspectable("An event of the answer has not the shape of this API's.")
    return value


def _text(node: JsonObject, key: str) -> str:
    value = node.get(key)
    return value if type(value) is str else ""
