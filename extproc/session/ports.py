"""What a session needs from the outside, as Protocols. `adapters` implements them, tests fake them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from extproc.exchange.model import JsonObject
from extproc.exchange.refusal import Reason, Refusal
from extproc.identity.model import ISSUERS_OWN, Audience, Identity
from extproc.policy.oauth import Delegation
from extproc.policy.runtime import Credential, Policy
from extproc.session.actions import Pairs
from extproc.session.seal import Seal


@dataclass(frozen=True, slots=True)
class KeysNeeded:
    """A token cannot be judged before keys are fetched: await `fetch`, then ask again (it never asks twice)."""

    fetch: Any  # Callable[[], Awaitable[None]]


class Authenticator(Protocol):
    """Token to identity. Synchronous: a token seen before is a dictionary look-up."""

    def authenticate(
        self, token: str, policy: Policy, wall: float, *, final: bool = False, audience: Audience = ISSUERS_OWN
    ) -> Identity | Refusal | KeysNeeded:
        """`wall` is Unix time in seconds. With `final` the answer is never KeysNeeded. `audience` is whom the token
        must be for."""
        ...


class Outgoing(NamedTuple):
    """A request as the upstream will get it, for credentials that sign. `url` is absolute, header names lower-case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"Outgoing({self.method})"


@dataclass(frozen=True, slots=True)
class Injected:
    """The headers that authenticate one request, and the secret in them that must not come back in its answer (b"":
    none, as with a signature)."""

    headers: Pairs = field(repr=False)
    secret: bytes = field(default=b"", repr=False)


class Credentials(Protocol):
    """Warm secrets. Never blocks: reading files and refreshing happen elsewhere."""

    def inject(self, source: Credential, request: Outgoing) -> Injected | None:
        """What authenticates `request`, or None when it cannot be had now."""
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom a credential is asked: who was verified, and the token that did it (which only an exchange may see)."""

    identity: Identity
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenNeeded:
    """A caller's credential cannot be had at once: await `fetch`, whose result is it, or a refusal."""

    fetch: Callable[[], Awaitable[Injected | Refusal]]


class Delegated(Protocol):
    """Credentials that are each caller's own, and nobody else's ever."""

    def inject(self, source: Delegation, caller: Caller) -> Injected | Refusal | TokenNeeded:
        """What authenticates the caller's requests at an upstream. Never blocks."""
        ...

    def rejection(self, source: Delegation, caller: Caller) -> Callable[[], Refusal]:
        """What to do and say when the upstream does not take what was injected. It may be kept for as long as an answer
        streams, and so must not hold the caller's token."""
        ...


class Nobodys:
    """`Delegated` of a gateway that was given none: every caller's credential is unavailable."""

    def inject(self, source: Delegation, caller: Caller) -> Refusal:  # noqa: ARG002
        return Refusal.of(Reason.CREDENTIAL_UNAVAILABLE)

    def rejection(self, source: Delegation, caller: Caller) -> Callable[[], Refusal]:  # noqa: ARG002
        return lambda: Refusal.of(Reason.CREDENTIAL_UNAVAILABLE)


class Exposure(Protocol):
    """What callers have seen of MCP servers that give out sensitive data. Shared by the workers of a host."""

    def touched(self, key: bytes, level: int, wall: float, ttl: float) -> None:
        """`key` is the caller's, `level` a `DataClass`; it counts for `ttl` seconds from `wall` (Unix time) on."""
        ...

    def level(self, key: bytes, wall: float) -> int:
        """The highest level that still counts, 0 for none."""
        ...


class Tools(Protocol):
    """Definitions of MCP tools, as servers listed them. Shared by the workers of a host."""

    def definition(self, server: str, tool: str) -> JsonObject | None:
        """The newest definition that was seen, None if none was."""
        ...

    def learn(self, server: str, tools: Sequence[JsonObject]) -> None:
        """A list (or a page of one) that a server gave out. Never blocks."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything a session asks of the outside."""

    authenticator: Authenticator
    credentials: Credentials
    exposure: Exposure
    tools: Tools
    seal: Seal
    delegated: Delegated = field(default_factory=Nobodys)


class Effects(Protocol):
    def __call__(self) -> Awaitable[Any]: ...
