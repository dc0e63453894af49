import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import HMACAlgorithm

from extproc.exchange.refusal import Reason, Refusal
from extproc.identity.keyset import ALGORITHMS, parse
from extproc.identity.model import ClaimMapping, Identity, Issuer, KeySource
from extproc.identity.token import peek
from extproc.identity.verify import GROUPS_UNKNOWN, claim, verify

NOW = 1_800_000_000.0
ISSUER = Issuer(
    name="demo", issuer="https://id.example", audiences=("gatereeve", "other-name"), keys=KeySource(inline="{}")
)
CLAIMS = {"iss": "https://id.example", "aud": "gatereeve", "sub": "user-1", "exp": NOW + 60, "groups": ["engineering"]}


@pytest.fixture(scope="module")
def keys(keyring, tools):
    names = ("rsa", "p256", "p384", "p521", "ed25519", "ed448")
    return parse(json.dumps({"keys": [tools.jwk(getattr(keyring, n), kid=n) for n in names]}))


@pytest.fixture
def judge(keyring, keys, tools):
    def run(claims=None, header=None, key="rsa", alg="RS256", issuer=ISSUER, wall=NOW, raw=None, drop=()):
        body = {**CLAIMS, **(claims or {})}
        for name in drop:
            del body[name]
        head = {"alg": alg, "kid": key, "typ": "JWT", **(header or {})}
        token = tools.sign(head, raw or body, getattr(keyring, key) if isinstance(key, str) else key, alg)
        seen = peek(token)
        return seen if isinstance(seen, Refusal) else verify(seen, issuer, keys, wall)

    return run


def reason(result):
    assert isinstance(result, Refusal), "the token was accepted"
    return result.reason


