"""Characters that a reader does not see or that change what is seen: which are legitimate where, and what they hide.

Joiners belong to emoji, Indic and Arabic script, direction marks to Hebrew and Arabic, one variation selector to the
character before it. All else is hidden text or makes hidden text possible.
"""

from collections.abc import Iterator
from itertools import islice

from extproc.screening.model import Sight, Sign
from extproc.screening.patterns import MOST_FINDS, Pattern, decoded, encoded

TAGS = Sign("tag-characters", "It holds Unicode tag characters, which spell text that nobody sees.", 80, 75)
SELECTORS = Sign("variation-data", "It holds variation selectors in rows, which carry data.", 75, 70)
ZERO_WIDTH = Sign("zero-width", "It holds zero-width characters inside words.", 40, 32)
ZERO_WIDTH_RUN = Sign("zero-width-data", "It holds zero-width characters in rows, which carry data.", 65, 60)
STRAY = Sign("stray-invisible", "It holds single invisible characters.", 15, 5)
OVERRIDES = Sign("bidi-override", "It forces the direction of text, so that it is read otherwise than seen.", 60, 45)
ISOLATES = Sign("bidi-isolate", "It embeds directions where no text runs from right to left.", 45, 35)
PRIVATE = Sign("private-use", "It holds a run of private-use characters.", 40, 35)
ANNOTATION = Sign("annotation", "It holds interlinear annotations, which hide text.", 60, 50)

_ZERO = r"\x{200b}-\x{200d}\x{2060}-\x{2064}\x{206a}-\x{206f}\x{feff}\x{ad}\x{180b}-\x{180f}\x{115f}\x{1160}\x{3164}\x{ffa0}\x{34f}\x{17b4}\x{17b5}"  # noqa: E501
_BIDI = r"\x{202a}-\x{202e}\x{2066}-\x{2069}"
_MARKS = r"\x{200e}\x{200f}\x{61c}"
_SELECT = r"\x{fe00}-\x{fe0f}\x{e0100}-\x{e01ef}"
_TAG = r"\x{e0000}-\x{e007f}"
_NOTE = r"\x{fff9}-\x{fffb}"
_USE = r"\x{e000}-\x{f8ff}\x{f0000}-\x{ffffd}\x{100000}-\x{10fffd}"

GATE = (rf"[{_ZERO}{_BIDI}{_MARKS}{_SELECT}{_TAG}{_NOTE}]|[{_USE}]{{4}}",)
_RUN = Pattern(rf"[{_ZERO}{_BIDI}{_MARKS}{_SELECT}{_TAG}{_NOTE}]+|[{_USE}]{{4,}}")
# For what follows the first finds: rows that have no place in any text.
_ROWS = (
    (Pattern(rf"[{_SELECT}]{{3}}"), SELECTORS),
    (Pattern(rf"[{_ZERO}]{{8}}"), ZERO_WIDTH_RUN),
    (Pattern(rf"[{_USE}]{{4}}"), PRIVATE),
)
_RIGHT_TO_LEFT = Pattern(r"[\x{5be}-\x{61b}\x{61d}-\x{8ff}\x{fb1d}-\x{fefc}]")
_LINE_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_FORCING = frozenset("\u202d\u202e")
_NAMES = {0x200C: "joiner", 0x200D: "joiner"}
_FLAG = "\U0001f3f4"
_SUBDIVISION = Pattern(r"^[\x{e0030}-\x{e0039}\x{e0061}-\x{e007a}]{3,6}\x{e007f}$")
_NEEDED = frozenset("\u200c\u200d\ufe0e\ufe0f\u200e\u200f\u061c")
_MOST_HIDDEN = 16_384  # characters that are read of tags behind the first finds


def _class(character: str) -> str:
    code = ord(character)
    if code in _NAMES:
        return "joiner"
    if 0xE0000 <= code <= 0xE007F:
        return "tag"
    if 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF:
        return "selector"
    if character in _LINE_BIDI:
        return "bidi"
    if code in (0x200E, 0x200F, 0x61C):
        return "mark"
    if 0xFFF9 <= code <= 0xFFFB:
        return "annotation"
    return "private" if code >= 0xE000 and code != 0xFEFF and code != 0xFFA0 else "zero"


