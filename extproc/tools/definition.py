"""What a server says of a tool, as bytes that are the same wherever it is said again, and their digest.

The bytes are RFC 8785 (JSON Canonicalization Scheme): object members by UTF-16 code units, numbers as ECMAScript
writes them, no blank. Strings are taken character by character: nothing is normalised or trimmed, so a zero-width
space, a combining accent or another kind of blank is another definition. One departure: an integer that no double can
carry, which RFC 8785 has no form for, keeps all its digits, so that no two definitions that some client tells apart
share a digest.

All members of a tool count, also those that a later revision of MCP or a vendor adds, except two:

- `_meta`: servers put there what differs from answer to answer, and no model is shown it.
- `icons`: pictures for people, often inline and often new with a release. A digest that changed with them would teach
  people to approve changes unread.
"""

import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec
import re2

from extproc.errors import GatereeveError
from extproc.exchange.model import JsonObject

LEFT_OUT = frozenset({"_meta", "icons"})

MAX_DEFINITION = 256 * 1024
"""Bytes of one tool's definition that may be kept or signed."""

_quote = json.encoder.encode_basestring
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode
_raw = msgspec.json.Encoder().encode


def _pattern() -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # of bytes
    return re2.compile(rb"(?:^|[:\[,])-?[0-9]+[.e]|[\xf0-\xf4]", options)


# What the standard library may write otherwise than RFC 8785: a fraction or an exponent where a value begins, and
# characters beyond U+FFFF, which as keys sort otherwise. Text that only looks so costs time, never the right answer.
_OTHERWISE = _pattern()


class DefinitionError(GatereeveError):
    """A value that has no canonical form. The message never quotes it."""


def definition(tool: JsonObject) -> JsonObject:
    """The members of `tool` that count, as they are."""
    return {name: value for name, value in tool.items() if name not in LEFT_OUT}


def digest(tool: JsonObject) -> str:
    """`sha256:` and 64 hexadecimal digits over the canonical form of the tool's definition. Raises
    `DefinitionError`."""
    return f"sha256:{sha256(canonical(definition(tool))).hexdigest()}"


def name_of(tool: Any) -> str:
    """The tool's name, "" if there is none."""
    name = tool.get("name") if isinstance(tool, dict) else None
    return name if isinstance(name, str) else ""


def canonical(value: Any) -> bytes:
    """The RFC 8785 form of a decoded JSON value. Raises `DefinitionError` for what JSON or that form cannot say: NaN,
    infinities, lone surrogates. What was decoded from JSON has string keys only; others are not looked for."""
    try:
        data = _encode(value).encode("utf-8")
        if _OTHERWISE.search(data) is not None:
            data = "".join(_pieces(value)).encode("utf-8")
    except UnicodeEncodeError:
        raise DefinitionError("a text holds half of a surrogate pair") from None
    except RecursionError:
        raise DefinitionError("it is nested too deeply") from None
    except (TypeError, ValueError):
        raise DefinitionError("it holds something that is not JSON, or a number out of range") from None
    return data


class Digests:
    """Digests of definitions that come again and again: at most `limit` are remembered, by all of their bytes.

    A thousand tools of one answer are looked up in a few milliseconds; calculating takes ten times as long.
    """

    __slots__ = ("_known", "_limit")

    def __init__(self, limit: int = 20_000) -> None:
        self._known: dict[bytes, str] = {}
        self._limit = limit

    def of(self, tool: JsonObject) -> str:
        """What `digest` says, "" for a tool that has none."""
        if not LEFT_OUT.isdisjoint(tool):  # what differs each time would never be remembered
            tool = definition(tool)
        try:
            key = sha256(_raw(tool)).digest()
        except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):  # also what UTF-8 cannot say
            return ""
        known = self._known.get(key)
        if known is None:
            try:
                known = digest(tool)
            except DefinitionError:
                known = ""
            if len(self._known) >= self._limit:
                self._known.clear()  # rare, and no worse than a start
            self._known[key] = known
        return known


def _pieces(value: Any) -> Iterator[str]:
    """The slow and complete way. What is no JSON value was refused before, by the fast one."""
    if isinstance(value, str):
        yield _quote(value)
    elif isinstance(value, dict):
        lead = "{"
        for key in sorted(value, key=_utf16):
            yield f"{lead}{_quote(key)}:"
            yield from _pieces(value[key])
            lead = ","
        yield "}" if value else "{}"
    elif isinstance(value, (list, tuple)):
        lead = "["
        for item in value:
            yield lead
            yield from _pieces(item)
            lead = ","
        yield "]" if value else "[]"
    elif isinstance(value, float):
        yield number(value)
    else:
        yield _encode(value)


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


def number(value: float) -> str:
    """A finite double as ECMAScript's Number::toString (ECMA-262 6.1.6.1.20) writes it."""
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")  # the shortest digits that read back the same, as there
    whole, _, fraction = mantissa.partition(".")
    if fraction == "0":
        fraction = ""
    point = len(whole) + int(exponent or 0)  # where the decimal point stands in `digits`
    digits = whole + fraction
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    digits = stripped.rstrip("0")
    size = len(digits)
    if size <= point <= 21:
        return sign + digits + "0" * (point - size)
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    power = f"e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return sign + digits[0] + (f".{digits[1:]}" if size > 1 else "") + power
