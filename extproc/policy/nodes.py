"""YAML text to plain values that remember their lines. Knows YAML, no document kind; builds no object, runs no tag.

What YAML 1.1 would silently change is a problem here: a key that comes twice, a key such as `on` that is read as true,
merge keys, tags. Dates stay text. Sequences become tuples, so that what is loaded is immutable.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from extproc.errors import Problem

MOST_NODES = 500_000  # per document, aliases counted where they are used: what stops an anchor bomb
DEEPEST = 64
_TAG = "tag:yaml.org,2002:"
_PLAIN = (f"{_TAG}str", f"{_TAG}timestamp", f"{_TAG}value")

Loc = tuple[str | int, ...]


class _TooMuch(Exception):
    """Stops a conversion that has been given more than documents ever hold."""


@dataclass(frozen=True, slots=True)
class Raw:
    """One YAML document: its value, and the nodes that know the lines. `file` is the path as it was asked for,
    `short` the path inside the policy folder, `folder` where its relative paths begin."""

    file: str
    short: str
    folder: str
    line: int
    value: Any
    node: yaml.Node

    def problem(self, loc: Loc, message: str, *, after: int = 0) -> Problem:
        """A problem at a place in the document, on the line of that place (`after` lines further down)."""
        return Problem(self.file, self.line_of(loc) + after, dotted(loc), message)

    def line_of(self, loc: Loc) -> int:
        """The 1-based line of the key or item at `loc`, or of the nearest thing above it that exists."""
        line, node = self.line, self.node
        for step in loc:
            found = _child(node, step)
            if found is None:
                break
            key, node = found
            line = key.start_mark.line + 1
        return line

    def scalar(self, loc: Loc) -> yaml.ScalarNode | None:
        """The scalar as it is written at `loc`, if there is one."""
        node = self.node
        for step in loc:
            found = _child(node, step)
            if found is None:
                return None
            node = found[1]
        return node if isinstance(node, yaml.ScalarNode) else None


def dotted(loc: Loc) -> str:
    """`("spec", "models", "allow", 2)` as `spec.models.allow[2]`."""
    text = ""
    for step in loc:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else str(step)
    return text


def read(text: str, file: str, short: str, folder: str) -> tuple[list[Raw], list[Problem]]:
    """Every document of a YAML text, and every problem on the way. After a syntax error nothing more is read."""
    documents: list[Raw] = []
    problems: list[Problem] = []
    try:
        for node in _nodes(text):
            if isinstance(node, yaml.ScalarNode) and node.tag == f"{_TAG}null":
                continue  # an empty document between two ---
            line = node.start_mark.line + 1
            reader = _Reader(file, problems)
            try:
                value = reader.value(node, (), 0)
            except _TooMuch:
                message = "is nested too deeply or too large (aliases count where they are used); write it out smaller"
                problems.append(Problem(file, line, "", message))
                continue
            if not reader.failed:
                documents.append(Raw(file, short, folder, line, value, node))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problems.append(Problem(file, mark.line + 1 if mark else 0, "", _syntax(text, mark, error)))
    except yaml.YAMLError:
        problems.append(Problem(file, 0, "", "holds characters that YAML does not allow; save it as plain UTF-8 text"))
    return documents, problems


def _nodes(text: str) -> Iterator[yaml.Node]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.compose_all(text, Loader=loader)  # nodes only: no object is built


def _syntax(text: str, mark: Any, error: yaml.MarkedYAMLError) -> str:
    if mark is not None:
        lines = text.splitlines()
        line = lines[mark.line] if mark.line < len(lines) else ""
        if "\t" in line[: len(line) - len(line.lstrip())]:
            return "is indented with a tab; YAML wants spaces"
        where = f" at column {mark.column + 1}"
    else:
        where = ""
    return f"is not valid YAML{where}: {error.problem or error.context or 'it cannot be read'}"


def _child(node: yaml.Node, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == step:
                return key, value
    return None


class _Reader:
    """Converts one document. `failed` is set when something was a problem: the value is then not used."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self._file = file
        self._problems = problems
        self._left = MOST_NODES
        self.failed = False

    def value(self, node: yaml.Node, loc: Loc, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > DEEPEST:
            raise _TooMuch
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, loc)
        if isinstance(node, yaml.SequenceNode):
            if node.tag != f"{_TAG}seq":
                self._complain(node, loc, f"has the tag {node.tag}; tags are not supported, remove it")
            return tuple(self.value(item, (*loc, index), depth + 1) for index, item in enumerate(node.value))
        if node.tag != f"{_TAG}map":
            self._complain(node, loc, f"has the tag {node.tag}; tags are not supported, remove it")
        result: dict[str, Any] = {}
        for key, item in node.value:
            name = self._key(key, loc)
            if name is None:
                continue
            if name in result:
                self._complain(key, (*loc, name), "is there twice; keep one, YAML would silently drop the first")
                continue
            result[name] = self.value(item, (*loc, name), depth + 1)
        return result

    def _key(self, key: yaml.Node, loc: Loc) -> str | None:
        if not isinstance(key, yaml.ScalarNode):
            self._complain(key, loc, "has a list or mapping as a key; write a plain name")
            return None
        if key.tag == f"{_TAG}merge":
            self._complain(key, loc, "uses a merge key (<<), which is not supported; write the fields out")
            return None
        if key.tag == f"{_TAG}bool":
            read_as = "true" if _bool(key.value) else "false"
            self._complain(
                key, loc, f'`{key.value}` is read as {read_as} by YAML; put the key in quotes: "{key.value}"'
            )
            return None
        return str(key.value)

    def _scalar(self, node: yaml.ScalarNode, loc: Loc) -> Any:
        tag, text = node.tag, node.value
        if tag in _PLAIN:
            return text
        if tag == f"{_TAG}bool":
            return _bool(text)
        if tag == f"{_TAG}null":
            return None
        if tag == f"{_TAG}int":
            digits = text.lstrip("+-")
            # Octal, hexadecimal and base 60 (12:30) stay text: nobody means them in a policy.
            plain = digits.isdigit() and (digits == "0" or digits[0] != "0") and len(digits) <= 30
            return int(text) if plain else text
        if tag == f"{_TAG}float":
            try:
                return float(text)
            except ValueError:
                return text
        self._complain(node, loc, f"has the tag {tag}; tags are not supported, remove it")
        return None

    def _complain(self, node: yaml.Node, loc: Loc, message: str) -> None:
        self.failed = True
        self._problems.append(Problem(self._file, node.start_mark.line + 1, dotted(loc), message))


def _bool(text: str) -> bool:
    return text.lower() in ("true", "yes", "on")
