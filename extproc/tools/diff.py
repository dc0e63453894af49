"""What changed between two definitions of a tool, for a person who has to approve it.

Prose is compared word by word, schemas by their places. Whatever no screen shows is written as an escape. The work and
the text are bounded, because both definitions may come from whoever wants the change approved unread: what is left out
is counted, never silently dropped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from extproc.exchange.model import JsonObject
from extproc.tools.definition import DefinitionError, canonical, definition
from extproc.tools.visible import escaped_json, visible

Kind = Literal["added", "removed", "changed"]

MAX_CHANGES = 100
"""Changes that are told of one tool; one more tells that there are others."""

_TEXT = 600  # characters of one old or new text
_WORDS = 120  # words between the first and the last difference that are aligned: the work grows with its square
_CONTEXT = 6  # words kept around a difference
_DEPTH = 64  # levels walked; below, a difference is told as a whole
_MARK = {"added": "+", "removed": "-", "changed": "~"}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `where` is a path like `inputSchema.properties.to.type`; `old` and `new` are for reading, in
    `visible` characters, "" where there is none. `text` is one line that says it all."""

    kind: Kind
    where: str
    old: str
    new: str
    text: str


def diff(old: JsonObject, new: JsonObject) -> tuple[Change, ...]:
    """The differences that count (see `definition`), in the order of the new definition. Empty exactly if both have
    the same digest."""
    found: list[Change] = []
    for change in _walk("", definition(old), definition(new), 0):
        found.append(change)
        if len(found) == MAX_CHANGES:
            found.append(Change("changed", "", "", "", "~ and further changes, which are not shown"))
            break
    return tuple(found)


def render(changes: tuple[Change, ...], indent: str = "  ", limit: int = 16_000) -> str:
    """The differences as lines of at most `limit` characters together (more or less a line)."""
    lines: list[str] = []
    size = 0
    for number, change in enumerate(changes):
        if size > limit:
            lines.append(f"{indent}~ and {len(changes) - number} more changes, which are not shown")
            break
        lines.append(indent + change.text)
        size += len(lines[-1]) + 1
    return "\n".join(lines)


def _walk(where: str, old: Any, new: Any, depth: int) -> Iterator[Change]:
    if depth < _DEPTH and isinstance(old, dict) and isinstance(new, dict):
        yield from _members(where, old, new, depth)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _items(where, old, new, depth)
    elif isinstance(old, str) and isinstance(new, str):
        if old != new:
            shown = words(old, new) if " " in old or " " in new else f'"{_cut(old)}" became "{_cut(new)}"'
            yield Change("changed", where, _cut(old), _cut(new), f"~ {where}: {shown}")
    elif not _same(old, new):
        yield Change("changed", where, _value(old), _value(new), f"~ {where}: {_value(old)} became {_value(new)}")


def _members(where: str, old: JsonObject, new: JsonObject, depth: int) -> Iterator[Change]:
    for name, value in new.items():
        place = _join(where, name)
        if name not in old:
            yield _one("added", place, value)
        else:
            yield from _walk(place, old[name], value, depth + 1)
    for name, value in old.items():
        if name not in new:
            yield _one("removed", _join(where, name), value)


def _items(where: str, old: list[Any], new: list[Any], depth: int) -> Iterator[Change]:
    if _same(old, new):
        return
    if any(isinstance(item, (dict, list)) for item in (*old, *new)) and depth < _DEPTH:
        for index in range(max(len(old), len(new))):
            place = f"{where}[{index}]"
            if index >= len(old):
                yield _one("added", place, new[index])
            elif index >= len(new):
                yield _one("removed", place, old[index])
            else:
                yield from _walk(place, old[index], new[index], depth + 1)
        return
    # Of names, as in `required` and `enum`, it matters which are there.
    before, after = {_value(item): None for item in old}, {_value(item): None for item in new}
    gone, come = [item for item in before if item not in after], [item for item in after if item not in before]
    parts = [f"now with {', '.join(come)}"] if come else []
    parts += [f"no longer with {', '.join(gone)}"] if gone else []
    text = "; ".join(parts) or "in another order, or repeated"
    if len(text) > 4 * _TEXT:
        text = f"{text[: 4 * _TEXT]}... ({len(come)} added and {len(gone)} removed in all)"
    yield Change("changed", where, _value(old), _value(new), f"~ {where}: {text}")


