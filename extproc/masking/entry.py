"""One rule in its place among others, with what its match is replaced by."""

from dataclasses import dataclass

from extproc.masking.core import Core

_KEPT = 4  # characters that `partial` shows, of matches at least twice as long


@dataclass(frozen=True, slots=True)
class Entry:
    """One rule in its place: `label` is what takes the match's place."""

    name: str
    core: Core
    label: bytes
    partial: bool

    @property
    def extends(self) -> bool:
        """Whether more than the match is masked: a tail or a block."""
        return self.core.tail is not None or self.core.block is not None

    def shown(self, match: bytes) -> bytes:
        """What takes the place of `match`."""
        if self.partial and len(text := match.decode()) >= 2 * _KEPT:
            return b"%s:%s]" % (self.label[:-1], text[-_KEPT:].encode())
        return self.label
