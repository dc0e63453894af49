"""`WarmCredentials` with what has to be fetched: off the request path, ahead of time, one exchange at a time."""

import asyncio
import json
import os
import sys

import pytest
import structlog

from extproc.adapters.credentials import KEYS_EVERY, WarmCredentials
from extproc.policy.runtime import AwsSource, AzureSource, CredentialSource, GcpSource
from extproc.session.ports import Outgoing
from tests.unit.adapters.token_server import TokenServer, gives

HOST = "bedrock-runtime.eu-west-1.amazonaws.com"
REQUEST = Outgoing("POST", f"https://{HOST}/model/m/converse", {"content-type": "application/json"}, b"{}")
AWS = AwsSource("LLMProvider/bedrock", "eu-west-1", "bedrock")
MACHINE = GcpSource("LLMProvider/vertex", instance=True)


@pytest.fixture
def cloud():
    server = TokenServer()
    server.answer = gives("entra-token")
    yield server
    server.close()


@pytest.fixture
def azure(cloud):
    return AzureSource("LLMProvider/azure", "t", "c", secret_env="S", authority=cloud.url)


@pytest.fixture(autouse=True)
def no_keys_of_this_machine(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


def warm(clock, environ=None, **of):
    of = {"patience": 20.0, "chance": lambda: 0.0, **of}
    return WarmCredentials({"S": "client-secret", **(environ or {})}, clock, **of)


def value(creds, source):
    found = creds.inject(source, REQUEST)
    return found and found.headers[0][1]


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0)


async def settled(creds):
    """What is under way has ended."""
    await until(lambda: all(future.done() for future in creds._fetching.values()))


@pytest.mark.promise("credentials.ahead")
async def test_a_token_is_fetched_before_a_policy_is_used_and_never_by_a_request(cloud, azure, clock, kit):
    creds = warm(clock)
    assert (value(creds, azure), cloud.asked) == (None, [])
    await creds.refresh(kit.policy(credentials=[azure]))
    found = creds.inject(azure, REQUEST)
    assert (found.headers, found.secret) == ((("authorization", "Bearer entra-token"),), b"entra-token")
    assert [(c.name, c.ready, c.problem) for c in creds.status()] == [("LLMProvider/azure", True, "")]
    await creds.refresh(kit.policy(credentials=[azure]))
    assert len(cloud.asked) == 1


