"""What of a request reaches the upstream: the judged body, the gateway's credential, nothing of the client's own."""

import gzip
import json

import pytest

from tests.envoy import policies
from tests.envoy.conftest import Scripted


def _send(scripted: Scripted, script: str, body: bytes, path: str = "/v1/chat/completions", **headers: str):
    headers = {"content-type": "application/json", "x-script": script, **headers}
    with scripted.client() as client:
        answer = client.post(path, content=body, headers=headers)
    [arrived] = scripted.upstream.arrivals(script)
    return answer, arrived


@pytest.mark.promise("llm.rewrite")
@pytest.mark.promise("llm.survives")
def test_the_alias_becomes_the_upstreams_model_and_everything_else_stays_as_it_was(scripted: Scripted):
    body = (
        b'{"zeta": 1, "model": "gpt-4", "unknown_field": {"b": [2.50, 1e3], "a": null}, '
        b'"seed": 123456789012345678901234567890,"messages": [{"role": "user", "content": "\\u00e9 \xf0\x9f\x91\x8b"}]}'
    )
    answer, arrived = _send(scripted, "alias", body)
    assert answer.status_code == 200
    expected = json.loads(body) | {"model": "upstream-large"}
    assert arrived.json() == expected
    assert list(arrived.json()) == list(expected)  # in the client's order
    assert b"123456789012345678901234567890" in arrived.body
    assert arrived.header("content-length") == str(len(arrived.body))
    assert scripted.gateway.record(answer)["upstream_model"] == "upstream-large"


@pytest.mark.promise("llm.judged-is-sent")
@pytest.mark.promise("bad-input.duplicate-keys")
def test_a_model_said_twice_is_judged_and_sent_as_one(scripted: Scripted):
    body = b'{"model":"forbidden","messages":[{"role":"user","content":"x"}],"model":"small"}'
    answer, arrived = _send(scripted, "twice", body)
    assert answer.status_code == 200
    assert arrived.body.count(b'"model"') == 1
    assert arrived.json()["model"] == "small"
    assert b"forbidden" not in arrived.body
    with scripted.client() as client:
        swapped = body.replace(b"small", b"other").replace(b"forbidden", b"small")
        refused = client.post("/v1/chat/completions", content=swapped,
                              headers={"content-type": "application/json", "x-script": "twice swapped"})  # fmt: skip
    assert refused.status_code == 404
    assert scripted.upstream.arrivals("twice swapped") == []


