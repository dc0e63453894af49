"""Keys that sign and verify manifests: JWK, JWKS or PEM text to keys, each with the one algorithm it is for.

Ed25519 is EdDSA, P-256 is ES256, RSA of 2048 to 8192 bits is RS256. The algorithm follows from the key, so a manifest
cannot choose one, and there is no symmetric algorithm and no `none` to be chosen. What verifies holds no private key.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from extproc.errors import GatereeveError

PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey
PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey

ALGORITHMS = ("EdDSA", "ES256", "RS256")
MAX_TEXT = 1024 * 1024  # bytes
MAX_KEYS = 64

_RSA_BITS = range(2048, 8192 + 1)
_KINDS: dict[str, Any] = {"OKP": OKPAlgorithm, "EC": ECAlgorithm, "RSA": RSAAlgorithm}
_ACCEPTED = "Accepted are Ed25519, P-256, and RSA of 2048 to 8192 bits."


class KeyProblem(GatereeveError):
    """A text that holds no key that can be used. The message never quotes it."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    algorithm: str
    kid: str
    private: PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """`kid` is "" where the key has no name, as in PEM."""

    algorithm: str
    kid: str
    public: PublicKey = field(repr=False)


def signing_key(text: bytes) -> SigningKey:
    """The one private key in an unencrypted PEM or a JWK. Raises `KeyProblem`."""
    if _is_json(text):
        entries = _entries(text)
        if len(entries) != 1:
            raise KeyProblem("A key set is given where one private key is needed.")
        key, kid = _from_jwk(entries[0]), _kid(entries[0])
        _check_named(entries[0], key)
    else:
        try:
            key, kid = load_pem_private_key(_bounded(text), None), ""
        except TypeError:
            raise KeyProblem("The private key is encrypted. Give it decrypted, for example through a pipe.") from None
        except (ValueError, UnsupportedAlgorithm):
            raise KeyProblem("There is no private key: give an unencrypted PEM or a JWK.") from None
    if not isinstance(key, PrivateKey):
        raise KeyProblem("The key is a public one; signing needs the private one.")
    return SigningKey(_algorithm(key), kid, key)


def verifying_keys(text: bytes) -> tuple[VerifyingKey, ...]:
    """The public keys in a JWK, a JWKS or PEM (several blocks are several keys). All must be usable, or one that was
    meant to count would be missed in silence. Raises `KeyProblem`."""
    found: list[VerifyingKey] = []
    if _is_json(text):
        for number, entry in enumerate(_entries(text)):
            try:
                key = _from_jwk(entry)
                _check_named(entry, key)
                found.append(_verifying(key, _kid(entry)))
            except KeyProblem as why:
                raise KeyProblem(f"Key {number + 1}: {why}") from None
    else:
        begin = b"-----BEGIN "
        for number, block in enumerate(_bounded(text).split(begin)[1:]):
            try:
                found.append(_verifying(_public_pem(begin + block), ""))
            except KeyProblem as why:
                raise KeyProblem(f"Key {number + 1}: {why}") from None
    if not 0 < len(found) <= MAX_KEYS:
        raise KeyProblem(f"There must be 1 to {MAX_KEYS} public keys, as JWK, JWKS or PEM.")
    return tuple(found)


def _verifying(key: Any, kid: str) -> VerifyingKey:
    if isinstance(key, PrivateKey):
        raise KeyProblem("This is a private key. Verifying needs the public one; keep the private one to yourself.")
    return VerifyingKey(_algorithm(key), kid, key)


def _public_pem(block: bytes) -> Any:
    if b"PRIVATE KEY" in block[:64]:
        raise KeyProblem("This is a private key. Verifying needs the public one; keep the private one to yourself.")
    try:
        return load_pem_public_key(block)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyProblem('This is no public key in PEM ("-----BEGIN PUBLIC KEY-----").') from None


def _algorithm(key: Any) -> str:
    """The one algorithm a key is for. Raises `KeyProblem` for a key that is not accepted."""
    if isinstance(key, (Ed25519PrivateKey, Ed25519PublicKey)):
        return "EdDSA"
    if isinstance(key, (EllipticCurvePrivateKey, EllipticCurvePublicKey)) and isinstance(key.curve, SECP256R1):
        return "ES256"
    if isinstance(key, (RSAPrivateKey, RSAPublicKey)) and key.key_size in _RSA_BITS:
        return "RS256"
    raise KeyProblem(f"The kind of key is not accepted. {_ACCEPTED}")


def _from_jwk(entry: Any) -> Any:
    if not isinstance(entry, dict):
        raise KeyProblem("This is no JWK.")
    kind = _KINDS.get(entry["kty"]) if isinstance(entry.get("kty"), str) else None
    if kind is None:
        raise KeyProblem(f"The kind of key is not accepted. {_ACCEPTED}")
    if entry.get("use", "sig") != "sig":
        raise KeyProblem('The key is not for signatures ("use").')
    try:
        return kind.from_jwk(entry)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm):
        raise KeyProblem("The numbers of the JWK make no key.") from None


def _check_named(entry: Any, key: Any) -> None:
    """A JWK that names another algorithm than the one its key is used with is meant for something else."""
    if entry.get("alg", _algorithm(key)) != _algorithm(key):
        raise KeyProblem(f'The algorithm of the JWK ("alg") is not {_algorithm(key)}, the one its key is used with.')


def _kid(entry: Any) -> str:
    kid = entry.get("kid", "")
    if not isinstance(kid, str):
        raise KeyProblem('The name of the key ("kid") is no text.')
    return kid


def _entries(text: bytes) -> list[Any]:
    try:
        doc = json.loads(_bounded(text).decode("utf-8"))
    except (ValueError, RecursionError):
        raise KeyProblem("The key is neither PEM nor JSON.") from None
    entries = doc.get("keys", [doc]) if isinstance(doc, dict) else None
    if not isinstance(entries, list):
        raise KeyProblem('The key set has no list of "keys".')
    return entries


def _is_json(text: bytes) -> bool:
    return text.lstrip()[:1] == b"{"


def _bounded(text: bytes) -> bytes:
    if len(text) > MAX_TEXT:
        raise KeyProblem(f"The keys have more than {MAX_TEXT} bytes.")
    return text
