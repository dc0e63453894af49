"""Payloads in another writing: base64, hex, escapes, rot13, reversed, spaced or digit-for-letter words.

Each is decoded once and what comes out is screened as hidden text; nothing decoded is decoded again. Bounded: so many
pieces, so many characters of each.
"""

import base64
import binascii
import codecs
import html
import urllib.parse
from collections.abc import Iterator

from extproc.screening.model import Sight
from extproc.screening.patterns import Pattern, decoded, encoded

_PIECES = 64
_LENGTH = 16384

_BASE64 = Pattern(r"[a-z0-9+/_-]{20,}")
_HEX = Pattern(r"(?:\\x|0x|%)?[0-9a-f]{2}(?:[\x20:,-]?(?:\\x|0x|%)?[0-9a-f]{2}){11,}")
_PERCENT = Pattern(r"[\w.-]*(?:%[0-9a-f]{2}[\w.+-]{0,12}){3,}")
_ENTITIES = Pattern(r"(?:&#(?:[0-9]{2,6}|x[0-9a-f]{2,5});?[\x20]?[a-z]?){4,}")
_ESCAPES = Pattern(r"(?:\\u\{?[0-9a-f]{4,5}\}?[\x20]?){4,}")
_BINARY = Pattern(r"[01]{8}(?:[\x20]?[01]{8}){7,}")
_SPACED = Pattern(r"\b\w(?:[\x20._*-]{1,3}\w\b){7,}")
_DIGITS = str.maketrans("013457@$", "oieastas")

_ROT13_WORDS = r"vtaber|qvfertneq|cerivbhf|vafgehpgvba|flfgrz cebzcg|sbetrg nyy|perqragvny"
_REVERSED_WORDS = r"erongi|dragersid|suoiverp|noitcurtsni|tpmorp metsys"
_DIGIT_WORDS = r"1gn[o0]r[e3]|[i1]gn0r[e3]|[i1]gnor3|pr[e3]v[i1]0us|pr[e3]v1[o0]us|pr3vious|[i1]n[s5\$][t7]ruc[t7][i1]0n|1n[s5\$][t7]ruc|[i1]n[s5\$][t7]ruc[t7]1on|[i1]n\$truct|in5truct|d[i1]sr3gard|d1sr[e3]g[a4@]rd|5yst[e3]m pr|syst3m pr"  # noqa: E501

GATE = (
    r"[a-z0-9+/_-]{20}",
    r"(?:(?:\\x|0x|%)?[0-9a-f]{2}[\x20:,-]?){12}|(?:%[0-9a-f]{2}[\w.+-]{0,12}){3}",
    r"(?:&#(?:[0-9]{2,6}|x[0-9a-f]{2,5});?[\x20]?[a-z]?){4}|(?:\\u\{?[0-9a-f]{4,5}\}?[\x20]?){4}",
    r"[01]{8}(?:[\x20]?[01]{8}){7}",
    r"\b\w(?:[\x20._*-]{1,3}\w\b){7}",
    rf"\b(?:{_ROT13_WORDS})|(?:{_REVERSED_WORDS})\b|{_DIGIT_WORDS}",
)
_ROT13 = Pattern(rf"\b(?:{_ROT13_WORDS.replace(' ', '.')})")
_REVERSED = Pattern(rf"(?:{_REVERSED_WORDS.replace(' ', '.')})\b")
_SWAPPED = Pattern(rf"(?:{_DIGIT_WORDS.replace(' ', '.')})")


def look(text: str) -> Sight:
    """The texts that come out, none of them a sign by itself."""
    data = encoded(text)
    return Sight(hidden=tuple(dict.fromkeys(_decodings(text, data))))


def _decodings(text: str, data: bytes) -> Iterator[str]:
    for piece in _some(_BASE64, data):
        if found := _from_base64(piece):
            yield found
    for piece in _some(_HEX, data):
        if found := _from_hex(piece):
            yield found
    for piece in _some(_PERCENT, data):
        yield urllib.parse.unquote(piece, errors="replace")
    for piece in _some(_ENTITIES, data):
        yield html.unescape(piece)
    for piece in _some(_ESCAPES, data):
        yield _from_escapes(piece)
    for piece in _some(_BINARY, data):
        bits = piece.replace(" ", "")
        yield "".join(chr(int(bits[at : at + 8], 2)) for at in range(0, len(bits) - 7, 8))
    for piece in _some(_SPACED, data):
        yield _unspaced(piece)
    if _ROT13.found(data):
        yield codecs.decode(text, "rot13")
    if _REVERSED.found(data):
        yield text[::-1]
    if _SWAPPED.found(data):
        yield text.translate(_DIGITS)


def _some(pattern: Pattern, data: bytes) -> Iterator[str]:
    for (begin, end), _ in zip(pattern.places(data), range(_PIECES), strict=False):
        yield decoded(data[begin : min(end, begin + _LENGTH)]) if end - begin <= _LENGTH else \
            data[begin : begin + _LENGTH].decode("utf-8", "ignore")  # fmt: skip


def reads(value: str) -> bool:
    """Whether a value in an address is text in base64 or hex, or words."""
    value = urllib.parse.unquote(value, errors="replace")
    return bool(_from_hex(value) or _from_base64(value))


def _from_base64(piece: str) -> str:
    """The text that a run spells, "" if none: what is random rarely decodes to printable characters."""
    plain = piece.rstrip("=").replace("-", "+").replace("_", "/")
    if len(plain) < 12 or plain.isdigit():
        return ""
    for start in (0, 1, 2, 3) if len(plain) > 40 else (0,):
        part = plain[start:]
        try:
            found = base64.b64decode(
                part[: len(part) // 4 * 4] if len(part) % 4 == 1 else part + "=" * (-len(part) % 4)
            )
        except (binascii.Error, ValueError):
            continue
        if text := _text(found):
            return text
    return ""


def _from_hex(piece: str) -> str:
    digits = piece.lower().replace("\\x", "").replace("0x", "")
    for separator in " :,-%":
        digits = digits.replace(separator, "")
    try:
        return _text(bytes.fromhex(digits[: len(digits) // 2 * 2]))
    except ValueError:
        return ""


def _text(found: bytes) -> str:
    """As text if it is text: UTF-8 (an end may be cut) or UTF-16, almost all of it printable."""
    if len(found) > 8 and not any(found[1:16:2]):
        found = found[::2]
    text = found.decode("utf-8", "replace").rstrip("\ufffd")
    if len(text) < 8:
        return ""
    odd = sum(not (letter.isprintable() or letter in "\r\n\t") or letter == "\ufffd" for letter in text[:512])
    return text if odd * 20 <= min(len(text), 512) else ""


def _from_escapes(piece: str) -> str:
    codes = piece.replace("{", "").replace("}", "").replace(" ", "").split("\\u")
    return "".join(chr(int(code, 16)) for code in codes if code and int(code, 16) < 0x110000)


def _unspaced(piece: str) -> str:
    """Letters written apart joined to words: the wider gaps, if there are any, are the blanks between words."""
    words = piece.replace("   ", "\0").replace("  ", "\0").split("\0")
    return " ".join("".join(letter for letter in word if letter.isalnum()) for word in words)
