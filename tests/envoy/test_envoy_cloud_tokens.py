"""Providers that are authenticated with a cloud's access tokens, through the real Envoy: fetched beside the traffic,
kept from clients, and told where they cannot be had."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs
from uuid import uuid4

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.envoy.conftest import Scripted, scripted_gateway
from tests.envoy.gateway import Ports
from tests.envoy.policies import chat, completion, document
from tests.envoy.upstream import Line, Upstream

GOOGLE, ENTRA = "google-canary-token-0123456789", "entra-canary-token-0123456789"
SECRET = "entra-canary-secret-0123456789"  # of nobody
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Clouds:
    """A gateway before one upstream that several providers stand for, and the endpoints that give out tokens."""

    made: Scripted
    tokens: Upstream

    def ask(self, model: str) -> httpx2.Response:
        with self.made.client("clouds") as client:
            return client.post("/v1/chat/completions", json=chat("hello", model=model))


async def issues(line: Line) -> None:
    """A token for who asks rightly, 401 for everybody else."""
    asked = {name: values[0] for name, values in parse_qs(line.request.body.decode()).items()}
    token = ""
    if line.request.path == "/google" and asked["grant_type"].endswith("jwt-bearer"):
        said = jwt.decode(asked["assertion"], KEY.public_key(), ["RS256"], options={"verify_aud": False})
        # Each exchange has a token of its own, and so has each worker.
        token = f"{GOOGLE}-{uuid4().hex}" if said["iss"] == "gateway@p.iam.gserviceaccount.com" else ""
    if line.request.path == "/tenant-1/oauth2/v2.0/token" and asked.get("client_secret") == SECRET:
        token = ENTRA if asked["client_id"] == "client-1" else ""
    if token:
        await line.whole(json.dumps({"access_token": token, "expires_in": 3600, "token_type": "Bearer"}).encode())
    else:
        await line.whole(b'{"error":"invalid_client","error_description":"canary"}', "401 Unauthorized")


async def repeats(line: Line) -> None:
    """Says its credential back, as some upstreams do in errors."""
    await line.whole(completion(f"you are {line.request.header('authorization')}"))


@pytest.fixture(scope="module")
def clouds() -> Iterator[Clouds]:
    made = scripted_gateway(start=False)
    built = Clouds(made, Upstream(Ports.take(1)))
    made.upstream.scripts[""] = repeats
    built.tokens.scripts[""] = issues
    authority = f"http://127.0.0.1:{built.tokens.port}"
    secrets = made.folder.path / "secrets"
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    key = {"type": "service_account", "project_id": "p", "private_key_id": "k", "private_key": pem, "client_id": "1",
           "client_email": "gateway@p.iam.gserviceaccount.com", "token_uri": f"{authority}/google"}  # fmt: skip
    (secrets / "google.json").write_text(json.dumps(key))
    (secrets / "entra").write_text(SECRET)
    (secrets / "wrong").write_text("of-somebody-else")
    entra = {"tenant": "tenant-1", "clientId": "client-1", "authority": authority}
    for name, credential in {
        "google": {"gcp": {"file": "secrets/google.json"}},
        "entra": {"azure": {**entra, "secret": {"file": "secrets/entra"}}},
        "refused": {"azure": {**entra, "secret": {"file": "secrets/wrong"}}},
    }.items():
        url = f"http://127.0.0.1:{made.upstream.port}"
        made.folder.write(
            document(
                "LLMProvider", name, dialects=["openai-chat"], url=url, credential=credential, dataClass="restricted"
            )
        )
        made.folder.write(document("Model", f"on-{name}", targets=[{"provider": name}]))
    twice = [{"provider": "google", "model": model} for model in ("one", "two")]
    made.folder.write(document("Model", "twice", targets=twice))
    made.folder.write(document("Model", "either", targets=[{"provider": "refused"}, {"provider": "google"}]))
    made.folder.write(document("AgentPolicy", "clouds", subjects=[{"groups": ["clouds"]}], models={"allow": ["*"]}))
    made.gateway.start()
    yield built
    made.gateway.finish()
    for upstream in (made.upstream, built.tokens):
        upstream.close()


@pytest.mark.parametrize(("model", "token"), [("on-google", GOOGLE), ("on-entra", ENTRA)])
@pytest.mark.promise("credentials.gcp")
@pytest.mark.promise("credentials.azure")
def test_a_token_is_injected_and_never_seen(clouds: Clouds, model: str, token: str):
    before = len(clouds.tokens.seen)
    answers = [clouds.ask(model) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert (clouds.made.upstream.seen[-1].header("authorization") or "").startswith(f"Bearer {token}")
    assert token not in "".join(answer.text for answer in answers), "the upstream said it back"
    asked_since = [at.path for at in clouds.tokens.seen[before:]]
    assert not [path for path in asked_since if path == "/google"], "no request fetches a token"
    told = clouds.made.gateway.output() + str(clouds.made.gateway.audit()) + str(clouds.made.gateway.readyz())
    assert not [secret for secret in (token, SECRET, "PRIVATE KEY") if secret in told]


@pytest.mark.promise("credentials.gcp")
def test_a_token_is_hidden_also_where_another_worker_made_the_attempt(clouds: Clouds):
    """Two sessions, in any two workers, see to a call with several targets, and each worker has a token of its own."""
    for _ in range(12):
        answer = clouds.ask("twice")
        assert answer.status_code == 200
        assert GOOGLE not in answer.text


@pytest.mark.promise("credentials.passed-over")
def test_a_provider_whose_token_cannot_be_had_is_passed_over(clouds: Clouds):
    answer = clouds.ask("either")
    assert answer.status_code == 200
    record = clouds.made.gateway.record(answer)
    assert (record["upstream"], record["attempts"]) == ("LLMProvider/google", 2)
    first, _ = sorted(clouds.made.gateway.records(2, exchange=record["id"]), key=lambda entry: str(entry["id"]))
    assert (first["outcome"], first["reason"]) == ("refused", "credential-unavailable")


@pytest.mark.promise("credentials.passed-over")
def test_where_there_is_no_other_the_call_is_refused_and_operators_are_told_why(clouds: Clouds):
    before = len(clouds.made.upstream.seen)
    answer = clouds.ask("on-refused")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "credential-unavailable")
    assert len(clouds.made.upstream.seen) == before
    for worker in clouds.made.gateway.readyz()["workers"]:
        told = {entry["name"]: entry for entry in worker["credentials"]}
        assert told["LLMProvider/google"]["available"]
        assert not told["LLMProvider/refused"]["available"]
        assert "401" in told["LLMProvider/refused"]["problem"]
        assert "canary" not in str(told)
