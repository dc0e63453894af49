"""The hold-back: a text that arrives in pieces leaves masked, the same as if it had come whole.

What is decided stays decided: only a start position that no future character can change is judged, and everything
from the first position that could still begin a match waits. So cutting cannot matter. Never holds more than
`RuleSet.longest` characters, plus the context (bytes already let go) that `\\b` and keywords look back at.
"""

from collections.abc import Iterable

from extproc.masking.core import Block
from extproc.masking.rule import Rule
from extproc.masking.ruleset import RuleSet


class StreamMasker:
    """One channel. `counts` has the number of matches by rule name; it goes on counting after `flush`.

    Not for two threads at once. Making one costs nothing when given a `RuleSet`; rules are compiled first.
    """

    __slots__ = ("_at", "_block", "_buffer", "_high", "_left", "_rules", "_tail", "counts")

    def __init__(self, rules: RuleSet | Iterable[Rule], counts: dict[str, int] | None = None) -> None:
        self._rules = rules if isinstance(rules, RuleSet) else RuleSet(rules)
        self.counts: dict[str, int] = {} if counts is None else counts
        self._reset()

    def _reset(self) -> None:
        self._buffer = b""  # context, then what waits
        self._at = 0  # where what waits begins
        self._high = ""  # a high surrogate that waits for its low one
        self._tail = None  # a class that is being swallowed
        self._block: Block | None = None  # a block that is being masked,
        self._left = 0  # and how many bytes it may still have

    @property
    def held(self) -> int:
        """How many characters wait at the moment."""
        return len(self._buffer[self._at :].decode()) + len(self._high)

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
        rules = self._rules
        if self._tail is not None or self._block is not None or rules.trigger.search(buffer) is not None:
            return self._scan(buffer, final=False)
        at = self._at
        hold: int = rules.plain.hold.search(buffer, at).start()
        self._keep(buffer, hold)
        return buffer[at:hold].decode()

    def flush(self) -> str:
        """The end of the text: returns the rest. After it the stream is new."""
        buffer = self._buffer
        if self._high:
            buffer += b"\xef\xbf\xbd"
        if not buffer:
            return ""
        rest = self._scan(buffer, final=True) if len(buffer) > self._at else ""
        self._reset()
        return rest

    def _keep(self, buffer: bytes, at: int) -> None:
        begin = at - self._rules.near
        if begin > 0:
            self._buffer = buffer[begin:]
            self._at = at - begin
        else:
            self._buffer = buffer
            self._at = at

    def _scan(self, buffer: bytes, *, final: bool) -> str:
        """Decides everything that can be decided, in order."""
        at, size, out = self._at, len(buffer), list[bytes]()
        engine = self._rules.engine(buffer, at)
        while at < size:
            if self._tail is not None:
                at = self._tail.match(buffer, at).end()
                if at == size:
                    break
                self._tail = None
            if self._block is not None:
                at = self._skip(self._block, buffer, at, final=final)
                if self._block is not None:
                    break
            hold = size if final else engine.hold.search(buffer, at).start()
            found = engine.next(buffer, at, hold)
            if found is None:
                out.append(buffer[at:hold])
                at = hold
                break
            start, end, entry = found
            out.append(buffer[at:start])
            out.append(entry.shown(buffer[start:end]))
            self.counts[entry.name] = self.counts.get(entry.name, 0) + 1
            at = end
            self._tail = entry.core.tail
            self._block = entry.core.block
            self._left = self._block.most if self._block is not None else 0
        self._keep(buffer, at)
        return b"".join(out).decode()

    def _skip(self, block: Block, buffer: bytes, at: int, *, final: bool) -> int:
        """Inside a block: how far it is masked. Ends the block when its end is decided."""
        size, limit = len(buffer), at + self._left
        if limit < size:  # the block's last byte is here, and one more for an assertion at its end
            while limit < size and buffer[limit] & 0xC0 == 0x80:
                limit += 1
            match = block.end.search(buffer, at, limit)
            self._block = None
            return limit if match is None else int(match.end())
        match = block.end.search(buffer, at)
        hold = size if final else int(block.hold.search(buffer, at).start())
        if match is not None and match.start() < hold:
            self._block = None
            return int(match.end())
        self._left -= hold - at
        return hold


class MaskFilter:
    """The masking of one exchange: a `TextFilter`, by shape. All its streams share its `counts`."""

    __slots__ = ("_rules", "counts")

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self.counts: dict[str, int] = {}

    def text(self, text: str) -> str:
        """A whole text at once. Unpaired surrogates become U+FFFD."""
        try:
            data = text.encode()
        except UnicodeEncodeError:
            text = mended(text)
            data = text.encode()
        if self._rules.trigger.search(data) is None:
            return text
        return StreamMasker(self._rules, self.counts)._scan(data, final=True)  # noqa: SLF001 (same module)

    def stream(self) -> StreamMasker:
        """A new channel."""
        return StreamMasker(self._rules, self.counts)


def mended(text: str) -> str:
    """The text with surrogate pairs joined to their character, and U+FFFD for each unpaired one."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
