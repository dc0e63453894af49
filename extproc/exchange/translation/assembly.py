"""An answer as every dialect means it: a reader of the upstream's tells it piece by piece to an `Assembly`, which
writes the client's, as a document or as a stream. Pieces come in order and nothing is told twice."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple, Protocol

from extproc.exchange.model import Usage


class Stop(Enum):
    """Why an answer ended."""

    END = auto()
    SEQUENCE = auto()  # one of the client's stop sequences
    LENGTH = auto()
    TOOLS = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Failure:
    """An upstream's error. `status` is HTTP's, guessed where a stream only gave a name; `code` is the upstream's own
    word for it."""

    status: int
    message: str
    code: str = ""


class Assembly(Protocol):
    """Writes one answer in the client's dialect. `begin` comes first; then parts in any order; then `stop` and
    `usage`; last `end`, if and only if the answer is whole, or `fail`. `take` may be called at any time."""

    def begin(self, id: str, usage: Usage | None = None) -> None:
        """The upstream's id of the answer ("" if it gave none) and, if it said so already, what the input cost."""
        ...

    def text(self, text: str) -> None: ...

    def refusal(self, text: str) -> None: ...

    def reasoning(self, text: str) -> None: ...

    def seal(self, signature: str) -> None:
        """The signature of the reasoning told so far, which it ends."""
        ...

    def sealed(self, data: str) -> None:
        """Reasoning that is encrypted."""
        ...

    def call(self, index: int, id: str, name: str) -> None:
        """A tool call begins. `index` counts calls from 0."""
        ...

    def arguments(self, index: int, text: str) -> None:
        """More of the JSON text of a call's input."""
        ...

    def stop(self, stop: Stop, detail: str = "") -> None:
        """Why it ended; `detail` is the stop sequence, or why it was refused."""
        ...

    def usage(self, usage: Usage) -> None:
        """The counts so far; the last ones stand."""
        ...

    def end(self) -> None: ...

    def fail(self, failure: Failure) -> None: ...

    def alive(self) -> None:
        """The upstream says nothing, but is there."""
        ...

    def take(self) -> bytes:
        """What there is to send since the last time."""
        ...


class Writing(NamedTuple):
    """How one client's answer is written. It keeps of the client's request what the answer repeats, and nothing more: a
    reply lives as long as its answer streams, and a request may be large."""

    document: Callable[[], Assembly]
    stream: Callable[[], Assembly]
    failure: Callable[[Failure], bytes]
    """The body of an error."""


class Reading(Protocol):
    """Reads a target's answer into an assembly. Raises `Uninspectable` for what it cannot read."""

    def document(self, doc: dict[str, object]) -> None: ...

    def event(self, name: str, doc: dict[str, object]) -> None: ...

    def done(self) -> None:
        """The target's marker after the last event (`[DONE]`), where it has one."""
        ...

    def finish(self) -> None:
        """The bytes are over. Ends the assembly if everything that matters was there."""
        ...
