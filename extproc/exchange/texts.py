"""The texts of an LLM request that a person or a tool could have put there, whatever the dialect: every string, number
and unknown key of the decoded body. It judges nothing and changes nothing.

An unknown field is read, too: a list of fields to read would miss the one that is added next month. Left out is only
what is no text: images, sounds and files in base64, where an API puts such things, and a note says so. A file that is
text is read.

What stands before a value, the keys that lead to it, is put in front of it, because rules may need a word nearby; not
so where the API itself names the place.
"""

import base64
from typing import Any
from urllib.parse import unquote

import msgspec

from extproc.exchange.json_body import too_many
from extproc.exchange.model import JsonObject
from extproc.exchange.sealed import is_like

NOT_INSPECTED = "binary-not-inspected"

# Keys of the APIs that say nothing of the value under them. Being here costs a key only its own inspection.
_API = frozenset(
    {
        "arguments", "args", "assistant", "content", "contents", "custom", "description", "file", "function",
        "functionCall", "functionDeclarations", "functionResponse", "generationConfig", "id", "image_url", "input",
        "inputSchema", "input_schema", "instructions", "items", "json", "max_completion_tokens", "max_tokens",
        "messages", "metadata", "model", "name", "options", "output", "parameters", "parts", "prompt", "properties",
        "required", "response", "response_format", "role", "source", "stream", "system", "systemInstruction",
        "system_instruction", "temperature", "text", "tool", "toolConfig", "toolResult", "toolSpec", "toolUse",
        "tool_call_id", "tool_calls", "tool_choice", "tool_use_id", "tools", "top_p", "type", "url", "user",
    }
)  # fmt: skip
# Where APIs put base64: what is signed, encrypted or binary.
_BINARY = frozenset(
    {
        "b64_json", "bytes", "data", "encrypted_content", "file_data", "images", "redactedContent", "signature",
        "thoughtSignature", "thought_signature",
    }
)  # fmt: skip
_NEAR = 64  # characters before a value that are put in front of it
_SHORT = 2048  # up to here base64 is read as it stands, too: keys and numbers have its letters
_NESTED = 8  # JSON texts inside JSON texts
_SAMPLE = 4096  # characters of base64 that tell binary data from text
_TEXTUAL = bytes(range(32, 127)) + b"\t\n\r"
_STANDARD = {ord("-"): "+", ord("_"): "/", ord("="): None, ord("\r"): None, ord("\n"): None}
_decode = msgspec.json.Decoder().decode


def of(doc: JsonObject) -> tuple[list[str], tuple[str, ...]]:
    """All texts of a decoded body, in no order that matters, and the notes on what was not read."""
    reader = _Reader()
    reader.walk(doc)
    return reader.texts, tuple(reader.notes)


class _Reader:
    """One walk. A list of what is still to be read stands in for recursion: depth is the sender's choice."""

    __slots__ = ("_todo", "notes", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.notes: dict[str, None] = {}
        self._todo: list[tuple[Any, str, str, int]] = []  # container, key it is under, what stands before, JSON texts

    def walk(self, doc: Any) -> None:
        todo = self._todo
        todo.append((doc, "", "", 0))
        while todo:
            node, key, before, nested = todo.pop()
            if type(node) is dict:
                self._object(node, before, nested)
            else:
                self._list(node, key, before, nested)

    def _object(self, node: JsonObject, before: str, nested: int) -> None:
        texts, todo = self.texts, self._todo
        for key, value in node.items():
            kind = type(value)
            near = before if key in _API else f"{before}{key}: "
            if kind is str:
                if key in _BINARY or "\\" in value or value[:5].lower() == "data:":
                    self._string(value, key, near, nested)
                elif near:
                    texts.append(near + value)
                else:
                    texts.append(value)
            elif kind is dict or kind is list:
                if near is not before:
                    texts.append(near)
                todo.append((value, key, near[-_NEAR:], nested))
            elif kind is int or kind is float:
                texts.append(near + written(value))
            elif near is not before:
                texts.append(near)

    def _list(self, node: list[Any], key: str, before: str, nested: int) -> None:
        texts, todo = self.texts, self._todo
        for value in node:
            kind = type(value)
            if kind is dict or kind is list:
                todo.append((value, key, before, nested))
            elif kind is str:
                self._string(value, key, before, nested)
            elif kind is int or kind is float:
                texts.append(before + written(value))

    def _string(self, value: str, key: str, near: str, nested: int) -> None:
        """A string that may be more than a text."""
        if value[:5].lower() == "data:":
            head, comma, rest = value.partition(",")
            if comma and head.lower().endswith(";base64"):
                self.texts.append(near + head)
                self._base64(rest, near)
                return
            if "%" in value:
                self.texts.append(near + unquote(value))
        elif key in _BINARY and is_like(value):
            self._base64(value, near)
            return
        self.texts.append(near + value)
        if "\\" in value and nested < _NESTED and (found := _json(value)) is not None:
            self._todo.append((found, key, near[-_NEAR:], nested + 1))

    def _base64(self, value: str, near: str) -> None:
        if len(value) <= _SHORT or not is_like(value):
            self.texts.append(near + value)
        if not is_like(value):
            return
        text, read = _plain(value)
        if text:
            self.texts.append(near + text)
        if not read:
            self.notes[NOT_INSPECTED] = None


def written(number: float) -> str:
    """A number's digits. 4111111111111111.0 is the same card as 4111111111111111."""
    return str(int(number)) if type(number) is float and number.is_integer() else str(number)


def _json(value: str) -> Any:
    """The object or list whose JSON text this is, or None. Only what has escapes needs it: all else can be seen."""
    bare = value.strip()
    if bare[:1] not in ("{", "[") or bare[-1:] not in ("}", "]"):
        return None
    try:
        body = bare.encode()
        found = None if too_many(body) else _decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return found


def _plain(value: str) -> tuple[str, bool]:
    """The text that base64 holds, "" for none, and whether it is the whole of what it holds."""
    bare = value.translate(_STANDARD)
    sample = _bytes(bare[:_SAMPLE])
    wide = sample[:2] in (b"\xff\xfe", b"\xfe\xff")
    if not wide and len(sample.translate(None, _TEXTUAL)) * 2 >= len(sample) and not _utf8(sample[:-3]):
        return "", False  # an image: not decoded as a whole
    raw = _bytes(bare)
    try:
        return raw.decode("utf-16" if wide else "utf-8"), True
    except UnicodeDecodeError:
        # An old encoding, or a document with some text in it: what can be read is read.
        return raw.decode("utf-8", "replace"), False


def _utf8(sample: bytes) -> bool:
    """Whether it is UTF-8 but for a character that is cut at its end."""
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        return error.start > len(sample) - 4
    return True


def _bytes(bare: str) -> bytes:
    """What base64 without its padding holds; a letter that is too much is left out."""
    return base64.b64decode(bare[:-1] if len(bare) % 4 == 1 else bare + "=" * (-len(bare) % 4))
