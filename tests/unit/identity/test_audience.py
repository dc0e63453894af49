"""Whom a token is for, where the server that is asked has a name of its own (RFC 8707)."""

import pytest

from extproc.exchange.refusal import Reason, Refusal
from extproc.identity.model import ISSUERS_OWN, Audience, Identity, Issuer, KeySource
from extproc.identity.token import Unverified
from extproc.identity.verify import judge_claims

NOW = 1_800_000_000.0
ISSUER = Issuer("corp", "https://id.example", ("gatereeve",), KeySource(inline="{}"))
CRM = "https://gw.example/mcp/crm"
STRICT, EITHER = Audience(CRM, True), Audience(CRM, False)


def judged(aud, audience):
    claims = {"iss": ISSUER.issuer, "sub": "ada", "exp": NOW + 60, "aud": aud}
    return judge_claims(Unverified("ES256", None, "jwt", ISSUER.issuer, claims, b"", b""), ISSUER, NOW, audience)


@pytest.mark.parametrize(
    ("aud", "strict", "either", "own"),
    [
        pytest.param(CRM, True, True, False, id="the resource"),
        pytest.param([CRM, "x"], True, True, False, id="the resource among others"),
        pytest.param(CRM + "/", True, True, False, id="the resource with one slash"),
        pytest.param(CRM + "//", False, False, False, id="with two"),
        pytest.param(CRM.upper(), False, False, False, id="in capitals"),
        pytest.param("https://gw.example/mcp", False, False, False, id="a parent of it"),
        pytest.param("https://gw.example/mcp/crm2", False, False, False, id="a longer one"),
        pytest.param("https://gw.example/mcp/crm?", False, False, False, id="with a query"),
        pytest.param("gatereeve", False, True, True, id="the gateway's"),
        pytest.param(["gatereeve", CRM], True, True, True, id="both"),
        pytest.param("", False, False, False, id="nobody"),
        pytest.param(None, False, False, False, id="nothing"),
        pytest.param([CRM, 7], False, False, False, id="a list that cannot be read whole"),
    ],
)
def test_a_token_is_for(aud, strict, either, own):
    for audience, accepted in ((STRICT, strict), (EITHER, either), (ISSUERS_OWN, own)):
        found = judged(aud, audience)
        if accepted:
            assert isinstance(found, Identity)
        else:
            assert isinstance(found, Refusal)
            assert found.reason is Reason.TOKEN_AUDIENCE
            assert (CRM in found.message) is bool(audience.resource)


def test_audiences_that_judge_differently_are_remembered_apart():
    audiences = [ISSUERS_OWN, STRICT, EITHER, Audience("https://gw.example/mcp/b", True)]
    assert len({audience.key for audience in audiences}) == len(audiences)
