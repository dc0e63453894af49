"""The answer phase: how one upstream answer is read, masked and passed on. Chosen once, from its headers.

    Streaming   events (SSE, lines, AWS's frames): each leaves as soon as nothing in it can still become part of a match
    Whole       anything that must be read in one piece: held, masked, and only then begun, so that an answer that
                cannot be read becomes a proper refusal instead of a broken one
    Passing     nothing to mask or filter: bytes pass as they come, a copy tells the token usage

Envoy's full-duplex mode lets the answer to its response headers wait until the body is here; `Whole` relies on it.
"""

from collections.abc import Mapping
from typing import Protocol

from extproc.errors import Uninspectable
from extproc.exchange.encoding import Decoder, readable
from extproc.exchange.mcp_headers import SESSION
from extproc.exchange.model import Answer
from extproc.exchange.refusal import Reason
from extproc.session.actions import Action, Pairs, ResponseChunk, ResponseHeadersReply, ResponseTrailersReply
from extproc.session.answer_headers import returned
from extproc.session.events import ResponseHeaders
from extproc.session.plan import DROPPED
from extproc.session.secret import Hider, hidden
from extproc.session.stages import Judged, Limits

# One gRPC message to Envoy carries at most this much of an answer, so that neither side buffers it twice in one piece.
_CHUNK = 1 << 20
SERVED_BY = "x-gatereeve-model"
_SSE = "text/event-stream"
_STREAMS = frozenset({_SSE, "application/x-ndjson", "application/vnd.amazon.eventstream"})

