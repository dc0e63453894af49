"""Screening's own door to RE2: many phrases in one pass, and the places of one pattern.

RE2, because the text is hostile: its time is linear in the text whatever the pattern, where the standard library's
engine backtracks. A door of its own, because rooms on one layer do not import each other: masking's asks for exact
spans and holds nothing that knows many patterns at once, and this one is mainly RE2's set, which answers "which of
these hundred" in one pass (5 µs for 4 KB).

Bytes are UTF-8, because RE2 reads them so. Case is ignored throughout; `(?-i:...)` brings it back.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import re2

MOST_FINDS = 20_000
"""Finds of one pattern in one text that are looked at one by one, at some microseconds each: a text may be nothing but
what is looked for. What comes behind them is judged as a whole."""

_MEMORY = 64 << 20  # RE2's budget for one automaton: a cap on growth, not a reservation
# Between two words of a phrase: what is no letter or digit. Only ASCII and the punctuation of U+2000..206F, because
# RE2's \W would take in every letter of another script.
_GAP = r"(?:[\x00-/:-@\[-`{-\x7f\x{a0}\x{2000}-\x{206f}\x{3000}-\x{3002}]+)"


def phrase(notation: str) -> str:
    """A pattern from its notation: a blank is any gap between words, ` <3>` a gap with up to three words in it.

    So "ignore <3>instructions" also finds `Ignore **all** of the\\ninstructions`. The rest is RE2's syntax, and
    in a class of characters a blank is a blank.
    """
    return re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]| <(\d)>| ", _written, notation)


def _written(found: re.Match[str]) -> str:
    """One piece of the notation in RE2's syntax: an escape or a class stays, with its blanks as blanks."""
    if found[1]:
        return rf"{_GAP}(?:\w+{_GAP}){{0,{found[1]}}}"
    return _GAP if found[0] == " " else found[0]


def _options() -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = _MEMORY
    return options


def encoded(text: str) -> bytes:
    """The text as RE2 reads it. A lone surrogate, which JSON can bring, stays itself both ways."""
    return text.encode("utf-8", "surrogatepass")


def decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogatepass")


class Phrases:
    """Many patterns at once, in some passes. Immutable; holds no text.

    Several sets and not one: the states of an automaton for unrelated phrases multiply, and a text of many different
    words then makes new states all the time (measured: 5 ms for 4 KB of source code with one set, 0.1 ms with three).
    """

    __slots__ = ("_sets",)

    def __init__(self, *groups: Sequence[str]) -> None:
        """`groups`: patterns in RE2's syntax, one pass for each group; they are numbered through.

        Raises `re2.error` for one that is not a pattern: they are ours, so at import.
        """
        first = 0
        sets = []
        for group in groups:
            compiled = re2.Set.SearchSet(_options())
            for pattern in group:
                compiled.Add(pattern)
            compiled.Compile()
            sets.append((first, compiled))
            first += len(group)
        self._sets = tuple(sets)

    def hits(self, text: bytes) -> list[int]:
        """The numbers of the patterns that occur in the text, in no order."""
        return [first + hit for first, patterns in self._sets for hit in patterns.Match(text) or ()]


class Pattern:
    """One pattern. Immutable; holds no text."""

    __slots__ = ("_pattern",)

    def __init__(self, pattern: str) -> None:
        self._pattern = re2.compile(pattern.encode(), _options())

    def found(self, text: bytes) -> bool:
        return self._pattern.search(text) is not None

    def places(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Where it matches, leftmost first, without overlap."""
        for match in self._pattern.finditer(text):
            yield match.span()

    def parts(self, text: bytes) -> Iterator[tuple[tuple[int, int], tuple[str, ...]]]:
        """The same with its groups as text, "" for one that took no part."""
        for match in self._pattern.finditer(text):
            yield match.span(), tuple(decoded(group or b"") for group in match.groups())
