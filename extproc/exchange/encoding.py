"""Content codings: compressed bodies are read, bounded, or refused; never passed unread.

Only gzip and deflate are decoded: they are what Python decodes without a further dependency on every supported version.
Upstreams are asked for `identity`, so a coded answer is the exception.
"""

import zlib

from extproc.errors import BadRequest, Uninspectable
from extproc.exchange.refusal import REASONS, Reason

FREE = 1 << 20
"""Bytes that a compressed body may unpack to however small it is."""

RATIO = 100
"""How many times its own size a larger one may unpack to. Text packs 5 to 30 times, a bomb a thousand times."""

_READABLE = {"gzip": 31, "x-gzip": 31, "deflate": 47}
_IDENTITY = ("", "identity")


def readable(coding: str) -> bool:
    """Whether `decode_request` and `Decoder` know this Content-Encoding value."""
    coding = coding.strip().lower()
    return coding in _IDENTITY or coding in _READABLE


def decode_request(body: bytes, coding: str, limit: int) -> bytes:
    """The plain body, at most `limit` bytes; of a packed one, at most `RATIO` times its size. Raises `BadRequest`."""
    coding = coding.strip().lower()
    if coding in _IDENTITY:
        if len(body) > limit:
            raise _refused(Reason.BODY_TOO_LARGE)
        return body
    if coding not in _READABLE:
        raise _refused(Reason.CONTENT_ENCODING)
    reader = zlib.decompressobj(_READABLE[coding])
    limit = min(limit, max(FREE, RATIO * len(body)))
    try:
        plain = reader.decompress(body, limit + 1)
    except zlib.error:
        raise BadRequest(Reason.CONTENT_ENCODING, "The body is not what its Content-Encoding says.", 400) from None
    if len(plain) > limit:  # a bomb unpacks to the limit and no further
        raise _refused(Reason.BODY_TOO_LARGE)
    if not reader.eof or reader.unused_data:
        raise BadRequest(Reason.CONTENT_ENCODING, "The compressed body is cut off or has bytes after its end.", 400)
    return plain


def _refused(reason: Reason) -> BadRequest:
    return BadRequest(reason, REASONS[reason].message, REASONS[reason].status)


class Decoder:
    """An answer's coding, undone chunk by chunk. Output of one answer is bounded by `limit` bytes and by
    `RATIO` times what has come, beyond `FREE` bytes.

    `feed` any number of times, then `finish` once. Both raise `Uninspectable`.
    """

    __slots__ = ("_given", "_left", "_packed", "_reader")

    def __init__(self, coding: str, limit: int) -> None:
        self._reader = zlib.decompressobj(_READABLE[coding.strip().lower()])
        self._left = limit
        self._packed = 0  # bytes that came
        self._given = 0  # bytes they unpacked to

    def feed(self, chunk: bytes) -> bytes:
        """What `chunk` unpacks to. Broken, over-long and continued streams raise."""
        if self._left < 0:  # for zlib a bound of nothing means no bound
            raise _too_long()
        self._packed += len(chunk)
        most = min(self._left, max(FREE, RATIO * self._packed) - self._given)
        try:
            plain = self._reader.decompress(chunk, most + 1)
        except zlib.error:
            raise Uninspectable("It is not what its Content-Encoding says.") from None
        self._given += len(plain)
        self._left -= len(plain)
        if len(plain) > most:
            self._left = -1  # what follows cannot be read either
            raise _too_long()
        if self._reader.unused_data:  # a second member: some clients would read it, some would not
            raise Uninspectable("It has bytes after the end of its compressed part.")
        return plain

    def finish(self) -> None:
        """The end of the answer: a stream that is cut off there is not what its Content-Encoding says."""
        if self._packed and not self._reader.eof:
            raise Uninspectable("Its compressed part is cut off.")


def _too_long() -> Uninspectable:
    return Uninspectable("The upstream's answer unpacks to more than this gateway inspects.", Reason.ANSWER_TOO_LARGE)
