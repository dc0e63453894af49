"""Manifests: who may sign, what is believed, and which tool differs."""

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from extproc.tools.definition import DefinitionError, digest
from extproc.tools.manifest import Difference, ManifestError, differences, sign, verify
from extproc.tools.signing_keys import KeyProblem, SigningKey, VerifyingKey, signing_key, verifying_keys

NOW = 1_800_000_000.0
TOOLS: list[dict[str, Any]] = [
    {"name": "find", "description": "Finds.", "inputSchema": {"type": "object"}},
    {"name": "send", "description": "Sends.\u200b", "inputSchema": {"type": "object"}},
]
PRIVATE: dict[str, Any] = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": rsa.generate_private_key(65537, 2048),
}


def private_pem(key: Any, encryption: Any = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def public_pem(key: Any) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwk(key: Any, **members: Any) -> dict[str, Any]:
    kinds: dict[str, Any] = {"Ed": OKPAlgorithm, "EC": ECAlgorithm, "EllipticCurve": ECAlgorithm, "RSA": RSAAlgorithm}
    kind = next(kind for name, kind in kinds.items() if name in type(key).__name__)
    return json.loads(kind.to_jwk(key)) | members


def key(algorithm: str = "EdDSA", kid: str = "") -> SigningKey:
    return SigningKey(algorithm, kid, PRIVATE[algorithm])


def keys(algorithm: str = "EdDSA", kid: str = "") -> tuple[VerifyingKey, ...]:
    return (VerifyingKey(algorithm, kid, PRIVATE[algorithm].public_key()),)


def signed(algorithm: str = "EdDSA", kid: str = "", **options: Any) -> str:
    return sign(key(algorithm, kid), "crm", TOOLS, **{"issuer": "https://vendor.example", "now": NOW, **options})


def by_hand(payload: dict[str, Any] | bytes, **header: Any) -> str:
    """A JWS by the library itself, signed with the good key, so that only our own rules can refuse it."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return jwt.api_jws.encode(body, PRIVATE["EdDSA"], "EdDSA", headers={"typ": "mcp-tools+jws", **header})


def payload(**members: Any) -> dict[str, Any]:
    tools = [{"name": "find", "digest": digest(TOOLS[0])}]
    whole = {"iss": "https://vendor.example", "iat": int(NOW), "server": "crm", "tools": tools, **members}
    return {name: value for name, value in whole.items() if value is not ...}


@pytest.mark.parametrize("algorithm", PRIVATE)
@pytest.mark.parametrize("definitions", [True, False], ids=["with definitions", "digests only"])
@pytest.mark.promise("integrity.signed")
def test_what_is_signed_verifies_and_says_which_tools_are_so(algorithm: str, definitions: bool) -> None:
    text = signed(algorithm, "k1", definitions=definitions, expires=NOW + 3600)
    manifest = verify(text + "\n", keys(algorithm, "k1"), now=NOW + 60, server="crm", issuer="https://vendor.example")
    assert (manifest.server, manifest.issuer, manifest.issued) == ("crm", "https://vendor.example", int(NOW))
    assert (manifest.expires, manifest.algorithm, manifest.kid) == (int(NOW) + 3600, algorithm, "k1")
    assert [manifest.check(tool) for tool in TOOLS] == ["signed", "signed"]
    assert manifest.tools["send"].definition == (TOOLS[1] if definitions else None)
    assert manifest.pins().check(TOOLS[0]) == "pinned"
    assert differences(manifest, TOOLS) == ()


def test_the_jws_is_one_that_any_library_reads() -> None:
    read = jwt.api_jws.decode_complete(signed(kid="k1"), PRIVATE["EdDSA"].public_key(), ["EdDSA"])
    assert read["header"] == {"alg": "EdDSA", "kid": "k1", "typ": "mcp-tools+jws"}
    assert verify(by_hand(payload()), keys(), now=NOW).check(TOOLS[0]) == "signed"


def test_verifying_tells_which_tool_differs_and_how() -> None:
    manifest = verify(signed(), keys(), now=NOW)
    offered = [{**TOOLS[1], "description": "Sends."}, {"name": "new"}, {"name": "new"}]
    assert differences(manifest, offered) == (
        Difference("send", "changed"),
        Difference("new", "unknown"),
        Difference("new", "repeated"),
        Difference("new", "unknown"),
        Difference("find", "missing"),
    )


@pytest.mark.parametrize(
    ("options", "why"),
    [
        pytest.param({"now": NOW - 61}, "of the future", id="before it was issued"),
        pytest.param({"now": NOW + 3661}, "has expired", id="after its end"),
        pytest.param({"server": "CRM"}, 'another server: "crm"', id="another server"),
        pytest.param({"issuer": "https://vendor.example/"}, "another issuer", id="another issuer"),
        pytest.param({"keys": ()}, "None of the keys", id="no key"),
        pytest.param({"keys": keys("ES256")}, "None of the keys", id="a key of another kind"),
        pytest.param({"keys": keys(kid="other")}, "None of the keys", id="a key of another name"),
        pytest.param(
            {"keys": (VerifyingKey("EdDSA", "k1", ed25519.Ed25519PrivateKey.generate().public_key()),)},
            "signature is not good",
            id="another key of this name",
        ),
    ],
)
def test_a_good_signature_is_not_enough(options: dict[str, Any], why: str) -> None:
    text = signed(kid="k1", expires=NOW + 3600)
    with pytest.raises(ManifestError, match=why):
        verify(text, options.pop("keys", keys(kid="k1")), **{"now": NOW, **options})


def test_clocks_may_differ_by_a_minute() -> None:
    text = signed(expires=NOW + 10)
    assert verify(text, keys(), now=NOW - 59)
    assert verify(text, keys(), now=NOW + 69)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "no compact JWS", id="nothing"),
        pytest.param("a.b", "no compact JWS", id="two parts"),
        pytest.param("..", "header is not JSON", id="empty parts"),
        pytest.param("a" * 5000 + ".b.c", "no compact JWS", id="a header that is too long"),
        pytest.param(by_hand(payload(), typ="JWT"), "no manifest", id="a token of another type"),
        pytest.param(by_hand(payload(), crit=["x"], x=1), "header has parameters", id="crit"),
        pytest.param(by_hand(payload(), jku="https://evil.example/keys"), "header has parameters", id="jku"),
        pytest.param(by_hand(payload(), jwk=jwk(PRIVATE["ES256"].public_key())), "header has param", id="jwk"),
        pytest.param(by_hand(payload(iss=...)), "does not name its issuer", id="no issuer"),
        pytest.param(by_hand(payload(server=3)), "does not name its issuer", id="a server that is no name"),
        pytest.param(by_hand(payload(iat="now")), "whole seconds", id="times that are none"),
        pytest.param(by_hand(payload(iat=True)), "whole seconds", id="a time that is true"),
        pytest.param(by_hand(payload(exp=None)), "whole seconds", id="an end that is null"),
        pytest.param(by_hand(payload(tools={})), "no list", id="tools that are no list"),
        pytest.param(by_hand(payload(tools=["find"])), r"tools\[0\]", id="a tool without digest"),
        pytest.param(by_hand(payload(tools=payload()["tools"] * 2)), 'lists "find" twice', id="a tool twice"),
        pytest.param(by_hand(payload(extra=1)), "other than iss", id="a member of no meaning"),
        pytest.param(
            by_hand(payload(tools=[{**payload()["tools"][0], "definition": {"name": "find"}}])),
            'definition of "find"',
            id="a definition that has not its digest",
        ),
        pytest.param(by_hand(b'{"iss":"a","iss":"b"}'), "one way only", id="a name twice"),
        pytest.param(by_hand(b"[" * 100_000), "one way only", id="a payload without end"),
        pytest.param(by_hand(b"3"), "no JSON object", id="a payload that is a number"),
    ],
)
@pytest.mark.promise("integrity.signed")
def test_what_can_be_read_in_two_ways_or_not_at_all_is_not_believed(text: str, why: str) -> None:
    with pytest.raises(ManifestError, match=why):
        verify(text, keys(), now=NOW)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES384", "PS256", "EdDSA ", ""])
def test_no_other_algorithm_is_accepted_whatever_the_manifest_says(algorithm: str) -> None:
    header = base64.urlsafe_b64encode(json.dumps({"alg": algorithm, "typ": "mcp-tools+jws"}).encode()).decode()
    _, body, signature = signed().split(".")
    for end in (signature, ""):
        with pytest.raises(ManifestError, match="algorithm is not accepted"):
            verify(f"{header.rstrip('=')}.{body}.{end}", keys(), now=NOW)


def test_a_public_key_is_no_secret_to_sign_with() -> None:
    """The classic: HS256 with the public key's PEM as its secret."""
    import hashlib
    import hmac

    header = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"mcp-tools+jws"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(json.dumps(payload()).encode()).decode().rstrip("=")
    mac = hmac.new(public_pem(PRIVATE["RS256"]), f"{header}.{body}".encode(), hashlib.sha256).digest()
    text = f"{header}.{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    with pytest.raises(ManifestError, match="algorithm is not accepted"):
        verify(text, keys("RS256"), now=NOW)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        pytest.param({"issuer": ""}, ManifestError, id="no issuer"),
        pytest.param({"expires": NOW}, ManifestError, id="expired before it began"),
        pytest.param({"tools": [{"name": "a"}, {"name": "a"}]}, DefinitionError, id="two tools of one name"),
    ],
)
def test_what_nobody_would_believe_is_not_signed(options: dict[str, Any], error: type[Exception]) -> None:
    tools = options.pop("tools", TOOLS)
    with pytest.raises(error):
        sign(key(), "crm", tools, **{"issuer": "https://vendor.example", "now": NOW, **options})


