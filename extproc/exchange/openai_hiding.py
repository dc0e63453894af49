"""Server-sent answers whose usage the client must not see although nothing of them is masked (see `openai_usage`).

Such a stream passes event by event, and only events that tell of usage are not the upstream's bytes; a comment within
an event passes before it. Nothing fails
here: an event beyond the cap passes with all that follows it, and only its usage stays unread and shown.
"""

import sys

from extproc.errors import Uninspectable
from extproc.exchange import json_body, openai_usage, sse
from extproc.exchange.event_answer import as_object
from extproc.exchange.leaves import Shape
from extproc.exchange.sse_answer import SseAnswer
from extproc.exchange.text import TextFilter


class HidingAnswer(SseAnswer):
    """An `SseAnswer` with `hides`, which a dialect obeys in `mask_event`; without a mask, this class does."""

    def __init__(self, mask: TextFilter | None, shape: Shape, *, hide_usage: bool) -> None:
        self.hides = hide_usage
        super().__init__(mask, shape)
        self._held = 0  # bytes of an event that is not yet complete
        self._cr = b""  # held back at the end of a chunk: with the LF that may follow it ends one line, not two

    def reader(self) -> sse.SseReader:
        # Raising would lose what the reader holds, so that `feed` sees to the largest event itself.
        return sse.SseReader(sys.maxsize) if self.hides and self._mask is None else super().reader()

    def feed(self, chunk: bytes) -> bytes:
        reader = self._reader
        if not self.hides or self._mask is not None or reader is None:
            return super().feed(chunk)
        if self._cr:
            chunk, self._cr = self._cr + chunk, b""
        if chunk[-1:] == b"\r":
            chunk, self._cr = chunk[:-1], b"\r"
        events = reader.feed(chunk)
        self._held += len(chunk) - sum([len(event.raw) for event in events])
        raws = [self._shown(event) for event in events]
        if self._held > sse.MAX_EVENT:
            self._reader = None
            self.note("usage-unread")
            raws += [*[event.raw for event in reader.finish()], self._cr]
        return b"".join(raws) if len(raws) != 1 else raws[0]

    def finish(self) -> bytes:
        reader = self._reader
        if not self.hides or self._mask is not None or reader is None:
            return super().finish()
        self._reader = None
        return b"".join([self._shown(event) for event in (*reader.feed(self._cr), *reader.finish())])

    def _shown(self, event: sse.Event) -> bytes:
        """An event without usage: the upstream's own bytes wherever that is possible."""
        data, raw = event.data, event.raw
        if data is None:
            return raw
        shown = data
        if b'"usage"' in data:
            bare = openai_usage.without_null(data)
            if bare is None:
                return self._decoded(event, data, raw)
            shown = bare
        if self.worth_reading(data):
            self._observe_bytes(data)
        return raw if shown is data else _put(event, raw, data, shown)

    def _decoded(self, event: sse.Event, data: bytes, raw: bytes) -> bytes:
        try:
            doc = as_object(data)
        except Uninspectable:
            return raw
        self.observe(doc)
        if "usage" not in doc:
            return raw
        if openai_usage.take(doc):
            return b""
        return _put(event, raw, data, json_body.encode(doc))


def _put(event: sse.Event, raw: bytes, data: bytes, shown: bytes) -> bytes:
    before, found, after = raw.rpartition(data)
    return before + shown + after if found else sse.encode(event.event, shown)
