"""Answers of Bedrock Converse and ConverseStream.

A block's deltas are trees: every string in one is a channel, named by its block and its path (`text`, `toolUse.input`,
`reasoningContent.text`, `toolResult[0].text`, and whatever comes next), except identifiers, signatures and binary
parts. Citations and images arrive whole. A block's channels end with its contentBlockStop; what they hold goes into a
contentBlockDelta of its own before that. The trace quotes what a guardrail matched: all of it is masked.

Reasoning is signed as in `claude_answer`, with the same note when masking broke a signature.
"""

from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange import sealed
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
            "p",
        }
    ),
    numbers=frozenset(
        {
            "contentBlockIndex",
            "latencyMs",
            "inputTokens",
            "outputTokens",
            "totalTokens",
            "cacheReadInputTokens",
            "cacheWriteInputTokens",
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
PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
"""What AWS pads a message with (`p`), from its beginning on."""

_DELTA = "contentBlockDelta"
_WHOLE = frozenset({"citation", "image"})
_ENDS = frozenset({"messageStart", "messageStop", "metadata"})

# A path into a delta: keys, and positions of list items.
_Path = tuple[str | int, ...]


class BedrockConverseAnswer(FrameAnswer):
    """Implements `exchange.model.Answer`."""

    def __init__(self, mask: TextFilter | None) -> None:
        super().__init__(mask, _SHAPE)
        self._blocks: dict[int, dict[_Path, Channel]] = {}  # what is open, by block and path
        self._ended: set[tuple[int, _Path]] = set()
        self._whole: set[int] = set()  # blocks that came with text no delta may go on with; -1: a message did

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
        if name == _DELTA:
            skip = "delta"
            before = self._delta(leaves, doc)
        elif name == "contentBlockStop":
            before = self._close(_index(doc))
        elif name in _ENDS:
            before = self.tails()
            if doc.get("content") or doc.get("message"):
                self._whole.add(-1)
        elif name == "contentBlockStart":
            if _brings_text(doc.get("start")):
                self._whole.add(_index(doc))
        else:
            name = leaves.structure(name)
        padding = doc.get("p")
        if type(padding) is str:
            doc["p"] = ""  # it is AWS's or it is nothing
        number = doc.get("contentBlockIndex")
        masked = leaves.known(doc, "", skip, (name, number if type(number) is int else 0))
        if type(padding) is str and PADDING.startswith(padding):
            masked["p"] = padding
        return before + self.encode(name, masked)

    def tails(self) -> bytes:
        return b"".join([self._close(index) for index in list(self._blocks)])

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
            here = (_DELTA, index, *place)
            if kind is str:
                if value:
                    node[key] = self._string(leaves, node, str(parent), place, index, known=known)
            elif key in _WHOLE and not path:
                node[key] = leaves.known({key: value}, "", "", (_DELTA, index))[key]
            elif key == "json":
                node[key] = leaves.free(value, "json: ", here)
            elif kind is dict:
                self._tree(leaves, value, place, index, known=known and key in _SHAPE.containers)
            elif kind is list:
                self._items(leaves, value, place, index, known=known and key in _SHAPE.containers)
            elif kind is int or kind is float:
                node[key] = leaves.counted(key, value) if known else leaves.number(value, _before(place))

    def _string(self, leaves: Leaves, node: JsonObject, parent: str, place: _Path, index: int, *, known: bool) -> str:
        """What may go on of a string that is not empty."""
        key = str(place[-1])
        value: str = node[key]
        if known and key in _SHAPE.structural:
            return leaves.structure(value)
        here = (_DELTA, index, *place)
        begun = place in self._blocks.get(index, ()) or (index, place) in self._ended
        if known and not begun and leaves.opaque(node, parent, key) and sealed.is_like(value):
            return leaves.sealed(key, value, here)
        if leaves.seen(here):
            raise Uninspectable("What should be unreadable in the answer goes on with a text.")
        return self._channel(index, place).feed(value)

    def _items(self, leaves: Leaves, items: list[Any], path: _Path, index: int, *, known: bool) -> None:
        for position, item in enumerate(items):
            if type(item) is dict:
                self._tree(leaves, item, (*path, position), index, known=known)
            else:
                items[position] = leaves.free(item, _before(path), (_DELTA, index, *path, position))

    def _channel(self, index: int, place: _Path) -> Channel:
        block = self._blocks.get(index)
        if block is None:
            block = self._blocks[index] = {}
        channel = block.get(place)
        if channel is None:
            if (index, place) in self._ended:
                raise Uninspectable("The answer went on with a text that it had ended.")
            if index in self._whole or -1 in self._whole:
                raise Uninspectable("The answer goes on with a text that it began in another shape.")
            assert self._mask is not None
            is_json = place == ("toolUse", "input")
            stream = JsonTextStream(self._mask) if is_json else TextChannel(self._mask, _before(place))
            channel = block[place] = Channel(stream, place, watch=place == ("reasoningContent", "text"))
        return channel

    def _close(self, index: int) -> bytes:
        """Deltas with what a block's channels still hold. More text for them is refused from here on."""
        out = []
        for place, channel in self._blocks.pop(index, {}).items():
            self._ended.add((index, place))
            tail = channel.close()
            if channel.altered:
                self.note(_NOTE_THINKING)
            if tail:
                doc = {"delta": _put(place, tail), "contentBlockIndex": index}
                out.append(self.encode(_DELTA, doc))
        return b"".join(out)


def _index(doc: JsonObject) -> int:
    index = doc.get("contentBlockIndex", 0)
    if type(index) is not int:
        raise Uninspectable("A block of the answer has no number.")
    return index


def _brings_text(start: Any) -> bool:
    """Whether the start of a block has text, which all known ones leave to its deltas."""
    if type(start) is not dict:
        return bool(start)
    use, result = start.get("toolUse"), start.get("toolResult")
    return bool(
        start.get("text")
        or start.get("reasoningContent")
        or (type(use) is dict and use.get("input"))
        or (type(result) is dict and result.get("content"))
        or type(result) is list
    )


def _before(place: _Path) -> str:
    """What stands before a text: the keys on the way to it that the API does not know."""
    return "".join([f"{step}: " for step in place if type(step) is str and step not in _SHAPE.known])


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
