"""A caller's stored token is found by who the caller is, and by nothing the caller can choose."""

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest

from extproc.adapters.user_tokens import KEPT, MISSED, UserTokens, file_name
from extproc.exchange.refusal import Reason, Refusal
from extproc.identity.model import Identity
from extproc.policy.oauth import UserTokenSource
from extproc.session.ports import Caller, Injected, TokenNeeded

ISSUER = "https://login.example.com"


def caller(subject="ada", tenant="", issuer=ISSUER, **claims):
    return Caller(Identity("corp", issuer, subject, tenant=tenant, claims=claims), "canary-token")


@pytest.fixture
def source(tmp_path):
    return UserTokenSource("MCPServer/crm", str(tmp_path), connect="https://portal.example.com/connect")


@pytest.fixture
def tokens(clock):
    pool = ThreadPoolExecutor(2)
    yield UserTokens(pool, clock)
    pool.shutdown()


async def had(tokens, source, who):
    found = tokens.inject(source, who)
    return await found.fetch() if isinstance(found, TokenNeeded) else found


def store(tmp_path, text, *parts):
    path = tmp_path / sha256("\0".join(parts).encode()).hexdigest()
    path.write_text(text)
    return path


async def test_a_stored_token_is_injected_and_must_not_come_back(tokens, source, tmp_path):
    store(tmp_path, "secret-of-ada\n", ISSUER, "ada", "")
    found = await had(tokens, source, caller())
    assert found == Injected((("authorization", "Bearer secret-of-ada"),), b"secret-of-ada")
    assert tokens.inject(source, caller()) == found, "known from now on"
    assert "secret" not in repr((tokens, found))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(caller("bob"), id="another subject"),
        pytest.param(caller(issuer="https://other.example.com"), id="the same subject of another issuer"),
        pytest.param(caller(tenant="acme"), id="the same subject in another tenant"),
        pytest.param(caller("../" + sha256(b"x").hexdigest()), id="a subject that is a path"),
    ],
)
async def test_nobody_gets_anothers(tokens, source, tmp_path, other):
    store(tmp_path, "secret-of-ada", ISSUER, "ada", "")
    await had(tokens, source, caller())
    found = await had(tokens, source, other)
    assert isinstance(found, Refusal)
    assert (found.reason, found.status) == (Reason.CREDENTIAL_UNAVAILABLE, 403)


async def test_claims_keep_the_tokens_of_one_caller_apart(tokens, source, tmp_path):
    source = UserTokenSource("MCPServer/crm", str(tmp_path), apart=("project", "realm.unit"))
    store(tmp_path, "of-project-one", ISSUER, "ada", "t", "one", "u")
    one = caller(tenant="t", project="one", realm={"unit": "u"})
    assert isinstance(await had(tokens, source, one), Injected)
    assert isinstance(await had(tokens, source, caller(tenant="t", project="two", realm={"unit": "u"})), Refusal)
    for claims in (
        {},
        {"project": "one"},
        {"project": ["one"], "realm": {"unit": "u"}},
        {"project": "o\0", "realm": {}},
    ):
        found = await had(tokens, source, caller(tenant="t", **claims))
        assert isinstance(found, Refusal)
        assert "project and the realm.unit" in found.message


def test_no_two_callers_have_one_file(source):
    source = UserTokenSource("n", "f", apart=("p",))
    people = [
        Identity("c", issuer, subject, tenant=tenant, claims={"p": p})
        for issuer in ("i", "is")
        for subject in ("s", "us")
        for tenant in ("", "t")
        for p in ("a", "ta")
    ]
    assert len({file_name(source, who) for who in people}) == len(people)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "have not connected", id="none"),
        pytest.param(b"", "cannot be used", id="an empty file"),
        pytest.param(b"a\r\nx-evil: b", "cannot be used", id="two headers"),
        pytest.param(b"a" * 20_000, "cannot be used", id="an endless one"),
    ],
)
async def test_what_is_no_token_is_a_refusal_that_says_where_to_get_one(tokens, source, tmp_path, content, said):
    path = tmp_path / file_name(source, caller().identity)
    if content is not None:
        path.write_bytes(content)
    found = await had(tokens, source, caller())
    assert isinstance(found, Refusal)
    assert said in found.message
    assert "https://portal.example.com/connect" in found.message
    path.unlink(missing_ok=True)
    path.mkdir()
    assert isinstance(await had(tokens, source, caller("x")), Refusal)


async def test_a_token_is_re_read_when_its_time_is_over(tokens, source, tmp_path, clock):
    assert isinstance(await had(tokens, source, caller()), Refusal)
    path = store(tmp_path, "first-token", ISSUER, "ada", "")
    clock.now += MISSED
    assert (await had(tokens, source, caller())).secret == b"first-token"
    path.write_text("second-token")
    assert (await had(tokens, source, caller())).secret == b"first-token"
    clock.now += KEPT
    assert (await had(tokens, source, caller())).secret == b"second-token"
    path.unlink()
    clock.now += KEPT
    assert isinstance(await had(tokens, source, caller()), Refusal)


async def test_a_token_that_is_not_taken_is_read_again(tokens, source, tmp_path):
    path = store(tmp_path, "first-token", ISSUER, "ada", "")
    await had(tokens, source, caller())
    path.write_text("second-token")
    said = tokens.rejection(source, caller())()
    assert (said.status, said.reason) == (403, Reason.CREDENTIAL_UNAVAILABLE)
    assert "https://portal.example.com/connect" in said.message
    assert (await had(tokens, source, caller())).secret == b"second-token"


async def test_a_header_of_its_own(tokens, tmp_path):
    store(tmp_path, "secret-of-ada", ISSUER, "ada", "")
    source = UserTokenSource("MCPServer/crm", str(tmp_path), "x-key", "key {}")
    found = await had(tokens, source, caller())
    assert found == Injected((("x-key", "key secret-of-ada"),), b"secret-of-ada")