async def test_a_request_is_signed_with_keys_that_were_found_before(clock, kit, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the-session-token")
    creds = warm(clock)
    assert creds.inject(AWS, REQUEST) is None
    await creds.refresh(kit.policy(credentials=[AWS]))
    found = creds.inject(AWS, REQUEST)
    headers = dict(found.headers)
    assert "/eu-west-1/bedrock/aws4_request" in headers["authorization"]
    assert (headers["x-amz-security-token"], found.secret) == ("the-session-token", b"the-session-token")


@pytest.mark.parametrize("allowed", [True, False])
async def test_the_role_of_the_machine_is_asked_for_only_where_the_policy_says_so(
    cloud, clock, kit, monkeypatch, allowed
):
    role = "/latest/meta-data/iam/security-credentials/"
    keys = {"Code": "Success", "AccessKeyId": "AKIDNODE", "SecretAccessKey": "s", "Token": "node-token"}
    answers = {
        "/latest/api/token": b"imds-session",
        role: b"node",
        role + "node": {**keys, "Expiration": "2100-01-01T00:00:00Z"},
    }
    cloud.answer = lambda asked: (200, {}, answers[asked.path])
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", cloud.url)
    source = AwsSource("LLMProvider/bedrock", "eu-west-1", "bedrock", instance=allowed)
    creds = warm(clock)
    await creds.refresh(kit.policy(credentials=[source]))
    if allowed:
        assert "Credential=AKIDNODE/" in value(creds, source)
        assert [(a.method, a.path) for a in cloud.asked] == [
            ("PUT", "/latest/api/token"), ("GET", role), ("GET", role + "node"),
        ]  # fmt: skip
        assert cloud.asked[1].headers["x-aws-ec2-metadata-token"] == "imds-session"
    else:
        assert (value(creds, source), cloud.asked) == (None, [])


async def test_keys_that_were_taken_away_are_looked_for_again_and_then_not_used(clock, kit, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    creds, policy = warm(clock), kit.policy(credentials=[AWS])
    await creds.refresh(policy)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    clock.now += KEYS_EVERY
    await creds.refresh(policy)
    await settled(creds)
    assert creds.inject(AWS, REQUEST) is None
    assert creds.status()[0].problem.startswith("none in the environment")


@pytest.mark.promise("credentials.extras")
async def test_without_the_extras_it_is_a_problem_that_is_told_and_no_exception(
    cloud, clock, kit, monkeypatch, tmp_path
):
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    monkeypatch.setitem(sys.modules, "google.oauth2.service_account", None)
    info = {"type": "service_account", "client_email": "e", "private_key": "k", "token_uri": cloud.url}
    (tmp_path / "key.json").write_text(json.dumps(info))
    gcp = GcpSource("LLMProvider/vertex", file=str(tmp_path / "key.json"))
    creds = warm(clock)
    await creds.refresh(kit.policy(credentials=[AWS, gcp]))
    assert (creds.inject(AWS, REQUEST), creds.inject(gcp, REQUEST)) == (None, None)
    assert {c.name: c.problem for c in creds.status()} == {
        "LLMProvider/bedrock": "botocore is not installed: install gatereeve[aws]",
        "LLMProvider/vertex": "google-auth is not installed: install gatereeve[gcp]",
    }


@pytest.mark.promise("credentials.ahead")
async def test_a_token_is_rotated_ahead_of_its_end_while_requests_go_on_with_the_old_one(cloud, azure, clock, kit):
    creds, policy = warm(clock), kit.policy(credentials=[azure])
    await creds.refresh(policy)
    cloud.answer = gives("second-token")
    cloud.gate.clear()
    clock.now += 3300
    await creds.refresh(policy)  # the endpoint is held up: this does not wait, there is a good token
    await until(lambda: len(cloud.asked) == 2)
    assert value(creds, azure) == "Bearer entra-token"
    cloud.gate.set()
    await until(lambda: value(creds, azure) == "Bearer second-token")


async def test_there_is_one_exchange_at_a_time_however_often_it_is_asked_for(cloud, azure, clock, kit):
    creds, policy = warm(clock, patience=0.0), kit.policy(credentials=[azure])
    cloud.gate.clear()
    for _ in range(20):
        await creds.refresh(policy)
    await until(lambda: cloud.asked)
    clock.now += 1000
    for _ in range(20):
        await creds.refresh(policy)
    assert len(cloud.asked) == 1
    assert creds.status()[0].problem == "not asked for yet"
    cloud.gate.set()
    await until(lambda: creds.status()[0].ready)
    assert len(cloud.asked) == 1


async def test_an_endpoint_that_does_not_answer_holds_up_neither_a_policy_nor_other_credentials(
    cloud, azure, clock, kit, tmp_path
):
    (tmp_path / "key").write_text("file-secret")
    file = CredentialSource("LLMProvider/demo", "x-api-key", file=str(tmp_path / "key"))
    creds = warm(clock, patience=0.01)
    cloud.gate.clear()
    await creds.refresh(kit.policy(credentials=[azure, file]))
    assert (value(creds, azure), value(creds, file)) == (None, "file-secret")


async def test_when_an_exchange_fails_the_token_serves_until_it_expires_and_recovery_is_seen(cloud, azure, clock, kit):
    creds, policy = warm(clock), kit.policy(credentials=[azure])
    await creds.refresh(policy)
    cloud.answer = lambda asked: (503, {}, b"leak")
    clock.now += 3400
    await creds.refresh(policy)
    await settled(creds)
    assert creds.status()[0].problem == "the authority answered with status 503"
    assert value(creds, azure) == "Bearer entra-token"
    await creds.refresh(policy)
    await settled(creds)
    assert len(cloud.asked) == 2, "not again at once"
    clock.now += 200
    assert (value(creds, azure), creds.status()[0].ready) == (None, False)
    cloud.answer = gives("new-token")
    await creds.refresh(policy)
    assert value(creds, azure) == "Bearer new-token"
    assert creds.status()[0].problem == ""


async def test_tokens_of_an_earlier_policy_serve_for_the_grace_and_are_then_forgotten(cloud, azure, clock, kit):
    creds = warm(clock)
    await creds.refresh(kit.policy("v1", credentials=[azure]))
    other = CredentialSource("LLMProvider/demo", "x-api-key", value="v")
    await creds.refresh(kit.policy("v2", credentials=[other]))
    assert value(creds, azure) == "Bearer entra-token"
    clock.now += 301
    await creds.refresh(kit.policy("v2", credentials=[other]))
    assert value(creds, azure) is None
    assert [c.name for c in creds.status()] == ["LLMProvider/demo"]
    assert len(cloud.asked) == 1


async def test_run_fetches_what_the_policy_in_force_needs(cloud, clock, kit):
    cloud.answer = lambda asked: (200, {"Metadata-Flavor": "Google"}, gives("machine-token")(asked)[2])
    creds = warm(clock, {"GCE_METADATA_HOST": cloud.host})
    running = asyncio.ensure_future(creds.run(lambda: kit.policy(credentials=[MACHINE]), every=0.001))
    await until(lambda: value(creds, MACHINE) == "Bearer machine-token")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(cloud.asked) == 1


async def test_no_secret_is_in_any_repr_log_or_status(cloud, azure, clock, kit, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the-session-token")
    creds, policy = warm(clock), kit.policy(credentials=[azure, AWS])
    with structlog.testing.capture_logs() as logs:
        cloud.answer = lambda asked: (401, {}, {"error": "invalid_client", "echo": asked.form["client_secret"]})
        await creds.refresh(policy)
        await settled(creds)
        failed = creds.status()
        cloud.answer = gives("entra-token")
        clock.now += 60
        await creds.refresh(policy)
    assert value(creds, azure)
    assert any(c.problem == "the authority answered with status 401 (invalid_client)" for c in failed)
    shown = repr(creds) + repr(creds._known) + repr(vars(creds)["_fetched"]) + repr(failed) + repr(creds.status())
    shown += str(logs) + repr([creds.inject(source, REQUEST) for source in (azure, AWS)])
    said = [entry["event"] for entry in logs if entry.get("name") == azure.name]
    # On a busy machine the endpoint may not even be reached at first, which is another problem to be told.
    assert set(said[:-1]) == {"token unavailable"}
    assert said[-1] == "token fetched"
    for secret in ("client-secret", "entra-token", "very-secret", "the-session-token", "AKIDENV", "Signature="):
        assert secret not in shown
