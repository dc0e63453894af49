"""Masks the text of one decoded MCP message, in place, along the table in `mcp_shapes`.

Everything is text unless its place in the message says otherwise, and what claims to be an identifier, a word of the
protocol, a time or base64 is text as soon as it does not look like it. A number is text too: a card number does not
become harmless by losing its quotes. A masked number becomes a string, because no number says "masked".
"""

import base64
from datetime import datetime
from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange import json_body
from extproc.exchange.mcp_shapes import BLOCK, BLOCK_SHAPES, REQUEST, RPC, SCHEMA, WORDS, Part, Shape
from extproc.exchange.text import TextFilter

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=\r\n"
_STANDARD = str.maketrans("-_", "+/")
_MIN_BINARY = 32  # shorter base64 is no picture and no sound, but may well be a card number
_MAX_NUMBER = 10**12  # twelve digits: sizes and limits have fewer, card numbers have more
_INSIDE = 2  # JSON texts within one another; each may take MAX_DEPTH frames of the stack
_JSON_STARTS = ("{", "[", '"')
_NEAR = 64  # characters of the keys before a value
_MAX_NAME = 64
_NAME_DIGITS = 8  # in all: fewer than any number that a rule looks for
_NAME_WORD = 12  # characters of a word with digits: fewer than any token has
_SEPARATORS = str.maketrans(dict.fromkeys("_-./:+", " "))
_LONGEST_TIME = "2025-11-25T10:30:00.123456789+00:00"
_FRACTION = 9
_STATE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


class MessageMask:
    """Masks the messages of one answer. `binary` turns true once something passed that is not text, `state` once a
    signed state did. `own`: the id of the caller's request, None for none."""

    __slots__ = ("_inside", "_own", "_text", "binary", "state")

    def __init__(self, mask: TextFilter, own: Any = None) -> None:
        self._text = mask.text
        self._own = own
        self._inside = 0
        self.binary = False
        self.state = False

    def message(self, message: Any) -> Any:
        """A decoded JSON-RPC message (or any other JSON value, which is text then) with its text masked."""
        said = message.get("id") if type(message) is dict else None
        masked = self._shape(message, RPC)
        if said is not None and said == self._own and type(said) is type(self._own):
            masked["id"] = said  # the caller wrote it, and waits for it
        return masked

    def text(self, text: str) -> str:
        return self._text(text) if text else text

    def _shape(self, node: Any, shape: Shape) -> Any:
        """An object of a known shape, or an array of such."""
        if type(node) is list:
            for index, item in enumerate(node):
                node[index] = self._shape(item, shape)
            return node
        if type(node) is not dict:
            return self._free(node)
        renamed = False
        for key, value in node.items():
            part = shape.get(key)
            kind = type(value)
            if part is None:
                renamed = renamed or self._text(key) != key
                node[key] = self._free(value, f"{key}: ")
                continue
            if kind is bool or value is None:
                continue
            if part is Part.TEXT:
                node[key] = self._said(value) if kind is str else self._free(value)
            elif part is Part.TOKEN:
                node[key] = self._token(value)
            elif type(part) is dict:
                node[key] = self._shape(value, part)
            else:
                node[key] = self._part(value, part)
        return self._with_masked_keys(node, shape) if renamed else node

    def _part(self, value: Any, part: Part) -> Any:
        """A value that is exempt if it looks like what it should be."""
        if part is Part.BLOCKS:
            return self._blocks(value)
        if part is Part.SCHEMAS:
            return self._map(value, SCHEMA)
        if part is Part.REQUESTS:
            return self._map(value, REQUEST)
        if part is Part.MAP:
            return self._map(value, None)
        if part is Part.WORD:
            exempt = value in WORDS if type(value) is str else False
        elif part is Part.NAME:
            exempt = type(value) is str and _is_name(value)
        elif part is Part.NUMBER:
            exempt = _is_small(value)
        elif part is Part.TIME:
            exempt = type(value) is str and _is_time(value)
        elif part is Part.STATE:
            return self._opaque(value)
        else:
            return self._binary(value)
        if exempt:
            return value
        if part is Part.WORD and type(value) is list:
            return [word if type(word) is str and word in WORDS else self._free(word) for word in value]
        return self._free(value)

    def _token(self, value: Any) -> Any:
        if type(value) is str:
            return self.text(value)
        return value if _is_small(value) else self._free(value)

    def _opaque(self, value: Any) -> Any:
        """A state that the client sends back. No model reads it, and whoever signed it refuses it once it is masked."""
        if type(value) is str and _is_signed(value):
            self.state = True
            return value
        return self._token(value)

    def _blocks(self, node: Any) -> Any:
        """Content blocks: only in an image or in audio is `data` no text."""
        if type(node) is list:
            for index, item in enumerate(node):
                node[index] = self._blocks(item)
            return node
        kind = node.get("type") if type(node) is dict else None
        return self._shape(node, BLOCK_SHAPES.get(kind, BLOCK) if type(kind) is str else BLOCK)

    def _binary(self, value: Any) -> Any:
        """Base64. If it holds UTF-8 it is text in disguise (a file, an SVG) and is masked; else it passes, noted."""
        if type(value) is not str or not _is_binary(value):
            return self._free(value)
        try:
            raw = base64.b64decode(value.translate(_STANDARD))
        except ValueError:
            return self._free(value)
        try:
            plain = raw.decode("utf-8")
        except UnicodeDecodeError:
            self.binary = True
            return value
        masked = self.text(plain)
        return value if masked == plain else base64.b64encode(masked.encode("utf-8")).decode("ascii")

    def _map(self, node: Any, shape: Shape | None, before: str = "") -> Any:
        """An object whose keys are identifiers and whose values have `shape`, or are such maps again."""
        if type(node) is not dict:
            return self._free(node, before) if shape is None else self._shape(node, shape)
        masked: dict[str, Any] = {}
        numbers: dict[str, int] = {}
        for key, value in node.items():
            if shape is not None:
                value = self._shape(value, shape)
            else:
                value = self._map(value, None, f"{before[-_NEAR:]}{key}: ")
            # Property names are text as well: `required` and `$ref` are masked alike, so a schema stays in one piece.
            keep = shape is not SCHEMA and _is_name(key)
            put(masked, numbers, key if keep else self.text(key), value)
        return masked

    def _free(self, node: Any, before: str = "") -> Any:
        """Free-form data: everything in it is text. `before` is the keys that lead to it, which say what it is."""
        kind = type(node)
        if kind is str:
            return self._said(node, before)
        if kind is dict:
            text = self._text
            masked: dict[str, Any] = {}
            numbers: dict[str, int] = {}
            for key, value in node.items():
                put(masked, numbers, text(key) if key else key, self._free(value, f"{before[-_NEAR:]}{key}: "))
            return masked
        if kind is list:
            items = []
            for item in node:  # a comprehension would take a second frame of the stack for every level
                items.append(self._free(item, before))  # noqa: PERF401
            return items
        if kind is int or kind is float:
            return self._number(node, before)
        return node

    def _said(self, text: str, before: str = "") -> str:
        """A string. If it is JSON with escapes it is masked as what they say; without any its text says it all."""
        if "\\u" in text and text.lstrip()[:1] in _JSON_STARTS:
            return self._text(self._unescaped(text, before), before)
        return self._text(text, before) if text else text

    def _unescaped(self, text: str, before: str) -> str:
        """A JSON text, masked and written anew, or as it is if nothing had to be masked or it is no JSON."""
        if self._inside == _INSIDE:
            raise Uninspectable("The answer has JSON in JSON in JSON.")
        try:
            doc = json_body.decode_any(text.encode("utf-8", "surrogatepass"))
        except Uninspectable:
            return text
        plain = json_body.encode(doc)
        self._inside += 1
        try:
            masked = json_body.encode(self._free(doc, before))
        finally:
            self._inside -= 1
        return text if masked == plain else masked.decode("utf-8")

    def _number(self, number: float, before: str) -> Any:
        """4111111111111111.0 and 4.111111111111111e15 are the same card as 4111111111111111."""
        written = str(int(number)) if type(number) is float and number.is_integer() else str(number)
        masked = self._text(written, before)
        return number if masked == written else masked

    def _with_masked_keys(self, node: dict[str, Any], shape: Shape) -> dict[str, Any]:
        masked: dict[str, Any] = {}
        numbers: dict[str, int] = {}
        for key, value in node.items():
            put(masked, numbers, key if key in shape else self.text(key), value)
        return masked


