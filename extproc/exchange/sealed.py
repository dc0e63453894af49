"""Encrypted, signed and binary strings: they pass as they are, but only what looks like one.

A field's name does not make its text unreadable. Such a string is base64 that holds no text; anything else is masked
like any other string, and so is text in base64.
"""

import base64
from collections.abc import Callable

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=\r\n"
_STANDARD = str.maketrans("-_", "+/", "\r\n=")
_SHORT = 2048  # up to here it is looked at as text, too: keys and numbers are base64 as well


def is_like(value: str) -> bool:
    """Whether it has the letters of base64, and may thus be unreadable."""
    return value.isascii() and not value.encode("ascii").translate(None, _ALPHABET)


def masked(text: Callable[[str], str], value: str) -> tuple[str, bool]:
    """`value` as it may pass, and whether that is unread. `text` masks a text."""
    if not is_like(value):
        return text(value), False
    if len(value) <= _SHORT and (shown := text(value)) != value:
        return shown, False
    bare = value.translate(_STANDARD)
    try:
        raw = base64.b64decode(bare + "=" * (-len(bare) % 4))
    except ValueError:
        return text(value), False
    try:
        plain = raw.decode("utf-8")
    except UnicodeDecodeError:
        return value, True
    shown = text(plain)
    if shown == plain:
        return value, True
    return base64.b64encode(shown.encode("utf-8")).decode("ascii"), False
