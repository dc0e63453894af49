"""Credentials: fetched, rotated, injected, and to be found nowhere else."""

import stat
from collections import Counter
from pathlib import Path

import pytest

from tests.envoy import policies
from tests.envoy.conftest import Scripted
from tests.envoy.gateway import Gateway, request, until
from tests.envoy.test_envoy_operation import Load

ENV_CANARY = "sk-canary-from-the-environment"
PROMPT = "prompt-canary-do-not-log"


@pytest.mark.promise("credentials.rotated")
@pytest.mark.promise("operation.reload")
def test_a_credential_file_is_rotated_without_a_restart_and_without_a_failed_call(own):
    made: Scripted = own()
    with Load(made) as load:
        for number in range(3):
            fresh = f"sk-rotated-{number}"
            new = made.folder.secret.with_name("new")
            new.write_text(fresh)
            new.replace(made.folder.secret)
            until(f"the upstream sees {fresh}",
                  lambda: made.upstream.seen[-1].header("authorization") == f"Bearer {fresh}", 8)  # noqa: B023  # fmt: skip
            load.more(5)
    assert list(load.statuses) == [200]
    used = Counter(request.header("authorization") for request in made.upstream.seen)
    assert set(used) == {f"Bearer {policies.UPSTREAM_KEY}", *(f"Bearer sk-rotated-{n}" for n in range(3))}


@pytest.mark.promise("credentials.rotated")
def test_a_credential_as_kubernetes_mounts_it_is_rotated_by_its_symbolic_link(own):
    made: Scripted = own(start=False, workers=1)
    mount = made.gateway.state / "mount"
    for version in ("one", "two"):
        (mount / version).mkdir(parents=True)
        (mount / version / "key").write_text(f"sk-{version}")
    (mount / "..data").symlink_to("one")
    (mount / "key").symlink_to("..data/key")
    made.folder.write(policies.document("LLMProvider", "scripted", dialects=["openai-chat"],
                                        url=f"http://127.0.0.1:{made.upstream.port}",
                                        credential={"from": {"file": str(mount / "key")}}))  # fmt: skip
    made.gateway.start()
    made.chat()
    assert made.upstream.seen[-1].header("authorization") == "Bearer sk-one"
    (mount / "..new").symlink_to("two")
    (mount / "..new").replace(mount / "..data")

    def rotated() -> bool:
        assert made.chat().status_code == 200
        return made.upstream.seen[-1].header("authorization") == "Bearer sk-two"

    until("the new secret is used", rotated, 8)


@pytest.mark.promise("credentials.injected")
def test_header_and_format_of_a_credential_are_the_providers(own):
    made: Scripted = own(start=False, workers=1, environ={"TEST_UPSTREAM_KEY": ENV_CANARY})
    made.folder.write(policies.document("LLMProvider", "scripted", dialects=["anthropic-messages"],
                                        url=f"http://127.0.0.1:{made.upstream.port}/prefix",
                                        credential={"from": {"env": "TEST_UPSTREAM_KEY"}}))  # fmt: skip
    made.gateway.start()

    async def message(line):
        await line.whole(b'{"type":"message","role":"assistant","content":[],"model":"small","usage":{}}')

    made.upstream.scripts[""] = message
    with made.client() as client:
        client.post("/v1/messages", json={"model": "small", "max_tokens": 1, "messages": []})
    [arrived] = made.upstream.seen
    assert arrived.header("x-api-key") == ENV_CANARY
    assert arrived.header("authorization") is None
    assert arrived.path == "/prefix/v1/messages"


@pytest.mark.promise("credentials.unavailable")
def test_a_credential_that_cannot_be_had_refuses_the_call_and_is_named_without_its_value(own):
    made: Scripted = own(start=False, workers=1)
    made.folder.write(policies.document("LLMProvider", "scripted", dialects=["openai-chat"],
                                        url=f"http://127.0.0.1:{made.upstream.port}",
                                        credential={"from": {"file": "secrets/missing"}}))  # fmt: skip
    made.gateway.start()
    answer = made.chat()
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "credential-unavailable"
    assert made.upstream.seen == []
    [entry] = [c for c in made.gateway.readyz()["workers"][0]["credentials"] if c["name"] == "LLMProvider/scripted"]
    assert entry["available"] is False
    (made.folder.path / "secrets" / "missing").write_text("sk-late")
    until("the secret is there", lambda: made.chat().status_code == 200, 8)


@pytest.mark.promise("credentials.unseen")
@pytest.mark.promise("operation.admin")
def test_no_secret_token_or_prompt_is_in_any_artefact(own):
    made: Scripted = own(start=False, environ={"TEST_UPSTREAM_KEY": ENV_CANARY})
    made.folder.write(policies.document("LLMProvider", "env", dialects=["openai-chat"],
                                        url=f"http://127.0.0.1:{made.upstream.port}",
                                        credential={"from": {"env": "TEST_UPSTREAM_KEY"}}))  # fmt: skip
    made.folder.write(policies.document("Model", "env", targets=[{"provider": "env"}]))
    made.folder.write(policies.document("AgentPolicy", "engineering", subjects=[{"groups": ["engineering"]}],
                                        models={"allow": ["*"]}, masking="all"))  # fmt: skip
    made.gateway.command += ["--log-level", "debug"]
    made.gateway.start()
    token = made.issuer.token("engineering", secret_claim="claim-canary")
    bad = made.issuer.token("engineering", exp=1_700_000_000)
    for authorization, model in ((token, "small"), (token, "env"), (token, PROMPT), (bad, "small")):
        answer = request("POST", f"{made.gateway.url}/v1/chat/completions", json=policies.chat(PROMPT, model=model),
                             headers={"authorization": f"Bearer {authorization}"})  # fmt: skip
        made.gateway.record(answer)
    request("POST", f"{made.gateway.url}/v1/chat/completions", content=b'{"' + PROMPT.encode(),
                headers={"authorization": f"Bearer {token}", "content-type": "application/json"})  # fmt: skip
    assert {request.header("authorization") for request in made.upstream.seen} == {
        f"Bearer {policies.UPSTREAM_KEY}", f"Bearer {ENV_CANARY}"}  # fmt: skip

    pages = {page: made.gateway.admin(page).content for page in ("/metrics", "/readyz", "/healthz", "/")}
    artefacts = _files(made.gateway)
    assert any(path.name == "cds.json" for path in artefacts)
    assert any(path.name == "audit.jsonl" for path in artefacts)
    everything = {**{str(path): path.read_bytes() for path in artefacts}, **pages}
    model_record = b'"model":"' + PROMPT.encode() + b'"'  # a model's name is not a prompt: it is recorded
    for name, content in everything.items():
        content = content.replace(model_record, b"")
        for canary in (policies.UPSTREAM_KEY, policies.MCP_KEY, ENV_CANARY, PROMPT, token, bad, token[-40:],
                       "claim-canary"):  # fmt: skip
            assert canary.encode() not in content, f"{canary} in {name}"


def test_what_is_rendered_and_written_is_its_owners_alone(scripted: Scripted):
    assert stat.S_IMODE(scripted.gateway.runtime.stat().st_mode) & 0o077 == 0
    audit = scripted.gateway.state / "audit.jsonl"
    scripted.gateway.record(scripted.chat())
    assert stat.S_IMODE(audit.stat().st_mode) == 0o600


def _files(gateway: Gateway) -> list[Path]:
    """Everything it wrote, but not the policy that it was given."""
    policy = gateway.state / "policy"
    return [path for path in gateway.state.rglob("*") if path.is_file() and not path.is_relative_to(policy)]
