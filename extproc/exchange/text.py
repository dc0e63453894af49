"""What a dialect needs of masking, as Protocols, so that `exchange` knows no masking rule.

A dialect knows which fields hold text that the model or the user sees (channels) and in what order their pieces
arrive; the filter knows what may not pass.
"""

from collections.abc import Mapping
from typing import Protocol


class TextStream(Protocol):
    """One channel's text, arriving in pieces.

    For every way of cutting a text into pieces, the concatenation of all `feed` results and `flush` equals
    `TextFilter.text` of the whole. After `flush` the stream is new again.
    """

    def feed(self, text: str) -> str: ...

    def flush(self) -> str: ...


class TextFilter(Protocol):
    """The masking that applies to one exchange. One filter serves one exchange: it counts what it masked.

    It and its streams raise `errors.Uninspectable` when texts cost more work than one exchange may have.
    """

    def renew(self) -> None:
        """Others have been served meanwhile: the next texts may cost as much work again."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """Rule name to the number of matches masked so far."""
        ...

    def text(self, text: str, before: str = "") -> str:
        """A whole text at once. `before` is what stands in front of it, such as the key whose value it is: rules that
        need a word nearby see it, and nothing of it is ever masked or returned."""
        ...

    def stream(self, before: str = "") -> TextStream:
        """A new channel. `before`, as in `text`, stands in front of its first text; `flush` ends it."""
        ...
