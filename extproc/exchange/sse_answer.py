"""What the answers of all SSE dialects have in common: framing, observing, masking, ending.

Without a mask every byte passes as it came, and events are decoded only to read usage, model and finish reasons. With
a mask nothing passes that was not decoded, masked and encoded again:

- a comment becomes an empty comment: it keeps the connection alive, its text is nobody's;
- a block without data is dropped, `id` and `retry` lines too (no LLM API uses them);
- data that is not a JSON object (`[DONE]` apart) is `Uninspectable`;
- an event left unfinished at the end of the stream is completed if it can be read, else dropped with a note.
"""

from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange import json_body, sse
from extproc.exchange.leaves import Leaves, Shape
from extproc.exchange.model import JsonObject, Usage
from extproc.exchange.text import TextFilter

_DONE = b"[DONE]"


class SseAnswer:
    """Implements `exchange.model.Answer`; a dialect gives the hooks below the line."""

    def __init__(self, mask: TextFilter | None, shape: Shape) -> None:
        self.usage = Usage()
        self.model = ""
        self.finish_reasons: tuple[str, ...] = ()
        self._mask = mask
        self._leaves = Leaves(mask, shape) if mask is not None else None
        self._notes: dict[str, None] = {}
        self._reader: sse.SseReader | None = sse.SseReader()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was changed or passed unread, each once, in the order it happened."""
        return (*self._notes, *self._leaves.notes) if self._leaves is not None else tuple(self._notes)

    def document(self, body: bytes) -> bytes:
        """A whole answer, errors included. Raises `Uninspectable` if there is a mask and no JSON object."""
        if self._leaves is None:
            self._observe_bytes(body)
            return body
        if not body or body.isspace():
            return body
        doc = _object(body)
        self.observe(doc)
        return json_body.encode(self.mask_document(self._leaves, doc))

    def feed(self, chunk: bytes) -> bytes:
        """The masked events that `chunk` completes. Raises `Uninspectable`, and again at every later call."""
        reader = self._reader
        if self._leaves is None:
            if reader is not None:
                self._observe_chunk(reader, chunk)
            return chunk
        if reader is None:
            raise Uninspectable("The answer has been given up.")
        self._reader = None  # stays so if anything below raises: what follows a gap cannot be judged
        out = [self._event(self._leaves, event) for event in reader.feed(chunk)]
        self._reader = reader
        return b"".join(out) if len(out) != 1 else out[0]

    def finish(self) -> bytes:
        """Everything that was held back. Never raises."""
        reader, self._reader = self._reader, None
        if reader is None:
            return b""
        if self._leaves is None:
            self._observe_events(reader.finish())
            return b""
        out = []
        for event in reader.finish():
            try:
                out.append(self._event(self._leaves, event))
            except Uninspectable:
                self._notes["unfinished-event-dropped"] = None
        out.append(self.tails())
        return b"".join(out)

    def note(self, note: str) -> None:
        self._notes[note] = None

    def _event(self, leaves: Leaves, event: sse.Event) -> bytes:
        data = event.data
        if data is None:
            return b":\n\n" if event.comment else b""
        if data[:1] != b"{":
            bare = data.strip()
            if not bare:
                return b""
            if bare == _DONE:
                return self.tails() + sse.encode("", _DONE)
        doc = _object(data)
        self.observe(doc)
        return self.mask_event(leaves, event.event and leaves.structure(event.event), doc)

    def _observe_chunk(self, reader: sse.SseReader, chunk: bytes) -> None:
        try:
            self._observe_events(reader.feed(chunk))
        except Uninspectable:  # an event beyond the cap: nothing is masked here, so only the reading stops
            self._reader = None
            self._notes["usage-unread"] = None

    def _observe_events(self, events: list[sse.Event]) -> None:
        for event in events:
            if event.data is not None and self.worth_reading(event.data):
                self._observe_bytes(event.data)

    def _observe_bytes(self, data: bytes) -> None:
        """Reads what can be read; nothing is guarded here, so nothing may fail."""
        try:
            self.observe(_object(data))
        except Uninspectable:
            return

    # --- what a dialect says -----------------------------------------------------------------------------------

    def worth_reading(self, data: bytes) -> bool:
        """A cheap test whether `observe` may learn something from an event."""
        return b'"usage"' in data

    def observe(self, doc: JsonObject) -> None:
        """Reads usage, model and finish reasons from an event or a document. Must accept any shape."""
        raise NotImplementedError

    def mask_document(self, leaves: Leaves, doc: JsonObject) -> JsonObject:
        """A whole answer, masked."""
        return leaves.known(doc)

    def mask_event(self, leaves: Leaves, name: str, doc: JsonObject) -> bytes:
        """One event, masked and encoded, after whatever tails have to come before it."""
        raise NotImplementedError

    def tails(self) -> bytes:
        """Events with everything still held back."""
        raise NotImplementedError


def count(node: Any, *path: str) -> int | None:
    """The non-negative integer at `path`, or None."""
    for key in path:
        if type(node) is not dict:
            return None
        node = node.get(key)
    return node if type(node) is int and node >= 0 else None


def _object(data: bytes) -> JsonObject:
    doc = json_body.decode_any(data)
    if type(doc) is not dict:
        raise Uninspectable("The answer is not a JSON object.")
    return doc
