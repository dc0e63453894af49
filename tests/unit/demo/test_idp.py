"""The demo identity provider issues what its published keys verify, and only on loopback."""

import httpx2
import jwt
import pytest

from extproc.demo.idp import DemoIdp
from extproc.errors import StartupError


@pytest.fixture
async def idp():
    served = DemoIdp(port=0)
    async with served.server:
        yield served


async def ask(idp, method, path, **more):
    async with httpx2.AsyncClient() as client:
        return await client.request(method, idp.issuer + path, **more)


async def test_a_token_verifies_with_the_keys_that_discovery_names(idp):
    found = (await ask(idp, "GET", "/.well-known/openid-configuration")).json()
    assert found["issuer"] == idp.issuer
    keys = jwt.PyJWKSet.from_dict((await ask(idp, "GET", found["jwks_uri"].removeprefix(idp.issuer))).json())
    answer = await ask(
        idp, "POST", "/token", json={"subject": "user-1", "groups": ["engineering"], "email": "u@example.com"}
    )
    token = answer.json()["access_token"]
    claims = jwt.decode(
        token, keys[jwt.get_unverified_header(token)["kid"]], ["ES256"], audience="gatereeve", issuer=idp.issuer
    )
    assert (claims["sub"], claims["groups"], claims["email"]) == ("user-1", ["engineering"], "u@example.com")


async def test_published_keys_hold_no_private_part(idp):
    assert all("d" not in key for key in idp.keys()["keys"])


async def test_rotation_changes_the_key_and_its_id(idp):
    before = idp.keys()["keys"][0]
    await ask(idp, "POST", "/rotate")
    after = idp.keys()["keys"][0]
    assert before["kid"] != after["kid"]
    assert before["x"] != after["x"]


async def test_an_expired_token_can_be_had(idp):
    token = idp.mint("u", ttl=-60)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["nbf"] < claims["exp"] < claims["iat"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="no subject"),
        pytest.param({"subject": "u", "groups": "engineering"}, id="groups that are a text"),
        pytest.param({"subject": "u", "ttl": "long"}, id="a lifetime that is a text"),
        pytest.param(["u"], id="a list"),
    ],
)
async def test_a_bad_request_gets_no_token(idp, body):
    answer = await ask(idp, "POST", "/token", json=body)
    assert answer.status_code == 400
    assert "access_token" not in answer.json()


def test_it_refuses_to_listen_beyond_loopback():
    with pytest.raises(StartupError):
        DemoIdp(host="0.0.0.0")
