"""Sets of names with wildcards, compiled. `*` stands for any text, nothing else is special; matching is linear.

No regular expression ever sees a name: names come from clients.
"""

from collections.abc import Iterable


class Names:
    """Callable as `runtime.Matcher`. Exact names cost one look-up however many there are."""

    __slots__ = ("_everything", "_exact", "_wild", "patterns")

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(patterns)
        self._everything = "*" in self.patterns
        self._exact = frozenset(pattern for pattern in self.patterns if "*" not in pattern)
        self._wild = tuple(tuple(pattern.split("*")) for pattern in self.patterns if "*" in pattern and pattern != "*")

    def __call__(self, name: str) -> bool:
        if self._everything or name in self._exact:
            return True
        return any(_fits(parts, name) for parts in self._wild) if self._wild else False

    def any(self, names: Iterable[str]) -> bool:
        """Whether one of the names is in the set."""
        return any(self(name) for name in names)

    @property
    def exact(self) -> frozenset[str] | None:
        """The names themselves, or None when a wildcard makes the set open."""
        return None if self._everything or self._wild else self._exact

    def __bool__(self) -> bool:
        return bool(self.patterns)

    def __repr__(self) -> str:
        return f"Names({list(self.patterns)})"


def _fits(parts: tuple[str, ...], name: str) -> bool:
    """Whether `name` is `parts` with any text between them. The leftmost fit of each middle part is enough."""
    first, *middle, last = parts
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    position, end = len(first), len(name) - len(last)
    for part in middle:
        found = name.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


NOTHING = Names(())
