from dataclasses import replace

import pytest

from extproc.adapters.authenticator import TokenAuthenticator
from extproc.adapters.keys import KeyCache
from extproc.exchange.refusal import Reason
from extproc.identity.keyset import parse
from extproc.identity.model import Identity, Issuer, KeySource
from extproc.session.ports import KeysNeeded

NOW = 1_800_000_000.0
ISS = "https://id.example"


class Keys:
    """A key cache whose every answer a test sets."""

    def __init__(self):
        self.sets = {}
        self.later = {}
        self.may = True
        self.fetched = []
        self.asked = 0

    def keys(self, issuer):
        self.asked += 1
        return self.sets.get(issuer.keys.url)

    def may_fetch(self, issuer):
        return self.may

    async def fetch(self, issuer):
        self.fetched.append(issuer.name)
        self.sets.update(self.later)


@pytest.fixture
def signer(kit):
    return kit.Signer("a")


@pytest.fixture
def keys(kit, signer):
    found = Keys()
    found.sets["u"] = parse(kit.jwks(signer))
    return found


def issuer_for(name="demo", audience="gatereeve", url="u", **more):
    return Issuer(name, ISS, (audience,), KeySource(url=url), **more)


def token(signer, **claims):
    return signer.token(**{"iss": ISS, "aud": "gatereeve", "sub": "user-1", "exp": NOW + 3600, **claims})


def test_a_token_seen_before_is_not_verified_again(kit, keys, signer):
    auth, policy, text = TokenAuthenticator(keys), kit.policy(issuers=[issuer_for()]), token(signer)
    first = auth.authenticate(text, policy, NOW)
    assert isinstance(first, Identity)
    assert auth.authenticate(text, policy, NOW + 299) is first
    assert keys.asked == 1
    assert (auth.counts.hit, auth.counts.miss) == (1, 1)
    assert text not in repr(vars(auth))


def test_it_is_verified_again_after_max_age_and_refused_after_expiry(kit, keys, signer):
    auth, policy = TokenAuthenticator(keys), kit.policy(issuers=[issuer_for()])
    text = token(signer, exp=NOW + 400)
    auth.authenticate(text, policy, NOW)
    assert isinstance(auth.authenticate(text, policy, NOW + 300), Identity)
    assert keys.asked == 2
    assert isinstance(auth.authenticate(text, policy, NOW + 429.9), Identity)
    assert keys.asked == 2
    assert auth.authenticate(text, policy, NOW + 430).reason is Reason.TOKEN_EXPIRED


def test_a_key_withdrawn_by_the_issuer_ends_its_tokens_at_max_age(kit, keys, signer):
    auth, policy, text = TokenAuthenticator(keys), kit.policy(issuers=[issuer_for()]), token(signer)
    auth.authenticate(text, policy, NOW)
    keys.sets["u"] = parse(kit.jwks(kit.Signer("b")))
    assert auth.authenticate(text, policy, NOW + 300, final=True).reason is Reason.TOKEN_KEY_UNKNOWN


def test_a_reload_that_leaves_the_issuer_alone_keeps_the_memory(kit, keys, signer):
    auth, text = TokenAuthenticator(keys), token(signer)
    auth.authenticate(text, kit.policy("v1", [issuer_for()]), NOW)
    assert isinstance(auth.authenticate(text, kit.policy("v2", [issuer_for()]), NOW), Identity)
    assert keys.asked == 1


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param([], Reason.TOKEN_ISSUER, id="the provider was removed"),
        pytest.param([issuer_for(audience="new")], Reason.TOKEN_AUDIENCE, id="the audience changed"),
        pytest.param([issuer_for(algorithms=("RS256",))], Reason.TOKEN_ALGORITHM, id="the algorithm was withdrawn"),
    ],
)
def test_a_reload_that_changes_the_issuer_takes_effect_at_once(kit, keys, signer, changed, reason):
    auth, text = TokenAuthenticator(keys), token(signer)
    assert isinstance(auth.authenticate(text, kit.policy("v1", [issuer_for()]), NOW), Identity)
    assert auth.authenticate(text, kit.policy("v2", changed), NOW, final=True).reason is reason
    assert isinstance(auth.authenticate(text, kit.policy("v1", [issuer_for()]), NOW), Identity), "refusals end too"


def test_memory_is_bounded_and_forgets_the_oldest(kit, keys, signer):
    auth, policy = TokenAuthenticator(keys, capacity=10), kit.policy(issuers=[issuer_for()])
    texts = [token(signer, jti=str(n)) for n in range(15)]
    for text in texts:
        auth.authenticate(text, policy, NOW)
    assert len(auth._known) == 10
    before = keys.asked
    auth.authenticate(texts[-1], policy, NOW)
    assert keys.asked == before
    auth.authenticate(texts[0], policy, NOW)
    assert keys.asked == before + 1


def test_a_flood_of_one_bad_token_is_judged_once_for_a_while(kit, keys):
    auth, policy = TokenAuthenticator(keys), kit.policy(issuers=[issuer_for()])
    forged = token(kit.Signer("a"))
    for _ in range(100):
        assert auth.authenticate(forged, policy, NOW).reason is Reason.TOKEN_SIGNATURE
    assert keys.asked == 1
    assert auth.counts.refused == 99
    auth.authenticate(forged, policy, NOW + 5)
    assert keys.asked == 2


