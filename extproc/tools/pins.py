"""The pin file: which definitions of one server's tools somebody has approved.

JSON, because a definition must come back exactly as it was approved, and YAML would turn some of its values into
others; and because policy folders read every YAML file as policy. It is written in one form (sorted tools, two blanks,
nothing invisible: that stands there as an escape), so that a review of the file shows what changed and nothing else.

    {
      "server": "crm",
      "approved": "2026-11-21",
      "by": "ada@example.com",
      "tools": {"find_customer": {"digest": "sha256:...", "definition": {...}}}
    }

`approved`, `by` and the definitions may be left out. Without its definition a tool can be checked, but not what
changed.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NoReturn, TypeGuard

from extproc.errors import PolicyError, Problem
from extproc.exchange.model import JsonObject
from extproc.tools.definition import MAX_DEFINITION, DefinitionError, Digests, canonical, definition, digest, name_of
from extproc.tools.visible import escaped_json, visible

Standing = Literal["pinned", "unknown", "changed"]

MAX_FILE = 64 * 1024 * 1024  # bytes
MAX_TOOLS = 20_000

_DIGEST = len("sha256:") + 64
_FIELDS = frozenset({"server", "approved", "by", "tools"})
_REWRITE = 'Write it with "gatereeve tools pin".'


@dataclass(frozen=True, slots=True)
class Pin:
    """One approved tool. `definition` is what was approved, None if only its digest is known."""

    digest: str
    definition: JsonObject | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Pins:
    """One server's approved tools, by name. `approved` and `by` are what the file says, "" if nothing."""

    server: str
    tools: Mapping[str, Pin] = field(default_factory=dict, repr=False)
    approved: str = ""
    by: str = ""
    _digests: Digests = field(init=False, repr=False, compare=False, default_factory=Digests)

    def check(self, tool: JsonObject) -> Standing:
        """Whether exactly this definition is approved. What has no canonical form never is."""
        pin = self.tools.get(name_of(tool))
        if pin is None:
            return "unknown"
        return "pinned" if self._digests.of(tool) == pin.digest else "changed"

    def missing(self, offered: Iterable[JsonObject]) -> tuple[str, ...]:
        """Approved tools that are not among those offered, in order."""
        there = {name_of(tool) for tool in offered}
        return tuple(name for name in self.tools if name not in there)


def pin(server: str, tools: Iterable[JsonObject], *, approved: str = "", by: str = "") -> Pins:
    """Pins of all these tools. Raises `DefinitionError` for a tool without a name, one that has no digest, one that is
    too large, and two of one name: nobody could say which of them was approved."""
    pins: dict[str, Pin] = {}
    for tool in tools:
        name = name_of(tool)
        if not name:
            raise DefinitionError("a tool has no name")
        if name in pins:
            raise DefinitionError(f'two tools have the name "{visible(name, 80)}"')
        what = definition(tool)
        try:
            size = len(canonical(what))
            found = digest(what)
        except DefinitionError as why:
            raise DefinitionError(f'"{visible(name, 80)}": {why}') from None
        if size > MAX_DEFINITION:
            raise DefinitionError(f'"{visible(name, 80)}" has more than {MAX_DEFINITION} bytes')
        pins[name] = Pin(found, what)
    if len(pins) > MAX_TOOLS:
        raise DefinitionError(f"there are more than {MAX_TOOLS} tools")
    return Pins(server, MappingProxyType(dict(sorted(pins.items()))), approved, by)


def dump(pins: Pins) -> str:
    """The file's text. The same pins give the same bytes."""
    doc: JsonObject = {"server": pins.server}
    if pins.approved:
        doc["approved"] = pins.approved
    if pins.by:
        doc["by"] = pins.by
    doc["tools"] = {
        name: {"digest": found.digest} | ({} if found.definition is None else {"definition": found.definition})
        for name, found in sorted(pins.tools.items())
    }
    return escaped_json(json.dumps(doc, ensure_ascii=False, allow_nan=False, indent=2)) + "\n"


