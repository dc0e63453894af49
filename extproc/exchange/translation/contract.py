"""What a translation is: a request turned into another dialect's, and a reader that turns the answer back."""

from dataclasses import dataclass
from typing import Protocol

from extproc.exchange.model import JsonObject, LlmCall


@dataclass(frozen=True, slots=True)
class Translated:
    """A request in the target's dialect.

    `doc` is the body (the model's name included where the target wants it there). `dropped`: names of request fields
    that have no equivalent and were left out, for the warning header and the audit; they are printable and bounded.
    `headers`: what the target needs besides the body, for example its API version.
    """

    doc: JsonObject
    model: str
    stream: bool
    dropped: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


class Reply(Protocol):
    """One upstream answer (already masked, in the target's bytes) as the client's dialect writes it.

    Used as an `Answer` is: whole by `document`, or streamed by `feed` any number of times (the last time with what
    the `Answer`'s own `finish` gave) and `finish` exactly once.
    An answer that cannot be read raises `Uninspectable`; an error body that cannot be read becomes an error of its
    status. A stream that breaks off stays visibly unfinished.
    """

    content_type: str
    """Of streams in the source's dialect. Documents are JSON."""

    def document(self, status: int, body: bytes) -> bytes: ...

    def feed(self, chunk: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class Translation(Protocol):
    """One ordered pair of dialects. Implementations are stateless."""

    @property
    def source(self) -> str:
        """The client's dialect."""
        ...

    @property
    def target(self) -> str:
        """The upstream's dialect."""
        ...

    def request(self, call: LlmCall, model: str) -> Translated:
        """The call for the upstream's `model`. Raises `BadRequest` (untranslatable or body-shape), naming the field."""
        ...

    def answer(self, call: LlmCall) -> Reply:
        """A reader for the answer to `call`, which is the client's own call."""
        ...
