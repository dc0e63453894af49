"""What can happen to an exchange. Frozen inputs; the names are Envoy's.

`headers` are lower-case names to values, pseudo-headers included (":method", ":path", ":authority", ":status");
a name that came twice has its values joined with ", " (RFC 9110 5.3), which no credential survives. Headers and bodies
are in no `repr`: they hold tokens and prompts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RequestHeaders:
    headers: dict[str, str] = field(repr=False)
    end_of_stream: bool
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RequestBody:
    body: bytes = field(repr=False)
    end_of_stream: bool


@dataclass(frozen=True, slots=True)
class RequestTrailers:
    headers: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ResponseHeaders:
    headers: dict[str, str] = field(repr=False)
    end_of_stream: bool
    attributes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ResponseBody:
    body: bytes = field(repr=False)
    end_of_stream: bool


@dataclass(frozen=True, slots=True)
class ResponseTrailers:
    headers: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class EffectDone:
    """The reply to an `actions.Await`: what the adapter found, or the error it ended with."""

    result: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class StreamClosed:
    """Envoy is done with the exchange: half-close (`clean`) or cancellation."""

    clean: bool


Event = (
    RequestHeaders
    | RequestBody
    | RequestTrailers
    | ResponseHeaders
    | ResponseBody
    | ResponseTrailers
    | EffectDone
    | StreamClosed
)
