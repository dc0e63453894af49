"""An issuer's public keys: a JWKS document (RFC 7517) as an immutable, searchable set.

Never holds a private or symmetric key, a key meant for encryption, or one too weak to trust. What is left out is
named by its place in the document, so that an operator can see why a key does not count.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurve,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from extproc.errors import GatereeveError
from extproc.identity.token import base64url

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey

MAX_KEYS = 256  # looked at in one document; large issuers publish about ten
MAX_TRIES = 16  # signatures tried for one token: each costs up to 0.2 ms

_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_RSA_BITS = range(2048, 8192 + 1)  # below is weak (RFC 7518 3.3), above lets an issuer make us slow
_RSA_EXPONENT_BITS = 33
_USES = ("sig", "jwt-svid")  # the second is SPIFFE's
_CURVES: dict[str, tuple[EllipticCurve, int, str]] = {
    "P-256": (SECP256R1(), 32, "ES256"),
    "P-384": (SECP384R1(), 48, "ES384"),
    "P-521": (SECP521R1(), 66, "ES512"),
}

# Every algorithm a key can be used with. All asymmetric: `none` and HS* have no place to be added by mistake.
ALGORITHMS = _RSA | {"ES256", "ES384", "ES512", "EdDSA", "Ed25519"}


class KeySetError(GatereeveError):
    """A document that is no usable key set. The message never quotes it."""


class _Skip(Exception):
    """This key does not count; the message says why."""


@dataclass(frozen=True, slots=True)
class Key:
    """One public key and the signature algorithms it fits."""

    kid: str | None
    algorithms: frozenset[str]
    public: PublicKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys in document order. `skipped` says which keys of the document do not count, and why."""

    keys: tuple[Key, ...]
    skipped: tuple[str, ...] = ()
    _by_kid: Mapping[str, tuple[Key, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_kid: dict[str, tuple[Key, ...]] = {}
        for key in self.keys:
            if key.kid is not None:
                by_kid[key.kid] = (*by_kid.get(key.kid, ()), key)
        object.__setattr__(self, "_by_kid", MappingProxyType(by_kid))

    def candidates(self, kid: str | None, algorithm: str) -> tuple[Key, ...]:
        """The keys that may have signed such a token, at most MAX_TRIES; all that fit if the token names none."""
        named = self.keys if kid is None else self._by_kid.get(kid, ())
        return tuple(key for key in named if algorithm in key.algorithms)[:MAX_TRIES]

    def knows(self, kid: str | None) -> bool:
        """Whether a key of this name is here, fitting or not. A token that names no key could be signed by any."""
        return bool(self.keys) if kid is None else kid in self._by_kid


def parse(document: bytes | str) -> KeySet:
    """JWKS text to keys. Raises `KeySetError` when it is not a JWKS or holds no key that counts."""
    try:
        value = msgspec.json.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise KeySetError("the key set is not JSON") from None
    entries = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise KeySetError('the key set has no "keys" list')
    keys: list[Key] = []
    skipped: list[str] = []
    for index, entry in enumerate(entries[:MAX_KEYS]):
        try:
            keys.append(_key(entry))
        except _Skip as why:
            skipped.append(f"keys[{index}]: {why}")
    if len(entries) > MAX_KEYS:
        skipped.append(f"keys[{MAX_KEYS}:]: more keys than are looked at")
    if not keys:
        raise KeySetError("the key set has no usable key" + (f" ({skipped[0]})" if skipped else ""))
    return KeySet(tuple(keys), tuple(skipped))


def _key(jwk: Any) -> Key:
    if not isinstance(jwk, dict):
        raise _Skip("not an object")
    if "use" in jwk and jwk["use"] not in _USES:
        raise _Skip("not for signatures (use)")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise _Skip("not for signatures (key_ops)")
    if "d" in jwk or "k" in jwk:
        raise _Skip("a private or symmetric key: it must not be published")
    kid = jwk.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise _Skip("kid is not a string")
    read = _READERS.get(jwk["kty"]) if isinstance(jwk.get("kty"), str) else None
    if read is None:
        raise _Skip("unknown key type")
    try:
        public, algorithms = read(jwk)
    except (ValueError, UnsupportedAlgorithm):
        raise _Skip("its numbers make no key") from None
    if "alg" in jwk:
        algorithms = algorithms & {jwk["alg"]} if isinstance(jwk["alg"], str) else frozenset()
        if not algorithms:
            raise _Skip("its alg does not fit a key of this kind")
    return Key(kid, algorithms, public)


def _bytes(jwk: dict[str, Any], name: str) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str) or len(value) > 4096:
        raise _Skip(f"{name} is missing or not base64url")
    try:
        return base64url(value.rstrip("="))  # some issuers pad, although RFC 7515 2 says not to
    except ValueError:
        raise _Skip(f"{name} is missing or not base64url") from None


def _rsa(jwk: dict[str, Any]) -> tuple[PublicKey, frozenset[str]]:
    n, e = int.from_bytes(_bytes(jwk, "n")), int.from_bytes(_bytes(jwk, "e"))
    if n.bit_length() not in _RSA_BITS:
        raise _Skip(f"an RSA key must have {_RSA_BITS[0]} to {_RSA_BITS[-1]} bits")
    if e.bit_length() > _RSA_EXPONENT_BITS:
        raise _Skip("its RSA exponent is too large")
    return RSAPublicNumbers(e, n).public_key(), _RSA


def _ec(jwk: dict[str, Any]) -> tuple[PublicKey, frozenset[str]]:
    crv = jwk.get("crv")
    if not isinstance(crv, str) or crv not in _CURVES:
        raise _Skip("its curve is not accepted")
    curve, size, algorithm = _CURVES[crv]
    x, y = _bytes(jwk, "x"), _bytes(jwk, "y")
    if len(x) != size or len(y) != size:  # RFC 7518 6.2.1.2: full length, leading zeros kept
        raise _Skip("its coordinates do not have the curve's length")
    numbers = EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve)
    return numbers.public_key(), frozenset({algorithm})  # refuses a point that is not on the curve


def _okp(jwk: dict[str, Any]) -> tuple[PublicKey, frozenset[str]]:
    if jwk.get("crv") == "Ed25519":
        return Ed25519PublicKey.from_public_bytes(_bytes(jwk, "x")), frozenset({"EdDSA", "Ed25519"})
    if jwk.get("crv") == "Ed448":
        return Ed448PublicKey.from_public_bytes(_bytes(jwk, "x")), frozenset({"EdDSA"})
    raise _Skip("its curve is not accepted")


_READERS: dict[str, Callable[[dict[str, Any]], tuple[PublicKey, frozenset[str]]]] = {
    "RSA": _rsa,
    "EC": _ec,
    "OKP": _okp,
}
