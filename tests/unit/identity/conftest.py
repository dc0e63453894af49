"""Real keys, and tokens made by hand: the attacks need tokens no library would sign."""

import base64
import json
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

NOW = 1_800_000_000.0


def b64(data) -> str:
    if not isinstance(data, bytes):
        data = json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, size: int = 0) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8))


def jwk(private, **more) -> dict:
    public = private.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e), **more}
    if isinstance(public, ec.EllipticCurvePublicKey):
        numbers, size = public.public_numbers(), (public.key_size + 7) // 8
        crv = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1"}
        return {
            "kty": "EC",
            "crv": crv[public.curve.name],
            "x": number(numbers.x, size),
            "y": number(numbers.y, size),
            **more,
        }
    crv = "Ed25519" if isinstance(public, ed25519.Ed25519PublicKey) else "Ed448"
    return {"kty": "OKP", "crv": crv, "x": b64(public.public_bytes(Encoding.Raw, PublicFormat.Raw)), **more}


def sign(header, payload, key, algorithm: str) -> str:
    """`header` and `payload` may be bytes, to write JSON that no encoder writes."""
    signed = f"{b64(header)}.{b64(payload)}"
    signature = b"" if key is None else get_default_algorithms()[algorithm].sign(signed.encode(), key)
    return f"{signed}.{b64(signature)}"


@pytest.fixture(scope="session")
def keyring():
    return SimpleNamespace(
        rsa=rsa.generate_private_key(65537, 2048),
        other_rsa=rsa.generate_private_key(65537, 2048),
        small_rsa=rsa.generate_private_key(65537, 1024),
        p256=ec.generate_private_key(ec.SECP256R1()),
        p384=ec.generate_private_key(ec.SECP384R1()),
        p521=ec.generate_private_key(ec.SECP521R1()),
        k256=ec.generate_private_key(ec.SECP256K1()),
        ed25519=ed25519.Ed25519PrivateKey.generate(),
        ed448=ed448.Ed448PrivateKey.generate(),
    )


@pytest.fixture(scope="session")
def tools():
    return SimpleNamespace(now=NOW, b64=b64, jwk=jwk, sign=sign)
