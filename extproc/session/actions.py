"""What a session asks for. Replies go to Envoy in order; the others are carried out by the driver.

Each Envoy message is answered by exactly one reply, except response bodies, where Envoy's full-duplex mode lets one
message have no answer yet, or many. Bodies and header values (prompts, credentials) are in no `repr`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from extproc.exchange.refusal import Rendered

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RequestHeadersReply:
    """Go on. `set` overwrites headers, `remove` drops them."""

    set: Pairs = field(default=(), repr=False)
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestBodyReply:
    """Go on with this body (None: as it came), and with the headers changed: Envoy holds them until now."""

    body: bytes | None = field(default=None, repr=False)
    set: Pairs = field(default=(), repr=False)
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestTrailersReply:
    pass


@dataclass(frozen=True, slots=True)
class ResponseHeadersReply:
    set: Pairs = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResponseChunk:
    """Bytes for the client. The last one of an exchange has `end_of_stream`, unless trailers follow."""

    body: bytes = field(repr=False)
    end_of_stream: bool


@dataclass(frozen=True, slots=True)
class ResponseTrailersReply:
    """Go on, without the trailers in `remove`."""

    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer the client now, without (or instead of) the upstream. Only before the response has begun."""

    rendered: Rendered
    details: str  # for Envoy's access log: the reason, never content


@dataclass(frozen=True, slots=True)
class Await:
    """Leave the fast path: run `effect` and feed `EffectDone(result)` back. The driver stops delivering Envoy's
    messages to this session meanwhile; other sessions go on."""

    effect: Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Record:
    """The audit record of an exchange; emitted exactly once, last."""

    entry: dict[str, Any]


Action = (
    RequestHeadersReply
    | RequestBodyReply
    | RequestTrailersReply
    | ResponseHeadersReply
    | ResponseChunk
    | ResponseTrailersReply
    | Respond
    | Await
    | Record
)
