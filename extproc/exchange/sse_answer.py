"""What the answers of all SSE dialects have in common (see `event_answer` for what all answers have).

With a mask:

- a comment becomes an empty comment: it keeps the connection alive, its text is nobody's;
- a block without data is dropped, `id` and `retry` lines too (no LLM API uses them);
- data that is not a JSON object (`[DONE]` apart) is `Uninspectable`.
"""

from extproc.exchange import json_body, sse
from extproc.exchange.event_answer import EventAnswer, as_object, count
from extproc.exchange.leaves import Leaves
from extproc.exchange.model import JsonObject

__all__ = ["SseAnswer", "count"]

_DONE = b"[DONE]"


class SseAnswer(EventAnswer[sse.Event]):
    """An `EventAnswer` whose events are server-sent."""

    def reader(self) -> sse.SseReader:
        return sse.SseReader()

    def inside(self, event: sse.Event) -> bytes | None:
        return event.data

    def mask_framed(self, leaves: Leaves, event: sse.Event) -> bytes:
        data = event.data
        if data is None:
            return b":\n\n" if event.comment else b""
        if data[:1] != b"{":
            bare = data.strip()
            if not bare:
                return b""
            if bare == _DONE:
                return self.tails() + sse.encode("", _DONE)
        doc = as_object(data)
        self.observe(doc)
        return self.mask_event(leaves, event.event and leaves.structure(event.event), doc)

    def encode(self, name: str, doc: JsonObject) -> bytes:
        return sse.encode(name, json_body.encode(doc))
