"""The injected credential, hidden in texts: a `TextFilter` around the policy's own, or alone.

For answers whose framing makes a text other than its bytes (AWS event streams have checksums over them, InvokeModel
wraps them in base64), and for texts that come in pieces over several events.

The secret goes first. The other way round, a rule that matches a part of the secret would leave the rest of it; and
what the policy masks becomes a label, which completes no secret.
"""

from collections.abc import Mapping

from extproc.exchange.text import TextFilter, TextStream
from extproc.session.secret import Needle, Search, Secrets, flush, text_needles

RULE = "credential"


class SecretFilter:
    """Implements `exchange.text.TextFilter`. `found` counts what was hidden; `counts` has it as "credential" beside
    the counts of `inner`."""

    __slots__ = ("_inner", "_needles", "found")

    def __init__(self, secrets: Secrets, inner: TextFilter | None = None) -> None:
        self._needles: tuple[Needle[str], ...] = text_needles(secrets)
        self._inner = inner
        self.found = 0

    def renew(self) -> None:
        """The inner filter's work; the search for a secret is linear and cheap."""
        if self._inner is not None:
            self._inner.renew()

    @property
    def counts(self) -> Mapping[str, int]:
        counts = dict(self._inner.counts) if self._inner is not None else {}
        if self.found:
            counts[RULE] = counts.get(RULE, 0) + self.found
        return counts

    def text(self, text: str, before: str = "") -> str:
        for needle in self._needles:
            if needle.secret in text:
                self.found += text.count(needle.secret)
                text = text.replace(needle.secret, needle.label)
        return text if self._inner is None else self._inner.text(text, before)

    def stream(self, before: str = "") -> TextStream:
        return _Stream(self, self._needles, None if self._inner is None else self._inner.stream(before))


class _Stream:
    """One channel: what waits here waits for a secret, what waits in `inner` for a match of the policy's rules."""

    __slots__ = ("_counted", "_filter", "_inner", "_streams")

    def __init__(self, filter: SecretFilter, needles: tuple[Needle[str], ...], inner: TextStream | None) -> None:
        self._filter = filter
        self._streams = tuple([Search(needle) for needle in needles])
        self._inner = inner
        self._counted = 0

    def feed(self, text: str) -> str:
        for stream in self._streams:
            text = stream.feed(text)
        self._count()
        return text if self._inner is None else self._inner.feed(text)

    def flush(self) -> str:
        rest = flush(self._streams, "")
        self._count()
        if self._inner is None:
            return rest
        return self._inner.feed(rest) + self._inner.flush() if rest else self._inner.flush()

    def _count(self) -> None:
        found = sum([stream.found for stream in self._streams])
        if found != self._counted:
            self._filter.found += found - self._counted
            self._counted = found
