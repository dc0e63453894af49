"""Control characters and terminal escape sequences: what a terminal does with a text instead of showing it.

Colours are harmless and common in logs. Sequences that conceal, move, link, set the clipboard or talk to the terminal
show a reader something else than the model gets.
"""

from itertools import islice

from extproc.screening.model import Sight, Sign
from extproc.screening.patterns import MOST_FINDS, Pattern, decoded, encoded

COLOUR = Sign("ansi-colour", "It holds terminal colours.", 20, 0)
CONCEALED = Sign("ansi-conceal", "A terminal conceals a part of it.", 60, 45)
CURSOR = Sign("ansi-cursor", "It moves the cursor or clears the screen, so that text is overwritten.", 50, 35)
LINE = Sign("ansi-line", "It rewrites a line, as progress bars do.", 30, 5)
LINK = Sign("osc-link", "It holds terminal links, whose address is not shown.", 45, 20)
FALSE_LINK = Sign("osc-false-link", "It holds a terminal link that shows another address than its own.", 65, 55)
CONTROL = Sign("osc-control", "It writes to the terminal's clipboard, title or other state.", 60, 45)
BACKSPACE = Sign("backspace", "It overwrites characters by backspaces.", 45, 35)
STRAY = Sign("control-characters", "It holds control characters.", 25, 5)

GATE = (r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x{9f}]|\r[^\n\r]",)
# The one-character forms of U+0080..9F are no introducers here: in text they are mostly quotation marks decoded
# wrongly, and must not swallow what follows.
_CSI = r"\x1b\["
_OSC = r"\x1b[\]PX^_]"
_END = r"(?:\x07|\x1b\\|\x{9c})"
_BODY = r"[^\x07\x1b\x{9c}\n]*"  # one that its line does not close is none: only its introducer goes
_SEQUENCE = Pattern(
    rf"{_CSI}[0-?]*[ -/]*[@-~]|{_OSC}{_BODY}{_END}|\x1b[ -/]*[0-~]|[\x00-\x08\x0b\x0e-\x1f\x7f-\x{{9f}}]"
)
_LINKS = Pattern(rf"\x1b\]8;[^;\x07\x1b\n]*;({_BODY}){_END}([^\x1b\n]*)")
_ERASED = Pattern(r"[^\x08\n]\x08")
_CONTROLS = dict.fromkeys((*range(0x09), 0x0B, *range(0x0E, 0x20), *range(0x7F, 0xA0)))
_LONG = 32  # characters of a sequence that tell what it is
_HOST = Pattern(r"(?:https?://|www\.)([\w.-]+)")


def look(text: str) -> Sight:
    data = encoded(text)
    signs: set[Sign] = set()
    places = _SEQUENCE.places(data)
    for begin, end in islice(places, MOST_FINDS):
        signs.add(_sign(decoded(data[begin:end])))
    more = next(places, None)
    if more is not None:
        signs |= _looked_over(decoded(data[more[0] :]))
    hidden = []
    if LINK in signs:
        for _, (target, label) in islice(_LINKS.parts(data), MOST_FINDS):
            hidden.append(target)
            shown = [groups[0].lower() for _, groups in _HOST.parts(encoded(label))]
            meant = [groups[0].lower() for _, groups in _HOST.parts(encoded(target))]
            if shown and meant and shown[0] != meant[0]:
                signs.add(FALSE_LINK)
    if b"\x08" in data and _ERASED.found(data):
        signs.add(BACKSPACE)
    return Sight(tuple(signs), tuple(part for part in hidden if part))


def _looked_over(rest: str) -> set[Sign]:
    """The signs of what follows the first finds, each kind of sequence once. So many kinds are no colours."""
    kinds = {piece[:_LONG] for piece in rest.split("\x1b")[1:]}
    signs = {CURSOR} if len(kinds) > MOST_FINDS else set()
    for kind in islice(kinds, MOST_FINDS):
        data = encoded("\x1b" + kind)
        signs |= {_sign(decoded(data[begin:end])) for begin, end in islice(_SEQUENCE.places(data), 1)}
    return signs


def _sign(sequence: str) -> Sign:
    if sequence.startswith("\x1b]8;"):
        return LINK
    if sequence[:2] in ("\x1b]", "\x1bP", "\x1bX", "\x1b^", "\x1b_"):
        return CONTROL if len(sequence) > 2 else STRAY
    if sequence[:2] == "\x1b[" and len(sequence) > 2:
        body, final = sequence[2:-1], sequence[-1]
        if final == "m":
            codes = body.replace(":", ";").split(";")
            return CONCEALED if "8" in codes and "38" not in codes and "48" not in codes else COLOUR
        if final in "KGhlrC" and not (final == "h" and "1049" in body):
            return LINE
        return LINE if (final, body) in (("A", ""), ("A", "1"), ("F", "1")) else CURSOR
    return STRAY


def strip(text: str) -> str:
    """Without sequences and control characters; tab, line ends and form feed stay. A link leaves its label. Of what
    follows MOST_FINDS sequences only the control characters go, without which no terminal obeys the others."""
    data = encoded(text)
    pieces: list[bytes] = []
    done = 0
    places = _SEQUENCE.places(data)
    for begin, end in islice(places, MOST_FINDS):
        pieces.append(data[done:begin])
        done = end
    if not done:
        return text
    more = next(places, None)
    if more is None:
        return decoded(b"".join((*pieces, data[done:])))
    return decoded(b"".join((*pieces, data[done : more[0]]))) + decoded(data[more[0] :]).translate(_CONTROLS)
