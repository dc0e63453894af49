"""Rules compiled together: one automaton to see whether anything is there, one to see what must wait.

Everything that costs (milliseconds, megabytes) happens here, once per policy. A `RuleSet` is immutable and may be
shared by every exchange; it holds no text.
"""

from collections.abc import Iterable, Mapping

from extproc.errors import RuleError
from extproc.masking.core import NEAR, compile_re2, union
from extproc.masking.entry import Entry
from extproc.masking.prefix import lengths, loosened, render
from extproc.masking.rule import Rule, check_action
from extproc.masking.search import NEVER, Engine


class RuleSet:
    """`rules` in order of precedence; `actions` overrides a rule's own action by its name.

    Raises `RuleError` for a name that occurs twice, an action for a rule that is not there, or too much together.
    """

    __slots__ = ("_full", "_keywords", "longest", "names", "near", "plain", "shortest", "trigger")

    plain: Engine  # the rules that need no keyword: enough where `trigger` finds nothing
    longest: int  # the most characters that can ever be held back
    shortest: int  # the fewest characters, and so the fewest bytes, that a match has
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
        self.plain = Engine(plain)
        self._full = Engine(entries) if near else self.plain
        self._keywords = compile_re2(render(union(near)), longest=False) if near else None
        # One search tells prose from everything else: a loosened match of any rule, or a keyword.
        hints = [loosened(entry.core.node) for entry in plain] + near
        self.trigger = compile_re2(render(union(hints)) if hints else NEVER, longest=False)
        self.longest = max((entry.core.waits for entry in entries), default=0)
        self.shortest = min((lengths(entry.core.node)[0] for entry in entries), default=1)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All rules, in order of precedence."""
        return self._full.entries

    def suspect(self, text: bytes, begin: int) -> int:
        """The first place in the undecided part of a text, which begins at `begin`, where a match may start; -1 when
        there surely is none."""
        hint = self.trigger.start(text, 0, len(text))
        if 0 <= hint < begin:  # a keyword, which may reach this far, or something that was decided before
            return begin if self.engine(text, begin) is not self.plain else self.trigger.start(text, begin, len(text))
        return hint

    def engine(self, text: bytes, begin: int) -> Engine:
        """The engine for a text in which matches that start at `begin` or later are asked for.

        Without a keyword in reach, the rules that need one cannot match, and nothing waits for them.
        """
        keywords = self._keywords
        if keywords is None or keywords.find(text, max(0, begin - NEAR), len(text)) is None:
            return self.plain
        return self._full

    def context(self, before: str) -> bytes:
        """As much of the end of `before` as a match looks back at."""
        return before[-self.near :].encode("utf-8", "replace")[-self.near :]


def _entry(rule: Rule, action: str) -> Entry:
    try:
        check_action(action, block=rule.core.block is not None)
    except RuleError as error:
        raise RuleError(f"rule '{rule.name}': {error}") from None
    label = b"" if action == "drop" else f"[masked:{rule.name}]".encode()
    return Entry(rule.name, rule.core, label, partial=action == "partial")
