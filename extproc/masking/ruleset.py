"""Rules compiled together: one automaton to see whether anything is there, one to see what must wait.

Everything that costs (milliseconds, megabytes) happens here, once per policy. A `RuleSet` is immutable and may be
shared by every exchange; it holds no text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Protocol

from extproc.errors import RuleError
from extproc.masking.core import NEAR, Core, compile_hold, compile_re2, union
from extproc.masking.prefix import loosened, render
from extproc.masking.rule import Rule, check_action

_NEVER = "[^\\x{0}-\\x{10ffff}]"
_KEPT = 4  # characters that `partial` shows, of matches at least twice as long


@dataclass(frozen=True, slots=True)
class Entry:
    """One rule in its place: `label` is what takes the match's place."""

    name: str
    core: Core
    label: bytes
    partial: bool

    def shown(self, match: bytes) -> bytes:
        """What takes the place of `match`."""
        if self.partial and len(text := match.decode()) >= 2 * _KEPT:
            return b"%s:%s]" % (self.label[:-1], text[-_KEPT:].encode())
        return self.label


class Union(Protocol):
    """What is masked so far, as far as a search may skip what cannot change it (see `cover`)."""

    def indifferent(self, start: int, end: int) -> bool: ...


class Engine:
    """A choice of rules, searched together. Offsets are bytes; `dispatch[byte]` are the rules a match beginning with
    that byte can belong to, in rule order."""

    __slots__ = ("_any", "_extended", "dispatch", "hold")

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        nodes = [entry.core.node for entry in entries]
        extended = [entry.core.node for entry in entries if entry.core.tail is not None or entry.core.block is not None]
        self._any = compile_re2(render(union(nodes)) if nodes else _NEVER)
        self._extended = compile_re2(render(union(extended)) if extended else _NEVER, longest=False)
        self.hold = compile_hold(union(nodes)) if nodes else compile_re2("\\z")
        self.dispatch = tuple(tuple(entry for entry in entries if byte in entry.core.first) for byte in range(256))

    def next(self, text: bytes, at: int, before: int, cover: Union) -> tuple[int, list[tuple[int, Entry]]] | None:
        """The first start in [at, before) with valid matches that may change the cover, and their ends and rules:
        longest first, then rule order."""
        while (match := self._any.search(text, at)) is not None:
            start: int = match.start()
            if start >= before:
                return None
            at = start + 1
            if cover.indifferent(start, match.end()) and self._extended.match(text, start) is None:
                continue
            found = [(end, entry) for entry in self.dispatch[text[start]] if (end := entry.core.end(text, start)) >= 0]
            if found:
                found.sort(key=itemgetter(0), reverse=True)  # stable: rule order stays where ends are the same
                return start, found
        return None


class RuleSet:
    """`rules` in order of precedence; `actions` overrides a rule's own action by its name.

    Raises `RuleError` for a name that occurs twice, an action for a rule that is not there, or too much together.
    """

    __slots__ = ("_full", "_keywords", "_plain", "longest", "names", "near", "trigger")

    longest: int  # the most characters that can ever be held back
    names: tuple[str, ...]

    def __init__(self, rules: Iterable[Rule], actions: Mapping[str, str] | None = None) -> None:
        chosen = tuple(rules)
        entries = tuple(_entry(rule, (actions or {}).get(rule.name, rule.action)) for rule in chosen)
        self.names = tuple(rule.name for rule in chosen)
        for name in self.names:
            if self.names.count(name) > 1:
                raise RuleError(f"rule '{name}' occurs twice; remove one or give it another name")
        for name in actions or {}:
            if name not in self.names:
                raise RuleError(f"an action for the rule '{name}', which is not in the set; there are {self.names}")
        near = [entry.core.near for entry in entries if entry.core.near is not None]
        plain = tuple(entry for entry in entries if entry.core.near is None)
        self.near = NEAR if near else 1
        self._plain = Engine(plain)
        self._full = Engine(entries) if near else self._plain
        self._keywords = compile_re2(render(union(near)), longest=False) if near else None
        # One search tells prose from everything else: a loosened match of any rule, or a keyword.
        hints = [loosened(entry.core.node) for entry in plain] + near
        self.trigger = compile_re2(render(union(hints)) if hints else _NEVER, longest=False)
        self.longest = max((entry.core.waits for entry in entries), default=0)

    def engine(self, text: bytes, begin: int) -> Engine:
        """The engine for a text whose undecided part begins at `begin`.

        Without a keyword in reach, the rules that need one cannot match, and nothing waits for them.
        """
        keywords = self._keywords
        if keywords is None or keywords.search(text, max(0, begin - NEAR)) is None:
            return self._plain
        return self._full

    @property
    def plain(self) -> Engine:
        """The rules that need no keyword: enough where `trigger` finds nothing."""
        return self._plain


def _entry(rule: Rule, action: str) -> Entry:
    try:
        check_action(action, block=rule.core.block is not None)
    except RuleError as error:
        raise RuleError(f"rule '{rule.name}': {error}") from None
    label = b"" if action == "drop" else f"[masked:{rule.name}]".encode()
    return Entry(rule.name, rule.core, label, partial=action == "partial")
