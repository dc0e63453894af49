"""The answer phase: how one upstream answer is read, masked and passed on. Chosen once, from its headers.

    Streaming   SSE: every event leaves as soon as nothing in it can still become part of a match
    Whole       anything that must be read in one piece: held, masked, and only then begun, so that an answer that
                cannot be read becomes a proper refusal instead of a broken one
    Passing     nothing to mask or filter: bytes pass as they come, a copy tells the token usage

Envoy's full-duplex mode lets the answer to its response headers wait until the body is here; `Whole` relies on it.
"""

from typing import Protocol

from extproc.errors import Uninspectable
from extproc.exchange.encoding import Decoder, readable
from extproc.exchange.model import Answer
from extproc.session.actions import (
    Action,
    ResponseChunk,
    ResponseHeadersReply,
    ResponseTrailersReply,
)
from extproc.session.events import ResponseHeaders
from extproc.session.stages import Judged, Limits

# One gRPC message to Envoy carries at most this much of an answer, so that neither side buffers it twice in one piece.
_CHUNK = 1 << 20


class Mode(Protocol):
    """`sent`: bytes given to the client. `began`: whether the client's response has begun (no refusal after that)."""

    sent: int
    began: bool
    answer: Answer | None
    notes: tuple[str, ...]

    def begin(self) -> list[Action]: ...

    def chunk(self, body: bytes, end: bool) -> list[Action]: ...

    def trailers(self) -> list[Action]: ...


def choose(judged: Judged, event: ResponseHeaders, limits: Limits, id: str) -> Mode:
    """The mode for an upstream's answer. Raises `Uninspectable` for one that must be read and cannot be."""
    headers = event.headers
    own = (("x-gatereeve-id", id),)
    # Whoever stands upstream must not speak in our name.
    remove = tuple(name for name in headers if name.startswith("x-gatereeve-") and name != "x-gatereeve-id")
    if event.end_of_stream:
        return Bodiless(own, remove)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    coding = headers.get("content-encoding", "").strip().lower()
    coded = coding not in ("", "identity")
    if coded and not readable(coding):
        if judged.must_read:
            raise Uninspectable("it is compressed in a way that cannot be read")
        return Passing(None, own, remove, limits, ("answer-not-read",))
    streamed = kind == "text/event-stream"
    if not judged.must_read:
        readable_now = not coded and (streamed or _is_json(kind))
        if not (streamed and readable_now):
            answer = judged.read() if readable_now else None
            return Passing(answer, own, remove, limits, () if readable_now else ("answer-not-read",))
    decoder = Decoder(coding, limits.answer) if coded else None
    drop = (*remove, "content-length", "content-encoding")
    if streamed:
        return Streaming(judged.read(), decoder, own, drop)
    if not _is_json(kind) and kind[:5] != "text/" and kind:
        raise Uninspectable("its content type is none that can be read")
    return Whole(judged, _is_json(kind), decoder, own, drop, limits)


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


class _Base:
    __slots__ = ("_remove", "_set", "answer", "began", "notes", "sent")

    def __init__(self, own: tuple[tuple[str, str], ...], remove: tuple[str, ...]) -> None:
        self._set = own
        self._remove = remove
        self.answer: Answer | None = None
        self.began = False
        self.notes: tuple[str, ...] = ()
        self.sent = 0

    def begin(self) -> list[Action]:
        self.began = True
        return [ResponseHeadersReply(self._set, self._remove)]

    def _out(self, body: bytes, end: bool) -> list[Action]:
        self.sent += len(body)
        if len(body) <= _CHUNK:
            # An empty answer to a chunk says nothing: Envoy waits for the next one.
            return [ResponseChunk(body, end)] if body or end else []
        last = len(body) - 1
        return [ResponseChunk(body[at : at + _CHUNK], end and at + _CHUNK > last) for at in range(0, len(body), _CHUNK)]


