"""Text for people who must see what is there: what no screen shows, or shows in another order, is written as an escape.

Never changes what is seen as it is: letters of every script, marks on them, emoji and the plain blank stay.
"""

import unicodedata

# Letters and marks that are drawn as nothing: fillers of Hangul, the grapheme joiner, vowels that are not spoken, the
# empty Braille cell.
_EMPTY = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
# Controls, formats (zero width, bidirectional, tags), lone surrogates, private use, unassigned, and every separator.
_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})


def invisible(char: str) -> bool:
    """Whether `char` leaves no mark of its own on a screen (the plain blank does: it is expected)."""
    if " " <= char <= "~":
        return False
    return unicodedata.category(char) in _CATEGORIES or char in _EMPTY or _selects(ord(char))


def _selects(code: int) -> bool:
    """Variation selectors: 256 of them can carry a byte each behind any visible character."""
    return 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or 0x180B <= code <= 0x180F


def visible(text: str, limit: int = 0) -> str:
    """`text` on one line, with escapes like \\n and \\u{200b}; a backslash of its own is doubled, so that no text can
    write an escape. With `limit`, what is longer is cut and says how much is missing."""
    if limit and len(text) > limit:
        return f"{visible(text[:limit])}... ({len(text) - limit} more characters)"
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return "".join(_shown(char) for char in text)


_NAMED = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _shown(char: str) -> str:
    return _NAMED.get(char) or (f"\\u{{{ord(char):x}}}" if invisible(char) else char)


def escaped_json(text: str) -> str:
    """JSON text in which nothing invisible is left, and which means the same: all of it stood in strings."""
    if text.isascii():
        return text.replace("\x7f", "\\u007f")  # the one control that JSON may hold as it is
    return "".join(_escape(char) if char != "\n" and invisible(char) else char for char in text)


def _escape(char: str) -> str:
    code = ord(char)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
