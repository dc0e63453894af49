"""JSON documents, one a line: bytes to lines, for any way of cutting the bytes. Says nothing of what a line means."""

from extproc.errors import Uninspectable
from extproc.exchange.sse import MAX_EVENT


class NdjsonReader:
    """Cuts a byte stream into lines. `feed` any number of times, then `finish` once."""

    def __init__(self, max_line: int = MAX_EVENT) -> None:
        self._max = max_line
        self._parts: list[bytes] = []  # the unfinished line; joined only once its end is there, so never quadratic
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that `chunk` completes, without their ends. Raises `Uninspectable` when one outgrows the cap."""
        *whole, rest = chunk.split(b"\n")
        if whole:
            whole[0] = b"".join((*self._parts, whole[0]))
            self._parts = []
            self._size = 0
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
        if self._size > self._max or any(len(line) > self._max for line in whole):
            raise Uninspectable("A line of the answer is larger than this gateway inspects.")
        return whole

    def finish(self) -> list[bytes]:
        """The line that has no end, if any."""
        line = b"".join(self._parts)
        self._parts = []
        return [line] if line else []