class Bodiless(_Base):
    """An answer of headers only (204, 304, answers to HEAD)."""

    __slots__ = ()

    def chunk(self, body: bytes, end: bool) -> list[Action]:
        return self._out(body, end)

    def trailers(self) -> list[Action]:
        return [ResponseTrailersReply()]


class Passing(_Base):
    """Nothing is masked or filtered. What is read is only counted; what cannot be read is noted."""

    __slots__ = ("_copy", "_left")

    def __init__(
        self,
        answer: Answer | None,
        own: tuple[tuple[str, str], ...],
        remove: tuple[str, ...],
        limits: Limits,
        notes: tuple[str, ...],
    ) -> None:
        super().__init__(own, remove)
        self.answer = answer
        self.notes = notes
        self._copy: list[bytes] = []
        self._left = limits.answer if answer is not None else 0

    def chunk(self, body: bytes, end: bool) -> list[Action]:
        if self._left > 0:
            self._left -= len(body)
            self._copy.append(body)
        if end:
            self._count()
        return self._out(body, end)

    def trailers(self) -> list[Action]:
        self._count()
        return [ResponseTrailersReply()]

    def _count(self) -> None:
        if self.answer is None or not self._copy:
            return
        if self._left < 0:
            self.notes = ("answer-not-read",)
            return
        try:
            self.answer.document(b"".join(self._copy))
        except Uninspectable:
            self.notes = ("answer-not-read",)
        self._copy.clear()


class Streaming(_Base):
    """Server-sent events, masked as they pass."""

    __slots__ = ("_decoder", "_done", "_reader")

    def __init__(
        self, answer: Answer, decoder: Decoder | None, own: tuple[tuple[str, str], ...], remove: tuple[str, ...]
    ) -> None:
        super().__init__(own, remove)
        self.answer = self._reader = answer
        self._decoder = decoder
        self._done = False

    def chunk(self, body: bytes, end: bool) -> list[Action]:
        if self._done:
            return []
        if self._decoder is not None:
            body = self._decoder.feed(body)
        out = self._reader.feed(body) if body else b""
        if end:
            # Envoy has been seen to send the end twice: the tail must leave once.
            self._done = True
            out += self._reader.finish()
        return self._out(out, end)

    def trailers(self) -> list[Action]:
        if self._done:
            return [ResponseTrailersReply()]
        self._done = True
        return [*self._out(self._reader.finish(), False), ResponseTrailersReply()]


class Whole(_Base):
    """An answer that is read in one piece before any of it leaves."""

    __slots__ = ("_decoder", "_held", "_json", "_judged", "_left", "_limit")

    def __init__(
        self,
        judged: Judged,
        is_json: bool,
        decoder: Decoder | None,
        own: tuple[tuple[str, str], ...],
        remove: tuple[str, ...],
        limits: Limits,
    ) -> None:
        super().__init__(own, remove)
        self._judged = judged
        self._json = is_json
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
            raise Uninspectable(f"it is larger than the {self._limit} bytes that are inspected in one piece")
        self._held.append(body)
        return self._release(True) if end else []

    def trailers(self) -> list[Action]:
        if self.began:
            return [ResponseTrailersReply()]
        return [*self._release(False), ResponseTrailersReply()]

    def _release(self, end: bool) -> list[Action]:
        held = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        self._held.clear()
        body = self._read(held)
        self.began = True
        length = (("content-length", str(len(body))),) if end else ()
        remove = tuple(name for name in self._remove if name != "content-length") if end else self._remove
        return [ResponseHeadersReply(self._set + length, remove), *self._out(body, end)]

    def _read(self, body: bytes) -> bytes:
        if self._json:
            self.answer = self._judged.read()
            return self.answer.document(body)
        mask = self._judged.mask
        if mask is None or not body:
            return body
        try:
            return mask.text(body.decode()).encode()
        except UnicodeDecodeError:
            raise Uninspectable("it is not UTF-8 text") from None
