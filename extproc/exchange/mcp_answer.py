"""Reads what an MCP server answers: hides what the caller may not see, and masks what it may not read.

A JSON-RPC message arrives whole: one JSON body, or one SSE event. No string of it goes on in another message, and no
client joins texts of different messages, so each is masked at once and nothing is held back from one to the next.
Content blocks, too, are texts of their own; what a client makes by joining them is beyond what is inspected here.

Every message is treated by what it looks like, not by what was asked: a stream may carry answers to other requests of
the session, and nobody promises that a server answers only what it was asked. A list is filtered wherever a result
has one. With neither a mask nor a filter, bytes pass unchanged; otherwise what passes is always the re-encoded
message, so that duplicate keys cannot show the client another message than the one that was inspected; and every block
of a stream is made anew from the fields that clients know, so that no line can become another field or event.
"""

from collections.abc import Callable
from typing import Any, Protocol

from extproc.errors import Uninspectable
from extproc.exchange import json_body, sse
from extproc.exchange.mcp_mask import MessageMask
from extproc.exchange.model import Answer, JsonObject, McpCall, Usage
from extproc.exchange.text import TextFilter

# (kind, name) to whether the caller may see it; kind is "tool", "prompt", "resource" or "resource_template".
Visible = Callable[[str, str], bool]

BINARY_NOTE = "binary-not-inspected"
STATE_NOTE = "state-not-inspected"
CUT_NOTE = "cut-off-event-dropped"

_LISTS = (
    ("tools", "tool", "name"),
    ("prompts", "prompt", "name"),
    ("resources", "resource", "uri"),
    ("resourceTemplates", "resource_template", "uriTemplate"),
)
_STOPPED: Any = object()
_BOM = b"\xef\xbb\xbf"  # some readers drop it and then see JSON
_HEADS = {name: b"event: " + name.encode() + b"\n" for name in ("message", "ping")} | {"": b""}
_RETRY_DIGITS = 9  # milliseconds: eleven days


Finish = Callable[[Any], None]


class Watch(Protocol):
    """Sees each message first, and may change it in place. `size`: the bytes it came in. `notes` are for the audit."""

    notes: tuple[str, ...]

    def __call__(self, message: Any, size: int) -> bool:
        """Whether the message may go on at all."""
        ...


def answer(
    call: McpCall,
    mask: TextFilter | None,
    visible: Visible | None,
    finish: Finish | None = None,
    watch: Watch | None = None,
) -> Answer:
    """A reader for the answer to `call`. `visible` None shows everything; `mask` None masks nothing. `watch` sees each
    message first; `finish` changes it in place, last of all."""
    if mask is None and visible is None and finish is None and watch is None:
        return Unchanged()
    return McpAnswer(call, mask, visible, finish, watch)


class Unchanged:
    """An answer nobody has to look into."""

    __slots__ = ("finish_reasons", "model", "notes", "usage")

    framing = "text/event-stream"

    def __init__(self) -> None:
        self.usage = Usage()
        self.model = ""
        self.finish_reasons: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()

    def document(self, body: bytes) -> bytes:
        return body

    def feed(self, chunk: bytes) -> bytes:
        return chunk

    def finish(self) -> bytes:
        return b""


