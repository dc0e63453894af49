"""Answers of Bedrock Converse and ConverseStream.

A block's deltas are trees: every string in one is a channel, named by its block and its path (`text`, `toolUse.input`,
`reasoningContent.text`, `toolResult[0].text`, and whatever comes next), except identifiers, signatures and binary
parts. Citations and images arrive whole. A block's channels end with its contentBlockStop; what they hold goes into a
contentBlockDelta of its own before that. The trace quotes what a guardrail matched: all of it is masked.

Reasoning is signed as in `claude_answer`, with the same note when masking broke a signature.
"""

from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange.channel import Channel, TextChannel
from extproc.exchange.event_answer import count
from extproc.exchange.frame_answer import FrameAnswer
from extproc.exchange.json_text import JsonTextStream
from extproc.exchange.leaves import Leaves, Shape
from extproc.exchange.model import JsonObject
from extproc.exchange.text import TextFilter

_NOTE_THINKING = "signed-thinking-masked"
_SHAPE = Shape(
    containers=frozenset(
        {
            "output",
            "message",
            "content",
            "start",
            "delta",
            "toolUse",
            "toolResult",
            "reasoningContent",
            "reasoningText",
            "citationsContent",
            "citations",
            "citation",
            "sourceContent",
            "location",
            "web",
            "documentChar",
            "documentPage",
            "documentChunk",
            "searchResultLocation",
            "searchResult",
            "image",
            "document",
            "video",
            "audio",
            "source",
            "s3Location",
            "error",
            "usage",
            "cacheDetails",
            "metrics",
            "performanceConfig",
            "serviceTier",
        }
    ),
    structural=frozenset({"role", "stopReason", "toolUseId", "type", "status", "format", "latency", "ttl"}),
    texts=frozenset(
        {
            "text",
            "input",
            "name",
            "json",
            "title",
            "source",
            "url",
            "domain",
            "uri",
            "context",
            "message",
            "originalMessage",
            "originalStatusCode",
            "additionalModelResponseFields",
            "trace",
            "contentBlockIndex",
            "latencyMs",
            "inputTokens",
            "outputTokens",
            "totalTokens",
            "cacheReadInputTokens",
            "cacheWriteInputTokens",
            "p",
        }
    ),
    json_texts=frozenset(),
    opaque=frozenset(
        {
            ("reasoningText", "signature"),
            ("reasoningContent", "signature"),
            ("reasoningContent", "redactedContent"),
            ("source", "bytes"),
        }
    ),
    dropped=frozenset(),
)
_WHOLE = frozenset({"citation", "image"})
_ENDS = frozenset({"messageStart", "messageStop", "metadata"})

# A path into a delta: keys, and positions of list items.
_Path = tuple[str | int, ...]


