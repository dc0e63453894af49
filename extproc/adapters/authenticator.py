"""Token to identity with a memory: a token verified before is one hash and one look-up.

Never keeps a token, only its SHA-256 digest. What it remembers ends with the token's own expiry, with the issuer's
`max_age`, and with any change to the IdentityProvider it was verified by.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from extproc.exchange.refusal import Reason, Refusal
from extproc.identity.keyset import KeySet
from extproc.identity.model import ISSUERS_OWN, Audience, Identity, Issuer
from extproc.identity.token import MAX_TOKEN, Unverified, peek
from extproc.identity.verify import judge_claims, precheck, verify
from extproc.policy.runtime import Policy
from extproc.session.ports import KeysNeeded

# Several IdentityProviders may share an issuer. When all refuse, the one that came furthest says why; if one could
# not be asked at all (keys-unavailable), nobody knows, and that is what is said.
_CLOSENESS = {
    reason: place
    for place, reason in enumerate(
        (
            Reason.TOKEN_ISSUER,
            Reason.TOKEN_ALGORITHM,
            Reason.TOKEN_TYPE,
            Reason.TOKEN_KEY_UNKNOWN,
            Reason.TOKEN_SIGNATURE,
            Reason.TOKEN_AUDIENCE,
            Reason.TOKEN_CLAIMS,
            Reason.TOKEN_NOT_YET_VALID,
            Reason.TOKEN_EXPIRED,
            Reason.KEYS_UNAVAILABLE,
        )
    )
}


class Keys(Protocol):
    """What is needed of `adapters.keys.KeyCache`."""

    def keys(self, issuer: Issuer) -> KeySet | None: ...

    def may_fetch(self, issuer: Issuer) -> bool: ...

    async def fetch(self, issuer: Issuer) -> None: ...


@dataclass(slots=True)
class _Known:
    identity: Identity
    issuer: Issuer
    until: float  # Unix seconds
    epoch: int  # of the policy whose issuers it was last compared with


@dataclass(slots=True)
class Counts:
    """How the memory does; plain integers, because a metric's own counter would cost as much as the look-up."""

    hit: int = 0
    miss: int = 0
    refused: int = 0  # answered from the memory of refusals


class TokenAuthenticator:
    """Implements `session.ports.Authenticator`. `capacity` bounds verified tokens, `refused_capacity` refused ones,
    which are remembered for `refused_for` seconds so that a flood of one bad token costs a hash each."""

    def __init__(
        self, keys: Keys, *, capacity: int = 10_000, refused_capacity: int = 1_000, refused_for: float = 5.0
    ) -> None:
        self.counts = Counts()
        self._keys = keys
        self._capacity = capacity
        self._refused_capacity = refused_capacity
        self._refused_for = refused_for
        self._known: dict[bytes, _Known] = {}
        self._refused: dict[bytes, tuple[Refusal, float]] = {}
        self._policy: Policy | None = None
        self._epoch = 0

    def authenticate(
        self, token: str, policy: Policy, wall: float, *, final: bool = False, audience: Audience = ISSUERS_OWN
    ) -> Identity | Refusal | KeysNeeded:
        """See the port. Costs microseconds for a token seen before, a signature check (0.1 ms) for a new one."""
        if len(token) > MAX_TOKEN:
            return Refusal.of(Reason.TOKEN_MALFORMED)
        said = token.encode("utf-8", "surrogatepass")
        if audience.resource:  # a token for one server is remembered for that one only; no header has a NUL
            said += b"\0" + audience.key
        digest = sha256(said).digest()
        if policy is not self._policy:
            self._policy = policy
            self._epoch += 1
            self._refused.clear()
        known = self._known.get(digest)
        if known is not None:
            if wall < known.until and (known.epoch == self._epoch or self._still_holds(known, policy)):
                self.counts.hit += 1
                return known.identity
            del self._known[digest]
        refused = self._refused.get(digest)
        if refused is not None:
            if wall < refused[1]:
                self.counts.refused += 1
                return refused[0]
            del self._refused[digest]
        return self._judge(token, digest, policy, wall, audience, final=final)

    def forget(self) -> None:
        """Verify every token anew from now on."""
        self._known.clear()
        self._refused.clear()

    def _still_holds(self, known: _Known, policy: Policy) -> bool:
        """After a reload: whether the very settings this token was verified by are still in force."""
        if known.issuer not in policy.issuers.get(known.issuer.issuer, ()):
            return False
        known.epoch = self._epoch
        return True

    def _judge(
        self, token: str, digest: bytes, policy: Policy, wall: float, audience: Audience, *, final: bool
    ) -> Identity | Refusal | KeysNeeded:
        self.counts.miss += 1
        seen = peek(token)
        if isinstance(seen, Refusal):
            return self._refuse(digest, seen, wall)
        wanting: list[Issuer] = []
        refusal = Refusal.of(Reason.TOKEN_ISSUER)
        for issuer in policy.issuers.get(seen.issuer, ()):
            result = self._hold_against(seen, issuer, wall, audience)
            if isinstance(result, Identity):
                self._remember(digest, result, issuer, wall)
                return result
            missing = result.reason in (Reason.KEYS_UNAVAILABLE, Reason.TOKEN_KEY_UNKNOWN)
            if missing and not final and self._keys.may_fetch(issuer):
                wanting.append(issuer)
            if _CLOSENESS[result.reason] >= _CLOSENESS[refusal.reason]:
                refusal = result
        if wanting:
            return KeysNeeded(self._fetcher(wanting))
        return self._refuse(digest, refusal, wall)

    def _hold_against(self, seen: Unverified, issuer: Issuer, wall: float, audience: Audience) -> Identity | Refusal:
        keys = self._keys.keys(issuer)
        if keys is not None:
            result = verify(seen, issuer, keys, wall, audience)
            if isinstance(result, Identity) or result.reason is not Reason.TOKEN_KEY_UNKNOWN:
                return result
        else:
            result = precheck(seen, issuer) or Refusal.of(Reason.KEYS_UNAVAILABLE)
            if result.reason is not Reason.KEYS_UNAVAILABLE:
                return result
        # No key yet. A token that would be refused even with a good signature is not worth a fetch.
        hopeless = judge_claims(seen, issuer, wall, audience)
        return hopeless if isinstance(hopeless, Refusal) else result

    def _fetcher(self, issuers: list[Issuer]) -> Callable[[], Awaitable[None]]:
        async def fetch() -> None:
            for issuer in issuers:
                await self._keys.fetch(issuer)

        return fetch

    def _remember(self, digest: bytes, identity: Identity, issuer: Issuer, wall: float) -> None:
        if len(self._known) >= self._capacity:
            del self._known[next(iter(self._known))]  # the oldest: entries live for max_age at most anyway
        until = min(identity.expires_at, wall + issuer.max_age)
        self._known[digest] = _Known(identity, issuer, until, self._epoch)

    def _refuse(self, digest: bytes, refusal: Refusal, wall: float) -> Refusal:
        if refusal.reason is not Reason.KEYS_UNAVAILABLE:  # that is our trouble, not the token's
            if len(self._refused) >= self._refused_capacity:
                del self._refused[next(iter(self._refused))]
            self._refused[digest] = (refusal, wall + self._refused_for)
        return refusal
