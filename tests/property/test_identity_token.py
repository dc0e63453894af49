"""Hostile bytes: whatever comes in, the answer is a value, and only a signed token is an identity."""

import base64
import contextlib
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from extproc.exchange.refusal import Refusal
from extproc.identity.keyset import KeySetError, parse
from extproc.identity.model import Identity, Issuer, KeySource
from extproc.identity.token import MAX_TOKEN, Unverified, base64url, extract, peek
from extproc.identity.verify import verify

NOW = 1_800_000_000.0
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ISSUER = Issuer("demo", "https://id.example", ("gatereeve",), KeySource(inline="{}"), algorithms=("EdDSA",))
CLAIMS = {"iss": ISSUER.issuer, "aud": "gatereeve", "sub": "user-1", "exp": NOW + 60}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


KEYS = parse(
    json.dumps(
        {
            "keys": [
                {
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "kid": "k",
                    "x": b64(KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)),
                }
            ]
        }
    )
)


def sign(header: bytes, payload: bytes) -> str:
    signed = f"{b64(header)}.{b64(payload)}"
    return f"{signed}.{b64(KEY.sign(signed.encode()))}"


GOOD = sign(b'{"alg":"EdDSA","kid":"k","typ":"JWT"}', json.dumps(CLAIMS).encode())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(max_size=300))
def test_any_text_is_refused_without_an_exception(text):
    assert isinstance(peek(text), Refusal)


@given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=80))
def test_any_bytes_in_three_segments_are_a_value(header, payload, signature):
    assert isinstance(peek(".".join(map(b64, (header, payload, signature)))), Refusal | Unverified)


@given(st.integers(0, len(GOOD) - 1), st.characters(min_codepoint=0x20, max_codepoint=0x17F))
def test_one_changed_character_anywhere_makes_it_no_identity(place, character):
    changed = GOOD[:place] + character + GOOD[place + 1 :]
    seen = peek(changed)
    result = seen if isinstance(seen, Refusal) else verify(seen, ISSUER, KEYS, NOW)
    assert isinstance(result, Identity) == (changed == GOOD)


@given(
    st.dictionaries(st.sampled_from(["exp", "nbf", "iat", "aud", "sub", "groups", "email", "iss"]), JSON, max_size=4)
)
def test_signed_claims_of_any_kind_are_judged_without_an_exception(change):
    token = sign(b'{"alg":"EdDSA","typ":"JWT"}', json.dumps({**CLAIMS, **change}).encode())
    seen = peek(token)
    result = seen if isinstance(seen, Refusal) else verify(seen, ISSUER, KEYS, NOW)
    assert isinstance(result, Identity | Refusal)
    if isinstance(result, Identity):  # whatever was accepted is text that can be logged and sent
        assert all(t.isprintable() for t in (result.subject, result.email, result.tenant))
        assert result.expires_at > NOW


@given(st.binary(max_size=200))
def test_any_document_is_a_key_set_or_a_key_set_error(data):
    with contextlib.suppress(KeySetError):
        parse(data)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["kty", "n", "e", "crv", "x", "y", "use", "alg", "kid"]), JSON), max_size=3
    )
)
def test_any_list_of_keys_is_a_key_set_or_a_key_set_error(entries):
    with contextlib.suppress(KeySetError):
        parse(json.dumps({"keys": entries}))


@given(st.dictionaries(st.sampled_from(["authorization", "x-api-key", "api-key"]), st.text(max_size=40)))
def test_extract_gives_one_bounded_token_or_a_refusal(headers):
    result = extract(headers)
    assert isinstance(result, Refusal) or 0 < len(result) <= MAX_TOKEN


@given(st.binary(max_size=64))
def test_base64url_reads_back_what_was_written(data):
    assert base64url(b64(data)) == data
