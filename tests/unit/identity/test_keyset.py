import json

import pytest

from extproc.identity.keyset import MAX_KEYS, MAX_TRIES, KeySetError, parse


def document(*keys) -> bytes:
    return json.dumps({"keys": list(keys)}).encode()


def test_keys_of_every_accepted_kind_are_read(keyring, tools):
    found = parse(
        document(
            tools.jwk(keyring.rsa, kid="r", use="sig"),
            tools.jwk(keyring.p256, kid="e2", alg="ES256"),
            tools.jwk(keyring.p384, kid="e3", key_ops=["verify"]),
            tools.jwk(keyring.p521, kid="e5", use="jwt-svid"),
            tools.jwk(keyring.ed25519, kid="o"),
            tools.jwk(keyring.ed448, kid="o4"),
        )
    )
    assert found.skipped == ()
    assert [found.candidates(kid, alg)[0].kid for kid, alg in
            [("r", "PS512"), ("e2", "ES256"), ("e3", "ES384"), ("e5", "ES512"), ("o", "EdDSA"), ("o4", "EdDSA")]
            ] == ["r", "e2", "e3", "e5", "o", "o4"]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "more", "why"),
    [
        pytest.param("rsa", {"use": "enc"}, "use", id="a key for encryption"),
        pytest.param("rsa", {"use": 5}, "use", id="a use that is no string"),
        pytest.param("rsa", {"key_ops": ["encrypt"]}, "key_ops", id="key_ops without verify"),
        pytest.param("rsa", {"key_ops": "verify"}, "key_ops", id="key_ops that is no list"),
        pytest.param("rsa", {"d": "AQAB"}, "private", id="a private key"),
        pytest.param("rsa", {"kty": "oct", "k": "c2VjcmV0"}, "symmetric", id="a symmetric key"),
        pytest.param("rsa", {"kty": "XXX"}, "type", id="an unknown kind of key"),
        pytest.param("rsa", {"kty": ["RSA"]}, "type", id="a kind that is no string"),
        pytest.param("rsa", {"kid": 1}, "kid", id="a numeric kid"),
        pytest.param("rsa", {"alg": "HS256"}, "alg", id="HS256 on an RSA key"),
        pytest.param("rsa", {"alg": "RSA-OAEP"}, "alg", id="an encryption algorithm"),
        pytest.param("rsa", {"alg": None}, "alg", id="an alg that is no string"),
        pytest.param("rsa", {"e": "A" * 40}, "numbers", id="an exponent of zero"),
        pytest.param("rsa", {"e": "_" * 8}, "exponent", id="an enormous exponent"),
        pytest.param("rsa", {"n": "!!"}, "base64url", id="a modulus that is no base64url"),
        pytest.param("small_rsa", {}, "2048", id="an RSA key of 1024 bits"),
        pytest.param("p256", {"crv": "P-384"}, "length", id="a curve that does not fit the coordinates"),
        pytest.param("p256", {"x": "A" * 43}, "numbers", id="a point that is not on the curve"),
        pytest.param("k256", {}, "curve", id="a curve that is not accepted"),
        pytest.param("p256", {"alg": "ES384"}, "alg", id="an alg of another curve"),
        pytest.param("ed25519", {"crv": "X25519"}, "curve", id="a key agreement curve"),
        pytest.param("ed25519", {"x": "AAAA"}, "numbers", id="an Ed25519 key too short"),
    ],
)
def test_a_key_that_must_not_count_is_skipped_with_its_reason(name, more, why, keyring, tools):
    found = parse(document(tools.jwk(keyring.other_rsa, kid="good"), tools.jwk(getattr(keyring, name), **more)))
    assert [key.kid for key in found.keys] == ["good"]
    assert len(found.skipped) == 1
    assert found.skipped[0].startswith("keys[1]: ")
    assert why in found.skipped[0]


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[]}', b'{"keys":[7]}', b"\xff", b"[" * 100_000, b"<html></html>"],
)
def test_a_document_without_usable_keys_is_an_error_that_does_not_quote_it(text):
    with pytest.raises(KeySetError) as caught:
        parse(text)
    assert "html" not in str(caught.value)


def test_a_token_without_kid_may_be_signed_by_any_fitting_key_but_not_by_unboundedly_many(keyring, tools):
    one = tools.jwk(keyring.p256, kid="e")
    found = parse(document(*[{**one, "kid": f"e{i}"} for i in range(40)], tools.jwk(keyring.rsa, kid="r")))
    assert [key.kid for key in found.candidates(None, "RS256")] == ["r"]
    assert len(found.candidates(None, "ES256")) == MAX_TRIES
    assert found.candidates("nobody", "ES256") == ()


def test_a_document_of_many_keys_is_read_up_to_a_limit(keyring, tools):
    one = tools.jwk(keyring.ed25519)
    found = parse(document(*[one] * (MAX_KEYS + 5)))
    assert len(found.keys) == MAX_KEYS
    assert "more keys" in found.skipped[-1]


def test_knows_tells_a_missing_key_from_one_that_does_not_fit(keyring, tools):
    found = parse(document(tools.jwk(keyring.p256, kid="e")))
    assert found.knows("e")
    assert found.knows(None)
    assert not found.knows("../../etc/passwd")


def test_a_key_with_an_alg_is_for_that_one_only(keyring, tools):
    found = parse(document(tools.jwk(keyring.rsa, kid="r", alg="RS256")))
    assert found.candidates("r", "RS256")
    assert not found.candidates("r", "PS256")
    assert not found.candidates("r", "HS256")