def parse(text: bytes, file: str) -> Pins:
    """The pins in a file's bytes. Raises `PolicyError` with every problem, each with its place in `file` and what to
    do; definitions that do not have the digest beside them are one of them."""
    doc = _document(text, file)
    problems: list[Problem] = []

    def wrong(path: str, message: str) -> None:
        problems.append(Problem(file, 0, path, message))

    for name in doc:
        if name not in _FIELDS:
            wrong(visible(name, 80), f"is no field of a pin file. Known are {', '.join(sorted(_FIELDS))}.")
    for name in ("server", "approved", "by"):
        if not isinstance(doc.get(name, ""), str):
            wrong(name, "must be a text.")
    if not doc.get("server"):
        wrong("server", "is missing: say whose tools these are.")
    tools = doc.get("tools")
    pins: dict[str, Pin] = {}
    if not isinstance(tools, dict):
        wrong("tools", f"must be an object of tools by name. {_REWRITE}")
    elif len(tools) > MAX_TOOLS:
        wrong("tools", f"has more than {MAX_TOOLS} tools.")
    else:
        for name, entry in tools.items():
            found = _pin(name, entry)
            if isinstance(found, Pin):
                pins[name] = found
            else:
                wrong(*found)
    if problems:
        raise PolicyError(problems)
    return Pins(doc["server"], MappingProxyType(pins), doc.get("approved", ""), doc.get("by", ""))


def _pin(name: str, entry: Any) -> Pin | tuple[str, str]:
    """The pin, or where it is wrong and how."""
    where = f"tools.{visible(name, 80)}"
    if not isinstance(entry, dict) or not entry.keys() <= {"digest", "definition"}:
        return where, 'must be an object with "digest" and, if it is known, "definition".'
    said, what = entry.get("digest"), entry.get("definition")
    if not is_digest(said):
        return f"{where}.digest", f'must be "sha256:" and 64 lower-case hexadecimal digits. {_REWRITE}'
    if what is None:
        return Pin(said)
    if name_of(what) != name:
        return f"{where}.definition", f"must be an object with the name of its tool. {_REWRITE}"
    try:
        found = digest(what)
    except DefinitionError as why:
        return f"{where}.definition", f"cannot be digested: {why}. {_REWRITE}"
    if found != said:
        return f"{where}.definition", f"does not have the digest beside it: one of them was edited by hand. {_REWRITE}"
    return Pin(said, what)


def is_digest(value: Any) -> TypeGuard[str]:
    return (
        isinstance(value, str)
        and len(value) == _DIGEST
        and value.startswith("sha256:")
        and all(char in "0123456789abcdef" for char in value[7:])
    )


class _Twice(Exception):
    """One name stands twice in an object."""


def _document(text: bytes, file: str) -> JsonObject:
    def fail(line: int, message: str) -> NoReturn:
        raise PolicyError([Problem(file, line, "", message)]) from None

    if len(text) > MAX_FILE:
        fail(0, f"is larger than {MAX_FILE} bytes.")
    try:
        doc = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        fail(error.lineno, f"is not JSON (column {error.colno}). {_REWRITE}")
    except UnicodeDecodeError:
        fail(0, f"is not UTF-8. {_REWRITE}")
    except _Twice as error:
        fail(0, f'the name "{error}" stands twice in one object, so readers would disagree. Remove one of them.')
    except (RecursionError, ValueError):
        fail(0, f"is nested too deeply, or holds a number that JSON cannot say. {_REWRITE}")
    if not isinstance(doc, dict):
        fail(1, f"must hold one JSON object. {_REWRITE}")
    return doc


def _unique(pairs: list[tuple[str, Any]]) -> JsonObject:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        raise _Twice(next(visible(name, 80) for name, _ in pairs if name in seen or seen.add(name)))  # type: ignore[func-returns-value]
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
