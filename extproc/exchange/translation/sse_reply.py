"""The reply of every pair whose upstream answers with JSON or server-sent events."""

from collections.abc import Callable

from extproc.errors import Uninspectable
from extproc.exchange import json_body, sse
from extproc.exchange.model import JsonObject
from extproc.exchange.translation import failures
from extproc.exchange.translation.assembly import Assembly, Failure, Reading, Writing

_DONE = b"[DONE]"


class SseReply:
    """Implements `translation.contract.Reply`.

    `reading` and `read_failure` know the target, `writing` the source. Every event is
    read and written as it comes; nothing waits except what an assembly must hold.
    """

    content_type = "text/event-stream"

    def __init__(
        self,
        reading: Callable[[Assembly], Reading],
        read_failure: Callable[[JsonObject, int], Failure],
        writing: Writing,
    ) -> None:
        self._reading = reading
        self._read_failure = read_failure
        self._writing = writing
        self._reader: sse.SseReader | None = None
        self._assembly: Assembly | None = None
        self._events: Reading | None = None

    def document(self, status: int, body: bytes) -> bytes:
        try:
            doc = json_body.decode_any(body)
        except Uninspectable:
            if status < 400:
                raise
            doc = None
        if type(doc) is not dict:
            if status < 400:
                raise Uninspectable("The answer is not a JSON object.")
            return self._writing.failure(failures.unread(status))
        if status >= 400:
            return self._writing.failure(self._read_failure(doc, status))
        assembly = self._writing.document()
        self._reading(assembly).document(doc)
        return assembly.take()

    def feed(self, chunk: bytes) -> bytes:
        if self._reader is None:
            self._reader = sse.SseReader()
            self._assembly = self._writing.stream()
            self._events = self._reading(self._assembly)
        assert self._assembly is not None
        for event in self._reader.feed(chunk):
            self._event(event, self._assembly)
        return self._assembly.take()

    def finish(self) -> bytes:
        """The rest. Never raises: an event that broke off in the middle is left out, and the stream stays unended."""
        if self._reader is None or self._events is None or self._assembly is None:
            return b""
        try:
            for event in self._reader.finish():
                if event.data is not None:
                    self._event(event, self._assembly)
            self._events.finish()
        except Uninspectable:
            pass
        return self._assembly.take()

    def _event(self, event: sse.Event, assembly: Assembly) -> None:
        data = event.data
        assert self._events is not None
        if data is None:
            if event.comment:
                assembly.alive()
            return
        if data[:1] != b"{":
            bare = data.strip()
            if not bare:
                return
            if bare == _DONE:
                self._events.done()
                return
        doc = json_body.decode_any(data)
        if type(doc) is not dict:
            raise Uninspectable("An event of the answer is not a JSON object.")
        self._events.event(event.event, doc)