def _one(kind: Kind, where: str, value: Any) -> Change:
    shown = _value(value)
    old, new = ("", shown) if kind == "added" else (shown, "")
    text = f"{_MARK[kind]} {where}: {_type(value)}{shown}"
    return Change(kind, where, old, new, text)


def _type(value: Any) -> str:
    """A schema's type in front, since that is what one looks for."""
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, list):
        kind = " or ".join(str(item) for item in kind[:8])
    return f"({visible(str(kind), 40)}) " if isinstance(kind, str) else ""


def _join(where: str, name: str) -> str:
    shown = visible(name, 120)
    if not name or not all(char.isalnum() or char in "_-$" for char in name):
        shown = f'"{shown}"'
    return f"{where}.{shown}" if where else shown


def _same(old: Any, new: Any) -> bool:
    """Equal in the canonical form. Python's own equality takes true for 1."""
    try:
        return canonical(old) == canonical(new)
    except DefinitionError:
        return False


def _value(value: Any) -> str:
    if isinstance(value, str):
        return f'"{_cut(value)}"'
    try:
        text = canonical(value).decode("utf-8")
    except DefinitionError as why:
        return f"(unreadable: {why})"
    return escaped_json(text[:_TEXT]) + (f"... ({len(text) - _TEXT} more characters)" if len(text) > _TEXT else "")


def _cut(text: str) -> str:
    return visible(text, _TEXT)


def words(old: str, new: str) -> str:
    """`new` with what was taken out as [-...-] and what was put in as {+...+}; long common parts as "..."."""
    before, after = _split(old), _split(new)
    start = 0
    shorter = min(len(before), len(after))
    while start < shorter and before[start] == after[start]:
        start += 1
    end = 0
    while end < shorter - start and before[-1 - end] == after[-1 - end]:
        end += 1
    middle_old, middle_new = before[start : len(before) - end], after[start : len(after) - end]
    if len(middle_old) > _WORDS or len(middle_new) > _WORDS:
        middle = [("-", "".join(middle_old)), ("+", "".join(middle_new))]
    else:
        middle = _align(middle_old, middle_new)
    parts = [("=", "".join(before[:start])), *middle, ("=", "".join(before[len(before) - end :]) if end else "")]
    return "".join(_part(parts, number) for number in range(len(parts)))


def _part(parts: list[tuple[str, str]], number: int) -> str:
    mark, text = parts[number]
    if not text:
        return ""
    if mark == "=":
        return _shortened(text, first=number == 0, last=number == len(parts) - 1)
    return f"[-{_cut(text)}-]" if mark == "-" else f"{{+{_cut(text)}+}}"


def _shortened(text: str, *, first: bool, last: bool) -> str:
    """A common part: the words next to a difference."""
    pieces = _split(text)
    keep = 2 * _CONTEXT  # a word and the blank after it
    head = [] if first else pieces[:keep]
    tail = [] if last else pieces[-keep:]
    if len(head) + len(tail) >= len(pieces):
        return _cut(text)
    return f"{_cut(''.join(head))}...{_cut(''.join(tail))}"


def _split(text: str) -> list[str]:
    """Words and what stands between them; joined they are the text."""
    pieces: list[str] = []
    start = 0
    for at in range(1, len(text)):
        if (text[at] in " \n\t") != (text[at - 1] in " \n\t"):
            pieces.append(text[start:at])
            start = at
    if text:
        pieces.append(text[start:])
    return pieces


def _align(old: list[str], new: list[str]) -> list[tuple[str, str]]:
    """The longest common subsequence, as runs marked "=", "-" and "+"."""
    longest = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old) - 1, -1, -1):
        row, below, word = longest[i], longest[i + 1], old[i]
        for j in range(len(new) - 1, -1, -1):
            row[j] = below[j + 1] + 1 if word == new[j] else max(below[j], row[j + 1])
    runs: list[tuple[str, str]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        if i < len(old) and j < len(new) and old[i] == new[j]:
            _extend(runs, "=", old[i])
            i, j = i + 1, j + 1
        elif j == len(new) or (i < len(old) and longest[i + 1][j] >= longest[i][j + 1]):
            _extend(runs, "-", old[i])
            i += 1
        else:
            _extend(runs, "+", new[j])
            j += 1
    return runs


def _extend(runs: list[tuple[str, str]], mark: str, text: str) -> None:
    if runs and runs[-1][0] == mark:
        runs[-1] = (mark, runs[-1][1] + text)
    else:
        runs.append((mark, text))
