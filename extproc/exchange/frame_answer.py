"""What the answers in AWS event streams have in common (see `event_answer` for what all answers have).

With a mask:

- an exception or an error passes after everything that was held, its text masked;
- headers nobody defined are dropped with the note "headers-dropped", also those that are no text;
- a payload that is neither empty nor a JSON object is `Uninspectable`, and so is a message-type nobody knows.
"""

from functools import lru_cache

from extproc.errors import Uninspectable
from extproc.exchange import eventstream, json_body
from extproc.exchange.event_answer import EventAnswer, as_object
from extproc.exchange.eventstream import EventStreamReader, Message
from extproc.exchange.leaves import Leaves
from extproc.exchange.model import JsonObject

_TYPE, _EVENT, _EXCEPTION = ":message-type", ":event-type", ":exception-type"
_CODE, _MESSAGE, _CONTENT = ":error-code", ":error-message", ":content-type"
_KNOWN = frozenset({_TYPE, _EVENT, _EXCEPTION, _CODE, _MESSAGE, _CONTENT})
_JSON = "application/json"


class FrameAnswer(EventAnswer[Message]):
    """An `EventAnswer` whose events are AWS event-stream messages. `mask_event` gets the event-type as its name."""

    framing = "application/vnd.amazon.eventstream"

    def reader(self) -> EventStreamReader:
        return EventStreamReader()

    def inside(self, event: Message) -> bytes | None:
        return event.payload or None

    def mask_framed(self, leaves: Leaves, event: Message) -> bytes:
        headers = event.headers
        if event.others or not _KNOWN.issuperset(headers):
            self.note("headers-dropped")
        kind = headers.get(_TYPE, "")
        if kind == "event":
            return self.mask_payload(leaves, headers.get(_EVENT, ""), event.payload)
        doc = as_object(event.payload) if event.payload else None
        if kind == "exception":
            before = self.tails()
            name = leaves.text(headers.get(_EXCEPTION, ""))
            return before + exception(name, leaves.known(doc, "", "", ("exception",)) if doc is not None else {})
        if kind != "error":
            raise Uninspectable("A message of the answer is of no known type.")
        said = {key: leaves.text(headers[key], "", ("error", key)) for key in (_CODE, _MESSAGE) if key in headers}
        payload = json_body.encode(leaves.known(doc, "", "", ("error",))) if doc is not None else b""
        return self.tails() + eventstream.encode({_TYPE: "error", **said}, payload)

    def mask_payload(self, leaves: Leaves, name: str, payload: bytes) -> bytes:
        """An event of the type `name`. A dialect that wraps its events further unwraps them here."""
        if not payload:
            return eventstream.encode({_TYPE: "event", _EVENT: leaves.text(name)}, b"")
        doc = as_object(payload)
        self.observe(doc)
        return self.mask_event(leaves, name, doc)

    def encode(self, name: str, doc: JsonObject) -> bytes:
        return event(name, doc)


def event(name: str, doc: JsonObject) -> bytes:
    """One event message."""
    return eventstream.seal(_event_headers(name), json_body.encode(doc))


def exception(name: str, doc: JsonObject) -> bytes:
    """One exception message, which SDKs raise."""
    headers = {_EXCEPTION: name, _CONTENT: _JSON, _TYPE: "exception"}
    return eventstream.encode(headers, json_body.encode(doc))


@lru_cache(maxsize=64)
def _event_headers(name: str) -> bytes:
    return eventstream.headers_block({_EVENT: name, _CONTENT: _JSON, _TYPE: "event"})