def put(target: dict[str, Any], numbers: dict[str, int], key: str, value: Any) -> None:
    """Set a key; keys that became alike by masking all stay. `numbers`, empty at first, remembers for each key how far
    its copies are numbered: to search anew for each would let an answer of like keys take the square of its size."""
    if key in target:
        number = numbers.get(key, 2)
        while (copy := f"{key} ({number})") in target:
            number += 1
        numbers[key] = number + 1
        key = copy
    target[key] = value


def _is_small(value: Any) -> bool:
    return (type(value) is int or type(value) is float) and abs(value) < _MAX_NUMBER


def _is_name(text: str) -> bool:
    """ASCII letters, digits and the separators names have, with a letter, and with too few digits for a secret."""
    if len(text) > _MAX_NAME or not text.isascii():
        return False
    words = text.translate(_SEPARATORS)
    bare = words.replace(" ", "") if text.find(" ") < 0 else ""
    if bare.isalpha():
        return True
    if not bare.isalnum() or bare.isdigit() or sum(map(str.isdigit, bare)) > _NAME_DIGITS:
        return False
    return all(len(word) < _NAME_WORD or word.isalpha() for word in words.split())


def _is_time(text: str) -> bool:
    """A date, or a date and a time, with dashes, and nine digits of a second at most."""
    if not text.isascii() or text[4:5] != "-" or text[7:8] != "-" or "," in text or len(text) > len(_LONGEST_TIME):
        return False
    fraction = text.partition(".")[2]
    if len(fraction.partition("+")[0].partition("-")[0].rstrip("Z")) > _FRACTION:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_signed(text: str) -> bool:
    """Whether it has the form of a JWT or JWE: three or five parts in base64url, of which the first is an object."""
    return text.startswith("eyJ") and text.count(".") in (2, 4) and _STATE.issuperset(text)


def _is_binary(text: str) -> bool:
    return len(text) >= _MIN_BINARY and text.isascii() and not text.encode("ascii").translate(None, _BASE64)