def _joins(letter: str) -> bool:
    """Whether ZWJ or ZWNJ may stand beside the letter: Arabic, Syriac, Indic, Mongolian scripts, and emoji."""
    code = ord(letter)
    return 0x600 <= code <= 0x8FF or 0x900 <= code <= 0xDFF or 0xF00 <= code <= 0x109F or 0x1780 <= code <= 0x18AF or \
        0xFB50 <= code <= 0xFDFF or 0xFE70 <= code <= 0xFEFC or _emoji(letter)  # fmt: skip


def _emoji(letter: str) -> bool:
    code = ord(letter)
    return (
        0x1F000 <= code <= 0x1FAFF or 0x2190 <= code <= 0x2BFF or code in (0x200D, 0xFE0F, 0xA9, 0xAE, 0x3030, 0x303D)
    )


def _rtl(text: str) -> bool:
    return _RIGHT_TO_LEFT.found(encoded(text))


def _selected(letter: str, selector: str) -> bool:
    """Whether one selector may follow: emoji style behind symbols and digits, U+E0100.. behind ideographs only."""
    code, which = ord(letter), ord(selector)
    if which >= 0xE0100:
        return 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0x20000 <= code <= 0x3FFFF
    if which >= 0xFE0E:
        return _emoji(letter) or letter in "0123456789#*" or 0x2000 <= code <= 0x33FF
    return 0x1000 <= code <= 0x109F or 0x2200 <= code <= 0x2BFF or 0x3000 <= code <= 0x9FFF or 0xA840 <= code <= 0xA87F


def _kept(run: str, before: str, behind: str, *, rtl: bool, nested: bool) -> bool:
    """Whether the run of invisible characters between two characters ("" at an end) is legitimate as a whole."""
    if run[0] == "\ufeff" and not before and len(run) == 1:
        return True  # a byte order mark
    if before == _FLAG and _SUBDIVISION.found(encoded(run)):
        return True  # the flags of England, Scotland and Wales are written with tags
    if not before and _class(run[0]) in ("selector", "joiner"):
        return False
    at = 0
    if before and _class(run[0]) == "selector":
        if not _selected(before, run[0]):
            return False
        at = 1
    rest = run[at:]
    if rest in ("\u200c", "\u200d"):
        return bool(before) and (_joins(before) or at == 1) and not (behind.isascii() and behind.isalnum())
    return all((rtl and _class(sign) == "mark") or (nested and sign in _LINE_BIDI) for sign in rest)


def _runs(text: str) -> Iterator[tuple[str, str, str, bool, tuple[int, int]]]:
    """Each run of invisible characters: run, what stands before and behind, whether it is legitimate, its bytes."""
    data = encoded(text)
    rtl = _rtl(text)
    line_end, nested = -1, False
    for begin, end in _RUN.places(data):
        if begin > line_end:  # direction marks are judged by line
            line_begin = data.rfind(b"\n", max(line_end, 0), begin) + 1 or max(line_end, 0)
            line_end = data.find(b"\n", begin)
            line_end = len(data) if line_end < 0 else line_end
            nested = rtl and _nested(decoded(data[line_begin:line_end]))
        before = data[max(0, begin - 4) : begin].decode("utf-8", "ignore")[-1:]
        behind = data[end : end + 4].decode("utf-8", "ignore")[:1]
        run = decoded(data[begin:end])
        yield run, before, behind, _kept(run, before, behind, rtl=rtl, nested=nested), (begin, end)


def _nested(line: str) -> bool:
    """Whether the line's embeddings and isolates are closed, none forces a direction, and it has something to embed."""
    if not _rtl(line):
        return False
    open_: list[str] = []
    for sign in line:
        if sign not in _LINE_BIDI:
            continue
        if sign in _FORCING:
            return False
        if sign in "\u202a\u202b":
            open_.append("\u202c")
        elif sign in "\u2066\u2067\u2068":
            open_.append("\u2069")
        elif not open_ or open_.pop() != sign:
            return False
    return not open_


