"""What is masked: the union of all matches, and the labels that stand for it. It never decides what matches.

The meaning of masking, for a whole text:

- For every rule and every place of the text, a *match* that starts there is the longest valid one (`Core.end`). A
  match *reaches* as far as it does itself, or through the run of its `tail` class behind it, or, for a block, to the
  end of the first `until` that starts behind it; when that ends beyond `until_max` bytes, to `until_max` (and to the
  end of the character there).
- Every character that any match reaches over is masked. Nothing else is.
- Matches are taken in the order of their starts; at one place the longest first, then the order of the rules. One that
  starts behind everything reached so far leaves its label and begins a *stretch*. One that starts inside the match
  that left the stretch's last label, and ends beyond it, leaves its label too, when it is of another rule. All others
  (inside another, of the same rule, or started in a tail or a block) are masked without a label.
- `partial` shows its last characters only where a match stands alone: where it begins its stretch, and no other match
  starts in it, except of its own rule and not ending beyond it, or shown just as well itself. Else it is redacted.

Each of these is decided by what starts at or before a place, so a stream can follow it from left to right. The only
thing that must wait is a `partial` label, until every start inside its match is decided.
"""

from dataclasses import dataclass

from extproc.masking.automaton import Automaton
from extproc.masking.core import Block
from extproc.masking.entry import Entry


@dataclass(slots=True)
class Open:
    """Blocks of one rule whose end has not come: no `until` starts before `at`; the last of them ends at `limit`."""

    block: Block
    at: int
    limit: int


@dataclass(slots=True)
class Swallowed:
    """The last run of a rule's tail: every character from `begin` to `end` is of its class."""

    tail: Automaton
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Ending:
    """The first `until` at or after `since` starts at `start` and ends at `end`; -1 when none has come before it."""

    since: int
    start: int
    end: int