@pytest.mark.parametrize(
    ("key", "alg"),
    [("rsa", a) for a in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")]
    + [("p256", "ES256"), ("p384", "ES384"), ("p521", "ES512"), ("ed25519", "EdDSA"), ("ed448", "EdDSA")],
)
def test_a_good_token_of_every_algorithm_is_accepted(judge, key, alg):
    issuer = replace(ISSUER, algorithms=(alg,))
    result = judge(key=key, alg=alg, issuer=issuer)
    assert isinstance(result, Identity)
    assert (result.provider, result.subject, result.groups) == ("demo", "user-1", ("engineering",))
    assert result.expires_at == NOW + 60 + ISSUER.leeway
    assert "user-1" in repr(result)
    assert "aud" not in repr(result)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"claims": {"iss": "https://id.example/"}}, Reason.TOKEN_ISSUER, id="an issuer with a slash more"),
        pytest.param({"claims": {"iss": ["https://id.example"]}}, Reason.TOKEN_ISSUER, id="an issuer in a list"),
        pytest.param({"drop": ("iss",)}, Reason.TOKEN_ISSUER, id="no issuer"),
        pytest.param({"claims": {"aud": "someone"}}, Reason.TOKEN_AUDIENCE, id="another audience"),
        pytest.param({"claims": {"aud": ["a", "b"]}}, Reason.TOKEN_AUDIENCE, id="a list of other audiences"),
        pytest.param({"claims": {"aud": []}}, Reason.TOKEN_AUDIENCE, id="an empty list of audiences"),
        pytest.param({"claims": {"aud": None}}, Reason.TOKEN_AUDIENCE, id="audience null"),
        pytest.param({"claims": {"aud": ["gatereeve", 7]}}, Reason.TOKEN_AUDIENCE, id="a number among the audiences"),
        pytest.param({"claims": {"aud": {"gatereeve": 1}}}, Reason.TOKEN_AUDIENCE, id="an audience that is an object"),
        pytest.param({"drop": ("aud",)}, Reason.TOKEN_AUDIENCE, id="no audience"),
        pytest.param({"drop": ("exp",)}, Reason.TOKEN_CLAIMS, id="no expiry"),
        pytest.param({"claims": {"exp": str(int(NOW + 60))}}, Reason.TOKEN_CLAIMS, id="an expiry in a string"),
        pytest.param({"claims": {"exp": True}}, Reason.TOKEN_CLAIMS, id="an expiry that is true"),
        pytest.param({"claims": {"exp": None}}, Reason.TOKEN_CLAIMS, id="an expiry that is null"),
        pytest.param({"claims": {"exp": [NOW + 60]}}, Reason.TOKEN_CLAIMS, id="an expiry in a list"),
        pytest.param({"claims": {"exp": 10**400}}, Reason.TOKEN_CLAIMS, id="an expiry beyond every calendar"),
        pytest.param({"claims": {"exp": NOW * 1000}}, Reason.TOKEN_CLAIMS, id="an expiry in milliseconds"),
        pytest.param({"claims": {"exp": NOW - 30}}, Reason.TOKEN_EXPIRED, id="expired exactly at the leeway's edge"),
        pytest.param({"claims": {"exp": -5}}, Reason.TOKEN_EXPIRED, id="expired before 1970"),
        pytest.param({"claims": {"nbf": NOW + 31}}, Reason.TOKEN_NOT_YET_VALID, id="not before a future time"),
        pytest.param({"claims": {"iat": NOW + 31}}, Reason.TOKEN_NOT_YET_VALID, id="issued in the future"),
        pytest.param({"claims": {"nbf": "soon"}}, Reason.TOKEN_CLAIMS, id="nbf that is no number"),
        pytest.param({"claims": {"iat": False}}, Reason.TOKEN_CLAIMS, id="iat that is false"),
        pytest.param({"drop": ("sub",)}, Reason.TOKEN_CLAIMS, id="no subject"),
        pytest.param({"claims": {"sub": ""}}, Reason.TOKEN_CLAIMS, id="an empty subject"),
        pytest.param({"claims": {"sub": "  "}}, Reason.TOKEN_CLAIMS, id="a blank subject"),
        pytest.param({"claims": {"sub": 7}}, Reason.TOKEN_CLAIMS, id="a numeric subject"),
        pytest.param({"claims": {"sub": "a\nb"}}, Reason.TOKEN_CLAIMS, id="a subject with a line break"),
        pytest.param({"claims": {"sub": "x" * 2000}}, Reason.TOKEN_CLAIMS, id="an endless subject"),
        pytest.param({"claims": {"groups": {"a": 1}}}, Reason.TOKEN_CLAIMS, id="groups that are an object"),
        pytest.param({"claims": {"groups": ["a", 1]}}, Reason.TOKEN_CLAIMS, id="a number among the groups"),
        pytest.param({"header": {"typ": "id+jwt"}}, Reason.TOKEN_TYPE, id="a type that is not accepted"),
        pytest.param({"header": {"typ": "logout+jwt"}}, Reason.TOKEN_TYPE, id="a logout token"),
        pytest.param({"header": {"typ": ""}}, Reason.TOKEN_TYPE, id="no type where one is needed"),
        pytest.param({"header": {"kid": "nobody"}}, Reason.TOKEN_KEY_UNKNOWN, id="an unknown key"),
        pytest.param({"header": {"kid": "../rsa"}}, Reason.TOKEN_KEY_UNKNOWN, id="a kid that is a path"),
        pytest.param({"header": {"kid": "' OR 1=1 --"}}, Reason.TOKEN_KEY_UNKNOWN, id="a kid that is SQL"),
        pytest.param({"header": {"kid": ""}}, Reason.TOKEN_KEY_UNKNOWN, id="an empty kid is not an absent one"),
        pytest.param({"header": {"kid": "p256"}}, Reason.TOKEN_ALGORITHM, id="a kid of another key type"),
        pytest.param({"header": {"kid": "rsa"}, "key": "other_rsa"}, Reason.TOKEN_SIGNATURE, id="someone else's key"),
        pytest.param({"alg": "ES512", "key": "p521"}, Reason.TOKEN_ALGORITHM, id="an algorithm not allowed for it"),
        pytest.param({"alg": "RS256", "header": {"alg": "none"}}, Reason.TOKEN_ALGORITHM, id="alg none, signed"),
        pytest.param({"alg": "RS256", "header": {"alg": "rs256"}}, Reason.TOKEN_ALGORITHM, id="alg in lower case"),
        pytest.param({"header": {"crit": ["exp"]}}, Reason.TOKEN_MALFORMED, id="crit"),
    ],
)
def test_each_flaw_has_its_own_reason(judge, change, expected):
    assert reason(judge(**change)) is expected


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"claims": {"aud": ["x", "other-name"]}}, id="one of several audiences is ours"),
        pytest.param({"claims": {"exp": NOW - 29}}, id="expired within the leeway"),
        pytest.param({"claims": {"nbf": NOW + 30, "iat": NOW + 30}}, id="not yet valid within the leeway"),
        pytest.param({"claims": {"exp": int(NOW + 60)}}, id="an integer expiry"),
        pytest.param({"header": {"typ": "application/at+JWT"}}, id="typ in its long form"),
        pytest.param({"header": {"jwk": {"kty": "oct"}, "jku": "https://evil.example", "x5u": "file:///"}}, id="jku"),
    ],
)
def test_what_is_merely_unusual_is_accepted(judge, change):
    assert isinstance(judge(**change), Identity)


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
def test_an_unsigned_token_is_refused_even_if_the_issuer_were_configured_to_allow_it(keys, tools, alg):
    issuer = replace(ISSUER, algorithms=(alg, "RS256"))
    for kid in ("rsa", "nobody"):  # also before a key is looked for: such a token must not cause a fetch
        seen = peek(tools.sign({"alg": alg, "kid": kid, "typ": "JWT"}, CLAIMS, None, "none"))
        assert reason(verify(seen, issuer, keys, NOW)) is Reason.TOKEN_ALGORITHM


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_the_public_key_as_hmac_secret_is_refused_even_if_configured(keyring, keys, tools, alg):
    public = keyring.rsa.public_key()
    hash_alg = {"HS256": HMACAlgorithm.SHA256, "HS384": HMACAlgorithm.SHA384, "HS512": HMACAlgorithm.SHA512}[alg]
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    ):
        signed = tools.b64({"alg": alg, "kid": "rsa", "typ": "JWT"}) + "." + tools.b64(CLAIMS)
        token = signed + "." + tools.b64(HMACAlgorithm(hash_alg).sign(signed.encode(), secret))
        issuer = replace(ISSUER, algorithms=(alg, "RS256"))
        assert reason(verify(peek(token), issuer, keys, NOW)) is Reason.TOKEN_ALGORITHM