_UTF8 = frozenset({"", "utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "windows-1252"})


class Mode(Protocol):
    """`sent`: bytes given to the client. `began`: whether the client's response has begun (no refusal after that).
    `hidden`: how often the injected credential stood in the body."""

    sent: int
    began: bool
    answer: Answer | None
    notes: tuple[str, ...]

    @property
    def hidden(self) -> int: ...

    def begin(self) -> list[Action]: ...

    def chunk(self, body: bytes, end: bool) -> list[Action]: ...

    def trailers(self, names: tuple[str, ...]) -> list[Action]:
        """The end. No trailer passes: nobody has looked into them, and no API that we govern has any."""
        ...


def status_of(headers: Mapping[str, str]) -> int:
    """The status, 0 if there is none that is a number."""
    text = headers.get(":status", "")
    return int(text) if len(text) == 3 and text.isascii() and text.isdecimal() else 0


def choose(judged: Judged, event: ResponseHeaders, limits: Limits, id: str) -> Mode:
    """The mode for an upstream's answer. Raises `Uninspectable` for one that may not pass as it is."""
    headers = event.headers
    status = status_of(headers)
    if 300 <= status < 400 and "location" in headers:
        # SDKs follow it with the client's token in hand, to wherever it says.
        raise Uninspectable(
            "The upstream answered with a redirect, which would lead around this gateway. Its final address belongs "
            "into the policy.",
            Reason.UPSTREAM_FAILED,
        )
    secret, reply = judged.secret, judged.reply
    told = _told(judged, headers)
    if event.end_of_stream:
        if reply is not None and status < 300:
            raise Uninspectable("It is empty.")  # a client of the other API was to get an answer
        kept, remove = returned(headers, id, secret, judged.mask, changed=False, translated=reply is not None)
        return Bodiless(kept + told, remove, secret)
    said = headers.get("content-type", "").lower()
    kind = said.partition(";")[0].strip()
    coding = headers.get("content-encoding", "").strip().lower()
    coded = coding not in ("", "identity")
    # errors under a stream's type are often plain JSON: `Whole` looks
    streamed = status < 400 and kind in _STREAMS and judged.read().framing == kind
    if not judged.must_read:
        # A stream may lose the usage that its client did not ask for, and so has no length.
        kept, remove = returned(headers, id, secret, None, changed=streamed)
        kept += told
        if coded or not (streamed or _is_json(kind)):
            return Passing(None, kept, remove, secret, limits, () if status >= 400 else ("answer-not-read",))
        if streamed:
            return Streaming(judged, None, kept, remove)
        return Passing(judged.read(), kept, remove, secret, limits, ())
    _must_be_readable(status, "" if streamed else kind, said, coding)
    decoder = Decoder(coding, limits.answer) if coded else None
    kept, remove = returned(headers, id, secret, judged.mask, changed=True, translated=reply is not None)
    kept += told
    if reply is not None:
        kept += (("content-type", reply.content_type if streamed else "application/json"),)
    if streamed:
        return Streaming(judged, decoder, kept, remove)
    return Whole(judged, kind, status, decoder, kept, remove, limits)


def _told(judged: Judged, headers: Mapping[str, str]) -> Pairs:
    """What the client is told of its target: what that was not told, and which it was, if policy lets it know. Of an
    MCP server: the session, as the caller's own."""
    leg = judged.leg
    if leg is None:
        said = hidden(judged.secret, headers.get(SESSION, ""))
        return ((SESSION, judged.session(said)),) if said and judged.session is not None else ()
    told: Pairs = ((DROPPED, ", ".join(judged.dropped)),) if judged.dropped else ()
    if judged.decision.obligations.shows_model:
        told += ((SERVED_BY, f"{leg.target.provider.name}/{leg.target.model}"),)
    return told


def _must_be_readable(status: int, kind: str, said: str, coding: str) -> None:
    if not readable(coding):
        raise Uninspectable("It is compressed in a way that cannot be read.")
    if status == 206:
        raise Uninspectable("It is a part of an answer.")
    if kind and not _is_json(kind) and not kind.startswith("text/"):
        raise Uninspectable("Its content type is none that can be read.")
    for parameter in said.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in _UTF8:
            raise Uninspectable("Its character set is none that can be read.")


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


class _Base:
    __slots__ = ("_hider", "_remove", "_set", "answer", "began", "notes", "sent")

    def __init__(self, set: Pairs, remove: tuple[str, ...], secret: bytes) -> None:
        self._set = set
        self._remove = remove
        self._hider = Hider(secret) if secret else None
        self.answer: Answer | None = None
        self.began = False
        self.notes: tuple[str, ...] = ()
        self.sent = 0

    def begin(self) -> list[Action]:
        self.began = True
        return [ResponseHeadersReply(self._set, self._remove)]

    @property
    def hidden(self) -> int:
        return self._hider.found if self._hider is not None else 0

    def _out(self, body: bytes, end: bool, *, last: bool = False) -> list[Action]:
        """Everything leaves here. `last`: nothing follows but trailers."""
        if self._hider is not None:
            body = self._hider.feed(body)
            if end or last:
                body += self._hider.flush()
        self.sent += len(body)
        if len(body) <= _CHUNK:
            # An empty answer to a chunk says nothing: Envoy waits for the next one.
            return [ResponseChunk(body, end)] if body or end else []
        size = len(body)
        return [
            ResponseChunk(body[at : at + _CHUNK], end and at + _CHUNK >= size) for at in range(0, len(body), _CHUNK)
        ]


class Bodiless(_Base):
    """An answer of headers only (204, 304, answers to HEAD), or one of Envoy's own that passes as it is."""

    __slots__ = ()

    def chunk(self, body: bytes, end: bool) -> list[Action]:
        return self._out(body, end)

    def trailers(self, names: tuple[str, ...]) -> list[Action]:
        return [*self._out(b"", False, last=True), ResponseTrailersReply(names)]


class Passing(_Base):
    """Nothing is masked or filtered. What is read is only counted; what cannot be read is noted."""

    __slots__ = ("_copy", "_left")

    def __init__(
        self,
        answer: Answer | None,
        set: Pairs,
        remove: tuple[str, ...],
        secret: bytes,
        limits: Limits,
        notes: tuple[str, ...],
    ) -> None:
        super().__init__(set, remove, secret)
        self.answer = answer
        self.notes = notes
        self._copy: list[bytes] = []
        self._left = limits.answer if answer is not None else -1

    def chunk(self, body: bytes, end: bool) -> list[Action]:
        if self._left >= 0:
            self._left -= len(body)
            self._copy.append(body)
            if self._left < 0:  # too large to count: what was kept of it is let go at once
                self._copy.clear()
                self.notes = ("answer-not-read",)
        if end:
            self._count()
        return self._out(body, end)

    def trailers(self, names: tuple[str, ...]) -> list[Action]:
        self._count()
        return [*self._out(b"", False, last=True), ResponseTrailersReply(names)]

    def _count(self) -> None:
        if self.answer is None or not self._copy:
            return
        try:
            self.answer.document(b"".join(self._copy))
        except Uninspectable:
            self.notes = ("answer-not-read",)
        self._copy.clear()


class Streaming(_Base):
    """Events, masked as they pass, and written as the client's dialect has them."""

    __slots__ = ("_decoder", "_done", "_mask", "_reader", "_reply")

    def __init__(self, judged: Judged, decoder: Decoder | None, set: Pairs, remove: tuple[str, ...]) -> None:
        super().__init__(set, remove, judged.secret)
        self.answer = self._reader = judged.read()
        self._mask = judged.mask
        self._reply = judged.reply
        self._decoder = decoder
        self._done = False

    def chunk(self, body: bytes, end: bool) -> list[Action]:
        if self._done:
            return []
        if self._mask is not None:
            self._mask.renew()  # between two chunks, others are served
        if self._decoder is not None:
            body = self._decoder.feed(body)
        out = self._reader.feed(body) if body else b""
        if self._reply is not None and out:
            out = self._reply.feed(out)
        if end:
            out += self._finish()
        return self._out(out, end)

    def trailers(self, names: tuple[str, ...]) -> list[Action]:
        tail = b"" if self._done else self._finish()
        return [*self._out(tail, False, last=True), ResponseTrailersReply(names)]

    def _finish(self) -> bytes:
        # Envoy has been seen to send the end twice: the tail must leave once.
        self._done = True
        if self._decoder is not None:
            self._decoder.finish()
        tail = self._reader.finish()
        if self._reply is None:
            return tail
        return (self._reply.feed(tail) if tail else b"") + self._reply.finish()


class Whole(_Base):
    """An answer that is read in one piece before any of it leaves."""

    __slots__ = ("_decoder", "_held", "_judged", "_kind", "_left", "_limit", "_status")

    def __init__(
        self,
        judged: Judged,
        kind: str,
        status: int,
        decoder: Decoder | None,
        set: Pairs,
        remove: tuple[str, ...],
        limits: Limits,
    ) -> None:
        super().__init__(set, remove, judged.secret)
        self._judged = judged
        self._kind = kind
        self._status = status
        self._decoder = decoder
        self._held: list[bytes] = []
        self._limit = self._left = limits.answer

    def begin(self) -> list[Action]:
        return []

    def chunk(self, body: bytes, end: bool) -> list[Action]:
        if self.began:
            return []
        if self._decoder is not None:
            body = self._decoder.feed(body)
        self._left -= len(body)
        if self._left < 0:
            self._held.clear()
            message = f"The upstream's answer is larger than the {self._limit} bytes that are inspected in one piece."
            raise Uninspectable(message, Reason.ANSWER_TOO_LARGE)
        if body:
            self._held.append(body)
        return self._release(True) if end else []

    def trailers(self, names: tuple[str, ...]) -> list[Action]:
        released = [] if self.began else self._release(False)
        return [*released, ResponseTrailersReply(names)]

    def _release(self, end: bool) -> list[Action]:
        if self._decoder is not None:
            self._decoder.finish()
        held = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        self._held.clear()
        body = self._read(held)
        self.began = True
        if not end:
            return [ResponseHeadersReply(self._set, self._remove), *self._out(body, False, last=True)]
        remove = tuple(name for name in self._remove if name != "content-length")
        # A hidden credential leaves as many bytes as it had.
        return [ResponseHeadersReply((*self._set, ("content-length", str(len(body)))), remove), *self._out(body, True)]

    def _read(self, body: bytes) -> bytes:
        """The body, inspected as what it is: what merely says that it is text may still be JSON."""
        reply = self._judged.reply
        if _is_json(self._kind) or body.lstrip()[:1] in (b"{", b"["):
            self.answer = self._judged.read()
            read = self.answer.document(body)
            return read if reply is None else reply.document(self._status, read)
        if reply is not None:
            if self._status < 400:
                raise Uninspectable("It is neither JSON nor this API's stream.")
            return reply.document(self._status, self._text(body))
        if self._kind == _SSE:
            self.answer = self._judged.read()
            return self.answer.feed(body) + self.answer.finish()
        if body and self._judged.strict and self._status < 400:
            raise Uninspectable("It is neither JSON nor an event stream.")
        return self._text(body)

    def _text(self, body: bytes) -> bytes:
        mask = self._judged.mask
        if mask is None or not body:
            return body
        if b"\0" in body:  # UTF-16 and UTF-32 of digits are UTF-8 as well, in which no rule finds them
            raise Uninspectable("It holds NUL, which no text does.")
        try:
            return mask.text(body.decode()).encode()
        except UnicodeDecodeError:
            raise Uninspectable("It is not UTF-8 text.") from None