class Cover:
    """The masking of one channel, from left to right. Offsets are of the buffer; `shift` follows when it moves."""

    __slots__ = ("_endings", "_open", "_partial", "_tails", "counts", "named", "own", "reach")

    def __init__(self, counts: dict[str, int]) -> None:
        self.counts = counts
        self.clear()

    def clear(self) -> None:
        """Nothing is masked."""
        self.reach = 0  # everything from the stretch's start up to here is masked
        self.own = 0  # the end of the match that left the stretch's last label, without tail and block
        self.named: Entry | None = None  # whose label is the stretch's last
        self._partial: tuple[Entry, int, bytes] | None = None  # rule, end, label of a match that may stand alone
        self._tails: dict[str, Swallowed] = {}
        self._open: list[Open] = []
        self._endings: dict[int, Ending] = {}

    def live(self, at: int, size: int) -> bool:
        """Whether anything of it matters for what comes after `size`, all starts before `at` being decided."""
        return (
            self.reach > at
            or bool(self._open)
            or self._partial is not None
            or any(run.end == size for run in self._tails.values())
        )

    def shift(self, by: int) -> None:
        """The buffer has lost its first `by` bytes."""
        self.reach -= by
        self.own -= by
        for run in self._tails.values():
            run.begin -= by
            run.end -= by
        for block in self._open:
            block.at -= by
            block.limit -= by
        if self._partial is not None:
            entry, end, label = self._partial
            self._partial = entry, end - by, label

    def resume(self, buffer: bytes, size: int, *, final: bool) -> None:
        """Follows tails and blocks from `size`, where the buffer ended before, into what has come."""
        self._endings = {}  # of the buffer as it was
        for run in self._tails.values():
            if run.end == size:
                run.end = run.tail.reach(buffer, size, len(buffer))
                self.reach = max(self.reach, run.end)
        blocks, self._open = self._open, []
        for block in blocks:
            self._follow(block.block, block.at, block.limit, buffer, final=final)

    def stops(self, hold: int) -> int:
        """`hold`, or before it the place where an open block may have ended: what starts there cannot be judged yet."""
        return min(hold, *(block.at for block in self._open)) if self._open else hold

    def inside(self, start: int) -> int:
        """Up to where a match from `start`, of a rule without tail or block, may end and change nothing; -1 nowhere."""
        if start >= self.reach or self._partial is not None:
            return -1
        return self.own if start < self.own else self.reach

    def swallowed(self, entry: Entry, start: int) -> int:
        """Up to where a match of `entry` that starts at `start` or later may end and change nothing; -1 if nowhere."""
        if self._partial is not None or start >= self.reach:
            return -1
        if entry is not self.named and start < self.own:
            return -1
        if not entry.extends:
            return self.reach
        run = self._tails.get(entry.name)
        return run.end if run is not None and start >= run.begin else -1

    def settle(self, at: int) -> bytes:
        """The label that has waited, now that every start before `at` is decided."""
        if self._partial is None or self._partial[1] > at:
            return b""
        label, self._partial = self._partial[2], None
        return label

    def add(self, entry: Entry, buffer: bytes, start: int, end: int, *, final: bool) -> bytes:
        """The next match; returns the labels to leave. What has waited up to `start` must be settled."""
        label = b""
        if start >= self.reach:
            self.own = end
            label = self._label(entry)
            if entry.partial and (shown := entry.shown(buffer[start:end])) != label:
                self._partial, label = (entry, end, shown), b""
        else:
            if self._partial is not None and not self._harmless(entry, buffer, start, end):
                label, self._partial = self._partial[0].label, None
            if start < self.own < end and entry is not self.named:
                self.own = end
                label += self._label(entry)
        self.reach = max(self.reach, end)
        if entry.core.tail is not None:
            self._swallow(entry, entry.core.tail, buffer, end)
        if (block := entry.core.block) is not None:
            self._follow(block, end, end + block.most, buffer, final=final)
        return label

    def _label(self, entry: Entry) -> bytes:
        self.named = entry
        self.counts[entry.name] = self.counts.get(entry.name, 0) + 1
        return entry.label

    def _harmless(self, entry: Entry, buffer: bytes, start: int, end: int) -> bool:
        """Whether a match that starts in one shown in part wants nothing masked of what is shown."""
        assert self._partial is not None
        shown, until, _ = self._partial
        if end > until:
            return False
        return entry is shown or (entry.partial and entry.shown(buffer[start:end]) != entry.label)

    def _swallow(self, entry: Entry, tail: Automaton, buffer: bytes, end: int) -> None:
        """The run behind a match. Where a run is known already it is not read again: a run may be long."""
        known = self._tails.get(entry.name)
        if known is None or known.end < end:
            follows = end < len(buffer) and buffer[end] in entry.core.swallowed
            stop = tail.reach(buffer, end, len(buffer)) if follows else end
        elif end >= known.begin:
            return
        else:
            stop = tail.reach(buffer, end, known.begin)
            if stop < known.begin:
                self.reach = max(self.reach, stop)
                return
            stop = known.end
        if known is None:
            self._tails[entry.name] = Swallowed(tail, end, stop)
        else:
            known.begin, known.end = end, stop
        self.reach = max(self.reach, stop)

    def _follow(self, block: Block, at: int, limit: int, buffer: bytes, *, final: bool) -> None:
        """Blocks that no `until` before `at` has ended: masks to their end, or as far as they surely go."""
        for other in self._open:
            if other.block is block and other.at >= at:
                other.limit = max(other.limit, limit)
                return
        ending = self._ending(block, at, buffer, final=final)
        size, last = len(buffer), limit
        while last < size and buffer[last] & 0xC0 == 0x80:
            last += 1
        if ending.start >= last or (final and ending.end < 0):
            self.reach = max(self.reach, min(last, size))
        elif ending.end >= 0:
            self.reach = max(self.reach, min(ending.end, last))
        else:
            self.reach = max(self.reach, ending.start)
            self._open.append(Open(block, ending.start, limit))

    def _ending(self, block: Block, at: int, buffer: bytes, *, final: bool) -> Ending:
        """The first `until` from `at` on. Remembered: blocks in blocks must not read the same text again and again."""
        known = self._endings.get(id(block))
        if known is None or not known.since <= at <= known.start:
            match = block.end.find(buffer, at, len(buffer))
            hold = len(buffer) if final else block.hold.start(buffer, at, len(buffer))
            start, end = match if match is not None and match[0] < hold else (hold, -1)
            known = Ending(at, start, end)
            self._endings[id(block)] = known
        return known
