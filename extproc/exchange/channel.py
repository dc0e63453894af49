"""Channels: text that a client joins from pieces, masked as the one text it becomes.

A channel is a `TextStream` with two additions. Halves of a surrogate pair that arrive in different pieces are joined
before the filter sees them, and a half without its other half becomes U+FFFD: a filter works on text, and half a
character is not text. And a channel knows when it is closed: text that arrives after its tail was let go could
complete a secret whose beginning has left, so it is refused.
"""

from extproc.errors import Uninspectable
from extproc.exchange.text import TextFilter, TextStream

_HIGH_FIRST, _HIGH_LAST, _LAST = "\ud800", "\udbff", "\udfff"


def clean(text: str) -> str:
    """`text` with surrogate pairs joined and lone surrogates replaced by U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class Joiner:
    """Makes pieces clean. Holds back one character at most: a first half whose second may be in the next piece."""

    __slots__ = ("_half",)

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        if self._half:
            if not text:
                return text
            text = self._half + text
            self._half = ""
        elif text.isascii():
            return text
        if _HIGH_FIRST <= text[-1] <= _HIGH_LAST:
            self._half = text[-1]
            text = text[:-1]
        return clean(text)

    def flush(self) -> str:
        """U+FFFD for a half that stayed alone. New again afterwards."""
        if not self._half:
            return ""
        self._half = ""
        return "\ufffd"


class TextChannel:
    """Plain text in pieces: a `TextStream` that takes any str. `before`: see `TextFilter`."""

    __slots__ = ("_joiner", "_mask", "_stream")

    def __init__(self, mask: TextFilter, before: str = "") -> None:
        self._mask = mask
        self._stream: TextStream = mask.stream(before)
        self._joiner = Joiner()

    def begin(self, before: str) -> None:
        """Another text, after `flush`, behind `before`."""
        self._stream = self._mask.stream(before)

    def feed(self, text: str) -> str:
        return self._stream.feed(self._joiner.feed(text))

    def flush(self) -> str:
        half = self._joiner.flush()
        if half:
            return self._stream.feed(half) + self._stream.flush()
        return self._stream.flush()


class Channel:
    """One place in a streamed answer whose pieces the client joins.

    `place` says where its tail goes; what that means is the dialect's business. `altered` tells whether the filter
    changed anything, for channels made with `watch`.
    """

    __slots__ = ("_pending", "_stream", "_watch", "altered", "closed", "place")

    def __init__(self, stream: TextStream, place: object, *, watch: bool = False) -> None:
        self._stream = stream
        self.place = place
        self.closed = False
        self._watch = watch
        self._pending = ""
        self.altered = False

    def feed(self, text: str) -> str:
        """What may go on now. Raises `Uninspectable` for text after the end."""
        if self.closed:
            if not text:
                return text
            raise Uninspectable("The answer went on with a text that it had ended.")
        out = self._stream.feed(text)
        if self._watch:
            self._compare(text, out)
        return out

    def close(self) -> str:
        """The tail. Nothing may follow."""
        if self.closed:
            return ""
        self.closed = True
        out = self._stream.flush()
        if self._watch:
            self._compare("", out)
            self.altered = self.altered or bool(self._pending)
        return out

    def _compare(self, text: str, out: str) -> None:
        if self.altered:
            return
        self._pending += text
        if self._pending.startswith(out):
            self._pending = self._pending[len(out) :]
        else:
            self.altered = True
            self._pending = ""
