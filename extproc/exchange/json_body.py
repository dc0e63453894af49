"""JSON bodies: bytes to objects and back, the same way for everything that is judged.

Key order and integers of any size survive. Of duplicate keys the last one wins, and what is sent on is always the
re-encoded object, so no peer can read another member than the one that was judged. NaN, infinities, byte order marks
and anything that is not UTF-8 are refused. Errors never quote the body.

Answers get one leniency that requests do not: an upstream that cuts its text between the halves of a surrogate pair
sends `"\\ud83d"` in one delta and `"\\ude00"` in the next. msgspec refuses such strings, so they take a slow path
through the standard library, and are written back as escapes.
"""

import json
import math
from typing import Any, NoReturn

import msgspec

from extproc.errors import BadRequest, Uninspectable
from extproc.exchange.model import JsonObject
from extproc.exchange.refusal import REASONS, Reason

MAX_DEPTH = 200
"""Containers inside one another that are still accepted. Code that walks a decoded document may recurse this deep."""

MAX_CONTAINERS = 200_000
"""Objects and arrays of one body: each costs some hundred bytes and a visit, and `{},` is only three bytes long."""

MAX_VALUES = 1_000_000
"""Commas of one body, and so very nearly its values: each costs some fifty bytes."""

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError)


def decode(body: bytes) -> JsonObject:
    """A request body as the object it must be. Raises `BadRequest` (400), whose reason says what is wrong."""
    if not body or body.isspace():
        _refuse(Reason.BODY_MISSING)
    if too_many(body):
        raise BadRequest(Reason.BODY_TOO_LARGE, "The body holds more objects, lists and values than are accepted.", 413)
    try:
        doc = _decode(body)
    except _NOT_JSON:
        _refuse(Reason.BODY_NOT_JSON)
    except RecursionError:
        _refuse(Reason.BODY_TOO_DEEP)
    if type(doc) is not dict:
        _refuse(Reason.BODY_SHAPE, "The body must be a JSON object.")
    if too_deep(body, doc):
        _refuse(Reason.BODY_TOO_DEEP)
    return doc


def decode_any(body: bytes) -> Any:
    """Any JSON value from an upstream. Strings may hold lone surrogates. Raises `Uninspectable`."""
    if too_many(body):
        raise Uninspectable("The answer holds more objects, lists and values than are read.", Reason.ANSWER_TOO_LARGE)
    try:
        doc = _decode(body)
    except _NOT_JSON:
        doc = _decode_slowly(body)
    except RecursionError:
        raise Uninspectable("The answer is nested too deeply.") from None
    if too_deep(body, doc):
        raise Uninspectable("The answer is nested too deeply.")
    return doc


def encode(doc: Any) -> bytes:
    """Compact JSON in UTF-8. Lone surrogates, which UTF-8 cannot say, are written as escapes. Raises nothing for
    what `decode` or `decode_any` returned."""
    try:
        return _encode(doc)
    except UnicodeEncodeError:
        return json.dumps(doc, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")


def too_many(body: bytes) -> bool:
    """Whether `body` has more than MAX_CONTAINERS containers or MAX_VALUES commas outside its strings.

    Asked before decoding, because decoded JSON takes many times its size. Counting all of these bytes, also those in
    strings, settles nearly every body at memory speed.
    """
    if len(body) <= MAX_CONTAINERS:
        return False
    if body.count(b"{") + body.count(b"[") <= MAX_CONTAINERS and body.count(b",") <= MAX_VALUES:
        return False
    containers = commas = strings = at = 0
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"")  # now every quote begins or ends a string
    while True:
        quote = bare.find(b'"', at)
        between = bare[at:quote] if quote >= 0 else bare[at:]
        if between == b",":
            commas += 1
        elif between != b":":
            commas += between.count(b",")
            containers += between.count(b"{") + between.count(b"[")
        if containers > MAX_CONTAINERS or commas > MAX_VALUES or strings > 2 * MAX_VALUES:
            return True
        at = bare.find(b'"', quote + 1) + 1
        if quote < 0 or not at:
            return False
        strings += 1


def too_deep(body: bytes, doc: Any) -> bool:
    """Whether `doc`, decoded from `body`, nests deeper than MAX_DEPTH.

    Counting brackets, also those in strings, bounds the depth from above and settles most bodies at memory speed;
    the others are walked without recursion.
    """
    if len(body) <= 2 * MAX_DEPTH or body.count(b"[") + body.count(b"{") <= MAX_DEPTH:  # each is two bytes at least
        return False
    level = [doc]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for node in level:
            if type(node) is dict:
                below += [child for child in node.values() if type(child) is dict or type(child) is list]
            elif type(node) is list:
                below += [child for child in node if type(child) is dict or type(child) is list]
        if not below:
            return False
        level = below
    return True


def _decode_slowly(body: bytes) -> Any:
    """The standard library's reading, for the one thing it accepts and we want: escapes of lone surrogates."""
    if b"\\ud" not in body and b"\\uD" not in body:
        raise Uninspectable("The answer is not valid JSON.") from None
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_constant, parse_float=_finite)
    except ValueError:  # also JSONDecodeError, UnicodeDecodeError and integers beyond Python's digit limit
        raise Uninspectable("The answer is not valid JSON.") from None
    except RecursionError:
        raise Uninspectable("The answer is nested too deeply.") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("out of range")
    return number


def _refuse(reason: Reason, message: str = "") -> NoReturn:
    raise BadRequest(reason.value, message or REASONS[reason].message, 400) from None
