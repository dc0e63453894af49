"""A text without what is invisible in it and without markup that fetches: what remains is what a reader would see.

Plain visible text comes out as it went in.
"""

from extproc.screening import exfiltration, invisible, markup, terminal
from extproc.screening.patterns import Phrases, encoded

_STEPS = (
    ("terminal-sequences", terminal.strip),
    ("invisible-characters", invisible.strip),
    ("hidden-markup", markup.strip),
    ("fetching-markup", exfiltration.strip),
)
_GATE = Phrases((*terminal.GATE, *invisible.GATE, *markup.GATE, *exfiltration.GATE, r"\]\[", r"[\x00-\x1f\x7f-\x{9f}]"))
_ROUNDS = 8  # taking a piece out may join what stood around it to a new one; an honest text needs two rounds
_JOINTS = (("<", "< "), ("](", "] ("), ("]:", "] :"), ("][", "] ["), ("url(", "url ("), ("@import", "@ import"))


def strip(text: str) -> tuple[str, tuple[str, ...]]:
    """The text without its hidden parts, and which kinds were taken out, sorted; `()` if it is unchanged.

    Idempotent, linear in the text. A text nested so that it does not come to rest has its markup broken up by blanks.
    """
    if not _GATE.hits(encoded(text)):
        return text, ()
    removed: set[str] = set()
    for _ in range(_ROUNDS):
        before = text
        for name, step in _STEPS:
            after = step(text)
            if after != text:
                removed.add(name)
                text = after
        if text == before:
            return text, tuple(sorted(removed))
    return _broken(text), tuple(sorted(removed))


def _broken(text: str) -> str:
    text = invisible.without(text)
    for joint, apart in _JOINTS:
        text = text.replace(joint, apart)
    return text