def test_a_key_the_token_brings_along_is_not_believed(keyring, keys, tools):
    attacker = keyring.other_rsa
    header = {"alg": "RS256", "kid": "rsa", "typ": "JWT", "jwk": tools.jwk(attacker, kid="rsa")}
    seen = peek(tools.sign(header, CLAIMS, attacker, "RS256"))
    assert reason(verify(seen, ISSUER, keys, NOW)) is Reason.TOKEN_SIGNATURE


@pytest.mark.parametrize("segment", [0, 1, 2], ids=["header", "claims", "signature"])
def test_a_token_changed_anywhere_is_refused(keyring, keys, tools, segment):
    token = tools.sign({"alg": "ES256", "kid": "p256", "typ": "JWT"}, CLAIMS, keyring.p256, "ES256")
    parts = token.split(".")
    other = tools.sign(
        {"alg": "ES256", "kid": "p256", "typ": "JWT", "x": 1}, {**CLAIMS, "sub": "admin"}, keyring.p256, "ES256"
    ).split(".")
    parts[segment] = other[segment]
    assert reason(verify(peek(".".join(parts)), ISSUER, keys, NOW)) is Reason.TOKEN_SIGNATURE


def test_a_token_without_kid_is_tried_with_every_fitting_key(keyring, keys, tools):
    seen = peek(tools.sign({"alg": "ES256", "typ": "JWT"}, CLAIMS, keyring.p256, "ES256"))
    assert isinstance(verify(seen, ISSUER, keys, NOW), Identity)


def test_a_bad_signature_wins_over_bad_claims_so_that_a_forger_learns_nothing(judge):
    result = judge(header={"kid": "rsa"}, key="other_rsa", claims={"exp": 1, "aud": "x"})
    assert reason(result) is Reason.TOKEN_SIGNATURE


def test_the_audience_help_names_ours_and_never_theirs(judge):
    result = judge(claims={"aud": "their-secret-service"}, issuer=replace(ISSUER, audiences=("gatereeve",)))
    assert "gatereeve" in result.message
    assert "their" not in result.message


@pytest.mark.parametrize(
    ("claims", "mapping", "groups"),
    [
        pytest.param({"groups": "solo"}, {}, ("solo",), id="a single string is one group"),
        pytest.param({"groups": []}, {}, (), id="an empty list is no group"),
        pytest.param({"groups": None}, {}, (), id="null is no group"),
        pytest.param(
            {"realm_access": {"roles": ["a", "b"]}}, {"groups": "realm_access.roles"}, ("a", "b"), id="dots walk inward"
        ),
        pytest.param(
            {"https://acme.example/groups": ["x"], "https://acme": {"example/groups": ["y"]}},
            {"groups": "https://acme.example/groups"},
            ("x",),
            id="a whole name comes first",
        ),
        pytest.param({"a": "text"}, {"groups": "a.b"}, (), id="dots do not walk into text"),
    ],
)
def test_groups_are_mapped(judge, claims, mapping, groups):
    result = judge(claims=claims, issuer=replace(ISSUER, mapping=ClaimMapping(**mapping)))
    assert result.groups == groups
    assert GROUPS_UNKNOWN not in result.claims


@pytest.mark.parametrize(
    "claims",
    [{"_claim_names": {"groups": "src1"}, "_claim_sources": {}}, {"hasgroups": True}, {"hasgroups": "true"}],
    ids=["claim names", "hasgroups", "hasgroups in a string"],
)
def test_groups_the_issuer_left_out_are_marked_unknown(judge, claims):
    result = judge(claims=claims, drop=("groups",))
    assert result.groups == ()
    assert result.claims[GROUPS_UNKNOWN] is True


def test_email_and_tenant_are_mapped_and_an_unverified_address_is_not_believed(judge):
    issuer = replace(ISSUER, mapping=ClaimMapping(tenant="tid"))
    good = judge(claims={"email": "a@b.example", "tid": "t1"}, issuer=issuer)
    assert (good.email, good.tenant) == ("a@b.example", "t1")
    assert judge(claims={"email": "a@b.example", "email_verified": False}).email == ""
    assert judge(claims={"email": ["a@b.example"]}).email == ""
    assert judge(claims={"email": "a\r\nb"}).email == ""


def test_claim_walks_only_objects():
    assert claim({"a": {"b": 1}}, "a.b") == 1
    assert claim({"a": [1]}, "a.0") is None
    assert claim({}, "a") is None


def test_no_algorithm_is_symmetric_or_none():
    assert not [name for name in ALGORITHMS if name.startswith("HS") or name.lower() == "none"]