class BedrockConverseAnswer(FrameAnswer):
    """Implements `exchange.model.Answer`."""

    def __init__(self, mask: TextFilter | None) -> None:
        super().__init__(mask, _SHAPE)
        self._channels: dict[tuple[int, _Path], Channel] = {}

    def worth_reading(self, data: bytes) -> bool:
        return b'"usage"' in data or b'"stopReason"' in data

    def observe(self, doc: JsonObject) -> None:
        reason = doc.get("stopReason")
        if type(reason) is str and reason:
            self.finish_reasons = (reason,)
        usage = doc.get("usage")
        fresh = count(usage, "inputTokens")
        if fresh is not None:
            own = self.usage
            own.cached_tokens = count(usage, "cacheReadInputTokens")
            own.cache_write_tokens = count(usage, "cacheWriteInputTokens")
            own.input_tokens = fresh + (own.cached_tokens or 0) + (own.cache_write_tokens or 0)
            own.output_tokens = count(usage, "outputTokens")
        trace = doc.get("trace")
        router = trace.get("promptRouter") if type(trace) is dict else None
        invoked = router.get("invokedModelId") if type(router) is dict else None
        if type(invoked) is str and invoked:
            self.model = invoked

    def mask_document(self, leaves: Leaves, doc: JsonObject) -> JsonObject:
        before = _reasoning(doc)
        masked = leaves.known(doc)
        if before != _reasoning(masked):
            self.note(_NOTE_THINKING)
        return masked

    def mask_event(self, leaves: Leaves, name: str, doc: JsonObject) -> bytes:
        before = b""
        skip = ""
        if name == "contentBlockDelta":
            skip = "delta"
            before = self._delta(leaves, doc)
        elif name == "contentBlockStop":
            before = self._close(_index(doc))
        elif name in _ENDS:
            before = self.tails()
            if name == "messageStart":
                self._channels = {}
        elif name != "contentBlockStart":
            name = leaves.text(name)
        return before + self.encode(name, leaves.known(doc, "", skip))

    def tails(self) -> bytes:
        return b"".join([self._close(index) for index in dict.fromkeys(index for index, _ in self._channels)])

    def _delta(self, leaves: Leaves, doc: JsonObject) -> bytes:
        """Feeds every string of a delta to its channel, in place. A signature ends the text it signs: the result is
        what has to come before it."""
        delta = doc.get("delta")
        if type(delta) is not dict:
            raise Uninspectable("A delta of the answer is not an object.")
        index = _index(doc)
        self._tree(leaves, delta, (), index, known=True)
        reasoning = delta.get("reasoningContent")
        return self._close(index) if type(reasoning) is dict and "signature" in reasoning else b""

    def _tree(self, leaves: Leaves, node: JsonObject, path: _Path, index: int, *, known: bool) -> None:
        """Feeds every string under `node` to its channel. `known`: the API shaped this object."""
        parent = next((step for step in reversed(path) if type(step) is str), "")
        for key, value in node.items():
            kind = type(value)
            if key not in _SHAPE.known and leaves.text(key) != key:
                raise Uninspectable("A member's name in the answer would have to be masked.")
            place = (*path, key)
            if kind is str:
                if value and not (known and (key in _SHAPE.structural or leaves.opaque(node, str(parent), key))):
                    node[key] = self._channel(index, place).feed(value)
            elif key in _WHOLE and not path:
                node[key] = leaves.known({key: value})[key]
            elif key == "json":
                node[key] = leaves.free(value)
            elif kind is dict:
                self._tree(leaves, value, place, index, known=known and key in _SHAPE.containers)
            elif kind is list:
                self._items(leaves, value, place, index, known=known and key in _SHAPE.containers)

    def _items(self, leaves: Leaves, items: list[Any], path: _Path, index: int, *, known: bool) -> None:
        for position, item in enumerate(items):
            if type(item) is dict:
                self._tree(leaves, item, (*path, position), index, known=known)
            else:
                items[position] = leaves.free(item)

    def _channel(self, index: int, place: _Path) -> Channel:
        channel = self._channels.get((index, place))
        if channel is None:
            assert self._mask is not None
            stream = JsonTextStream(self._mask) if place == ("toolUse", "input") else TextChannel(self._mask)
            channel = Channel(stream, place, watch=place == ("reasoningContent", "text"))
            self._channels[index, place] = channel
        return channel

    def _close(self, index: int) -> bytes:
        """Deltas with what a block's channels still hold. More text for them is refused from here on."""
        out = []
        for (block, place), channel in self._channels.items():
            if block != index or channel.closed:
                continue
            tail = channel.close()
            if channel.altered:
                self.note(_NOTE_THINKING)
            if tail:
                doc = {"delta": _put(place, tail), "contentBlockIndex": index}
                out.append(self.encode("contentBlockDelta", doc))
        return b"".join(out)


def _index(doc: JsonObject) -> int:
    index = doc.get("contentBlockIndex", 0)
    if type(index) is not int:
        raise Uninspectable("A block of the answer has no number.")
    return index


def _put(place: _Path, tail: str) -> Any:
    """A delta that has nothing but `tail` at `place`. Positions in lists come back as the only item of theirs: clients
    join the items of such lists in the order they come."""
    node: Any = tail
    for step in reversed(place):
        node = {step: node} if type(step) is str else [node]
    return node


def _reasoning(doc: JsonObject) -> list[Any]:
    """The reasoning texts of a whole message."""
    output = doc.get("output")
    message = output.get("message") if type(output) is dict else None
    content = message.get("content") if type(message) is dict else None
    found = []
    for block in content if type(content) is list else []:
        reasoning = block.get("reasoningContent") if type(block) is dict else None
        text = reasoning.get("reasoningText") if type(reasoning) is dict else None
        if type(text) is dict:
            found.append(text.get("text"))
    return found
