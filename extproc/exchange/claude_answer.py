"""Answers of Claude in the words of Anthropic's Messages API, streamed and whole, whatever frames the stream.

Each block's deltas are channels, one for each member of `delta` (`text`, `thinking`, `partial_json`, and whatever
comes next); text that a block starts with belongs to the same channel. They end with the block: what is held goes
into a delta of its own before content_block_stop. Citations arrive whole.

Signed thinking: the signature passes, and so does redacted thinking, which nobody can read. Thinking text is masked
like any other text; if that changed a block, its signature no longer fits and the API will refuse the block when the
client sends it back, which the note "signed-thinking-masked" explains.
"""

from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange import sealed
from extproc.exchange.channel import Channel, TextChannel
from extproc.exchange.event_answer import E, EventAnswer, count
from extproc.exchange.json_text import JsonTextStream
from extproc.exchange.leaves import Leaves, Shape
from extproc.exchange.model import JsonObject
from extproc.exchange.text import TextFilter

_NOTE_THINKING = "signed-thinking-masked"
_SHAPE = Shape(
    containers=frozenset(
        {
            "message",
            "content",
            "content_block",
            "delta",
            "usage",
            "cache_creation",
            "server_tool_use",
            "output_tokens_details",
            "stop_details",
            "container",
            "error",
            "citations",
            "citation",
            "source",
            "caller",
        }
    ),
    structural=frozenset(
        {
            "id",
            "type",
            "role",
            "model",
            "stop_reason",
            "service_tier",
            "inference_geo",
            "speed",
            "tool_use_id",
            "request_id",
            "media_type",
            "file_id",
            "error_code",
            "tool_id",
            "category",
            "expires_at",
        }
    ),
    texts=frozenset(
        {
            "text",
            "thinking",
            "partial_json",
            "name",
            "input",
            "title",
            "url",
            "cited_text",
            "explanation",
            "stop_sequence",
            "stdout",
            "stderr",
            "page_age",
            "server_name",
            "is_error",
        }
    ),
    numbers=frozenset(
        {
            "index",
            "return_code",
            "input_tokens",
            "output_tokens",
            "thinking_tokens",
            "cache_creation_input_tokens",
            "cache_read_input_tokens",
            "ephemeral_5m_input_tokens",
            "ephemeral_1h_input_tokens",
            "web_search_requests",
            "web_fetch_requests",
            "start_char_index",
            "end_char_index",
            "start_block_index",
            "end_block_index",
            "start_page_number",
            "end_page_number",
            "document_index",
            "search_result_index",
        }
    ),
    opaque=frozenset(
        {
            ("thinking", "signature"),
            ("signature_delta", "signature"),
            ("redacted_thinking", "data"),
            ("base64", "data"),
            ("compaction", "encrypted_content"),
            ("compaction_delta", "encrypted_content"),
            ("web_search_result", "encrypted_content"),
            ("web_search_result_location", "encrypted_index"),
        }
    ),
)
# members of a starting block that its deltas continue, and the delta's type
_STARTS = {
    "text": ("text", "text_delta"),
    "thinking": ("thinking", "thinking_delta"),
    "compaction": ("content", "compaction_delta"),
}
# members that clients join to: a block that starts with such text in a way not listed above takes no deltas
_JOINED = ("text", "thinking", "partial_json")
_ENDS = frozenset({"message_start", "message_delta", "message_stop", "error"})


