"""The only door to RE2: a compiled pattern that is asked for places, not for match objects.

RE2's Python wrapper makes a generator, clamps both ends and builds a match object for each search: about 1 µs where the
search itself takes 0.4 µs on a short text (measured with google-re2 1.1), and masking asks a dozen times per secret.
So the call underneath is used where it is what we know. That is tried once, at import, against the public API; whatever
differs (a name that is gone, another result) leaves the public API in use, slower and the same in result.

Bytes are UTF-8, because RE2 reads them so; `\\b` at a limit looks at what stands beyond it in the text.
"""

from collections.abc import Callable
from typing import Any

import re2

Span = tuple[int, int]
Find = Callable[[bytes, int, int], Span | None]
Place = Callable[[bytes, int, int], int]

_MEMORY = 64 << 20  # RE2's budget for one automaton: a cap on growth, not a reservation


class Refused(Exception):
    """RE2 does not take a pattern. The message says why and never quotes the pattern, which may be a secret."""


class Automaton:
    """One pattern. Immutable; holds no text. Contract of `begin` and `end`: 0 <= begin <= end <= len(text).

    `find(text, begin, end)`: the span of the leftmost match between them, or None.
    `start(text, begin, end)`: where that match starts, -1 when there is none.
    `reach(text, begin, end)`: where the match that starts at `begin` ends, -1 when none does.
    """

    __slots__ = ("_pattern", "find", "reach", "start")

    find: Find
    start: Place
    reach: Place

    def __init__(self, pattern: str, *, longest: bool = True) -> None:
        """`longest`: of all matches that start at one place the longest, else the first alternative's.

        Raises `Refused`.
        """
        options = re2.Options()
        options.log_errors = False
        options.never_capture = True
        options.longest_match = longest
        options.max_mem = _MEMORY
        try:
            self._pattern = re2.compile(pattern.encode(), options)
        except re2.error as error:
            raise Refused(_reason(error)) from None
        self.find, self.start, self.reach = DOOR(self._pattern)

    @property
    def only_ascii(self) -> bool:
        """Whether every match surely begins with an ASCII character."""
        try:
            _, last = self._pattern.possiblematchrange(8)
        except re2.error:
            return False
        return bool(last) and last[0] < 0x80


def public(pattern: Any) -> tuple[Find, Place, Place]:
    """`find`, `start` and `reach` by RE2's public API."""

    def find(text: bytes, begin: int, end: int) -> Span | None:
        match = pattern.search(text, begin, end)
        return None if match is None else match.span()

    def start(text: bytes, begin: int, end: int) -> int:
        match = pattern.search(text, begin, end)
        return -1 if match is None else match.start()

    def reach(text: bytes, begin: int, end: int) -> int:
        match = pattern.match(text, begin, end)
        return -1 if match is None else match.end()

    return find, start, reach


def direct(pattern: Any) -> tuple[Find, Place, Place]:
    """The same by the call under it, which answers with spans: (-1, -1) for no match."""
    spans = pattern._regexp.Match  # noqa: SLF001 (the module's text says why, `_known` that it is there)
    anywhere, here = re2._Anchor.UNANCHORED, re2._Anchor.ANCHOR_START  # noqa: SLF001

    def find(text: bytes, begin: int, end: int) -> Span | None:
        found: Span = spans(anywhere, text, begin, end)[0]
        return found if found[0] >= 0 else None

    def start(text: bytes, begin: int, end: int) -> int:
        place: int = spans(anywhere, text, begin, end)[0][0]
        return place

    def reach(text: bytes, begin: int, end: int) -> int:
        stop: int = spans(here, text, begin, end)[0][1]
        return stop

    return find, start, reach


def _known() -> bool:
    """Whether the inner call is there and answers as the public API does."""
    text = "aab ab\u00e9 ab".encode()
    for expression in (b"a*b\\b", b"(?:b|ab?)\\z", b"", b"x"):
        pattern = re2.compile(expression)
        try:
            pairs = list(zip(direct(pattern), public(pattern), strict=True))
            same = all(
                quick(text, begin, end) == slow(text, begin, end)
                for quick, slow in pairs
                for begin in range(len(text) + 1)
                for end in range(begin, len(text) + 1)
            )
        except (AttributeError, TypeError, ValueError, IndexError):  # it is not what it was
            return False
        if not same:
            return False
    return True


def _reason(error: Exception) -> str:
    """RE2's reason without the piece of the pattern that it quotes after the colon."""
    message = error.args[0] if error.args else b""
    text = message.decode("utf-8", "replace") if isinstance(message, bytes) else str(message)
    return text.partition(":")[0]


DOOR = direct if _known() else public
