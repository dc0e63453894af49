"""Every spelling of a text that some server, library or operating system would take for another: undone, step by step.

    readings("%252e%252e/x") -> ("%252e%252e/x", "%2e%2e/x", "../x")

A check judges every reading, so that it need not guess which decoder stands behind a tool. Pure; linear in the text.
"""

import html
from unicodedata import normalize
from urllib.parse import unquote, unquote_to_bytes

ROUNDS = 5  # decoders that stand in a row behind a tool: a proxy, a framework, a library, one more, one to spare

_HEX = frozenset("0123456789abcdefABCDEF")

# Characters that show nothing and that file systems (HFS+), browsers (UTS #46) or models skip: the default-ignorable
# code points (Unicode, DerivedCoreProperties) and the interlinear annotation marks.
_UNSEEN = (
    (0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F),
    (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
)  # fmt: skip
INVISIBLE: dict[int, None] = {code: None for first, last in _UNSEEN for code in range(first, last + 1)}
# Two ligatures whose compatibility forms are eighteen and eight characters long, letters and blanks.
_BEFORE = INVISIBLE | {0xFDFA: None, 0xFDFB: None}
# Never part of a name: control characters (C0, DEL, C1), line and paragraph separators, and the overrides that make
# a text look other than it is read. Joiners and plain direction marks occur in real names and are only skipped.
CONTROL = frozenset(
    map(chr, (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
)
# What NFKC leaves alone and a best-fit code page, a font or a lenient parser does not. The yen and won signs stand
# where Shift-JIS and the Korean code page have the backslash.
_ALIKE = str.maketrans(
    {
        **dict.fromkeys("\u3002\uff61\u2e31\u2e33\ua4f8\U0001d16d", "."),
        **dict.fromkeys("\u2044\u2215\u29f8\u2571\u3033\u31d3\u2cc6\u27cb", "/"),
        **dict.fromkeys("\u2216\u29f5\u29f9\u20e5\u27cd\u3035\u31d4\xa5\u20a9", "\\"),
        **dict.fromkeys("\ua789\u2236\u02d0\u05c3\u0589", ":"),
        **dict.fromkeys("\u223c\u2053", "~"),
    }
)


def readings(text: str, *, strict: bool = True) -> tuple[str, ...] | None:
    """The text and all that decoders make of it, each once, in the order in which they come up.

    None when it cannot be followed: more layers than anyone decodes or, if `strict`, bytes that are not UTF-8 (overlong
    forms among them). At most 7 * ROUNDS + 6 readings.
    """
    if "%" not in text and "&" not in text and "\\" not in text and fold(text) == text:
        return (text,)
    seen = [text]
    if "\\" in text and ("%" in text or "&" in text):
        # A reader that knows no escapes still has the backslash, to which it is a separator: `.%252e\\x2ea`.
        bare = text
        for _ in range(ROUNDS):
            decoded = decode(bare, strict=strict)
            if decoded is None:
                return None
            if decoded == bare:
                break
            bare = decoded
            seen += [reading for reading in (bare, fold(bare)) if reading not in seen]
    for _ in range(ROUNDS + 1):
        before = text
        decoded = decode(text, strict=strict)
        if decoded is None:
            return None
        plain = unescape(decoded)
        text = fold(plain)
        for reading in (fold(before), decoded, fold(decoded), plain, text):
            if reading not in seen:
                seen.append(reading)
        if text == before:
            return tuple(seen)
    return None


def decode(text: str, *, strict: bool = True) -> str | None:
    """One layer of %XX, %uXXXX and HTML references taken off; None if that fails, `strict`: on bad UTF-8 too."""
    if "%" in text:
        text = _marked(text.replace("%U", "%u"), "%u", 4)
        try:
            text = unquote_to_bytes(text).decode() if strict else unquote(text)
        except UnicodeError:
            return None
    if "&" in text:
        try:
            return html.unescape(text)
        except ValueError:  # a reference with more digits than Python turns into a number
            return None
    return text


def unescape(text: str) -> str:
    """The escapes of programming languages undone where they spell a character that matters to a path or URL."""
    if "\\" not in text:
        return text
    for mark, width, base in (("\\x", 2, 16), ("\\u", 4, 16), ("\\0", 2, 8)):
        text = _marked(text, mark, width, base, only="\0./\\:%~@")
    return text


def fold(text: str) -> str:
    """Compatibility forms, look-alikes of separators and invisible characters: what they are taken for."""
    if text.isascii():
        return text
    return normalize("NFKC", text.translate(_BEFORE)).translate(_ALIKE).translate(INVISIBLE)


def _marked(text: str, mark: str, width: int, base: int = 16, only: str = "") -> str:
    first, *pieces = text.split(mark)
    if not pieces:
        return text
    out = [first]
    for piece in pieces:
        digits = piece[:width]
        if (
            len(digits) == width
            and _HEX.issuperset(digits)
            and (base == 16 or (digits.isdecimal() and "8" not in digits))
        ):
            try:
                spelled = chr(int(digits, base))
            except ValueError:
                spelled = ""
            if spelled and (not only or fold(spelled) in only):
                out += (spelled, piece[width:])
                continue
        out += (mark, piece)
    return "".join(out)
