"""Rules searched together: the starts of matches in one buffer, in order. Never decides what is masked."""

from bisect import bisect_left
from operator import itemgetter

from extproc.masking.automaton import Automaton
from extproc.masking.checks import NO_DIGIT
from extproc.masking.core import compile_hold, compile_re2, union
from extproc.masking.cover import Cover
from extproc.masking.entry import Entry
from extproc.masking.prefix import HEAD, heads, render
from extproc.masking.sieve import ENOUGH, starts
from extproc.masking.syntax import Node
from extproc.masking.work import SIEVED, Work

NEVER = "[^\\x{0}-\\x{10ffff}]"
Among = int  # a set of an engine's rules: one bit each, the first rule's the lowest


class Engine:
    """A choice of rules, compiled together. Immutable; holds no text."""

    __slots__ = (
        "_by_bit",
        "_first",
        "_heads",
        "all",
        "entries",
        "every",
        "extended",
        "free",
        "hold",
        "numbers",
        "others",
        "pattern",
        "rest",
        "sieved",
    )

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries
        self.pattern = _compiled([entry.core.node for entry in entries])
        self.extended = _compiled([entry.core.node for entry in entries if entry.extends], longest=False)
        self.hold = compile_hold(union([entry.core.node for entry in entries])) if entries else compile_re2("\\z")
        self.sieved = tuple(entry for entry in entries if entry.core.digits is not None)
        self.rest = _compiled([entry.core.node for entry in entries if entry.core.digits is None])
        self._by_bit = {1 << place: entry for place, entry in enumerate(entries)}
        self._first = tuple(
            sum(bit for bit, entry in self._by_bit.items() if byte in entry.core.first) for byte in range(256)
        )
        each = [(bit, heads(entry.core.node)) for bit, entry in self._by_bit.items()]
        self._heads = tuple(
            tuple(sum(bit for bit, sets in each if byte in sets[place]) for byte in range(128))
            for place in range(1, HEAD)
        )
        self.all: Among = sum(self._by_bit)
        self.numbers: Among = sum(bit for bit, entry in self._by_bit.items() if entry.core.digits is not None)
        self.others: Among = self.all - self.numbers
        counts = [entry.core.digits for entry in self.sieved if entry.core.digits is not None]
        self.free = frozenset[int]().union(*(free for free, _ in counts))
        self.every = frozenset[int]().union(*(every for _, every in counts))

    def found(self, text: bytes, start: int, among: Among, work: Work) -> list[tuple[int, Entry]]:
        """The ends and rules of the valid matches that start at `start`: longest first, then rule order."""
        work.spend()
        head = text[start : start + HEAD]
        among &= self._first[head[0]]
        if len(head) == HEAD and head.isascii():  # RE2 is asked only for rules whose first bytes can be these
            second, third, fourth, fifth = self._heads
            among &= second[head[1]] & third[head[2]] & fourth[head[3]] & fifth[head[4]]
        found = []
        while among:
            bit = among & -among
            among ^= bit
            entry = self._by_bit[bit]
            end = entry.core.end(text, start, work)
            if end >= 0:
                found.append((end, entry))
        if len(found) > 1:
            found.sort(key=itemgetter(0), reverse=True)  # stable: rule order stays where ends are the same
        return found


def _compiled(nodes: list[Node], *, longest: bool = True) -> Automaton:
    return compile_re2(render(union(nodes)) if nodes else NEVER, longest=longest)


class Ahead:
    """The next start of a pattern, remembered until it is passed: asked for rising places, it reads a text once."""

    __slots__ = ("_next", "_pattern", "_text")

    def __init__(self, pattern: Automaton, text: bytes) -> None:
        self._pattern = pattern
        self._text = text
        self._next = -1

    def start(self, at: int) -> int:
        """The first start at `at` or later; the text's length when there is none."""
        if self._next < at:
            place = self._pattern.start(self._text, at, len(self._text))
            self._next = len(self._text) if place < 0 else place
        return self._next


class Search:
    """One pass over one buffer. `next` is asked for rising places."""

    __slots__ = ("_engine", "_extended", "_free", "_inside", "_numbers", "_rest", "_text", "_work")

    def __init__(self, engine: Engine, text: bytes, work: Work) -> None:
        self._engine = engine
        self._text = text
        self._work = work
        self._extended: Ahead | None = None  # made when asked for: most texts never ask
        self._inside = self._free = -1
        self._numbers: list[int] | None = None
        if engine.sieved and len(text) > ENOUGH and (digits := len(digits_in(text))) > ENOUGH:
            work.spend(digits // SIEVED)
            self._numbers = starts(text, engine.free, engine.every)
            self._rest = Ahead(engine.rest, text)

    def next(self, at: int, before: int, cover: Cover) -> tuple[int, list[tuple[int, Entry]]] | None:
        """The first start in [at, before) with valid matches that may change the cover, and their ends and rules:
        longest first, then rule order."""
        if self._numbers is not None:
            return self._next_of_two(self._numbers, at, before, cover)
        engine, text, size = self._engine, self._text, len(self._text)
        while (match := engine.pattern.find(text, at, size)) is not None:
            start, end = match
            if start >= before:
                return None
            at = start + 1
            if start < cover.reach and end <= (inside := cover.inside(start)) and start < self._extends(start):
                at = self._behind(at, inside)
            elif found := engine.found(text, start, engine.all, self._work):
                return start, found
        return None

    def _behind(self, at: int, inside: int) -> int:
        """The first place from `at` on where a match may start that ends behind `inside`, or has a tail or a block.

        What starts before that place and ends behind `inside` would have begun there: the hold-back's automaton
        finds it in one look at the place where `inside` is. An address is left out so, instead of asked at each of
        its characters.
        """
        if inside != self._inside:
            text = self._text
            self._inside = beyond = inside
            if beyond < len(text):
                beyond += 1
                while beyond < len(text) and text[beyond] & 0xC0 == 0x80:
                    beyond += 1
                held = at + self._engine.hold.start(text[at:beyond], 0, beyond - at)
                self._free = min(held, inside)
            else:
                self._free = inside
        return max(at, min(self._free, self._extends(at)))

    def _extends(self, at: int) -> int:
        """The first place from `at` on where a match of a rule with a tail or a block starts."""
        if self._extended is None:
            self._extended = Ahead(self._engine.extended, self._text)
        return self._extended.start(at)

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
            among = engine.all if number == other else engine.numbers if start == number else engine.others
            if found := engine.found(text, start, among, self._work):
                return start, found
            at = start + 1
            place += start == number

    def _past_swallowed(self, numbers: list[int], place: int, cover: Cover) -> int:
        """Leaves out numbers that end inside what is masked anyway: a long run is masked, then not read again."""
        if place < len(numbers):
            start = numbers[place]
            least = len(self._text)
            for entry in self._engine.sieved:
                least = min(least, cover.swallowed(entry, start) - entry.core.widest)
            if least > start:
                return bisect_left(numbers, least, place)
        return place


def digits_in(text: bytes) -> bytes:
    """The ASCII digits, in order."""
    return text.translate(None, NO_DIGIT)