@pytest.mark.parametrize("algorithm", PRIVATE)
def test_keys_are_read_from_pem_jwk_and_jwks(algorithm: str) -> None:
    private = PRIVATE[algorithm]
    assert signing_key(private_pem(private)).algorithm == algorithm
    assert signing_key(json.dumps(jwk(private, kid="k1")).encode()).kid == "k1"
    public = jwk(private.public_key(), kid="k1", use="sig", alg=algorithm)
    for text in (json.dumps(public), json.dumps({"keys": [public]})):
        assert [(found.algorithm, found.kid) for found in verifying_keys(text.encode())] == [(algorithm, "k1")]
    assert len(verifying_keys(public_pem(private) + public_pem(PRIVATE["EdDSA"]))) == 2


def test_a_named_manifest_is_verified_by_the_key_of_this_name_or_one_without() -> None:
    other = VerifyingKey("EdDSA", "", ed25519.Ed25519PrivateKey.generate().public_key())
    assert verify(signed(kid="k1"), (other, *keys()), now=NOW).kid == ""
    assert verify(signed(), (other, *keys(kid="k1")), now=NOW).kid == "k1"


WEAK = rsa.generate_private_key(65537, 1024)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(b"", "1 to 64 public keys", id="nothing"),
        pytest.param(b"secret", "1 to 64 public keys", id="neither"),
        pytest.param(b"{", "neither PEM nor JSON", id="broken JSON"),
        pytest.param(b'{"keys": 3}', "no list", id="no list of keys"),
        pytest.param(b'{"keys": []}', "1 to 64 public keys", id="an empty set"),
        pytest.param(b'{"keys": ["a"]}', "Key 1: This is no JWK", id="no JWK"),
        pytest.param(b'{"kty": "oct", "k": "c2VjcmV0"}', "not accepted", id="a symmetric key"),
        pytest.param(b'{"kty": "OKP", "crv": "Ed25519", "x": "AA"}', "make no key", id="numbers that make no key"),
        pytest.param(b'{"kty": "OKP", "crv": "Ed25519", "x": 3}', "make no key", id="numbers that are none"),
        pytest.param(public_pem(WEAK), "Key 1: The kind of key is not accepted", id="a weak key"),
        pytest.param(public_pem(ec.generate_private_key(ec.SECP384R1())), "not accepted", id="another curve"),
        pytest.param(public_pem(ed448.Ed448PrivateKey.generate()), "not accepted", id="Ed448"),
        pytest.param(private_pem(PRIVATE["EdDSA"]), "private key", id="a private key in PEM"),
        pytest.param(json.dumps(jwk(PRIVATE["ES256"])).encode(), "private key", id="a private key as JWK"),
        pytest.param(
            json.dumps(jwk(PRIVATE["RS256"].public_key(), alg="PS256")).encode(), '"alg"', id="for another algorithm"
        ),
        pytest.param(json.dumps(jwk(PRIVATE["ES256"].public_key(), use="enc")).encode(), '"use"', id="for encryption"),
        pytest.param(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "no public key", id="broken PEM"),
    ],
)
def test_keys_that_cannot_be_trusted_are_refused_with_a_reason(text: bytes, why: str) -> None:
    with pytest.raises(KeyProblem, match=why):
        verifying_keys(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(public_pem(PRIVATE["EdDSA"]), "no private key", id="a public key in PEM"),
        pytest.param(json.dumps(jwk(PRIVATE["EdDSA"].public_key())).encode(), "public one", id="a public JWK"),
        pytest.param(private_pem(PRIVATE["ES256"], BestAvailableEncryption(b"x")), "encrypted", id="encrypted"),
        pytest.param(private_pem(WEAK), "not accepted", id="weak"),
        pytest.param(b'{"keys": [{}, {}]}', "one private key", id="a set"),
    ],
)
def test_what_cannot_sign_is_refused_with_a_reason(text: bytes, why: str) -> None:
    with pytest.raises(KeyProblem, match=why):
        signing_key(text)


def test_private_keys_are_in_no_repr() -> None:
    assert "private" not in repr(key())


_LAST = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.parametrize(
    "spelt",
    [
        pytest.param(lambda text: text[:-1] + _LAST[_LAST.index(text[-1]) + 1], id="bits that no byte needs"),
        pytest.param(lambda text: text + "==", id="padding"),
        pytest.param(lambda text: text[:-4] + "\n" + text[-4:], id="a line break in the middle"),
        pytest.param(lambda text: text[:-4] + "!" + text[-4:], id="a character that decoders skip"),
    ],
)
def test_a_signature_has_one_spelling(spelt: Any) -> None:
    """Decoders take all of these for the same bytes: 64 of them leave four bits of the last character over."""
    text = signed()
    with pytest.raises(ManifestError, match="signature is not base64url"):
        verify(spelt(text), keys(), now=NOW)
