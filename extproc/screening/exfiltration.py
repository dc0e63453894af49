"""Markup that makes a client fetch an address, and so can carry data away in it: images, frames, styles, links.

An image of a foreign host alone is a hint; with data, or a place for data, in its address it is the attack.
"""

from collections.abc import Iterator
from typing import NamedTuple

from extproc.screening.encoded import reads
from extproc.screening.model import Sight, Sign
from extproc.screening.patterns import Pattern, decoded, encoded

FOREIGN = Sign("foreign-image", "It makes a client load something from another host.", 30, 12)
DATA = Sign("data-in-address", "An address that a client loads by itself carries data.", 65, 55)
PLACE = Sign("place-for-data", "An address has a place where data is to be put.", 40, 32)
LOADED_PLACE = Sign("loaded-place-for-data", "An address that a client loads has a place for data.", 75, 65)
LONG = Sign("long-query", "An address that a client loads carries a long opaque value.", 35, 20)
LINKED = Sign("data-in-link", "A link's address carries data that can be read.", 45, 35)
PIXEL = Sign("pixel", "It holds an image that is too small to be seen.", 45, 34)
ACTIVE = Sign("active-markup", "It holds a frame, form or script that loads from another host.", 55, 15)
SCRIPTED = Sign("script-address", "It holds a link that runs a script.", 60, 35)

_ADDRESS = r"<?\s*((?:https?:|ftp:|wss?:)?//[^\s<>\"')]+|(?:https?:)?\\\\[^\s<>\"')]+)"
_IMAGE = Pattern(rf"!\[([^\]\n]*)\]\({_ADDRESS}([^)\n]*)\)?")
_REFERENCE = Pattern(r"!(\[[^\]\n]*\]\[[^\]\n]*\])")
_DEFINITION = Pattern(rf"(?m:^[\x20\t>]{{0,8}}\[([^\]\n]+)\]:[\x20\t]*{_ADDRESS}[^\n]*$)")
_LINK = Pattern(rf"\[([^\]\n]*)\]\({_ADDRESS}[^)\n]*\)?")
_ELEMENT = Pattern(
    rf"<(img|image|iframe|frame|object|embed|video|audio|source|link|script|input|base|meta|portal|track|picture|svg|use|form|body|table|td)\b([^<>]*?)\b(?:src|srcset|href|data|poster|background|action|content|xlink:href)\s*=\s*[\"']?(?:[0-9]+;\s*url=)?{_ADDRESS}([^<>]*)>?"
)
_STYLE = Pattern(rf"(?:url\(\s*[\"']?|@import\s+[\"']){_ADDRESS}[\"']?\s*\)?")
_BARE = Pattern(r"(https?://[^\s<>\"'`]+)")
_ANCHOR = Pattern(rf"<(a|area)\b[^<>]*?\bhref\s*=\s*[\"']?{_ADDRESS}[^<>]*>?")
_SCRIPT = Pattern(r"\]\(\s*<?(?:javascript|vbscript|data:text/html)[:;,]|href\s*=\s*[\"']?\s*(?:javascript|vbscript):")
_ALT = Pattern(r"\balt\s*=\s*(?:\"([^\"<>]*)\"|'([^'<>]*)')")
_TINY = Pattern(
    r"(?:width|height)\s*[=:]\s*[\"']?[01](?:px)?[\"'\s;/>]|display\s*:\s*none|opacity\s*:\s*0[;\"']|visibility\s*:\s*hidden"
)
_NOUN = r"(?:data|secrets?|conversation|(?:chat_?)?history|context|system_?prompt|prompt|env|passwords?|pwd|credentials?|private|base64\w*|b64\w*|encoded\w*|url_?encoded\w*|user_?data|exfil\w*|stolen|leak\w*|contents?|file_?contents?|summary|messages?|chat|info|answer|api_?key|token|keys?|emails?|user_?message|response|output|result|payload|ssn|name)"  # noqa: E501
_PLACE = Pattern(
    rf"[{{<\[(]{{1,2}}\s*(?:[\w-]+[\s_-])?(?:the[\s_-])?{_NOUN}(?:[\s_-][\w-]+)*\s*[}}>\])]{{1,2}}|\$\{{[^}}]*\b{_NOUN}\b[^}}]*\}}|%7B[\w%]*%7D|=%s|(?-i:[=/](?:[A-Z0-9]+_)*(?:DATA|SECRET|HISTORY|CONTEXT|PAYLOAD|BASE64|CONTENTS?|CONVERSATION|ENCODED)(?:_[A-Z]+)*(?:[&#/?]|$))"
)
_ANY_PLACE = Pattern(r"\{[^{}]*\}|\$\{|%7B|%s|<[a-z_ -]{2,40}>|\[[a-z_ -]{3,40}\]|(?-i:[A-Z]{3,}_[A-Z_]{3,})")
_VALUE = Pattern(r"(?:[?&#;/=]|%3D)([\w+/%-]{12,}=*)")

