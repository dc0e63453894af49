"""The hold-back: a text that arrives in pieces leaves masked, the same as if it had come whole.

What is decided stays decided: only a start position that no future character can change is judged, and everything
from the first position that could still begin a match waits, unless it is masked already. So cutting cannot matter.
Never holds more than `RuleSet.longest` characters, plus the context (bytes already let go) that `\\b` and keywords look
back at. What masking means is said in `cover`.
"""

from collections.abc import Iterable

from extproc.masking.cover import Cover
from extproc.masking.rule import Rule
from extproc.masking.ruleset import RuleSet
from extproc.masking.search import Search
from extproc.masking.work import LIMIT, Work


class StreamMasker:
    """One channel. `counts` has the number of labels by rule name; it goes on counting after `flush`.

    Not for two threads at once. Making one costs nothing when given a `RuleSet`; rules are compiled first.
    """

    __slots__ = ("_at", "_buffer", "_cover", "_high", "_live", "_rules", "_work", "counts")

    def __init__(
        self,
        rules: RuleSet | Iterable[Rule],
        counts: dict[str, int] | None = None,
        before: str = "",
        work: Work | None = None,
    ) -> None:
        self._work = Work() if work is None else work
        self._rules = rules if isinstance(rules, RuleSet) else RuleSet(rules)
        self.counts: dict[str, int] = {} if counts is None else counts
        self._cover = Cover(self.counts)
        self._reset()
        if before:  # context as if it had been let go already
            self._buffer = self._rules.context(before)
            self._at = len(self._buffer)

    def _reset(self) -> None:
        self._buffer = b""  # context, then what waits
        self._at = 0  # every start before it is decided
        self._high = ""  # a high surrogate that waits for its low one
        self._live = False  # whether something masked goes on, or may

    @property
    def held(self) -> int:
        """How many characters wait at the moment. What is masked already does not."""
        shown = max(self._at, self._cover.reach) if self._live else self._at
        return len(self._buffer[shown:].decode()) + len(self._high)

    def feed(self, text: str) -> str:
        """Takes the next piece, returns what can no longer become part of a match."""
        if self._high:
            text = self._high + text
            self._high = ""
        try:
            new = text.encode()
        except UnicodeEncodeError:
            if "\ud800" <= text[-1] <= "\udbff":
                self._high = text[-1]
                text = text[:-1]
            new = mended(text).encode()
        buffer = self._buffer + new
        at, size, rules = self._at, len(buffer), self._rules
        if self._live:
            return self._scan(buffer, len(self._buffer), at, final=False)
        hold = rules.plain.hold.start(buffer, at, size)  # rules that need a keyword can only make more wait
        suspect = rules.suspect(buffer, at) if hold > at else -1
        if 0 <= suspect < hold:
            return self._scan(buffer, len(self._buffer), suspect, final=False)
        begin = max(hold - rules.near, 0)  # nothing that is decided now can match
        self._buffer = buffer[begin:]
        self._at = hold - begin
        return buffer[at:hold].decode()

    def flush(self) -> str:
        """The end of the text: returns the rest. After it the stream is new."""
        buffer = self._buffer
        if self._high:
            buffer += b"\xef\xbf\xbd"
        if not buffer:
            return ""
        waits = self._live or len(buffer) > self._at
        rest = self._scan(buffer, len(self._buffer), self._at, final=True) if waits else ""
        self._cover.clear()
        self._reset()
        return rest

    def _keep(self, buffer: bytes, at: int) -> int:
        """Keeps what waits and its context; returns how many bytes are gone."""
        begin = max(at - self._rules.near, 0)
        self._buffer = buffer[begin:]
        self._at = at - begin
        return begin

    def _scan(self, buffer: bytes, old: int, suspect: int, *, final: bool) -> str:
        """Decides everything that can be decided, in order. The buffer ended at `old` before; nothing undecided
        starts before `suspect`."""
        at, size, out, cover = self._at, len(buffer), list[bytes](), self._cover
        engine = self._rules.engine(buffer, suspect)
        hold = size if final else engine.hold.start(buffer, at, size)
        shown = at
        if self._live:
            cover.resume(buffer, old, final=final)
            shown = max(at, cover.reach)
        stop = cover.stops(hold)
        search = Search(engine, buffer, self._work)
        at = suspect
        while (found := search.next(at, stop, cover)) is not None:
            start, matches = found
            out.append(cover.settle(start))
            if start >= cover.reach:
                out.append(buffer[shown:start])
            for end, entry in matches:
                out.append(cover.add(entry, buffer, start, end, final=final))
            shown = cover.reach
            at = start + 1
            stop = cover.stops(hold)
        out.append(cover.settle(stop))
        out.append(buffer[shown:stop])
        gone = self._keep(buffer, stop)
        self._live = cover.live(stop, size)
        if self._live:
            cover.shift(gone)
        else:
            cover.clear()
        return b"".join(out).decode()


class MaskFilter:
    """The masking of one exchange: a `TextFilter`, by shape. All its streams share its `counts`, and the work they may
    cost together: beyond `limit` steps they raise `Uninspectable`."""

    __slots__ = ("_rules", "_work", "counts")

    def __init__(self, rules: RuleSet, limit: int = LIMIT) -> None:
        self._rules = rules
        self._work = Work(limit)
        self.counts: dict[str, int] = {}

    @property
    def steps(self) -> int:
        """The work done since the last `renew`."""
        return self._work.steps

    def renew(self) -> None:
        """Others have been served meanwhile: the next piece of work has the whole budget."""
        self._work.steps = 0

    def text(self, text: str, before: str = "") -> str:
        """A whole text at once. Unpaired surrogates become U+FFFD. `before` stands in front of it: keywords and `\\b`
        see it, nothing of it is masked or returned."""
        try:
            data = text.encode()
        except UnicodeEncodeError:
            text = mended(text)
            data = text.encode()
        if len(data) < self._rules.shortest:  # words of an API, counts and small numbers: too short for any rule
            return text
        begin = 0
        if before:
            context = self._rules.context(before)
            data, begin = context + data, len(context)
        suspect = self._rules.suspect(data, begin)
        if suspect < 0:
            return text
        masker = StreamMasker(self._rules, self.counts, before, self._work)
        return masker._scan(data, begin, suspect, final=True)  # noqa: SLF001 (same module)

    def stream(self, before: str = "") -> StreamMasker:
        """A new channel. `before` stands in front of its first text, see `text`; `flush` ends it."""
        return StreamMasker(self._rules, self.counts, before, self._work)


def mended(text: str) -> str:
    """The text with surrogate pairs joined to their character, and U+FFFD for each unpaired one."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
