"""What the answers in lines of JSON have in common (see `event_answer` for what all answers have). With a mask, blank
lines are dropped, and a line that is not a JSON object is `Uninspectable`."""

from extproc.exchange import json_body
from extproc.exchange.event_answer import EventAnswer, as_object
from extproc.exchange.leaves import Leaves
from extproc.exchange.model import JsonObject
from extproc.exchange.ndjson import NdjsonReader


class NdjsonAnswer(EventAnswer[bytes]):
    """An `EventAnswer` whose events are lines."""

    framing = "application/x-ndjson"

    def reader(self) -> NdjsonReader:
        return NdjsonReader()

    def inside(self, event: bytes) -> bytes | None:
        return event or None

    def mask_framed(self, leaves: Leaves, event: bytes) -> bytes:
        if not event or event.isspace():
            return b""
        doc = as_object(event)
        self.observe(doc)
        return self.mask_event(leaves, "", doc)

    def encode(self, name: str, doc: JsonObject) -> bytes:  # noqa: ARG002  (lines have no names)
        return json_body.encode(doc) + b"\n"
