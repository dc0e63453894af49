"""RFC 8693 as the gateway speaks it: what is asked, for whom the answer is kept, how long, and how failure is borne."""

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from extproc.adapters.delegated import DelegatedCredentials
from extproc.adapters.token_exchange import GRANT, LONGEST, REFUSED, TokenExchange
from extproc.exchange.refusal import Reason, Refusal
from extproc.identity.model import Identity
from extproc.policy.oauth import ExchangeSource, UserTokenSource
from extproc.session.ports import Caller, Injected, TokenNeeded
from tests.unit.adapters.token_server import TokenServer, gives


@pytest.fixture
def cloud():
    server = TokenServer()
    server.answer = gives("exchanged-token")
    yield server
    server.close()


@pytest.fixture
def source(cloud):
    return ExchangeSource("MCPServer/crm", f"{cloud.url}/token", "gw:1", secret_env="S", audience="crm")


@pytest.fixture
def exchange(clock):
    pool = ThreadPoolExecutor(4)
    yield TokenExchange({"S": "s3cret & ="}, pool, clock, lambda: 0.0)
    pool.shutdown()


def caller(subject="ada", token="token-of-ada"):
    return Caller(Identity("corp", "https://login.example.com", subject), token)


async def had(exchange, source, who=None):
    found = exchange.inject(source, who or caller())
    return await found.fetch() if isinstance(found, TokenNeeded) else found


def refused(found, status):
    assert isinstance(found, Refusal), found
    assert (found.reason, found.status) == (Reason.CREDENTIAL_UNAVAILABLE, status)
    return found.message


async def test_the_callers_token_is_exchanged(exchange, source, cloud):
    found = await had(exchange, replace(source, resource="https://crm.internal", scope="a b"))
    assert found == Injected((("authorization", "Bearer exchanged-token"),), b"exchanged-token")
    [asked] = cloud.asked
    assert (asked.method, asked.path) == ("POST", "/token")
    assert asked.form == {
        "grant_type": GRANT,
        "subject_token": "token-of-ada",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "audience": "crm",
        "resource": "https://crm.internal",
        "scope": "a b",
    }
    # RFC 6749 2.3.1: each part is form-encoded, so that a colon in an id moves nothing into the secret
    assert base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")) == b"gw%3A1:s3cret%20%26%20%3D"
    for secret in ("token-of-ada", "exchanged-token", "s3cret"):
        assert secret not in repr((exchange, found, caller()))


async def test_the_secret_may_be_in_the_form_or_there_may_be_none(exchange, source, cloud, tmp_path):
    (tmp_path / "s").write_text("from a file\n")
    await had(exchange, replace(source, post=True, secret_env="", secret_file=str(tmp_path / "s")))
    assert (cloud.asked[-1].form["client_id"], cloud.asked[-1].form["client_secret"]) == ("gw:1", "from a file")
    assert "authorization" not in cloud.asked[-1].headers
    await had(exchange, replace(source, secret_env=""))
    assert cloud.asked[-1].form["client_id"] == "gw:1"
    assert "client_secret" not in cloud.asked[-1].form


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        pytest.param({"expires_in": 3600}, 3570.0, id="an hour, but for half a minute"),
        pytest.param({"expires_in": 60}, 54.0, id="a minute, but for a tenth"),
        pytest.param({"expires_in": "60"}, 54.0, id="a minute in text"),
        pytest.param({"expires_in": 10**6}, LONGEST, id="days, but for an hour at most"),
        pytest.param({}, 270.0, id="nobody knows"),
    ],
)
async def test_what_was_given_is_kept_until_shortly_before_its_end(exchange, source, cloud, clock, answer, kept):
    cloud.answer = lambda asked: (200, {}, {"access_token": "t-0123456789", "token_type": "bearer", **answer})
    await had(exchange, source)
    clock.now += kept - 0.1
    assert isinstance(exchange.inject(source, caller()), Injected)
    clock.now += 0.1
    assert isinstance(exchange.inject(source, caller()), TokenNeeded)
    assert len(cloud.asked) == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(caller("bob", "token-of-bob"), id="another caller"),
        pytest.param(caller("ada", "another-token"), id="another token of the same caller"),
        pytest.param(caller("bob", "token-of-ada"), id="another caller with the same token, which cannot be"),
    ],
)
async def test_nobody_gets_what_was_given_for_another(exchange, source, cloud, other):
    cloud.answer = lambda asked: gives(f"for-{asked.form['subject_token']}-{len(cloud.asked)}")(asked)
    first = await had(exchange, source)
    assert isinstance(exchange.inject(source, other), TokenNeeded)
    assert (await had(exchange, source, other)).headers != first.headers
    assert await had(exchange, source) == first


