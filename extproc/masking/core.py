"""A rule, compiled: what one start position in a text means for it. Never decides between rules.

Works on UTF-8 bytes, because RE2 does; offsets are bytes and always fall between characters. Case classes, `\\b` and
`\\d` are ASCII's, as in RE2.
"""

from collections.abc import Callable
from dataclasses import dataclass

from extproc.errors import RuleError
from extproc.masking.automaton import Automaton, Refused
from extproc.masking.checks import CHECKS, WITHIN, Check
from extproc.masking.prefix import beginnings, bounded, check_bounds, first_bytes, render, split_tail
from extproc.masking.sieve import digit_counts
from extproc.masking.syntax import Alt, Chars, Concat, Node, literals, parse
from extproc.masking.work import FAILED, Work

NEAR = 64  # bytes before a match in which a keyword must stand


def compile_re2(pattern: str, *, longest: bool = True) -> Automaton:
    """A pattern, compiled. Raises `RuleError` when RE2 cannot hold it; never quotes it."""
    try:
        return Automaton(pattern, longest=longest)
    except Refused:
        raise RuleError("RE2 cannot compile it: too large; shorten repetitions or split the rule") from None


def compile_hold(node: Node) -> Automaton:
    """Finds the longest suffix with which a match of `node` can begin (the empty one always is)."""
    return compile_re2(f"(?:{render(beginnings(node))})\\z")


@dataclass(frozen=True, slots=True)
class Block:
    """What ends a block: the first match of `end`, or `most` bytes."""

    end: Automaton
    hold: Automaton
    most: int
    longest: int  # characters of a match of `end`


@dataclass(frozen=True, slots=True)
class Core:
    """`node` is bounded; `longest` is in characters; `first` are the bytes a match can begin with."""

    node: Node
    longest: int
    first: frozenset[int]
    pattern: Automaton
    check: Check | None
    near: Node | None
    keywords: Automaton | None
    tail: Automaton | None
    swallowed: frozenset[int]  # the bytes a character of the tail can begin with
    block: Block | None
    within: Callable[[str], str] | None  # see `checks.WITHIN`
    digits: tuple[frozenset[int], frozenset[int]] | None  # of Luhn-checked rules: see `sieve.digit_counts`

    @property
    def widest(self) -> int:
        """The most bytes a match has."""
        return 4 * self.longest

    @property
    def waits(self) -> int:
        """The most characters that ever wait because of this rule."""
        return self.longest if self.block is None else max(self.longest, self.block.longest)

    def end(self, text: bytes, start: int, work: Work) -> int:
        """The end of the longest valid match that starts at `start`; -1 when there is none.

        A candidate that fails its check is tried shorter, end by end, each where it stands (`\b` at its end looks at
        what follows in the text): a card number is not lost because digits follow.
        """
        end = self.pattern.reach(text, start, len(text))
        if end < 0:
            return -1
        if self.keywords is not None and self.keywords.find(text, max(0, start - NEAR), start) is None:
            return -1
        if (check := self.check) is not None:
            reach, within = self.pattern.reach, self.within
            while not check(candidate := text[start:end].decode()):
                work.spend(FAILED)
                most = end - 1 if within is None else start + len(within(candidate).encode())
                end = reach(text, start, most)
                if end < 0:
                    return -1
        return end

    def occurs(self, text: bytes) -> bool:
        """Whether a valid match stands anywhere in the text."""
        at = 0
        while (match := self.pattern.find(text, at, len(text))) is not None:
            if self.end(text, match[0], Work()) >= 0:
                return True
            at = match[0] + 1
        return False


def compile_core(
    pattern: str, check: str | None, keywords: tuple[str, ...], tail: str, until: str | None, until_max: int
) -> Core:
    """Raises `RuleError` (without the rule's name) when something cannot be compiled or bounded."""
    if check is not None and check not in CHECKS:
        raise RuleError(f"no check is called that; there are {', '.join(sorted(CHECKS))}")
    if tail and until:
        raise RuleError("`tail` and `until` exclude each other; a block already masks everything")
    node, swallowed = split_tail(parse(pattern))
    if swallowed is not None and until:
        raise RuleError("a block's begin marker cannot end in an unbounded repetition; give it a maximum")
    return compile_node(node, swallowed, check, keywords, tail, until, until_max)


def compile_node(
    node: Node,
    swallowed: Chars | None,
    check: str | None,
    keywords: tuple[str, ...],
    tail: str,
    until: str | None,
    until_max: int,
) -> Core:
    node = bounded(node)
    longest = check_bounds(node)
    near = literals(keywords, fold=True) if keywords else None
    if near is not None and not all(0 < len(word.encode()) <= NEAR for word in keywords):
        raise RuleError(f"a keyword needs 1 to {NEAR} bytes")
    tails = _tail(tail, swallowed)
    return Core(
        node=node,
        longest=longest,
        first=first_bytes(node)[0],
        pattern=compile_re2(render(node)),
        check=CHECKS[check] if check is not None else None,
        near=near,
        keywords=compile_re2(render(near), longest=False) if near is not None else None,
        tail=compile_re2(f"(?:{render(tails)})*") if tails is not None else None,
        swallowed=first_bytes(tails)[0] if tails is not None else frozenset(),
        block=_block(until, until_max) if until else None,
        within=WITHIN.get(check) if check is not None else None,
        digits=digit_counts(node) if check == "luhn" else None,
    )


def _tail(declared: str, swallowed: Chars | None) -> Node | None:
    classes: list[Node] = [swallowed] if swallowed is not None else []
    if declared:
        node = parse(declared)
        if not isinstance(node, Chars):
            raise RuleError("`tail` is one character class, such as [A-Za-z0-9_-]")
        classes.append(node)
    return Alt(tuple(classes)) if classes else None


def _block(until: str, most: int) -> Block:
    if most < 1:
        raise RuleError("`until_max` is the most bytes a block may have, at least 1")
    node = bounded(parse(until))
    longest = check_bounds(node)
    return Block(end=compile_re2(render(node)), hold=compile_hold(node), most=most, longest=longest)


def union(nodes: list[Node]) -> Node:
    """Any of the nodes."""
    return nodes[0] if len(nodes) == 1 else Alt(tuple(Concat((node,)) for node in nodes))
