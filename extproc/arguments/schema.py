"""A tool's own input schema, made safe to hold arguments against: what the server says it takes.

Schemas come from servers nobody here wrote, so one is copied before it is used, and only what is understood is copied.
Nothing is ever fetched: a reference that does not stay inside the schema makes it unusable, which is told. Patterns
run in linear time or not at all. Schemas whose references multiply the work with every level of nesting are measured,
and arguments that would need too much of it are refused. Findings name keyword and place, never a value.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jsonschema_rs

from extproc.arguments.checks import Finding
from extproc.arguments.schema_copy import Copy, Unusable, pointer, shown
from extproc.exchange.model import JsonObject

MAX_DEPTH = 100
"""Levels of arguments that are validated. Deeper ones are refused before the validator, which recurses, sees them."""

MAX_WORK = 5_000_000
"""Visits of a subschema to a value that one validation may take: well under a second."""

_HUGE = 1 << 8_192  # beyond some 4,300 digits the validator takes any integer for one within all limits
_FEW = 2_000  # visits up to which all findings are collected; the validator makes every error before giving the first
_PATTERNS = jsonschema_rs.RegexOptions(size_limit=1 << 20, dfa_size_limit=1 << 20)
_UNEXPECTED = (
    jsonschema_rs.ValidationErrorKind.AdditionalProperties,
    jsonschema_rs.ValidationErrorKind.UnevaluatedProperties,
)
_VALIDATORS: dict[str, type[jsonschema_rs.Validator]] = {
    "json-schema.org/draft/2020-12/schema": jsonschema_rs.Draft202012Validator,
    "json-schema.org/draft/2019-09/schema": jsonschema_rs.Draft201909Validator,
    "json-schema.org/draft-07/schema": jsonschema_rs.Draft7Validator,
    "json-schema.org/draft-06/schema": jsonschema_rs.Draft6Validator,
    "json-schema.org/draft-04/schema": jsonschema_rs.Draft4Validator,
}


class Problem(NamedTuple):
    """Why a schema cannot be used."""

    message: str


class Size(NamedTuple):
    """How much some arguments are."""

    depth: int  # containers inside one another; 1 for an object without containers
    values: int  # all values and members, containers included
    huge: bool = False  # whether there is an integer that the validator does not compare


class ToolSchema:
    """A compiled schema. Immutable; may be shared by all exchanges."""

    __slots__ = ("_costs", "_validator", "notes")

    def __init__(self, validator: jsonschema_rs.Validator, costs: tuple[int, ...], notes: tuple[str, ...]) -> None:
        self._validator = validator
        self._costs = costs  # by depth: the most visits of subschemas to one value there
        self.notes = notes
        """What of the schema is not held against arguments, and why; for people, once per tool."""

    @classmethod
    def compile(cls, schema: object) -> "ToolSchema | Problem":
        """The schema, or why it cannot be used. Takes 50 µs for an ordinary tool; the caller keeps the result."""
        if schema is True or schema == {}:
            schema = {"type": "object"}
        if type(schema) is not dict:
            return Problem("The tool's input schema is no JSON object.")
        dialect = _dialect(schema.get("$schema"))
        if dialect is None:
            return Problem("The tool's input schema names a dialect in $schema that is not known.")
        try:
            copy = Copy(schema, _linear)
            validator = dialect(copy.schema, validate_formats=True, pattern_options=_PATTERNS, offline=True)
            return cls(validator, copy.costs(MAX_DEPTH), tuple(copy.notes))
        except Unusable as why:
            return Problem(f"The tool's input schema cannot be used: {why}")
        except jsonschema_rs.ValidationError as error:
            where = pointer(error.instance_path)
            return Problem(f"The tool's input schema is not valid{f' at {where}' if where else ''}.")
        except ValueError:
            return Problem("The tool's input schema cannot be read.")

    def problems(self, arguments: JsonObject, size: Size | None = None, limit: int = 8) -> tuple[Finding, ...]:
        """What of the arguments the schema does not allow, at most `limit` findings. Raises nothing.

        `size` is what `measure` says of the arguments, for callers that know it already.
        """
        depth, values, huge = size or measure(arguments)
        if huge:
            return (Finding("schema", "", "The arguments hold an integer of more digits than any use has."),)
        if depth > MAX_DEPTH:
            return (Finding("schema", "", f"The arguments nest deeper than {MAX_DEPTH} levels; send a flatter value."),)
        work = values * self._costs[min(depth, len(self._costs) - 1)]
        if work > MAX_WORK:
            return (Finding("schema", "", "The arguments are too large for this tool's schema; send less at once."),)
        try:
            if self._validator.is_valid(arguments):
                return ()
            return tuple(self._told(arguments, work <= _FEW, limit))
        except ValueError:  # halves of surrogate pairs, which JSON may say and UTF-8 cannot
            return (Finding("schema", "", "The arguments hold text that is no valid Unicode; send valid UTF-8."),)

    def _told(self, arguments: JsonObject, every: bool, limit: int) -> Iterable[Finding]:
        if every:
            errors = list(self._validator.iter_errors(arguments))
        else:
            try:
                self._validator.validate(arguments)
                errors = []
            except jsonschema_rs.ValidationError as error:
                errors = [error]
        found = [finding for error in errors[:limit] for finding in _findings(error)]
        return found[:limit] or [Finding("schema", "", "The arguments are not what the tool's schema allows.")]


def measure(value: Any) -> Size:
    """Depth and number of values of a JSON value, without recursion; the depth is not counted beyond MAX_DEPTH + 1."""
    depth, values, huge, level = 0, 1, False, [value] if type(value) in (dict, list) else []
    while level and depth <= MAX_DEPTH:
        depth += 1
        below: list[Any] = []
        for node in level:
            children = node.values() if type(node) is dict else node
            values += len(children)
            for child in children:
                kind = type(child)
                if kind is dict or kind is list:
                    below.append(child)
                elif kind is int and not -_HUGE < child < _HUGE:
                    huge = True
        level = below
    return Size(depth, values, huge)


def _dialect(name: object) -> type[jsonschema_rs.Validator] | None:
    if name is None:
        return jsonschema_rs.Draft202012Validator
    if type(name) is not str:
        return None
    return _VALIDATORS.get(name.removeprefix("https://").removeprefix("http://").removesuffix("#"))


def _linear(pattern: str) -> bool:
    """Whether the linear engine takes a pattern: no look-around, no back references, no huge repetition."""
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=_PATTERNS, offline=True)
    except ValueError:
        return False
    return True


def _findings(error: jsonschema_rs.ValidationError) -> Iterable[Finding]:
    kind, where = error.kind, pointer(error.instance_path)
    if isinstance(kind, _UNEXPECTED):
        message = "The name is none that the tool's schema knows; leave it out."
        return [Finding("schema", pointer([*error.instance_path, name]), message) for name in kind.unexpected[:8]]
    say = _SENTENCES.get(kind.name)
    return [
        Finding(
            "schema", where, say(kind.value) if say else f"The value does not satisfy {shown(kind.name)} of the schema."
        )
    ]


def _types(value: Any) -> str:
    return f"The value must be of type {' or '.join(shown(name) for name in value)}."


# By keyword: what is said of it. Names and limits come from the schema, which the caller knows; values never do.
_SENTENCES: dict[str, Callable[[Any], str]] = {
    "type": _types,
    "required": lambda name: f"The value lacks the required member {shown(str(name))}.",
    "enum": lambda _: "The value is none of the values that the schema allows.",
    "const": lambda _: "The value is not the one value that the schema allows.",
    "pattern": lambda _: "The value does not match the schema's pattern.",
    "format": lambda name: f"The value is no valid {shown(str(name))}.",
    "minimum": lambda limit: f"The value must be at least {limit}.",
    "maximum": lambda limit: f"The value must be at most {limit}.",
    "exclusiveMinimum": lambda limit: f"The value must be more than {limit}.",
    "exclusiveMaximum": lambda limit: f"The value must be less than {limit}.",
    "multipleOf": lambda step: f"The value must be a multiple of {step}.",
    "minLength": lambda limit: f"The value must have at least {limit} characters.",
    "maxLength": lambda limit: f"The value must have at most {limit} characters.",
    "minItems": lambda limit: f"The value must have at least {limit} items.",
    "maxItems": lambda limit: f"The value must have at most {limit} items.",
    "minProperties": lambda limit: f"The value must have at least {limit} members.",
    "maxProperties": lambda limit: f"The value must have at most {limit} members.",
    "uniqueItems": lambda _: "The value must not hold the same item twice.",
    "additionalItems": lambda limit: f"The value must have at most {limit} items.",
    "anyOf": lambda _: "The value fits none of the forms that the schema allows.",
    "oneOf": lambda _: "The value fits none of the forms that the schema allows, or more than one.",
    "not": lambda _: "The value is what the schema excludes.",
    "contains": lambda _: "The value lacks an item that the schema asks for.",
    "propertyNames": lambda _: "The value has a member whose name the schema does not allow.",
    "falseSchema": lambda _: "The value is not allowed here by the schema.",
}
