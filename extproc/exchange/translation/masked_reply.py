"""A reply that is masked once more as the client will read it.

An answer is masked in the provider's own format, text by text. What that format keeps apart another may join: three
content blocks become one string, and a card number that was in none of them stands whole in it. So what a translation
wrote is read as the client's dialect reads it, with the same filter. Where nothing was joined it finds nothing.
"""

from collections.abc import Callable

from extproc.exchange.model import Answer
from extproc.exchange.translation.contract import Reply


class MaskedReply:
    """Implements `translation.contract.Reply` around another. `read` makes the client's dialect's reader."""

    __slots__ = ("_read", "_reader", "_reply", "content_type")

    def __init__(self, reply: Reply, read: Callable[[], Answer]) -> None:
        self.content_type = reply.content_type
        self._reply = reply
        self._read = read
        self._reader: Answer | None = None

    def document(self, status: int, body: bytes) -> bytes:
        return self._read().document(self._reply.document(status, body))

    def feed(self, chunk: bytes) -> bytes:
        out = self._reply.feed(chunk)
        return self._masked().feed(out) if out else b""

    def finish(self) -> bytes:
        reader = self._masked()
        rest = self._reply.finish()
        return (reader.feed(rest) if rest else b"") + reader.finish()

    def _masked(self) -> Answer:
        if self._reader is None:
            self._reader = self._read()
        return self._reader
