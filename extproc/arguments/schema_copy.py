"""The part of a server's schema that is used: copied keyword by keyword, with what it refers to and what it costs.

Only what is known to be safe is copied. Annotations (descriptions, examples, defaults) are left out; formats that
libraries disagree about are not asserted; patterns that need backtracking are dropped where that only loosens the
schema, and noted. References must stay inside the schema.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import unquote

MAX_SUBSCHEMAS = 4_000
MAX_NESTING = 80
MAX_VALUES = 100_000
"""Values of one schema, those of its enumerations included."""

_MAX_STEPS = 200_000  # of following references while measuring
_ENDLESS = 1 << 40  # a cost that no arguments may have
_FORMATS = frozenset({"date-time", "date", "email", "uri", "uuid", "ipv4", "ipv6"})
_ANNOTATIONS = frozenset(
    {"$schema", "$comment", "$vocabulary", "title", "description", "default", "examples", "example", "deprecated",
     "readOnly", "writeOnly", "contentEncoding", "contentMediaType", "contentSchema", "id"}
)  # fmt: skip
# Where subschemas stand. Those of one group look at the same value, those of the other at its members or items.
_SAME = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"})
_BELOW = frozenset(
    {"properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "propertyNames",
     "items", "prefixItems", "additionalItems", "unevaluatedItems", "contains"}
)  # fmt: skip
_KEPT = frozenset({"$defs", "definitions"})
_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"})

_LIMITS = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems",
     "maxItems", "minProperties", "maxProperties", "uniqueItems", "minContains", "maxContains", "$recursiveAnchor"}
)  # fmt: skip

_Key = str | int | None  # which members or items a subschema looks at; None for any


class Unusable(Exception):
    """The schema cannot be used; the text says why, for people."""


class Copy:
    """One schema, copied. `schema` is what may be compiled; `notes` says what is not held against arguments."""

    def __init__(self, schema: dict[str, Any], linear: Callable[[str], bool]) -> None:
        """`linear` says whether a pattern can be matched in linear time. Raises `Unusable`."""
        self.notes: list[str] = []
        self._linear = linear
        self._own = schema.get("$id", schema.get("id"))
        self._values = 0
        self._nodes: dict[str, int] = {}  # by JSON pointer
        self._anchors: dict[str, int] = {}
        self._same: list[list[int | str]] = []  # by node: what else looks at the same value; str for a reference
        self._below: list[list[tuple[_Key, int]]] = []
        self._nested_ids = False
        self.schema: Any = self._copied(schema, "", 0)[0]
        self._resolve()

    # --- copying

    def _copied(self, schema: Any, at: str, nesting: int) -> tuple[Any, bool, int]:
        """The copy, whether it lets more pass than the original, and its node."""
        if nesting > MAX_NESTING:
            raise Unusable(f"it nests deeper than {MAX_NESTING} levels.")
        node = len(self._same)
        if node >= MAX_SUBSCHEMAS:
            raise Unusable(f"it has more than {MAX_SUBSCHEMAS} subschemas.")
        self._nodes[at] = node
        self._same.append([])
        self._below.append([])
        if type(schema) is bool:
            return schema, False, node
        if type(schema) is not dict:
            raise Unusable(f"what stands at {at or 'its root'} is no schema.")
        made: dict[str, Any] = {}
        looser = False
        for word, value in schema.items():
            if word in _SAME or word in _BELOW or word in _KEPT:
                looser |= self._applied(made, word, value, at, node, nesting)
            elif word not in _ANNOTATIONS:
                looser |= self._plain(made, word, value, at, node)
        if "if" not in made:
            made.pop("then", None)
            made.pop("else", None)
        return made, looser, node

    def _plain(self, made: dict[str, Any], word: str, value: Any, at: str, node: int) -> bool:
        """A keyword without subschemas; whether leaving something of it out lets more pass."""
        match word:
            case "$ref" | "$dynamicRef" | "$recursiveRef":
                made[word] = self._reference(value)
                self._same[node].append(made[word])
            case "$id":
                self._nested_ids |= bool(at)
            case "$anchor" | "$dynamicAnchor":
                made[word] = value
                if type(value) is str:
                    self._anchors[value] = node
            case "format":
                if type(value) is str and value in _FORMATS:
                    made[word] = value
            case "pattern":
                if type(value) is not str or self._linear(value):
                    made[word] = value
                else:
                    self._note(at, "pattern")
                    return True
            case "enum" | "const" | "required" | "type" | "dependentRequired":
                self._count(value)
                made[word] = value
            case _ if word in _LIMITS:
                self._count(value)
                made[word] = value
        return False

    def _applied(self, made: dict[str, Any], word: str, value: Any, at: str, node: int, nesting: int) -> bool:
        """A keyword with subschemas; whether its copy lets more pass."""
        looser = False

        def copied(sub: Any, step: str, key: _Key) -> Any:
            nonlocal looser
            copy, loosened, child = self._copied(sub, f"{at}/{_escaped(word)}{step}", nesting + 1)
            if word in _SAME:
                self._same[node].append(child)
            elif word in _BELOW:
                self._below[node].append((key, child))
            looser |= loosened and word not in _KEPT
            return copy

        if word in _MAPS and type(value) is dict:
            made[word] = {
                name: sub if word == "dependencies" and type(sub) is list
                else copied(sub, "/" + _escaped(name), name if word == "properties" else None)
                for name, sub in value.items()
            }  # fmt: skip
        elif type(value) is list:
            made[word] = [copied(sub, f"/{index}", index) for index, sub in enumerate(value)]
        else:
            made[word] = copied(value, "", None)
        if word == "patternProperties" and type(value) is dict:
            looser |= self._pattern_properties(made, value, at)
        if looser and word in ("not", "if", "oneOf", "contains"):
            self._mend(made, word, at)
        return looser

    def _pattern_properties(self, made: dict[str, Any], value: dict[str, Any], at: str) -> bool:
        """Leaves out patterns that cannot be matched; whether there are any."""
        unmatched = [pattern for pattern in value if not self._linear(pattern)]
        for pattern in unmatched:
            del made["patternProperties"][pattern]
        if unmatched:
            self._note(at, "patternProperties")
            # Members that the pattern allowed would now count as additional ones, and be refused for nothing.
            made["patternProperties"][""] = True
        return bool(unmatched)

    def _mend(self, made: dict[str, Any], word: str, at: str) -> None:
        """Under these words a looser schema would make the whole stricter, so the word itself goes."""
        if word == "oneOf":
            made.setdefault("allOf", []).append({"anyOf": made.pop("oneOf")})
        else:
            del made[word]
        self._note(at, word)

    def _note(self, at: str, word: str) -> None:
        if len(self.notes) < 16:
            self.notes.append(f"{word} at {shown(at, 120) or 'the root'}: a pattern needs backtracking; not checked.")

    def _count(self, value: Any) -> None:
        """Enumerations are data: not copied, only counted."""
        level = [value]
        for _ in range(MAX_NESTING):
            self._values += len(level)
            if self._values > MAX_VALUES:
                raise Unusable(f"it has more than {MAX_VALUES} values.")
            level = [
                child for node in level if type(node) in (dict, list)
                for child in (node.values() if type(node) is dict else node)
            ]  # fmt: skip
            if not level:
                return
        raise Unusable(f"it nests deeper than {MAX_NESTING} levels.")

    # --- references

    def _reference(self, value: Any) -> str:
        if type(value) is not str:
            raise Unusable("a reference in it is no text.")
        own = self._own.partition("#")[0] if type(self._own) is str else ""
        local = value.removeprefix(own) if own else value
        if not local.startswith("#"):
            raise Unusable("it refers to something outside itself, and nothing is fetched.")
        return local

    def _resolve(self) -> None:
        """Turns references into the nodes they mean."""
        refers = False
        for targets in self._same:
            for index, target in enumerate(targets):
                if type(target) is str:
                    refers = True
                    targets[index] = self._meant(target)
        if refers and self._nested_ids:
            raise Unusable("a part of it has an $id of its own, which makes its references ambiguous.")
        self._refers = refers

    def _meant(self, reference: str) -> int:
        fragment = unquote(reference[1:])
        found = self._nodes.get(_normal(fragment)) if fragment[:1] in ("", "/") else self._anchors.get(fragment)
        if found is None:
            raise Unusable("a reference in it leads nowhere.")
        return found

    # --- measuring

    def costs(self, depth: int) -> tuple[int, ...]:
        """By depth of the arguments: the most visits of subschemas that one value in them can get. At least 1.

        Without references that is bounded by the number of subschemas. With them a subschema may lead to itself in
        more than one way, and each level of nesting multiplies the visits. Raises `Unusable` if it is not measurable.
        """
        if not self._refers:
            return (max(1, len(self._same)),)
        self._steps = 0
        ways = [self._ways(node) for node in range(len(self._same))]
        before = [0] * len(ways)
        most = []
        for _ in range(depth + 1):
            here = [
                min(_ENDLESS, max(sum(closure.values()),
                    max((sum(times * before[child] for child, times in below.items()) for below in belows), default=0)))
                for closure, belows in ways
            ]  # fmt: skip
            most.append(here[0])
            if here == before:
                break
            before = here
        return tuple(most)

    def _ways(self, node: int) -> tuple[Counter[int], list[Counter[int]]]:
        """What looks at the same value as this node, and by member what looks at it then; with how often each."""
        closure: Counter[int] = Counter()
        level: dict[int, int] = {node: 1}
        for _ in range(len(self._same) + 1):
            after: dict[int, int] = {}
            for at, times in level.items():
                closure[at] += times
                self._steps += 1 + len(self._same[at]) + len(self._below[at])
                for target in self._same[at]:
                    assert type(target) is int
                    after[target] = after.get(target, 0) + times
            if self._steps > _MAX_STEPS:
                raise Unusable("its references are too intricate.")
            level = {at: min(times, _ENDLESS) for at, times in after.items()}
            if not level:
                break
        else:
            raise Unusable("a reference in it leads back to itself.")
        by_key: dict[_Key, Counter[int]] = {None: Counter()}
        for at, times in closure.items():
            for key, child in self._below[at]:
                by_key.setdefault(key, Counter())[child] += times
        anywhere = by_key.pop(None)
        return closure, [anywhere, *(named + anywhere for named in by_key.values())]


def pointer(path: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901) of at most some 200 characters, all of them printable."""
    return shown("".join("/" + _escaped(str(step)) for step in path[:32]), 200)


def shown(name: str, most: int = 64) -> str:
    """A name as it may be told: printable, and not longer than `most`."""
    return "".join(each if each.isprintable() else "?" for each in name[:most])


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _normal(fragment: str) -> str:
    """A pointer written as this file writes them."""
    return "/".join(_escaped(step.replace("~1", "/").replace("~0", "~")) for step in fragment.split("/"))
