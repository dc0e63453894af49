"""Who is calling, through the real Envoy."""

import httpx2
import pytest

from tests.envoy import policies
from tests.envoy.conftest import Scripted
from tests.envoy.gateway import Ports, request, until
from tests.envoy.issuer import AUDIENCE, Issuer

CHAT, MESSAGES, MCP = "/v1/chat/completions", "/v1/messages", "/mcp/tools"
OTHER = Issuer()  # the same issuer's name, another key


def _post(scripted: Scripted, headers: list[tuple[str, str]], path: str = CHAT) -> httpx2.Response:
    return request("POST", f"{scripted.gateway.url}{path}", headers=headers, json=policies.chat())


def _bearer(token: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {token}")]


@pytest.mark.promise("identity.refused")
@pytest.mark.promise("identity.providers")
@pytest.mark.promise("bad-input.hostile-tokens")
@pytest.mark.promise("bad-input.two-authorization-headers")
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(lambda i: [], "token-missing", id="no token"),
        pytest.param(lambda i: _bearer(i.token("engineering", exp=1_700_000_000)), "token-expired", id="expired"),
        pytest.param(lambda i: _bearer(i.token("engineering", nbf=4_000_000_000)), "token-not-yet-valid",
                     id="not valid yet"),
        pytest.param(lambda i: _bearer(i.token("engineering", aud="other")), "token-audience", id="wrong audience"),
        pytest.param(lambda i: _bearer(i.token("engineering", iss="https://evil.test")), "token-issuer",
                     id="unknown issuer"),
        pytest.param(lambda i: _bearer(i.unsigned("engineering")), "token-algorithm", id="alg none"),
        pytest.param(lambda i: _bearer(i.confused("engineering")), "token-algorithm", id="HS256 with the public key"),
        pytest.param(lambda i: _bearer(i.token("engineering", headers={"crit": ["x"], "x": 1})), "token-malformed",
                     id="unknown crit"),
        pytest.param(lambda i: _bearer(OTHER.token("engineering", headers={"kid": i.kid})), "token-signature",
                     id="another's key under our key id"),
        pytest.param(lambda i: _bearer(OTHER.token("engineering", headers={"kid": "nobody"})), "token-key-unknown",
                     id="a key id nobody has"),
        pytest.param(lambda i: _bearer(i.token("engineering", headers={"typ": "secevent+jwt"})), "token-type",
                     id="a token that is for something else"),
        pytest.param(lambda i: _bearer("x" * 60_000), "token-malformed", id="60 KB that are no token"),
        pytest.param(lambda i: _bearer(i.token("engineering")) * 2, "token-ambiguous", id="two Authorization headers"),
        pytest.param(lambda i: [*_bearer(i.token("engineering")), ("x-api-key", i.token("engineering", sub="eve"))],
                     "token-ambiguous", id="two different tokens in two places"),
        pytest.param(lambda i: [("authorization", "Basic dXNlcjpwYXNz")], "token-malformed", id="Basic"),
    ],
)  # fmt: skip
def test_is_refused_with_its_own_reason_in_the_dialect(scripted: Scripted, make, reason):
    before = len(scripted.upstream.seen)
    headers = make(scripted.issuer)
    answer = _post(scripted, headers)
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert error["code"] == reason
    assert answer.headers["x-gatereeve-id"] in error["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert scripted.gateway.record(answer)["reason"] == reason

    anthropic = _post(scripted, headers, MESSAGES)
    assert anthropic.status_code == 401
    assert anthropic.json()["type"] == "error"
    assert anthropic.json()["error"]["type"] == "authentication_error"
    assert reason in anthropic.json()["error"]["message"]

    mcp = _post(scripted, headers, MCP)
    assert mcp.status_code == 401
    assert mcp.json()["jsonrpc"] == "2.0"
    assert mcp.json()["error"]["data"]["reason"] == reason
    challenge = mcp.headers["www-authenticate"]
    assert challenge.startswith("Bearer")
    assert ('error="invalid_token"' in challenge) is (reason != "token-missing")  # RFC 6750, section 3.1
    assert len(scripted.upstream.seen) == before


@pytest.mark.promise("bad-input.hostile-tokens")
def test_a_token_of_1_MB_is_refused_before_it_is_read(scripted: Scripted):  # noqa: N802
    before = len(scripted.upstream.seen)
    try:
        answer = _post(scripted, _bearer("e" * (1 << 20)))
    except httpx2.HTTPError:
        pass  # Envoy's own header limit may close the connection before the client has read the answer
    else:
        assert answer.status_code in (400, 431)
    assert len(scripted.upstream.seen) == before


@pytest.mark.promise("identity.sources")
@pytest.mark.promise("bad-input.header-names")
@pytest.mark.promise("credentials.injected")
@pytest.mark.parametrize(
    ("name", "form"),
    [
        pytest.param("authorization", "Bearer {}", id="Authorization"),
        pytest.param("x-api-key", "{}", id="x-api-key"),
        pytest.param("api-key", "{}", id="api-key"),
        pytest.param("AuThOrIzAtIoN", "bearer {}", id="header name and scheme in odd case"),
        pytest.param("X-API-KEY", "{}", id="X-API-KEY in capitals"),
    ],
)
def test_the_token_is_found_where_SDKs_put_their_key(scripted: Scripted, name, form):  # noqa: N802
    token = scripted.issuer.token("engineering")
    answer = _post(scripted, [(name, form.format(token)), ("x-script", f"where {name}")])
    assert answer.status_code == 200, answer.text
    assert scripted.gateway.record(answer)["subject"] == "ada"
    [arrived] = scripted.upstream.arrivals(f"where {name}")
    assert token.encode() not in arrived.everything
    assert [value for key, value in arrived.headers if key == "authorization"] == [f"Bearer {policies.UPSTREAM_KEY}"]
    assert arrived.header("x-api-key") is None
    assert arrived.header("api-key") is None


@pytest.mark.promise("identity.keys")
@pytest.mark.promise("identity.cached")
def test_keys_rotate_while_the_gateway_runs_and_an_unknown_key_is_asked_for_once(own):
    issuer = Issuer().serve(Ports.take(1))
    try:
        made = own(start=False, workers=1)
        made.folder.write(
            policies.document("IdentityProvider", "tests", issuer=issuer.issuer, audiences=[AUDIENCE],
                              keys={"url": issuer.url}, refetchInterval="1h")
        )  # fmt: skip
        made.gateway.start()
        old = issuer.token("engineering")
        assert _post(made, _bearer(old)).status_code == 200
        issuer.rotate()
        before = issuer.fetches
        new = issuer.token("engineering")
        assert _post(made, _bearer(new)).status_code == 200
        assert issuer.fetches == before + 1
        # A second unknown key id within the interval is refused without asking the issuer again.
        for number in range(5):
            forged = OTHER.token("engineering", headers={"kid": f"made-up-{number}"})
            assert _post(made, _bearer(forged)).json()["error"]["code"] == "token-key-unknown"
        assert issuer.fetches == before + 1
        # A token verified before is not verified again: it holds although its key is gone.
        assert _post(made, _bearer(old)).status_code == 200
    finally:
        issuer.close()


@pytest.mark.promise("identity.stale-keys")
def test_stale_keys_serve_while_the_issuer_is_down(own):
    issuer = Issuer().serve(Ports.take(1))
    try:
        made = own(start=False, workers=1)
        made.folder.write(
            policies.document("IdentityProvider", "tests", issuer=issuer.issuer, audiences=[AUDIENCE],
                              keys={"url": issuer.url}, refresh="1s", staleFor="1h")
        )  # fmt: skip
        made.gateway.start()
        assert _post(made, _bearer(issuer.token("engineering"))).status_code == 200
        issuer.down = True
        failing = issuer.fetches
        until("the gateway has noticed that the issuer is down", lambda: issuer.fetches > failing, 20)
        assert _post(made, _bearer(issuer.token("engineering", sub="somebody new"))).status_code == 200
    finally:
        issuer.close()


def test_an_issuer_that_was_never_reached_is_our_trouble_and_not_the_callers(own):
    made = own(start=False, workers=1)
    nobody = Ports.take(1)
    made.folder.write(
        policies.document("IdentityProvider", "tests", issuer=made.issuer.issuer, audiences=[AUDIENCE],
                          keys={"url": f"http://127.0.0.1:{nobody}/jwks"})
    )  # fmt: skip
    made.gateway.start()
    answer = _post(made, _bearer(made.issuer.token("engineering")))
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "keys-unavailable"
    assert made.upstream.seen == []