@pytest.mark.promise("credentials.stripped")
def test_no_form_of_the_clients_credential_reaches_the_upstream(scripted: Scripted):
    token = scripted.issuer.token("engineering")
    answer, arrived = _send(
        scripted, "stripped", json.dumps(policies.chat()).encode(), f"/v1/chat/completions?key={token}&b=1&api_key=k",
        **{"x-api-key": token, "api-key": token, "authorization": f"Bearer {token}", "x-goog-api-key": token,
           "x-access-token": "access-canary", "cookie": "session=cookie-canary",
           "proxy-authorization": "Basic proxy-canary", "openai-organization": "org-canary",
           "x-gatereeve-upstream": "evil", "x-gatereeve-own": "own-canary"},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    for canary in (token, "access-canary", "cookie-canary", "proxy-canary", "org-canary", "own-canary", "evil"):
        assert canary.encode() not in arrived.everything
    assert arrived.path == "/v1/chat/completions?b=1"
    assert arrived.header("authorization") == f"Bearer {policies.UPSTREAM_KEY}"
    assert arrived.header("host") == f"127.0.0.1:{scripted.upstream.port}"
    assert not [name for name, _ in arrived.headers if name.startswith(("x-gatereeve", "x-envoy", "x-forwarded"))]


@pytest.mark.promise("llm.survives")
def test_the_clients_token_reaches_the_upstream_under_no_name(scripted: Scripted):
    token = scripted.issuer.token("engineering")
    answer, arrived = _send(
        scripted, "anyname", json.dumps(policies.chat()).encode(),
        f"/v1/chat/completions?trace={token}&model=evil&api-version=1&x={token[:9]}%{ord(token[9]):x}{token[10:]}",
        **{"authorization": f"Bearer {token}", "x-trace": f"a {token} b", "baggage": f"t={token}",
           "x-remote-user": "root", "cf-connecting-ip": "10.9.8.7", "x-ms-client-principal": "cm9vdA=="},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    for canary in (token, token[-40:], "root", "10.9.8.7", "cm9vdA==", "evil"):
        assert canary.encode() not in arrived.everything
    assert arrived.path == "/v1/chat/completions?api-version=1"


def test_headers_that_are_none_of_ours_survive(scripted: Scripted):
    _, arrived = _send(
        scripted, "survive", json.dumps(policies.chat()).encode(),
        **{"OpenAI-Beta": "assistants=v2", "X-Stainless-Lang": "python", "Traceparent": "00-1-2-01",
           "Idempotency-Key": "k1", "User-Agent": "agent/1"},
    )  # fmt: skip
    assert arrived.header("openai-beta") == "assistants=v2"
    assert arrived.header("x-stainless-lang") == "python"
    assert arrived.header("traceparent") == "00-1-2-01"
    assert arrived.header("idempotency-key") == "k1"
    assert arrived.header("user-agent") == "agent/1"


@pytest.mark.promise("bad-input.compressed-request")
def test_a_gzipped_request_is_judged_and_sent_plain(scripted: Scripted):
    body = json.dumps(policies.chat("zipped", model="gpt-4")).encode()
    answer, arrived = _send(scripted, "gzip", gzip.compress(body), **{"content-encoding": "gzip"})
    assert answer.status_code == 200
    assert arrived.json()["model"] == "upstream-large"
    assert arrived.header("content-encoding") is None


def test_the_upstream_is_asked_for_an_answer_that_can_be_read(scripted: Scripted):
    _, arrived = _send(scripted, "coding", json.dumps(policies.chat()).encode(), **{"accept-encoding": "br, gzip"})
    assert arrived.header("accept-encoding") == "identity"


@pytest.mark.parametrize("size", [100_000, 3_000_000, 15_000_000], ids=["100 KB", "3 MB", "15 MB"])
def test_a_large_body_arrives_whole(scripted: Scripted, size):
    async def short(line):
        await line.whole(policies.completion("ok"))

    scripted.upstream.scripts[f"large {size}"] = short
    text = "lorem ipsum " * (size // 12)
    answer, arrived = _send(scripted, f"large {size}", json.dumps(policies.chat(text)).encode())
    assert answer.status_code == 200, answer.text
    assert arrived.json()["messages"][0]["content"] == text
    scripted.upstream.seen.remove(arrived)


@pytest.mark.promise("llm.count-tokens")
def test_count_tokens_is_rewritten_like_a_message(scripted: Scripted):
    async def count(line):
        await line.whole(b'{"input_tokens": 7}')

    scripted.upstream.scripts["count"] = count
    body = json.dumps({"model": "gpt-4", "messages": [{"role": "user", "content": "x"}]}).encode()
    answer, arrived = _send(scripted, "count", body, "/v1/messages/count_tokens")
    assert answer.json() == {"input_tokens": 7}
    assert arrived.path == "/v1/messages/count_tokens"
    assert arrived.json()["model"] == "upstream-large"


@pytest.mark.promise("llm.rewrite")
@pytest.mark.parametrize(
    ("path", "upstream", "more"),
    [
        pytest.param("/openai/v1/chat/completions", "/v1/chat/completions", {}, id="OpenAI's chat"),
        pytest.param("/openai/v1/responses", "/v1/responses", {"input": "x"}, id="OpenAI's responses"),
        pytest.param("/anthropic/v1/messages", "/v1/messages", {"max_tokens": 9}, id="Anthropic's messages"),
    ],
)
def test_the_paths_of_bedrock_mantle_are_those_apis_under_another_prefix(scripted: Scripted, path, upstream, more):
    body = {"model": "gpt-4", "messages": [{"role": "user", "content": "x"}], **more}
    if "input" in more:
        del body["messages"]
    _, arrived = _send(scripted, f"mantle {path}", json.dumps(body).encode(), path)
    assert arrived.path == upstream
    assert arrived.json() == body | {"model": "upstream-large"}
    assert arrived.header("authorization") == f"Bearer {policies.UPSTREAM_KEY}"
