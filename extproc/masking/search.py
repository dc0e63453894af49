"""Rules searched together: the starts of matches in one buffer, in order. Never decides what is masked."""

from bisect import bisect_left
from operator import itemgetter

import re2

from extproc.masking.checks import NO_DIGIT
from extproc.masking.core import compile_hold, compile_re2, union
from extproc.masking.cover import Cover
from extproc.masking.entry import Entry
from extproc.masking.prefix import render
from extproc.masking.sieve import ENOUGH, starts
from extproc.masking.syntax import Node

NEVER = "[^\\x{0}-\\x{10ffff}]"
Dispatch = tuple[tuple[Entry, ...], ...]  # by first byte, the rules a match can belong to, in rule order


class Engine:
    """A choice of rules, compiled together. Immutable; holds no text."""

    __slots__ = (
        "every",
        "extended",
        "free",
        "hold",
        "numbers",
        "others",
        "pattern",
        "plain",
        "rest",
        "sieved",
        "tries",
    )

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.pattern = _compiled([entry.core.node for entry in entries])
        self.tries = _dispatch(entries)
        self.extended = _compiled([entry.core.node for entry in entries if entry.extends], longest=False)
        self.plain = _dispatch(tuple(entry for entry in entries if not entry.extends))
        self.hold = compile_hold(union([entry.core.node for entry in entries])) if entries else compile_re2("\\z")
        self.sieved = tuple(entry for entry in entries if entry.core.digits is not None)
        others = tuple(entry for entry in entries if entry.core.digits is None)
        self.rest = _compiled([entry.core.node for entry in others])
        self.others = _dispatch(others)
        self.numbers = _dispatch(self.sieved)
        counts = [entry.core.digits for entry in self.sieved if entry.core.digits is not None]
        self.free = frozenset[int]().union(*(free for free, _ in counts))
        self.every = frozenset[int]().union(*(every for _, every in counts))


def _compiled(nodes: list[Node], *, longest: bool = True) -> "re2._Regexp":
    return compile_re2(render(union(nodes)) if nodes else NEVER, longest=longest)


def _dispatch(entries: tuple[Entry, ...]) -> Dispatch:
    return tuple(tuple(entry for entry in entries if byte in entry.core.first) for byte in range(256))


class Ahead:
    """The next start of a pattern, remembered until it is passed: asked for rising places, it reads a text once."""

    __slots__ = ("_next", "_pattern", "_text")

    def __init__(self, pattern: "re2._Regexp", text: bytes) -> None:
        self._pattern = pattern
        self._text = text
        self._next = -1

    def start(self, at: int) -> int:
        """The first start at `at` or later; the text's length when there is none."""
        if self._next < at:
            match = self._pattern.search(self._text, at)
            self._next = len(self._text) if match is None else match.start()
        return self._next


class Search:
    """One pass over one buffer. `next` is asked for rising places."""

    __slots__ = ("_engine", "_extended", "_numbers", "_rest", "_text")

    def __init__(self, engine: Engine, text: bytes) -> None:
        self._engine = engine
        self._text = text
        self._extended = Ahead(engine.extended, text)
        self._rest = Ahead(engine.rest, text)
        self._numbers: list[int] | None = None
        if engine.sieved and len(text) > ENOUGH and len(digits_in(text)) > ENOUGH:
            self._numbers = starts(text, engine.free, engine.every)

    def next(self, at: int, before: int, cover: Cover) -> tuple[int, list[tuple[int, Entry]]] | None:
        """The first start in [at, before) with valid matches that may change the cover, and their ends and rules:
        longest first, then rule order."""
        if self._numbers is not None:
            return self._next_of_two(self._numbers, at, before, cover)
        engine, text = self._engine, self._text
        while (match := engine.pattern.search(text, at)) is not None:
            start: int = match.start()
            if start >= before:
                return None
            at = start + 1
            tries = engine.tries
            if start < self._extended.start(start):
                if cover.indifferent(start, match.end()):
                    continue
                tries = engine.plain
            if found := self._found(start, tries[text[start]]):
                return start, found
        return None

    def _next_of_two(
        self, numbers: list[int], at: int, before: int, cover: Cover
    ) -> tuple[int, list[tuple[int, Entry]]] | None:
        """The same where numbers come from the sieve and the other rules from their pattern."""
        engine, text = self._engine, self._text
        place = bisect_left(numbers, at)
        while True:
            place = self._past_swallowed(numbers, place, cover)
            number = numbers[place] if place < len(numbers) else before
            other = self._rest.start(at)
            start = min(number, other)
            if start >= before:
                return None
            tries = engine.tries if number == other else engine.numbers if start == number else engine.others
            if found := self._found(start, tries[text[start]]):
                return start, found
            at = start + 1
            place += start == number

    def _past_swallowed(self, numbers: list[int], place: int, cover: Cover) -> int:
        """Leaves out numbers that end inside what is masked anyway: a long run is masked, then not read again."""
        if place < len(numbers):
            start = numbers[place]
            least = min(cover.swallowed(entry, start) - entry.core.widest for entry in self._engine.sieved)
            if least > start:
                return bisect_left(numbers, least, place)
        return place

    def _found(self, start: int, tries: tuple[Entry, ...]) -> list[tuple[int, Entry]]:
        text = self._text
        found = [(end, entry) for entry in tries if (end := entry.core.end(text, start)) >= 0]
        if len(found) > 1:
            found.sort(key=itemgetter(0), reverse=True)  # stable: rule order stays where ends are the same
        return found


def digits_in(text: bytes) -> bytes:
    """The ASCII digits, in order."""
    return text.translate(None, NO_DIGIT)