GATE = (
    rf"\]\({_ADDRESS}|!\[[^\]\n]*\]\[|(?m:^[\x20\t>]{{0,8}}\[[^\]\n]+\]:[\x20\t]*{_ADDRESS})",
    r"<(?:img|image|iframe|frame|object|embed|video|audio|source|link|script|input|base|meta|portal|track|picture|svg|use|form|body|table|td|a|area)\b[^<>]*=\s*[\"']?(?:[0-9]+;\s*url=)?(?:(?:https?:)?//|javascript|vbscript)",
    rf"(?:url\(\s*[\"']?|@import\s+[\"']){_ADDRESS}",
    r"https?://[^\s<>\"'`]*(?:[{<\[(]\s*[a-z]|\$\{|%7B|%s|=?(?-i:[A-Z]{4,}(?:_|\b)))",
    r"\]\(\s*<?(?:javascript|vbscript|data:text/html)",
)


class _Loaded(NamedTuple):
    """A piece of markup with an address. `text` is what stays of it; `by_itself`: no click is needed."""

    place: tuple[int, int]
    address: str
    text: str
    by_itself: bool
    around: str


def look(text: str) -> Sight:
    data = encoded(text)
    signs: set[Sign] = set()
    for piece in _pieces(data):
        if piece.by_itself:
            signs.add(
                ACTIVE
                if piece.around.startswith(
                    ("iframe", "script", "object", "embed", "form", "base", "portal", "frame", "meta")
                )
                else FOREIGN
            )
            if piece.around.startswith(("img", "image")) and _TINY.found(encoded(piece.around)):
                signs.add(PIXEL)
        signs.update(_judged(piece))
    for _, (address,) in _BARE.parts(data):
        if _PLACE.found(encoded(address)):
            signs.add(PLACE)
    if _SCRIPT.found(data):
        signs.add(SCRIPTED)
    return Sight(tuple(signs))


def _judged(piece: _Loaded) -> Iterator[Sign]:
    """What is in the address of a piece."""
    address = encoded(piece.address)
    if _PLACE.found(address) or (piece.by_itself and _ANY_PLACE.found(address)):
        yield LOADED_PLACE
    for _, (value,) in _VALUE.parts(address):
        if reads(value):
            yield DATA if piece.by_itself else LINKED
        elif piece.by_itself and len(value) >= 48 and "/" not in value:
            yield LONG


def _pieces(data: bytes) -> Iterator[_Loaded]:
    for place, (alt, address, rest) in _IMAGE.parts(data):
        yield _Loaded(place, address + rest, _shown(alt, address), True, "")
    for place, (label, address) in _DEFINITION.parts(data):
        yield _Loaded(place, address, f"{label}: {_quoted(address)}", False, "")
    for place, (label, address) in _LINK.parts(data):
        if data[place[0] - 1 : place[0]] != b"!":
            yield _Loaded(place, address, _shown(label, address), False, "")
    for place, (name, before, address, behind) in _ELEMENT.parts(data):
        around = f"{name.lower()} {before} {behind} "
        alt = next((one or two for _, (one, two) in _ALT.parts(encoded(around))), "")
        yield _Loaded(place, address, _shown(alt, address), True, around)
    for place, (_, address) in _ANCHOR.parts(data):
        yield _Loaded(place, address, _quoted(address), False, "")
    for place, (address,) in _STYLE.parts(data):
        yield _Loaded(place, address, _quoted(address), True, "")


def _quoted(address: str) -> str:
    """In backquotes: neither loaded nor made a link of, nor fetched for a preview."""
    return f"`{address.replace('`', '')}`"


def _shown(label: str, address: str) -> str:
    return f"{label} {_quoted(address)}" if label.strip() else _quoted(address)


def strip(text: str) -> str:
    """What loads by itself, and links that carry data, become their label and their address as plain text."""
    data = encoded(text)
    changes = [(piece.place, encoded(piece.text)) for piece in _pieces(data) if piece.by_itself or any(_judged(piece))]
    changes += [(place, encoded(image)) for place, (image,) in _REFERENCE.parts(data)]
    pieces: list[bytes] = []
    done = 0
    for (begin, end), instead in sorted(changes):
        if begin >= done:
            pieces += (data[done:begin], instead)
            done = end
    return decoded(b"".join((*pieces, data[done:]))) if changes else text
