"""The regular expressions a rule may be written in: a subset of RE2's syntax, read into a small tree.

The tree exists because the hold-back needs the pattern of a rule's proper prefixes, which no library derives. It knows
structure only: what a character class contains stays RE2's business (`first` is found by asking RE2). Everything that
has no meaning for "the longest match, in pieces" is refused with its remedy: lazy quantifiers, back-references,
look-around, `\\C`, `\\Q..\\E`. Groups never capture.

It never quotes a pattern in an error: patterns may hold secrets (literal lists). Errors give the position instead.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from extproc.errors import RuleError
from extproc.masking.automaton import Automaton, Refused

DEEPEST = 30  # nested groups: keeps the recursion here, and RE2's own, far from any limit
_ASCII = bytes(range(128))
_NON_ASCII_FIRST = frozenset(range(0xC2, 0xF5))  # every byte that can begin a multi-byte UTF-8 character


@dataclass(frozen=True, slots=True)
class Chars:
    """Exactly one character. `source` is self-contained RE2 (flags included)."""

    source: str
    first: frozenset[int] = field(compare=False)  # the bytes it can begin with (a superset for non-ASCII)


@dataclass(frozen=True, slots=True)
class Assertion:
    """A zero-width condition: looks at one character on each side."""

    source: str


@dataclass(frozen=True, slots=True)
class Concat:
    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Alt:
    options: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    node: "Node"
    least: int
    most: int | None  # None: unbounded


Node = Chars | Assertion | Concat | Alt | Repeat
EMPTY = Concat(())


@lru_cache(maxsize=4096)
def chars(source: str) -> Chars:
    """The leaf for a one-character pattern; RE2 says which bytes it can begin with."""
    try:
        compiled = Automaton(f"(?s:{source})")
    except Refused as error:
        raise RuleError(f"RE2 does not accept a character or class: {error}") from None
    found = frozenset(byte for byte in _ASCII if compiled.reach(_ASCII, byte, byte + 1) > byte)
    # Case folding reaches outside ASCII (K, s), and negated classes hold nearly all of Unicode.
    return Chars(source, found if compiled.only_ascii else found | _NON_ASCII_FIRST)


def literal(text: str, *, fold: bool = False) -> Node:
    """The node that matches `text` and nothing else (or any case of it)."""
    return Concat(tuple(_leaf(character, fold) for character in text))


def literals(texts: Iterable[str], *, fold: bool = False, depth: int = 0) -> Node:
    """The node that matches any of `texts`, sharing their beginnings: ten thousand alternatives side by side take RE2
    seconds, as a tree they take milliseconds."""
    entries = sorted(set(texts))
    if len(entries) == 1 or depth > DEEPEST:
        return _side_by_side(entries, fold)
    groups: dict[str, list[str]] = {}
    for text in entries:
        if text:
            key = text[0].lower() if fold and text[0].isascii() else text[0]
            groups.setdefault(key, []).append(text)
    branches = tuple(_branch(group, fold, depth) for group in groups.values())
    node = branches[0] if len(branches) == 1 else Alt(branches)
    return Repeat(node, 0, 1) if "" in entries else node


def _side_by_side(entries: list[str], fold: bool) -> Node:
    """The plain alternation of a list."""
    options = tuple(literal(text, fold=fold) for text in entries)
    return options[0] if len(options) == 1 else Alt(options)


def _branch(group: list[str], fold: bool, depth: int) -> Node:
    """Texts with the same first character: what they share, then what follows it."""
    size, low, high = 1, group[0], group[-1]
    if len(group) == 1:
        return literal(low, fold=fold)
    while not fold and size < min(len(low), len(high)) and low[size] == high[size]:  # sorted: all share what these do
        size += 1
    return Concat(
        (literal(low[:size], fold=fold), literals((text[size:] for text in group), fold=fold, depth=depth + 1))
    )


def parse(pattern: str) -> Node:
    """The tree of a pattern. Raises `RuleError` (without the rule's name) when it is outside the subset."""
    reader = _Reader(pattern)
    node = reader.alternatives(_Flags(), 0)
    if reader.at < len(pattern):
        raise reader.error("a ')' without its '('")
    return node


def _leaf(character: str, fold: bool) -> Chars:
    plain = character if character.isalnum() or not character.isascii() else f"\\x{{{ord(character):x}}}"
    return chars(f"(?i:{plain})" if fold and character.upper() != character.lower() else plain)


@dataclass(frozen=True, slots=True)
class _Flags:
    i: bool = False
    s: bool = False
    m: bool = False

    def changed(self, text: str) -> "_Flags | None":
        """These flags after `ims-ims`, or None when the text is something else."""
        on, _, off = text.partition("-")
        if not set(on + off) <= set("ims"):
            return None
        return _Flags(**{flag: (getattr(self, flag) or flag in on) and flag not in off for flag in "ims"})


class _Reader:
    """A recursive-descent reader. `at` is the position of the next character."""

    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def error(self, what: str) -> RuleError:
        return RuleError(f"pattern, character {self.at + 1}: {what}")

    def peek(self, size: int = 1) -> str:
        return self.text[self.at : self.at + size]

    def take(self) -> str:
        character = self.peek()
        if not character:
            raise self.error("the pattern ends too early")
        self.at += 1
        return character

    def alternatives(self, flags: _Flags, depth: int) -> Node:
        if depth > DEEPEST:
            raise self.error(f"more than {DEEPEST} nested groups; write it flatter")
        options: list[Node] = []
        parts: list[Node] = []
        while (character := self.peek()) and character != ")":
            if character == "|":
                self.at += 1
                options.append(_concat(parts))
                parts = []
            elif self.peek(2) == "(?" and (changed := self.inline_flags(flags)) is not None:
                flags = changed
            else:
                parts.append(self.quantified(flags, depth))
        options.append(_concat(parts))
        return options[0] if len(options) == 1 else Alt(tuple(options))

    def inline_flags(self, flags: _Flags) -> _Flags | None:
        end = self.text.find(")", self.at)
        changed = flags.changed(self.text[self.at + 2 : end]) if end > self.at + 2 else None
        if changed is not None:
            self.at = end + 1
        return changed

    def quantified(self, flags: _Flags, depth: int) -> Node:
        node = self.atom(flags, depth)
        while bounds := self.bounds():
            if isinstance(node, Assertion):
                raise self.error("an assertion cannot be repeated")
            node = Repeat(node, *bounds)
            if self.peek() == "?":
                raise self.error("a lazy quantifier; matches are always the longest, so leave the '?' out")
            if self.peek() == "+":
                raise self.error("a possessive quantifier; leave the second '+' out")
        return node

    def bounds(self) -> tuple[int, int | None] | None:
        character = self.peek()
        if character in ("*", "+", "?") and character:
            self.at += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[character]
        if character != "{":
            return None
        least, comma, most = self.text[self.at + 1 : max(self.text.find("}", self.at), self.at + 1)].partition(",")
        if not (least.isascii() and least.isdigit() and (not most or (most.isascii() and most.isdigit()))):
            raise self.error("a '{' that begins no repetition; write it as \\{")
        if len(least) > 6 or len(most) > 6:
            raise self.error("a repetition this large cannot be bounded")
        self.at = self.text.find("}", self.at) + 1
        low = int(least)
        high = int(most) if most else (None if comma else low)
        if high is not None and high < low:
            raise self.error("a repetition whose end is before its beginning")
        return low, high

    def atom(self, flags: _Flags, depth: int) -> Node:
        character = self.take()
        if character == "(":
            return self.group(flags, depth)
        if character == "[":
            return self.leaf_class(flags)
        if character == "\\":
            return self.escape(flags)
        if character == ".":
            return chars("(?s:.)" if flags.s else "[^\\n]")
        if character in "^$":
            return Assertion(f"(?{'m' if flags.m else '-m'}:{character})")
        if character in "*+?{":
            self.at -= 1
            raise self.error(f"nothing before '{character}' to repeat; write \\{character} for the character")
        return _leaf(character, flags.i)

    def group(self, flags: _Flags, depth: int) -> Node:
        if self.peek() == "?":
            if self.peek(3) == "?P<" or (self.peek(2) == "?<" and self.peek(3) not in ("?<=", "?<!")):
                end = self.text.find(">", self.at)
                if end < 0:
                    raise self.error("a group name without its '>'")
                self.at = end + 1
            else:
                end = self.text.find(":", self.at)
                changed = flags.changed(self.text[self.at + 1 : end]) if end > 0 else None
                if changed is None:
                    raise self.error("look-around and other (?...) forms; use \\b, or `keywords` for what comes before")
                flags = changed
                self.at = end + 1
        node = self.alternatives(flags, depth + 1)
        if self.peek() != ")":
            raise self.error("a '(' without its ')'")
        self.at += 1
        return node

    def leaf_class(self, flags: _Flags) -> Chars:
        begin = self.at - 1
        if self.peek() == "^":
            self.at += 1
        if self.peek() == "]":
            self.at += 1
        while (character := self.take()) != "]":
            if character == "\\":
                self.take()
            elif character == "[" and self.peek() == ":":
                end = self.text.find(":]", self.at)
                if end < 0:
                    raise self.error("a [: without its :]")
                self.at = end + 2
        source = self.text[begin : self.at]
        return self.checked(f"(?i:{source})" if flags.i else source)

    def escape(self, flags: _Flags) -> Node:
        character = self.take()
        if character in "bBAz":
            return Assertion("\\" + character)
        if character in "dDsSwW":
            return chars("\\" + character)
        if character in "ntrfva" or (character.isascii() and not character.isalnum() and character != "_"):
            return chars("\\" + character)
        if character in "xpP":
            return self.checked(self.coded(character, flags))
        raise self.error(f"the escape \\{character} is not supported")

    def coded(self, character: str, flags: _Flags) -> str:
        begin = self.at - 2
        if self.peek() == "{":
            end = self.text.find("}", self.at)
            if end < 0:
                raise self.error("a '{' without its '}'")
            self.at = end + 1
        else:
            self.at += 2 if character == "x" else 1
        source = self.text[begin : self.at]
        return f"(?i:{source})" if flags.i else source

    def checked(self, source: str) -> Chars:
        try:
            return chars(source)
        except RuleError as error:
            raise self.error(str(error)) from None


def _concat(parts: list[Node]) -> Node:
    return parts[0] if len(parts) == 1 else Concat(tuple(parts))