async def test_another_servers_token_is_another(exchange, source, cloud):
    await had(exchange, source)
    await had(exchange, replace(source, name="MCPServer/other"))
    assert len(cloud.asked) == 2


async def test_who_asks_at_once_is_exchanged_once(exchange, source, cloud):
    cloud.gate.clear()
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(had(exchange, source)) for _ in range(20)]
        group.create_task(asyncio.to_thread(cloud.gate.set))
    assert len({task.result() for task in calls}) == 1
    assert len(cloud.asked) == 1


@pytest.mark.parametrize(
    "status",
    [
        pytest.param((400, {"error": "invalid_grant", "error_description": "canary"}), id="invalid_grant"),
        pytest.param((400, {"error": "invalid_target"}), id="invalid_target"),
        pytest.param((403, {"error": "access_denied"}), id="a code of its own"),
    ],
)
async def test_a_no_to_one_caller_is_no_no_to_others(exchange, source, cloud, clock, status):
    cloud.answer = lambda asked: (
        (status[0], {}, status[1]) if asked.form["subject_token"] == "token-of-ada" else gives("t-0123456789")(asked)
    )
    said = refused(await had(exchange, source), 403)
    assert "canary" not in said
    assert isinstance(exchange.inject(source, caller()), Refusal), "not asked again at once"
    assert isinstance(await had(exchange, source, caller("bob", "token-of-bob")), Injected)
    clock.now += REFUSED
    assert isinstance(exchange.inject(source, caller()), TokenNeeded)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((500, {}, b"canary"), id="an error"),
        pytest.param((401, {}, {"error": "invalid_client"}), id="a secret that is none"),
        pytest.param((400, {}, {"error": "unauthorized_client"}), id="a client that may not"),
        pytest.param((429, {}, b""), id="too many"),
        pytest.param((302, {"location": "/elsewhere"}, b""), id="a redirect"),
        pytest.param((404, {}, b""), id="nothing there"),
        pytest.param((200, {}, b"canary"), id="no JSON"),
        pytest.param((200, {}, {"access_token": "a b", "token_type": "bearer"}), id="no token"),
        pytest.param((200, {}, {"access_token": "a", "token_type": "N_A"}), id="no bearer token"),
        pytest.param((200, {}, {"access_token": "a", "token_type": "bearer", "expires_in": 0}), id="one that is over"),
        pytest.param((200, {}, {"access_token": "a", "token_type": "bearer", "expires_in": "soon"}), id="no time"),
    ],
)
async def test_an_endpoint_that_fails_is_spared_whoever_asks(exchange, source, cloud, clock, answer):
    cloud.answer = lambda asked: answer
    said = refused(await had(exchange, source), 503)
    assert "canary" not in said
    refused(exchange.inject(source, caller("bob", "token-of-bob")), 503)
    waits = []
    for _ in range(3):
        begun = clock.now
        while isinstance(exchange.inject(source, caller()), Refusal):
            clock.now += 0.25
        waits.append(clock.now - begun)
        refused(await had(exchange, source), 503)
    assert waits == sorted(waits)
    assert waits[-1] > waits[0]
    assert len(cloud.asked) == 4
    cloud.answer = gives("t-0123456789")
    clock.now += 60.0
    assert isinstance(await had(exchange, source), Injected)
    assert isinstance(await had(exchange, source, caller("bob", "token-of-bob")), Injected)


async def test_a_secret_that_is_not_there_is_no_question(exchange, source, cloud, tmp_path, clock):
    refused(await had(exchange, replace(source, secret_env="NO_SUCH")), 503)
    refused(await had(exchange, replace(source, secret_env="", secret_file=str(tmp_path / "none"))), 503)
    (tmp_path / "empty").write_text("\n")
    refused(await had(exchange, replace(source, secret_env="", secret_file=str(tmp_path / "empty"))), 503)
    assert cloud.asked == []


async def test_a_token_that_is_not_taken_is_exchanged_for_another(exchange, source, cloud):
    await had(exchange, source)
    await had(exchange, source, caller("bob", "token-of-bob"))
    rejected = exchange.rejection(source, caller())
    assert "token-of-ada" not in repr([cell.cell_contents for cell in rejected.__closure__])
    refused(rejected(), 502)
    assert isinstance(exchange.inject(source, caller()), TokenNeeded)
    assert isinstance(exchange.inject(source, caller("bob", "token-of-bob")), Injected)


async def test_both_kinds_are_behind_one_port(source, clock, tmp_path):
    both = DelegatedCredentials({"S": "s"}, clock, lambda: 0.0)
    assert isinstance(await had(both, source), Injected)
    stored = UserTokenSource("MCPServer/a", str(tmp_path))
    assert refused(await had(both, stored), 403)
    assert refused(both.rejection(stored, caller())(), 403)
    assert refused(both.rejection(source, caller())(), 502)
