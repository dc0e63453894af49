"""Answers of Cohere's Chat API, streamed and whole.

Every string under `delta.message` that clients join is a channel: content and thinking by the part's index, arguments
by the call's, the plan for tools. A part's channels end with its own end event, the others with the message; what is
held comes in an event of the same kind before. Citations and tool names arrive whole.
"""

from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange.channel import Channel, TextChannel
from extproc.exchange.event_answer import count
from extproc.exchange.json_text import JsonTextStream
from extproc.exchange.leaves import Leaves, Shape
from extproc.exchange.model import JsonObject
from extproc.exchange.sse_answer import SseAnswer
from extproc.exchange.text import TextFilter

_SHAPE = Shape(
    containers=frozenset(
        {
            "delta",
            "message",
            "content",
            "tool_calls",
            "function",
            "citations",
            "sources",
            "usage",
            "billed_units",
            "tokens",
        }
    ),
    structural=frozenset({"type", "id", "role", "finish_reason", "generation_id", "response_id"}),
    texts=frozenset(
        {
            "text",
            "thinking",
            "tool_plan",
            "name",
            "arguments",
            "document",
            "tool_output",
            "error",
            "prompt",
        }
    ),
    numbers=frozenset(
        {
            "index",
            "start",
            "end",
            "content_index",
            "input_tokens",
            "output_tokens",
            "cached_tokens",
            "search_units",
            "classifications",
        }
    ),
)
# Where in `delta.message` an event brings text that goes on, by its type: the path to the holder, and the text's keys.
_JOINED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "content-start": (("content",), ("text", "thinking")),
    "content-delta": (("content",), ("text", "thinking")),
    "tool-plan-delta": ((), ("tool_plan",)),
    "tool-call-start": (("tool_calls", "function"), ("arguments",)),
    "tool-call-delta": (("tool_calls", "function"), ("arguments",)),
}
_DELTAS = {
    "text": ("content-delta", ("content",)),
    "thinking": ("content-delta", ("content",)),
    "tool_plan": ("tool-plan-delta", ()),
    "arguments": ("tool-call-delta", ("tool_calls", "function")),
}
_ENDS = {"content-end": ("text", "thinking"), "tool-call-end": ("arguments",)}


class CohereAnswer(SseAnswer):
    """Implements `exchange.model.Answer`."""

    def __init__(self, mask: TextFilter | None) -> None:
        super().__init__(mask, _SHAPE)
        self._channels: dict[tuple[int, str], Channel] = {}

    def worth_reading(self, data: bytes) -> bool:
        return b'"usage"' in data or b'"finish_reason"' in data

    def observe(self, doc: JsonObject) -> None:
        delta = doc.get("delta")
        holder = delta if type(delta) is dict else doc
        reason = holder.get("finish_reason")
        if type(reason) is str and reason:
            self.finish_reasons = (reason,)
        usage = holder.get("usage")
        if type(usage) is dict:
            for key, name in (("input_tokens", "input_tokens"), ("output_tokens", "output_tokens")):
                found = count(usage, "tokens", key)
                found = count(usage, "billed_units", key) if found is None else found
                if found is not None:
                    setattr(self.usage, name, found)
            cached = count(usage, "cached_tokens")
            self.usage.cached_tokens = self.usage.cached_tokens if cached is None else cached

    def mask_event(self, leaves: Leaves, name: str, doc: JsonObject) -> bytes:
        kind = doc.get("type")
        kind = kind if type(kind) is str else name
        before = b""
        index = doc.get("index", 0)
        index = index if type(index) is int else 0
        if kind in _ENDS:
            before = self._close([(index, key) for key in _ENDS[kind]])
        elif kind == "message-end":
            before = self.tails()
        holder = _holder(doc, _JOINED[kind][0]) if kind in _JOINED else None
        texts: dict[str, str] = {}
        if holder is not None:
            for key in _JOINED[kind][1]:
                text = holder.get(key)
                if type(text) is str:
                    texts[key] = self._channel(index, key).feed(text)
                    holder[key] = ""  # keeps its place, and is not masked twice
        masked = leaves.known(doc, "", "", (kind, index))
        if texts:
            found = _holder(masked, _JOINED[kind][0])
            if found is None:
                raise Uninspectable("An event of the answer lost its text.")
            found.update(texts)
        return before + self.encode(name or leaves.structure(kind), masked)

    def tails(self) -> bytes:
        return self._close(list(self._channels))

    def _channel(self, index: int, key: str) -> Channel:
        channel = self._channels.get((index, key))
        if channel is None:
            assert self._mask is not None
            stream = JsonTextStream(self._mask) if key == "arguments" else TextChannel(self._mask)
            channel = self._channels[index, key] = Channel(stream, key)
        return channel

    def _close(self, places: list[tuple[int, str]]) -> bytes:
        """Deltas with what these channels still hold. More text for them is refused from here on."""
        out = []
        for index, key in places:
            channel = self._channels.get((index, key))
            tail = channel.close() if channel is not None else ""
            if tail:
                kind, path = _DELTAS[key]
                message: JsonObject = {key: tail}
                for step in reversed(path):
                    message = {step: message}
                out.append(self.encode(kind, {"type": kind, "index": index, "delta": {"message": message}}))
        return b"".join(out)


def _holder(doc: JsonObject, path: tuple[str, ...]) -> JsonObject | None:
    """The object under `delta.message` at `path`, if there is one."""
    node: Any = doc
    for step in ("delta", "message", *path):
        node = node.get(step) if type(node) is dict else None
    return node if type(node) is dict else None
