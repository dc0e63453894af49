"""Strict checks of request bodies against the vendors' own types: an unknown field, a missing one or a wrong type is
refused. Knows TypedDicts as the SDKs of OpenAI and Anthropic declare their requests."""

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, NotRequired, Required, Union

import typing_extensions

from tests.envoy.providers.stage import Wrong


def check(value: Any, shape: Any, where: str = "body") -> None:
    """Raises `Wrong` unless the JSON value is of this shape."""
    if why := _mismatch(value, shape, where):
        raise Wrong(why)


@cache
def _fields(shape: Any) -> tuple[dict[str, Any], frozenset[str]]:
    hints = typing.get_type_hints(shape, include_extras=True)
    return hints, frozenset(shape.__required_keys__)


def _mismatch(value: Any, shape: Any, where: str) -> str:
    origin, arguments = typing.get_origin(shape), typing.get_args(shape)
    if origin in (Required, NotRequired, typing.Annotated):
        return _mismatch(value, arguments[0], where)
    if shape in (Any, object):
        return ""
    if shape is None or shape is type(None):
        return "" if value is None else f"{where}: not null"
    if origin is Literal:
        return "" if value in arguments else f"{where}: {value!r} is none of {arguments}"
    if origin in (Union, types.UnionType):
        return _union(value, arguments, where)
    if typing_extensions.is_typeddict(shape):
        return _typed(value, shape, where)
    if origin in (dict, Mapping) or shape is dict:
        if not isinstance(value, dict):
            return f"{where}: not an object"
        inner = arguments[1] if arguments else Any
        return _first(_mismatch(item, inner, f"{where}.{key}") for key, item in value.items())
    if origin in (list, Iterable, Sequence) or getattr(origin, "__name__", "") in ("Iterable", "Sequence"):
        if not isinstance(value, list):
            return f"{where}: not a list"
        return _first(_mismatch(item, arguments[0], f"{where}[{n}]") for n, item in enumerate(value))
    if shape is float:
        return "" if isinstance(value, int | float) and not isinstance(value, bool) else f"{where}: not a number"
    if shape is int:
        return "" if isinstance(value, int) and not isinstance(value, bool) else f"{where}: not an integer"
    if isinstance(shape, type):
        return "" if isinstance(value, shape) else f"{where}: not of type {shape.__name__}"
    return f"{where}: {shape!r} is unknown here"


def _typed(value: Any, shape: Any, where: str) -> str:
    if not isinstance(value, dict):
        return f"{where}: not an object"
    fields, required = _fields(shape)
    if missing := required - value.keys():
        return f"{where}: without {sorted(missing)}"
    if unknown := value.keys() - fields:
        return f"{where}: unknown fields {sorted(unknown)}"
    return _first(_mismatch(item, fields[key], f"{where}.{key}") for key, item in value.items())


def _union(value: Any, shapes: tuple[Any, ...], where: str) -> str:
    """The reason of the one that came closest, which is that of the greatest depth."""
    reasons = []
    for shape in shapes:
        if not (why := _mismatch(value, shape, where)):
            return ""
        reasons.append(why)
    return max(reasons, key=lambda why: (len(why.partition(":")[0]), "is none of" not in why))


def _first(reasons: Iterable[str]) -> str:
    return next(filter(None, reasons), "")
