"""Server-sent events: bytes to events and back (WHATWG HTML 9.2.5 and 9.2.6), for any way of cutting the bytes.

It never decodes what an event says. Every byte that goes in comes out in exactly one event's `raw`, but for a byte
order mark that begins the stream: passed on in front of anything else it would spoil the line it stands in. A mark
anywhere else is part of a field's name, which then is none that clients know.

Three decisions where clients differ:

- A comment comes out at once as an event of its own (`data` None, `comment` True), even inside an event: comments
  keep connections alive and must not wait.
- A block without data (`event: x` and a blank line) comes out with `data` None. Browsers drop it, some SDKs do not.
- What stands at the end of the stream without its blank line comes out of `finish` as an event, because some clients
  dispatch it. Whoever masks must then inspect it or drop it.
"""

from dataclasses import dataclass

from extproc.errors import Uninspectable

MAX_EVENT = 16 * 1024 * 1024
"""Bytes one event may have. A part of an image in base64 is the largest thing seen."""

_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Event:
    """One dispatched block. `data` is the data lines joined by LF; `id` and `retry` are the last of their lines. None
    if there was no such line."""

    event: str
    data: bytes | None
    raw: bytes
    comment: bool = False
    complete: bool = True
    id: bytes | None = None
    retry: bytes | None = None


class SseReader:
    """Cuts a byte stream into events. `feed` any number of times, then `finish` once."""

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._max = max_event
        self._parts: list[bytes] = []  # the unfinished line; joined only once its end is there, so never quadratic
        self._raw: list[bytes] = []  # whole lines of the event that is being read
        self._size = 0  # bytes in `_parts` and `_raw`
        self._data: list[bytes] = []
        self._event = b""
        self._id: bytes | None = None
        self._retry: bytes | None = None
        self._first = True
        self._skip_lf = False  # the last line ended in CR at the end of a chunk: an LF now belongs to it

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes. Raises `Uninspectable` when an event grows beyond the cap."""
        events: list[Event] = []
        if not chunk:
            return events
        self._size += len(chunk)
        if self._first:
            chunk = b"".join((*self._parts, chunk))
            self._parts = []
            if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
                self._parts = [chunk]  # may still become a byte order mark
                return events
            self._first = False
            if chunk.startswith(_BOM):
                self._size -= len(_BOM)
                chunk = chunk[len(_BOM) :]
        if self._skip_lf:
            self._skip_lf = False
            if chunk.startswith(b"\n"):
                self._raw.append(b"\n")
                chunk = chunk[1:]
        if b"\r" in chunk:
            self._lines_of_any_end(chunk, events)
        elif b"\n" in chunk:
            self._lines(chunk, events)
        else:
            self._parts.append(chunk)
        if self._size > self._max:
            raise Uninspectable("An event of the answer is larger than this gateway inspects.")
        return events

    def finish(self) -> list[Event]:
        """What the end of the stream leaves: at most a comment and one event, which is marked as not complete."""
        events: list[Event] = []
        line = b"".join(self._parts)
        self._parts = []
        if line:
            self._line(line, line, events)
        if self._raw:
            self._dispatch(b"", events)
            events[-1].complete = False
        return events

    def _lines(self, chunk: bytes, events: list[Event]) -> None:
        """Reads the whole lines of a chunk without CR, which is nearly every chunk there is."""
        if self._parts:
            self._parts.append(chunk)
            chunk = b"".join(self._parts)
            self._parts = []
        start = 0
        find = chunk.find
        end = find(b"\n")
        while end >= 0:
            self._line(chunk[start:end], chunk[start : end + 1], events)
            start = end + 1
            end = find(b"\n", start)
        if start < len(chunk):
            self._parts.append(chunk[start:])

    def _lines_of_any_end(self, chunk: bytes, events: list[Event]) -> None:
        """The same where lines may end in CR, LF or CRLF. A CR ends its line at once; a late LF is skipped."""
        if self._parts:
            self._parts.append(chunk)
            chunk = b"".join(self._parts)
            self._parts = []
        for whole in chunk.splitlines(keepends=True):  # of bytes: CR, LF and CRLF only
            line = whole.rstrip(b"\r\n")
            if len(line) == len(whole):
                self._parts.append(whole)
            else:
                self._line(line, whole, events)
        self._skip_lf = chunk.endswith(b"\r")

    def _line(self, line: bytes, raw: bytes, events: list[Event]) -> None:
        """One line, without and with its end."""
        if not line:
            self._dispatch(raw, events)
            return
        if line[0] == 0x3A:
            self._size -= len(raw)
            events.append(Event("", None, raw, comment=True))
            return
        self._raw.append(raw)
        if line.startswith(b"data: "):
            self._data.append(line[6:])
            return
        name, _, value = line.partition(b":")
        if value.startswith(b" "):
            value = value[1:]
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value
        elif name == b"id":
            self._id = value
        elif name == b"retry":
            self._retry = value

    def _dispatch(self, blank: bytes, events: list[Event]) -> None:
        data = self._data
        self._raw.append(blank)
        raw = b"".join(self._raw)
        self._size -= len(raw)
        name = self._event.decode("utf-8", "replace") if self._event else ""
        event = Event(name, b"\n".join(data) if data else None, raw)
        if self._id is not None or self._retry is not None:
            event.id, event.retry = self._id, self._retry
            self._id = self._retry = None
        events.append(event)
        self._raw = []
        self._data = []
        self._event = b""


def encode(event: str, data: bytes) -> bytes:
    """One event. `event` "" leaves the event line out; `data` is cut at line ends into data lines."""
    head = b"event: " + event.encode("utf-8").replace(b"\r", b" ").replace(b"\n", b" ") + b"\n" if event else b""
    return b"%bdata: %b\n\n" % (head, lines(data))


def lines(data: bytes) -> bytes:
    """What stands after the first `data: ` so that every line of `data` stands in a data line of its own."""
    if b"\n" in data or b"\r" in data:
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\ndata: ")
    return data
