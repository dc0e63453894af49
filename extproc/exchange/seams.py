"""Texts that arrive whole in an event, remembered by their place: so that none goes on with what another began.

A channel is a text whose pieces a client is known to join, and its end is held back. All other strings of a stream are
masked where they stand. Nobody should join those; but an upstream may send a place again and again, and a client may
well append what comes. So where a place comes again, both texts are looked at as one. What would have been masked as
one and was not ends the answer: the first part has left, the rest does not.

It remembers only the end of a text, as far as a match can reach, and never more than MAX_KEPT in all.
"""

from extproc.errors import Uninspectable
from extproc.exchange.text import TextFilter

KEEP = 2048
"""Characters of a clean text's end that are kept: more than any match is long."""

KEEP_MASKED = 36_864
"""The same after something was masked in it: a block (a private key) may go on for 32 KiB."""

MAX_KEPT = 16 * 1024 * 1024
"""Characters kept of all places together, with COST for each place."""

COST = 256
_REPEATED = 32  # characters of a text that comes again as it was; shorter ones may be parts of a number

Place = tuple[object, ...]


class Seams:
    """The places of one stream. Counts of the filter may count a match twice where a place comes twice."""

    __slots__ = ("_ends", "_mask", "_size")

    def __init__(self, mask: TextFilter) -> None:
        self._mask = mask
        self._ends: dict[Place, tuple[str, str, str]] = {}  # end of all that came; the last text; what became of it
        self._size = 0

    def text(self, text: str, before: str, place: Place) -> str:
        """A clean text at its place, masked. Raises `Uninspectable` if it goes on with what came before there."""
        known = self._ends.get(place)
        if known is None:
            masked = self._mask.text(text, before)
            self._keep(place, "", text, masked)
            return masked
        end, last, masked = known
        if text == last and (masked != text or len(text) >= _REPEATED):
            return masked  # told again, as lists that grow are
        whole = end + text
        if masked == last and text == last and whole[-KEEP:] == end:
            return masked  # the same over and over: every match there is was looked for already
        joined = self._mask.text(whole, before)
        # by itself, too: what came before may be what makes a match none, such as one more digit
        masked = self._mask.text(text, before)
        if joined != whole:
            ended, near = self._mask.text(end, before), self._mask.text(text, before + end)
            if joined not in (ended + masked, ended + near):
                raise Uninspectable("The answer went on with a text where it had ended.")
            if near != text:
                masked = near if masked == text else self._mask.text(masked, before + end)
        self._keep(place, end, text, masked)
        return masked

    def once(self, text: str, place: Place) -> None:
        """A text that cannot be looked at in parts. Raises `Uninspectable` when another one comes at its place."""
        known = self._ends.get(place)
        end = text if len(text) <= KEEP_MASKED else f"{len(text)} {hash(text)}"
        if known is None:
            self._keep(place, "", end, "")
        elif known[0] != end:
            raise Uninspectable("The answer gave two texts for one place.")

    def edges(self, text: str, place: Place) -> bool:
        """Whether neither end of a text that is nobody's to read, nor the seam before it, holds anything to mask."""
        if len(text) <= 2 * KEEP:
            return self.text(text, "", place) == text
        head, tail = text[:KEEP], text[-KEEP:]
        if self.text(head, "", place) != head or self._mask.text(tail) != tail:
            return False
        self._keep(place, "", tail, tail)
        return True

    def seen(self, place: Place) -> bool:
        return place in self._ends

    def _keep(self, place: Place, end: str, text: str, masked: str) -> None:
        keep = KEEP if masked == text and len(end) <= KEEP else KEEP_MASKED
        kept = (end + text)[-keep:]
        last = (text, masked) if len(text) <= KEEP else ("", "")
        old = self._ends.get(place)
        self._size += len(kept) + len(last[0]) + len(last[1])
        self._size -= len(old[0]) + len(old[1]) + len(old[2]) if old is not None else -COST
        if self._size > MAX_KEPT:
            raise Uninspectable("The answer has texts in more places than are inspected.")
        self._ends[place] = (kept, *last)