class ClaudeAnswer(EventAnswer[E]):
    """Implements `exchange.model.Answer` but for the framing, which another base class brings."""

    def __init__(self, mask: TextFilter | None) -> None:
        super().__init__(mask, _SHAPE)
        self._blocks: dict[int, dict[str, Channel]] = {}  # what is open, by block and member
        self._ended: set[tuple[int, str]] = set()
        self._whole: set[int] = set()  # blocks that came with text no delta may go on with; -1: a message did

    def observe(self, doc: JsonObject) -> None:
        kind = doc.get("type")
        message = doc.get("message") if kind == "message_start" else doc
        if type(message) is not dict:
            return
        model = message.get("model")
        if type(model) is str and model:
            self.model = model
        delta = message.get("delta")
        reason = (delta if type(delta) is dict else message).get("stop_reason")
        if type(reason) is str and reason:
            self.finish_reasons = (reason,)
        usage = message.get("usage")
        if type(usage) is dict:
            self._count(usage)
        elif kind is None:  # the answer of count_tokens
            self.usage.input_tokens = count(message, "input_tokens")

    def mask_document(self, leaves: Leaves, doc: JsonObject) -> JsonObject:
        before = _thinking(doc)
        masked = leaves.known(doc)
        if before != _thinking(masked):
            self.note(_NOTE_THINKING)
        return masked

    def mask_event(self, leaves: Leaves, name: str, doc: JsonObject) -> bytes:
        kind = doc.get("type")
        kind = kind if type(kind) is str else name
        before = b""
        skip = ""
        if kind == "content_block_delta":
            skip = "delta"
            before = self._delta(leaves, doc)
        elif kind == "content_block_start":
            skip = "content_block"
            doc[skip] = self._start(leaves, doc)
        elif kind == "content_block_stop":
            before = self._close(_index(doc))
        elif kind in _ENDS:
            before = self.tails()
            message = doc.get("message")
            if type(message) is dict and message.get("content"):
                self._whole.add(-1)
        masked = leaves.known(doc, "", skip, (kind, number if type(number := doc.get("index")) is int else 0))
        return before + self.encode(name or leaves.structure(kind), masked)

    def tails(self) -> bytes:
        return b"".join([self._close(index) for index in list(self._blocks)])

    def _delta(self, leaves: Leaves, doc: JsonObject) -> bytes:
        """Feeds every string of a delta to its channel, in place. A signature ends the text it signs: the result is
        what has to come before it."""
        delta = doc.get("delta")
        if type(delta) is not dict:
            raise Uninspectable("A delta of the answer is not an object.")
        index = _index(doc)
        for key, value in delta.items():
            kind = type(value)
            here = ("content_block_delta", index, "delta", key)
            if key not in _SHAPE.known and leaves.text(key) != key:
                raise Uninspectable("A member's name in the answer would have to be masked.")
            if kind is str:
                if key in _SHAPE.structural:
                    delta[key] = leaves.structure(value)
                elif (
                    value and leaves.opaque(delta, "delta", key) and sealed.is_like(value) and not self._has(index, key)
                ):
                    delta[key] = leaves.sealed(key, value, here)
                elif value:
                    if leaves.seen(here):
                        raise Uninspectable("What should be unreadable in the answer goes on with a text.")
                    delta[key] = self._channel(index, key, delta.get("type")).feed(value)
            elif kind is dict and key in _SHAPE.containers:
                delta[key] = leaves.known(value, key, "", here)
            elif kind is dict or kind is list:
                delta[key] = leaves.free(value, f"{key}: ", here)
            elif kind is int or kind is float:
                delta[key] = leaves.counted(key, value)
        return self._close(index) if delta.get("type") == "signature_delta" else b""

    def _start(self, leaves: Leaves, doc: JsonObject) -> JsonObject:
        """The block that starts, masked. Text it starts with goes through the channel that its deltas will use."""
        block = doc.get("content_block")
        if type(block) is not dict:
            raise Uninspectable("A block of the answer is not an object.")
        index = _index(doc)
        here = ("content_block_start", index, "content_block")
        field, delta_type = _STARTS.get(str(block.get("type")), ("", ""))
        if any(block.get(member) for member in _JOINED if member != field):
            self._whole.add(index)
        text = block.get(field)
        if type(text) is not str or not text:
            return leaves.known(block, "content_block", "", here)
        block[field] = ""  # keeps its place, and is not masked twice
        block = leaves.known(block, "content_block", "", here)
        block[field] = self._channel(index, field, delta_type).feed(text)
        return block

    def _has(self, index: int, field: str) -> bool:
        return field in self._blocks.get(index, ()) or (index, field) in self._ended

    def _channel(self, index: int, field: str, delta_type: Any) -> Channel:
        block = self._blocks.get(index)
        if block is None:
            block = self._blocks[index] = {}
        channel = block.get(field)
        if channel is None:
            if (index, field) in self._ended:
                raise Uninspectable("The answer went on with a text that it had ended.")
            if index in self._whole or -1 in self._whole:
                raise Uninspectable("The answer goes on with a text that it began in another shape.")
            assert self._mask is not None
            before = "" if field in _SHAPE.known else f"{field}: "
            stream = JsonTextStream(self._mask) if field == "partial_json" else TextChannel(self._mask, before)
            channel = block[field] = Channel(stream, delta_type, watch=field == "thinking")
        return channel

    def _close(self, index: int) -> bytes:
        """Deltas with what a block's channels still hold. More text for them is refused from here on."""
        out = []
        for field, channel in self._blocks.pop(index, {}).items():
            self._ended.add((index, field))
            tail = channel.close()
            if channel.altered:
                self.note(_NOTE_THINKING)
            if tail:
                delta = {"type": channel.place, field: tail}
                doc = {"type": "content_block_delta", "index": index, "delta": delta}
                out.append(self.encode("content_block_delta", doc))
        return b"".join(out)

    def _count(self, usage: JsonObject) -> None:
        """The last numbers stand: those of message_delta are cumulative, and may leave out what did not change."""
        own = self.usage
        fresh = count(usage, "input_tokens")
        read = count(usage, "cache_read_input_tokens")
        written = count(usage, "cache_creation_input_tokens")
        if fresh is not None:
            read = own.cached_tokens if read is None else read
            written = own.cache_write_tokens if written is None else written
            own.input_tokens = fresh + (read or 0) + (written or 0)
            own.cached_tokens, own.cache_write_tokens = read, written
        output = count(usage, "output_tokens")
        own.output_tokens = own.output_tokens if output is None else output
        thinking = count(usage, "output_tokens_details", "thinking_tokens")
        own.reasoning_tokens = own.reasoning_tokens if thinking is None else thinking


def _index(doc: JsonObject) -> int:
    index = doc.get("index", 0)
    if type(index) is not int:
        raise Uninspectable("A block of the answer has no number.")
    return index


def _thinking(doc: JsonObject) -> list[Any]:
    """The thinking texts of a whole message."""
    content = doc.get("content")
    blocks = content if type(content) is list else []
    return [block.get("thinking") for block in blocks if type(block) is dict and block.get("type") == "thinking"]