def test_refusals_remembered_are_bounded(kit, keys):
    auth, policy = TokenAuthenticator(keys, refused_capacity=10), kit.policy(issuers=[issuer_for()])
    for n in range(50):
        auth.authenticate(f"bad{n}", policy, NOW)
    assert len(auth._refused) == 10


async def test_missing_keys_are_asked_for_once_and_then_the_token_is_accepted(kit, signer, keys):
    keys.later, keys.sets = keys.sets, {}
    auth, policy, text = TokenAuthenticator(keys), kit.policy(issuers=[issuer_for()]), token(signer)
    needed = auth.authenticate(text, policy, NOW)
    assert isinstance(needed, KeysNeeded)
    await needed.fetch()
    assert isinstance(auth.authenticate(text, policy, NOW, final=True), Identity)
    assert keys.fetched == ["demo"]


def test_keys_that_cannot_be_had_are_our_trouble_and_not_remembered_against_the_token(kit, signer, keys):
    kept, keys.sets, keys.may = keys.sets, {}, False
    auth, policy, text = TokenAuthenticator(keys), kit.policy(issuers=[issuer_for()]), token(signer)
    refusal = auth.authenticate(text, policy, NOW)
    assert (refusal.reason, refusal.status) == (Reason.KEYS_UNAVAILABLE, 503)
    keys.sets = kept
    assert isinstance(auth.authenticate(text, policy, NOW), Identity)


def test_final_never_asks_for_keys(kit, signer, keys):
    keys.sets = {}
    result = TokenAuthenticator(keys).authenticate(token(signer), kit.policy(issuers=[issuer_for()]), NOW, final=True)
    assert result.reason is Reason.KEYS_UNAVAILABLE


@pytest.mark.parametrize(
    ("claims", "reason"),
    [({"exp": NOW - 60}, Reason.TOKEN_EXPIRED), ({"aud": "x"}, Reason.TOKEN_AUDIENCE)],
    ids=["expired", "for someone else"],
)
def test_a_token_that_is_refused_anyway_causes_no_fetch(kit, keys, claims, reason):
    text = token(kit.Signer("unknown"), **claims)
    assert TokenAuthenticator(keys).authenticate(text, kit.policy(issuers=[issuer_for()]), NOW).reason is reason


def test_several_providers_of_one_issuer_are_each_tried(kit, keys, signer):
    policy = kit.policy(issuers=[issuer_for("one", "aud-1"), issuer_for("two", "aud-2")])
    auth = TokenAuthenticator(keys)
    assert auth.authenticate(token(signer, aud="aud-2"), policy, NOW).provider == "two"
    assert auth.authenticate(token(signer, aud="aud-1"), policy, NOW).provider == "one"


def test_the_provider_that_came_furthest_gives_the_reason(kit, keys, signer):
    policy = kit.policy(issuers=[issuer_for("one", "aud-1"), issuer_for("two", "aud-2"), issuer_for("three", "aud-3")])
    refusal = TokenAuthenticator(keys).authenticate(token(signer, aud="aud-2", exp=NOW - 60), policy, NOW)
    assert refusal.reason is Reason.TOKEN_EXPIRED


def test_a_provider_whose_keys_are_missing_leaves_the_question_open(kit, keys, signer):
    keys.may = False
    policy = kit.policy(issuers=[issuer_for("one", "aud-1"), issuer_for("two", "aud-2", url="down")])
    refusal = TokenAuthenticator(keys).authenticate(token(signer, aud="aud-2"), policy, NOW)
    assert refusal.reason is Reason.KEYS_UNAVAILABLE


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "a" * 1_000_000, "\udcff", "é.é.é"])
def test_what_is_no_token_is_refused(kit, keys, text):
    auth = TokenAuthenticator(keys)
    assert auth.authenticate(text, kit.policy(issuers=[issuer_for()]), NOW).reason is Reason.TOKEN_MALFORMED


async def test_rotation_end_to_end_with_a_real_issuer(kit, web, clock):
    old, new = kit.Signer("old"), kit.Signer("new")
    web.routes["/jwks"] = (200, {}, kit.jwks(old))
    issuer = issuer_for(url=web.url + "/jwks")
    cache = KeyCache(clock, lambda: 0.0)
    auth, policy = TokenAuthenticator(cache), kit.policy(issuers=[issuer])

    async def ask(text):
        result = auth.authenticate(text, policy, NOW)
        if isinstance(result, KeysNeeded):
            await result.fetch()
            result = auth.authenticate(text, policy, NOW, final=True)
        return result

    assert isinstance(await ask(token(old)), Identity)
    web.routes["/jwks"] = (200, {}, kit.jwks(old, new))
    assert isinstance(await ask(token(new)), Identity)
    for n in range(20):
        assert (await ask(token(kit.Signer(f"stranger-{n}")))).reason is Reason.TOKEN_KEY_UNKNOWN
    assert len(web.asked) == 2
    web.routes["/jwks"] = (500, {}, b"")
    clock.now += 60
    assert isinstance(await ask(token(old, jti="2")), Identity)
    await cache.close()


def test_an_equal_issuer_is_found_among_several(kit, keys, signer):
    one, two = issuer_for("one", "aud-1"), issuer_for("two")
    auth, text = TokenAuthenticator(keys), token(signer)
    auth.authenticate(text, kit.policy("v1", [one, two]), NOW)
    before = keys.asked
    assert auth.authenticate(text, kit.policy("v2", [replace(one), replace(two)]), NOW).provider == "two"
    assert keys.asked == before