def look(text: str) -> Sight:
    """What the invisible characters are, and what tags, selectors and zero-width bits say."""
    signs: set[Sign] = set()
    hidden: list[str] = []
    rtl = _rtl(text)
    runs = _runs(text)
    for run, before, behind, kept, _ in islice(runs, MOST_FINDS):
        if kept:
            continue
        classes = {_class(sign) for sign in run}
        if "tag" in classes:
            signs.add(TAGS)
            hidden.append("".join(chr(ord(sign) - 0xE0000) for sign in run if 0xE0020 <= ord(sign) < 0xE007F))
        if "selector" in classes:
            signs.add(SELECTORS if len(run) > 2 else STRAY)
            hidden.append(bytes(_byte(sign) for sign in run if _class(sign) == "selector").decode("utf-8", "replace"))
        if "bidi" in classes:
            signs.add(OVERRIDES if _FORCING & set(run) else ISOLATES if not rtl else STRAY)
        if "annotation" in classes:
            signs.add(ANNOTATION)
        if "private" in classes:
            signs.add(PRIVATE)
        if classes & {"zero", "joiner", "mark"}:
            inside = before.isalnum() and behind.isalnum() and before.isascii() and behind.isascii()
            soft = set(run) <= {"\u00ad", "\ufeff", "\u200e", "\u200f"}
            signs.add(ZERO_WIDTH_RUN if len(run) >= 8 else ZERO_WIDTH if inside and not soft else STRAY)
            hidden += _bits(run)
    more = next(runs, None)
    if more is not None:
        hidden.append(_looked_over(encoded(text)[more[4][0] :], signs))
    return Sight(tuple(signs), tuple(text for text in hidden if text))


def _looked_over(data: bytes, signs: set[Sign]) -> str:
    """What follows the first finds, without a look at what stands around each: only what is nowhere legitimate counts.
    Gives what its tags say."""
    signs |= {sign for pattern, sign in _ROWS if pattern.found(data)}
    rest = decoded(data)
    characters = set(rest)
    if characters & _FORCING:
        signs.add(OVERRIDES)
    classes = {_class(each) for each in characters if _RUN.found(encoded(each))} & {"tag", "annotation"}
    if "annotation" in classes:
        signs.add(ANNOTATION)
    if "tag" not in classes:
        return ""
    signs.add(TAGS)
    tags = (chr(ord(sign) - 0xE0000) for sign in rest if 0xE0020 <= ord(sign) < 0xE007F)
    return "".join(islice(tags, _MOST_HIDDEN))


def _byte(selector: str) -> int:
    code = ord(selector)
    return code - 0xFE00 if code < 0xE0000 else code - 0xE0100 + 16


def _bits(run: str) -> Iterator[str]:
    """What a row of two different zero-width characters says as bits, both ways round."""
    kinds = sorted(set(run))
    if len(kinds) == 2 and len(run) >= 32:
        for one in kinds:
            number = int("".join("1" if sign == one else "0" for sign in run[: 8 * (len(run) // 8)]), 2)
            text = number.to_bytes(len(run) // 8, "big").decode("ascii", "replace")
            if text.isprintable():
                yield text


def without(text: str) -> str:
    """The text without any character of these classes, legitimate or not: for comparison, not for passing on."""
    data = encoded(text)
    pieces: list[bytes] = []
    done = 0
    for begin, end in _RUN.places(data):
        pieces.append(data[done:begin])
        done = end
    return decoded(b"".join((*pieces, data[done:]))) if done else text


def strip(text: str) -> str:
    """The text without what is not legitimate where it stands. Behind MOST_FINDS runs all go that other scripts and
    emoji do not need; a text with so many is no plain one."""
    data = encoded(text)
    pieces: list[bytes] = []
    done = 0
    runs = _runs(text)
    for run, before, behind, kept, (begin, end) in islice(runs, MOST_FINDS):
        if kept:
            continue
        pieces += (data[done:begin], encoded(_remains(run, before, behind)))
        done = end
    more = next(runs, None)
    if more is None:
        return decoded(b"".join((*pieces, data[done:]))) if done else text
    begin = more[4][0]
    rest = decoded(data[begin:])
    characters = set(rest)
    needed = any(map(_joins, characters))
    gone = {ord(each): None for each in characters if _RUN.found(encoded(each)) and not (needed and each in _NEEDED)}
    return decoded(b"".join((*pieces, data[done:begin]))) + rest.translate(gone)


def _remains(run: str, before: str, behind: str) -> str:
    """What of a run may stay by itself: the selector of an emoji and one joiner."""
    first = run[0] if before and _class(run[0]) == "selector" and _selected(before, run[0]) else ""
    joiner = next((sign for sign in run if _class(sign) == "joiner"), "")
    return first + (joiner if joiner and _kept(first + joiner, before, behind, rtl=False, nested=False) else "")