class McpAnswer:
    """One answer, as a JSON document or as an SSE stream (see `model.Answer`).

    When an event cannot be read, what came before it in the same chunk is still given out, and `Uninspectable` is
    raised by the next call: so the client sees the same bytes however the network cut them.
    """

    framing = "text/event-stream"
    # fmt: off
    __slots__ = ("_endpoint", "_failed", "_finish", "_mask", "_max_event", "_modern", "_reader", "_visible", "_watch",
                 "finish_reasons", "model", "notes", "usage")
    # fmt: on

    def __init__(
        self,
        call: McpCall,
        mask: TextFilter | None,
        visible: Visible | None,
        finish: Finish | None = None,
        watch: Watch | None = None,
        *,
        max_event: int = sse.MAX_EVENT,
    ) -> None:
        self.usage = Usage()
        self.model = ""
        self.finish_reasons: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self._mask = None if mask is None else MessageMask(mask, call.id if call.kind == "request" else None)
        self._visible = visible
        self._finish = finish
        self._watch = watch
        self._modern = call.era == "modern"
        self._endpoint = call.kind == "stream"
        self._max_event = max_event
        self._reader = sse.SseReader(max_event)
        self._failed: Uninspectable | None = None

    def document(self, body: bytes) -> bytes:
        """A whole JSON answer. No body (202) stays none; what is not JSON raises `Uninspectable`."""
        if not body:
            return body
        inspected = self._inspect(json_body.decode_any(body), len(body))
        if inspected is _STOPPED:
            raise Uninspectable("It asks the client for something that policy does not let the server ask for.")
        return json_body.encode(inspected)

    def feed(self, chunk: bytes) -> bytes:
        if self._failed is not None:
            raise self._failed
        out: list[bytes] = []
        try:
            # one by one, because what was read before a failure is given out
            out.extend(map(self._event, self._reader.feed(chunk)))
        except Uninspectable as error:
            self._failed = error
        return b"".join(out)

    def finish(self) -> bytes:
        """What stands at the end without its blank line. Most clients drop it; it passes only if it can be read."""
        if self._failed is not None:
            raise self._failed
        out: list[bytes] = []
        for event in self._reader.finish():
            try:
                out.append(self._event(event))
            except Uninspectable:
                self._note(CUT_NOTE)
        return b"".join(out)

    def _event(self, event: sse.Event) -> bytes:
        """The block made anew from the fields that clients know, so that nothing but these can reach any client."""
        if len(event.raw) > self._max_event:  # the reader measures only what waits; an event may also come at once
            raise Uninspectable("An event of the answer is larger than this gateway inspects.")
        if event.comment:
            return b":" + self._line(event.raw.rstrip(b"\r\n")[1:]) + b"\n"
        data, name = event.data, event.event
        if data is None or data.isspace() or not data:  # a priming event with an id and empty data, a bare retry
            new = None if data is None else b""
        elif name == "endpoint" and self._endpoint:
            # Where the client is to post to, says HTTP+SSE of 2024-11-05. Only the server's own host has that address:
            # what is posted to us at it would be another route's, the client's token in hand.
            raise Uninspectable(
                "The server speaks HTTP+SSE of 2024-11-05, which is not served here. Put the address of its Streamable "
                "HTTP into the policy."
            )
        else:
            try:
                message = self._inspect(json_body.decode_any(data), len(data))
                if message is _STOPPED:
                    return b""
                new = json_body.encode(message)
            except Uninspectable:
                if name in ("", "message") or data.startswith(_BOM):
                    raise
                # Clients read only `message` events as JSON-RPC, so this can be any text; and text can be masked.
                new = self._text(data)
        head = _HEADS.get(name) if event.id is None and event.retry is None else None
        if head is None:
            head = self._head(event)
        if new is None:
            # Bytes that keep the connection alive pass; a block that was cut off before its first field says nothing.
            return head + b"\n" if head or event.complete else b""
        return b"%bdata: %b\n\n" % (head, sse.lines(new))

    def _head(self, event: sse.Event) -> bytes:
        """The lines before the data. An id or a retry that clients would pass over is left out."""
        head = b""
        if event.event:
            head = _HEADS.get(event.event) or b"event: " + self._line(event.event.encode("utf-8")) + b"\n"
        if event.id is not None and b"\0" not in event.id:
            head += b"id: " + self._line(event.id) + b"\n"
        retry = event.retry
        if retry is not None and retry.isdigit() and len(retry) <= _RETRY_DIGITS:
            head += b"retry: " + retry + b"\n"
        return head

    def _line(self, text: bytes) -> bytes:
        """One line of text, masked, and still one line."""
        return self._text(text).replace(b"\r", b" ").replace(b"\n", b" ")

    def _text(self, text: bytes) -> bytes:
        if self._mask is None:
            return text
        try:
            plain = text.decode("utf-8")
        except UnicodeDecodeError:
            raise Uninspectable("An event of the answer is not UTF-8.") from None
        return self._mask.text(plain).encode("utf-8")

    def _inspect(self, message: Any, size: int) -> Any:
        """One message, or each of a batch (2025-03-26 lets servers answer in batches); `_STOPPED` for one that may not
        go on."""
        if type(message) is list:
            seen = [self._inspect(item, size) for item in message]
            return [item for item in seen if item is not _STOPPED]
        watch = self._watch
        if watch is not None:
            passes = watch(message, size)
            for note in watch.notes:
                self._note(note)
            if not passes:
                return _STOPPED
        if type(message) is dict and type(message.get("result")) is dict:
            self._show(message["result"])
        if self._mask is not None:
            message = self._mask.message(message)
            if self._mask.binary:
                self._note(BINARY_NOTE)
            if self._mask.state:
                self._note(STATE_NOTE)
        if self._finish is not None:
            self._finish(message)
        return message

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes = (*self.notes, note)

    def _show(self, result: JsonObject) -> None:
        """Drop the entries of a list that the caller may not see, and those whose name cannot be told.

        The page may become empty and keeps its `nextCursor`. What was filtered or masked for one caller must not be
        shared with another: `cacheScope` becomes private.
        """
        visible = self._visible
        listed = False
        for key, kind, name in _LISTS:
            if key in result:
                listed = True
                if visible is not None:
                    entries = result[key]
                    result[key] = [
                        entry
                        for entry in (entries if type(entries) is list else ())
                        if type(entry) is dict and type(entry.get(name)) is str and visible(kind, entry[name])
                    ]
        if "cacheScope" in result or (listed and self._modern):
            result["cacheScope"] = "private"
