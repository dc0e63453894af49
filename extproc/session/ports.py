"""What a session needs from the outside, as Protocols. `adapters` implements them, tests fake them."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, Protocol

from extproc.exchange.refusal import Refusal
from extproc.identity.model import Identity
from extproc.policy.runtime import CredentialSource, Policy


@dataclass(frozen=True, slots=True)
class KeysNeeded:
    """A token cannot be judged before keys are fetched: await `fetch`, then ask again (it never asks twice)."""

    fetch: Any  # Callable[[], Awaitable[None]]


class Authenticator(Protocol):
    """Token to identity. Synchronous: a token seen before is a dictionary look-up."""

    def authenticate(
        self, token: str, policy: Policy, wall: float, *, final: bool = False
    ) -> Identity | Refusal | KeysNeeded:
        """`wall` is Unix time in seconds. With `final` the answer is never KeysNeeded."""
        ...


class Credentials(Protocol):
    """Warm secrets. Never blocks: reading files and refreshing happen elsewhere."""

    def header(self, source: CredentialSource) -> tuple[str, str] | None:
        """(lower-case header name, value), or None when the secret cannot be had now."""
        ...


class Effects(Protocol):
    def __call__(self) -> Awaitable[Any]: ...
