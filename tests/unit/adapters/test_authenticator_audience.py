"""What is remembered of a token at one server says nothing about it at another."""

import pytest

from extproc.adapters.authenticator import TokenAuthenticator
from extproc.exchange.refusal import Reason
from extproc.identity.keyset import parse
from extproc.identity.model import Audience, Identity, Issuer, KeySource

NOW = 1_800_000_000.0
A, B = Audience("https://gw.example/mcp/a", True), Audience("https://gw.example/mcp/b", True)


class Keys:
    def __init__(self, found):
        self.found = found

    def keys(self, issuer):
        return self.found

    def may_fetch(self, issuer):
        return False

    async def fetch(self, issuer):
        raise AssertionError


@pytest.fixture
def asked(kit):
    signer = kit.Signer("a")
    issuer = Issuer("corp", "https://id.example", ("gatereeve",), KeySource(url="u"))
    authenticator, policy = TokenAuthenticator(Keys(parse(kit.jwks(signer)))), kit.policy(issuers=[issuer])

    def ask(aud, audience=None, wall=NOW):
        text = signer.token(iss=issuer.issuer, sub="ada", exp=NOW + 3600, aud=aud)
        more = {} if audience is None else {"audience": audience}
        return authenticator.authenticate(text, policy, wall, **more)

    ask.counts = authenticator.counts
    return ask


def test_a_token_that_was_good_at_one_server_is_refused_at_another_and_elsewhere(asked):
    for _ in range(2):
        assert isinstance(asked(A.resource, A), Identity)
        assert asked(A.resource, B).reason is Reason.TOKEN_AUDIENCE
        assert asked(A.resource).reason is Reason.TOKEN_AUDIENCE


def test_a_token_that_was_refused_elsewhere_is_good_where_it_belongs(asked):
    assert asked(A.resource).reason is Reason.TOKEN_AUDIENCE
    assert isinstance(asked(A.resource, A), Identity)


def test_a_token_for_the_gateway_is_not_one_for_a_server(asked):
    assert isinstance(asked("gatereeve"), Identity)
    assert asked("gatereeve", A).reason is Reason.TOKEN_AUDIENCE
    assert isinstance(asked("gatereeve", Audience(A.resource, False)), Identity)


def test_it_is_remembered_at_each_server(asked):
    both = [A.resource, B.resource]
    for audience in (A, B, A, B):
        assert isinstance(asked(both, audience), Identity)
    assert (asked.counts.miss, asked.counts.hit) == (2, 2)
