"""What pydantic found wrong, in words that say what to write instead, on the line where it stands.

Never quotes a value, except names out of closed lists and what YAML made of a plain word: values may be secrets.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from extproc.errors import Problem
from extproc.policy.nodes import Loc, Raw

_WANTED = {
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of names to values",
    "model_type": "a mapping of fields",
    "model_attributes_type": "a mapping of fields",
}

_BOUNDS = {"greater_than_equal": ("ge", "at least"), "less_than_equal": ("le", "at most")}


def similar(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?` when something known is close to `name`, otherwise ""."""
    found = get_close_matches(name, list(known), n=1, cutoff=0.6)
    if not found:
        lowered = {entry.lower(): entry for entry in known}
        found = [lowered[name.lower()]] if name.lower() in lowered else []
    return f"; did you mean {found[0]}?" if found else ""


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names for a message, cut where it would no longer be read."""
    chosen = sorted(names)
    rest = len(chosen) - most
    return ", ".join(chosen[:most]) + (f" and {rest} more" if rest > 0 else "")


def complaints(error: ValidationError, raw: Raw, prefix: Loc, model: type[BaseModel]) -> list[Problem]:
    """Every problem of one validation. `prefix` is where in the document the validated part begins."""
    found = error.errors(include_url=False)
    places = [_place(tuple(item["loc"])) for item in found]
    problems = []
    for item, place in zip(found, places, strict=True):
        # A field that is a mapping or one word (`off`): what is wrong inside a mapping does not mean the word.
        if item["type"] == "literal_error" and any(len(o) > len(place) and o[: len(place)] == place for o in places):
            continue
        # A list whose only items were refused counts as empty for pydantic: saying so would be false.
        if item["type"] == "too_short" and any(len(o) > len(place) and o[: len(place)] == place for o in places):
            continue
        loc = (*prefix, *place)
        problems.append(raw.problem(loc, _sentence(item, raw, loc, model, place)))
    return problems


def _place(loc: Loc) -> Loc:
    """Where in the document it is: pydantic also names the kind that it tried, of several that could stand there."""
    return tuple(
        step
        for number, step in enumerate(loc)
        if not (number and isinstance(step, str) and (step.startswith("literal[") or step in _kinds()))
    )


@cache
def _kinds() -> frozenset[str]:
    """The names of declared shapes, which are in no document."""
    waiting, names = [BaseModel], set()
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if kind.__module__.startswith("extproc."):
                names.add(kind.__name__)
    return frozenset(names)


def _sentence(item: Any, raw: Raw, loc: Loc, model: type[BaseModel], place: Loc) -> str:
    kind: str = item["type"]
    if kind == "value_error":
        return str(item["ctx"]["error"])
    if kind == "missing":
        return "is missing; add it" + _describe(model, place)
    if kind == "extra_forbidden":
        fields = _fields(_model_at(model, place[:-1]))
        name = str(place[-1])
        return f"is not a field here{similar(name, fields) or f'; there are {listed(fields)}'}"
    if kind == "literal_error":
        allowed = [str(value) for value in _literals(item["ctx"]["expected"])]
        scalar = raw.scalar(loc)
        hint = similar(scalar.value, allowed) if scalar is not None else ""
        return f"must be one of {', '.join(allowed)}{hint}"
    if kind == "too_short":
        return "is empty; list at least one"
    if kind == "string_too_short":
        return "is empty; write a value or leave the field out"
    if kind == "string_too_long":
        return f"is too long; at most {item['ctx']['max_length']} characters"
    if kind in _BOUNDS:
        bound, said = _BOUNDS[kind]
        return f"must be {said} {item['ctx'][bound]:g}"
    if kind in _WANTED:
        return f"must be {_WANTED[kind]}{_instead(raw, loc, kind)}"
    return str(item["msg"])


def _instead(raw: Raw, loc: Loc, kind: str) -> str:
    scalar = raw.scalar(loc)
    if scalar is None:
        return "; a list or mapping stands here" if kind == "string_type" else ""
    if kind in ("tuple_type", "list_type"):
        return "; put it in brackets or on a line of its own that begins with '- '"
    if kind == "string_type" and scalar.tag.endswith(":bool"):
        read = "true" if scalar.value.lower() in ("true", "yes", "on") else "false"
        return f'; YAML reads `{scalar.value}` as {read}, put it in quotes: "{scalar.value}"'
    if kind == "string_type" and scalar.tag.endswith((":int", ":float")):
        return f'; YAML reads `{scalar.value}` as a number, put it in quotes: "{scalar.value}"'
    if scalar.tag.endswith(":null"):
        return "; nothing stands here, write a value or remove the field"
    return ""


def _literals(expected: str) -> list[str]:
    parts = expected.replace(" or ", ", ").split(", ")
    return ["true" if part == "True" else part.strip("'") for part in parts]


def _fields(model: type[BaseModel] | None) -> list[str]:
    return [] if model is None else [field.alias or name for name, field in model.model_fields.items()]


def _describe(model: type[BaseModel], place: Loc) -> str:
    holder = _model_at(model, place[:-1])
    for name, field in (holder.model_fields if holder else {}).items():
        if (field.alias or name) == place[-1] and field.description:
            return f" ({field.description.rstrip('.')})"
    return ""


def _model_at(model: type[BaseModel], place: Loc) -> type[BaseModel] | None:
    """The model that a place inside `model` holds; items of lists are of the list's model."""
    current: type[BaseModel] | None = model
    for step in place:
        if isinstance(step, int):
            continue
        annotation = None
        for name, field in (current.model_fields if current else {}).items():
            if (field.alias or name) == step:
                annotation = field.annotation
        current = _model_in(annotation)
    return current


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        found = _model_in(part)
        if found is not None:
            return found
    return None
