"""Whether texts hold what the rules look for: the same matches as masking, told by name. It changes no text.

A rule is found in a text exactly when masking that text with this rule alone would leave a label. Several rules do not
hide one another here: of matches that lie inside another, each is found.
"""

from collections.abc import Iterable, Iterator, Sequence

from extproc.masking.cover import Cover
from extproc.masking.entry import Entry
from extproc.masking.rule import Rule
from extproc.masking.ruleset import RuleSet
from extproc.masking.search import Engine, Search, digits_in
from extproc.masking.sieve import ENOUGH, starts
from extproc.masking.stream import mended
from extproc.masking.syntax import Alt, Assertion, Concat, Node, Repeat
from extproc.masking.work import LIMIT, SIEVED, Work

_STALE = 16  # matches that tell nothing new, after which the rules that are left are asked one by one
_JOINT = "\n"  # no word character, so that `\b` and `\B` see the same as at the end of a text


class Finder:
    """Compiled rules, asked for their names. Immutable; holds no text; may be shared by all exchanges."""

    __slots__ = ("_joinable", "_rules")

    def __init__(self, rules: RuleSet | Iterable[Rule]) -> None:
        """Compiling takes milliseconds; a `RuleSet` is compiled already. Raises `RuleError` as `RuleSet` does."""
        self._rules = rules if isinstance(rules, RuleSet) else RuleSet(rules)
        self._joinable = not any(_anchored(entry.core.node) for entry in self._rules.entries)

    def found(self, texts: Iterable[str], *, enough: int = 1 << 30, limit: int = LIMIT) -> frozenset[str]:
        """The names of rules that have a match in any of the texts; at least `enough` of them and then no more.

        Raises `Uninspectable` when all texts together cost more than `limit` steps: then nothing is known.
        """
        rules, names, work = self._rules, set[str](), Work(limit)
        for data, suspect in self._suspects(texts if isinstance(texts, list | tuple) else list(texts)):
            if len(names) >= enough:
                break
            self._look(data, suspect, rules.engine(data, suspect), names, enough, work)
        return frozenset(names)

    def _suspects(self, texts: Sequence[str]) -> Iterator[tuple[bytes, int]]:
        """The texts that may hold a match, each with the first place where one may start."""
        rules = self._rules
        # Almost always nothing is there, and one look at everything costs a tenth of a look at each.
        if self._joinable and len(texts) > 1:
            joined = _encoded(_JOINT.join(texts))
            if rules.trigger.start(joined, 0, len(joined)) < 0:
                return
        for text in texts:
            data = _encoded(text)
            if len(data) >= rules.shortest and (suspect := rules.suspect(data, 0)) >= 0:
                yield data, suspect

    def _look(self, data: bytes, at: int, engine: Engine, names: set[str], enough: int, work: Work) -> None:
        """Adds the rules with a match in `data`, which starts at `at` or later."""
        search, nothing, size, stale = Search(engine, data, work), Cover({}), len(data), 0
        while (next_ := search.next(at, size, nothing)) is not None:
            at = next_[0] + 1
            before = len(names)
            names.update(entry.name for _, entry in next_[1])
            if len(names) >= enough:
                return
            stale = 0 if len(names) > before else stale + 1
            if stale == _STALE:  # a list of addresses: do not ask at each character of each of them
                break
        else:
            return
        for entry in engine.entries:
            if entry.name not in names and len(names) < enough and _alone(entry, data, at, work):
                names.add(entry.name)


def _alone(entry: Entry, data: bytes, at: int, work: Work) -> bool:
    """Whether a match of one rule starts at `at` or later."""
    core, size = entry.core, len(data)
    if core.digits is not None and (digits := len(digits_in(data))) > ENOUGH:
        work.spend(digits // SIEVED)
        for place in starts(data, *core.digits):
            if place >= at:
                work.spend()
                if core.end(data, place, work) >= 0:
                    return True
        return False
    while (place := core.pattern.start(data, at, size)) >= 0:
        work.spend()
        if core.end(data, place, work) >= 0:
            return True
        at = place + 1
    return False


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return mended(text).encode()


def _anchored(node: Node) -> bool:
    """Whether it asks for the beginning or the end of the text, which a joint hides."""
    match node:
        case Assertion(source):
            return source not in ("\\b", "\\B")
        case Concat(parts):
            return any(_anchored(part) for part in parts)
        case Alt(options):
            return any(_anchored(option) for option in options)
        case Repeat(inner, _, _):
            return _anchored(inner)
        case _:
            return False
