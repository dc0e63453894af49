"""Reads what an MCP server answers: hides what the caller may not see, and masks what it may not read.

A JSON-RPC message arrives whole: one JSON body, or one SSE event. No string of it goes on in another message, and no
client joins texts of different messages, so each is masked at once and nothing is held back from one to the next.
Content blocks, too, are texts of their own; what a client makes by joining them is beyond what is inspected here.

Every message is treated by what it looks like, not by what was asked: a stream may carry answers to other requests of
the session, and nobody promises that a server answers only what it was asked. A list is filtered wherever a result
has one. With neither a mask nor a filter, bytes pass unchanged; otherwise what passes is always the re-encoded
message, so that duplicate keys cannot show the client another message than the one that was inspected.
"""

from collections.abc import Callable
from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange import json_body, sse
from extproc.exchange.mcp_mask import MessageMask
from extproc.exchange.model import Answer, JsonObject, McpCall, Usage
from extproc.exchange.text import TextFilter

# (kind, name) to whether the caller may see it; kind is "tool", "prompt", "resource" or "resource_template".
Visible = Callable[[str, str], bool]

BINARY_NOTE = "binary-not-inspected"
ENDPOINT_NOTE = "endpoint-not-inspected"
CUT_NOTE = "cut-off-event-dropped"

_LISTS = (
    ("tools", "tool", "name"),
    ("prompts", "prompt", "name"),
    ("resources", "resource", "uri"),
    ("resourceTemplates", "resource_template", "uriTemplate"),
)
_BOM = b"\xef\xbb\xbf"  # means nothing, so it is not passed on
_JSON_STARTS = (b"{", b"[", b'"')
_PLAIN_HEADS = frozenset({b"data: ", b"event: message\ndata: ", b"event: message\r\ndata: "})
_PLAIN_LINES = frozenset({b"event: message", b"event:message", b"event: endpoint", b"event: ping", b": ping"})
_PLAIN_TAILS = frozenset({b"\n\n", b"\r\n\r\n"})


def answer(call: McpCall, mask: TextFilter | None, visible: Visible | None) -> Answer:
    """A reader for the answer to `call`. `visible` None shows everything; `mask` None masks nothing."""
    return Unchanged() if mask is None and visible is None else McpAnswer(call, mask, visible)


class Unchanged:
    """An answer nobody has to look into."""

    __slots__ = ("finish_reasons", "model", "notes", "usage")

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

    # fmt: off
    __slots__ = ("_endpoint", "_failed", "_mask", "_max_event", "_modern", "_reader", "_visible",
                 "finish_reasons", "model", "notes", "usage")
    # fmt: on

    def __init__(
        self, call: McpCall, mask: TextFilter | None, visible: Visible | None, *, max_event: int = sse.MAX_EVENT
    ) -> None:
        self.usage = Usage()
        self.model = ""
        self.finish_reasons: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self._mask = None if mask is None else MessageMask(mask)
        self._visible = visible
        self._modern = call.era == "modern"
        self._endpoint = call.kind == "stream"
        self._max_event = max_event
        self._reader = sse.SseReader(max_event)
        self._failed: Uninspectable | None = None

    def document(self, body: bytes) -> bytes:
        """A whole JSON answer. No body (202) stays none; what is not JSON raises `Uninspectable`."""
        return json_body.encode(self._inspect(json_body.decode_any(body))) if body else body

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
        data, raw = event.data, event.raw.removeprefix(_BOM)
        if len(raw) > self._max_event:  # the reader measures only what waits; an event may also come at once
            raise Uninspectable("An event of the answer is larger than this gateway inspects.")
        if not data or data.isspace():  # a comment, a priming event with an id and empty data, a bare retry
            return self._lines(raw, None)
        name = event.event
        if name == "endpoint" and self._endpoint and data[:1] not in _JSON_STARTS and len(data.split()) == 1:
            # The first event of the HTTP+SSE transport of 2024-11-05: the address that the client posts to.
            self._note(ENDPOINT_NOTE)
            return self._lines(raw, data)
        try:
            new = json_body.encode(self._inspect(json_body.decode_any(data)))
        except Uninspectable:
            if name in ("", "message"):
                raise
            # Clients read only `message` events as JSON-RPC, so this can be any text; and text can be masked.
            new = data if self._mask is None else self._masked(data)
        at = raw.find(data)
        if raw[:at] in _PLAIN_HEADS and raw[at + len(data) :] in _PLAIN_TAILS:
            return raw[:at] + new + raw[at + len(data) :]
        return self._lines(raw, new)

    def _lines(self, raw: bytes, data: bytes | None) -> bytes:
        """A block with `data` in place of its data lines. Ids, names, retry and comments stay, but for their text."""
        out: list[bytes] = []
        placed = data is None
        for line in raw.splitlines(keepends=True):
            bare = line.rstrip(b"\r\n")
            end = line[len(bare) :]
            field = bare.partition(b":")[0]
            if field == b"data":
                if placed and data is not None:
                    continue
                if data is not None:
                    placed = True
                    bare = b"data: " + data
            # A line without a colon is a field without value, which clients pass over; but its name is text as well.
            elif self._mask is not None and bare and bare not in _PLAIN_LINES and field not in (b"id", b"retry"):
                masked = self._masked(bare)
                bare = bare if masked == bare else masked.replace(b"\r", b" ").replace(b"\n", b" ")
            out.append(bare + end)
        return b"".join(out)

    def _masked(self, text: bytes) -> bytes:
        try:
            plain = text.decode("utf-8")
        except UnicodeDecodeError:
            raise Uninspectable("An event of the answer is not UTF-8.") from None
        assert self._mask is not None
        return self._mask.text(plain).encode("utf-8")

    def _inspect(self, message: Any) -> Any:
        """One message, or each of a batch (2025-03-26 lets servers answer in batches)."""
        if type(message) is list:
            return [self._inspect(item) for item in message]
        if type(message) is dict and type(message.get("result")) is dict:
            self._show(message["result"])
        if self._mask is not None:
            message = self._mask.message(message)
            if self._mask.binary:
                self._note(BINARY_NOTE)
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
