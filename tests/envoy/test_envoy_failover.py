"""Calls that a first provider cannot serve, and what the second one then sees: the client's own call, and nothing of
the first's."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.envoy.conftest import Scripted, scripted_gateway
from tests.envoy.gateway import Ports, until
from tests.envoy.policies import chat, chunk, completion, document, said
from tests.envoy.upstream import Arrived, Line, Upstream

KEY_A, KEY_B = "key-of-a-0123456789abcdef", "key-of-b-0123456789abcdef"
CARD = "4111 1111 1111 1111"
ANSWER = f"b says {CARD}"
MODEL_A, MODEL_B = "up-a-canary", "up-b-canary"
USUAL = {"host", "accept", "user-agent", "x-note", "x-script", "x-request-id", "accept-encoding", "content-length",
         "content-type"}  # fmt: skip


def message(text: str) -> bytes:
    """A whole answer of Anthropic Messages."""
    content = [{"type": "text", "text": text}]
    return json.dumps(
        {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": content,
         "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 5, "output_tokens": 7}}
    ).encode()  # fmt: skip


def events(*texts: str) -> bytes:
    """The same as a stream."""
    parts = [
        {"type": "message_start", "message": {**json.loads(message("")), "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": t}} for t in texts),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
         "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ]  # fmt: skip
    return b"".join(f"event: {part['type']}\ndata: {json.dumps(part)}\n\n".encode() for part in parts)


def failing(status: str, **headers: str) -> Any:
    async def script(line: Line) -> None:
        await line.whole(b'{"error":{"message":"canary-of-a"}}', status, set_cookie="a=canary-of-a",
                         x_from_a="canary-of-a", **headers)  # fmt: skip

    return script


async def anthropic(line: Line) -> None:
    """Says `ANSWER`, in pieces if it was asked to stream."""
    if line.request.json().get("stream"):
        await line.chunked(events(ANSWER[:12], ANSWER[12:]))
        await line.end()
    else:
        await line.whole(message(ANSWER))


async def reset(line: Line) -> None:
    line.abort()


async def hang(line: Line) -> None:
    await line.wait()


async def broken_json(line: Line) -> None:
    body = completion("never seen whole")
    await line.head("200 OK", content_length=str(len(body)), content_type="application/json")
    await line.send(body[:-20])
    line.abort()


async def broken_chunks(line: Line) -> None:
    await line.chunked(completion("never seen whole")[:-20], content_type="application/json")
    line.abort()


async def endless_json(line: Line) -> None:
    await line.chunked(b'{"id":', content_type="application/json")
    await line.wait()


async def broken_stream(line: Line) -> None:
    await line.chunked(chunk("from a: begun, and"))
    await line.wait()
    line.abort()


FAILING: dict[str, Any] = {
    "429": failing("429 Too Many Requests", retry_after="1"),
    "500": failing("500 Internal Server Error"),
    "502": failing("502 Bad Gateway"),
    "503": failing("503 Service Unavailable"),
    "529": failing("529 Overloaded"),
    "overloaded": failing("503 Service Unavailable", x_envoy_overloaded="true", x_envoy_ratelimited="true"),
    "408": failing("408 Request Timeout"),
    "reset": reset,
    "hang": hang,
    "broken-json": broken_json,
    "broken-chunks": broken_chunks,
    "endless-json": endless_json,
}
OUTCOMES = {"429": "status-429", "reset": "connect", "hang": "timeout", "408": "served", "broken-json": "aborted",
            "broken-chunks": "aborted", "endless-json": "aborted"}  # fmt: skip


class House:
    """A gateway before two providers of different dialects and credentials, and one that nobody can reach."""

    def __init__(self, made: Scripted) -> None:
        self.made = made
        self.a, self.b = Upstream(Ports.take(1)), Upstream(Ports.take(1))
        self.closed = Ports.take(1)
        self.b.scripts[""] = anthropic
        self.a.scripts[""] = failing("503 Service Unavailable")
        self.a.scripts |= {**FAILING, "rest": _well}
        write = made.folder.write

        def provider(name: str, dialect: str, port: int, **source: str) -> None:
            write(document("LLMProvider", name, dialects=[dialect], url=f"http://127.0.0.1:{port}/{name}",
                           credential={"from": source}))  # fmt: skip

        provider("a", "openai-chat", self.a.port, value=KEY_A)
        provider("b", "anthropic-messages", self.b.port, value=KEY_B)
        provider("gone", "openai-chat", self.closed, value=KEY_A)
        provider("keyless", "openai-chat", self.a.port, file="secrets/no-such-file")
        a, b = {"provider": "a", "model": MODEL_A}, {"provider": "b", "model": MODEL_B}
        models: dict[str, Any] = {
            "both": {"targets": [a, b], "failover": {"firstByte": "700ms", "statuses": [408]}},
            "plain-both": {"targets": [a, b]},
            "gone-first": {"targets": [{"provider": "gone", "model": MODEL_A}, b]},
            "keyless-first": {"targets": [{"provider": "keyless", "model": MODEL_A}, b]},
            "claude-first": {"targets": [b, a]},
            "once": {"targets": [a, b], "failover": {"attempts": 1}},
            "twice": {"targets": [a, {"provider": "a", "model": "up-a2"}, b], "failover": {"attempts": 2}},
            "same": {"targets": [a, {"provider": "a", "model": "up-a2"}]},
            "only-a": {"targets": [a]},
        }
        for name, spec in models.items():
            write(document("Model", name, **spec))
        write(document("AgentPolicy", "masked", subjects=[{"groups": ["engineering"]}], masking="all",
                       models={"allow": list(models)}, showModel=True))  # fmt: skip

    def close(self) -> None:
        self.a.close()
        self.b.close()

    def post(
        self, script: str, model: str = "both", /, *, path: str = "/v1/chat/completions", **more: Any
    ) -> httpx2.Response:
        """One call that the first provider answers by this script. Each is a conversation of its own."""
        headers = {"x-script": script, "x-note": "mine", **more.pop("headers", {})}
        with self.made.client() as client:
            return client.post(path, json={**chat("hello", model=model), **more}, headers=headers)

    def seen(self, upstream: Upstream) -> list[Arrived]:
        """What has arrived there since this was asked last."""
        found = list(upstream.seen)
        upstream.seen.clear()
        return found

    def rested(self) -> None:
        """Circuit breakers count failures in a row: one success of A's ends the row."""
        assert self.post("rest", "only-a").status_code == 200
        assert self.post("rest", "both").status_code == 200
        self.a.seen.clear()
        self.b.seen.clear()


async def _well(line: Line) -> None:
    await line.whole(completion("a is well"))


@pytest.fixture(scope="module")
def open_house() -> Iterator[House]:
    made = scripted_gateway(start=False)
    built = House(made)
    made.gateway.start()
    yield built
    made.gateway.finish()
    built.close()
    made.upstream.close()


@pytest.fixture
def house(open_house: House) -> House:
    open_house.rested()
    return open_house


def text_of(answer: httpx2.Response) -> str:
    return str(answer.json()["choices"][0]["message"]["content"])


def attempts(house: House, answer: httpx2.Response, count: int) -> list[dict[str, Any]]:
    found = house.made.gateway.records(count, operation="attempt", exchange=answer.headers["x-gatereeve-id"])
    return sorted(found, key=lambda entry: str(entry["id"]))


# -- what is saved -----------------------------------------------------------------------------------------------------


def assert_only_its_own(arrived: Arrived, key: str, own: set[str]) -> None:
    """Exactly the headers that the provider is meant to get, and nothing that is anybody else's."""
    names = [name for name, _ in arrived.headers]
    assert sorted(names) == sorted(USUAL | own)
    other = KEY_A if key == KEY_B else KEY_B
    for foreign in (other, "canary-of-a", "x-gatereeve", "x-envoy", "gatereeve.internal", "Bearer ey", "gr-"):
        assert foreign.encode() not in arrived.everything
    assert key.encode() in arrived.everything


@pytest.mark.parametrize("script", FAILING)
@pytest.mark.promise("failover.saves")
@pytest.mark.promise("failover.clean")
@pytest.mark.promise("routing.told")
def test_another_provider_serves_and_sees_nothing_of_the_first(house: House, script: str):
    answer = house.post(script, seed=7)
    assert answer.status_code == 200, answer.text
    assert text_of(answer) == "b says [masked:card]"
    assert answer.json()["object"] == "chat.completion"
    assert answer.json()["model"] == "both"
    assert answer.headers["x-gatereeve-model"] == f"b/{MODEL_B}"
    assert answer.headers["x-gatereeve-dropped"] == "seed"
    assert not {"set-cookie", "x-from-a", "retry-after", "x-gatereeve-outcome"} & set(answer.headers)

    (at_a,), (at_b,) = house.seen(house.a), house.seen(house.b)
    assert_only_its_own(at_a, KEY_A, {"authorization"})
    assert_only_its_own(at_b, KEY_B, {"x-api-key", "anthropic-version"})
    assert (at_a.path, at_b.path) == ("/a/v1/chat/completions", "/b/v1/messages")
    assert at_a.json() == {**chat("hello", model=MODEL_A), "seed": 7}
    assert at_b.json()["model"] == MODEL_B
    assert "seed" not in at_b.json()
    assert MODEL_A.encode() not in at_b.everything
    assert at_b.header("host") == f"127.0.0.1:{house.b.port}"

    entry = house.made.gateway.record(answer)
    assert (entry["upstream"], entry["attempts"], entry["status"]) == ("LLMProvider/b", 2, 200)
    assert entry["targets"] == [f"a/{MODEL_A}", f"b/{MODEL_B}"]
    first, second = attempts(house, answer, 2)
    assert (first["upstream"], first["outcome"]) == ("LLMProvider/a", OUTCOMES.get(script, "status-5xx"))
    assert (second["upstream"], second["outcome"]) == ("LLMProvider/b", "served")


@pytest.mark.parametrize(
    ("model", "outcome"),
    [
        pytest.param("gone-first", "connect", id="its port is closed"),
        pytest.param("keyless-first", "refused", id="its credential cannot be had"),
    ],
)
@pytest.mark.promise("credentials.passed-over")
def test_a_provider_that_cannot_even_be_asked_is_passed_over(house: House, model: str, outcome: str):
    answer = house.post("x", model)
    assert (answer.status_code, text_of(answer)) == (200, "b says [masked:card]")
    assert house.a.seen == []
    (at_b,) = house.seen(house.b)
    assert_only_its_own(at_b, KEY_B, {"x-api-key", "anthropic-version"})
    first, _ = attempts(house, answer, 2)
    assert first["outcome"] == outcome


def test_what_the_first_providers_api_cannot_say_goes_to_the_next(house: House):
    answer = house.post("rest", "claude-first", n=2)
    assert (answer.status_code, text_of(answer)) == (200, "a is well")
    assert house.b.seen == []
    (at_a,) = house.seen(house.a)
    assert_only_its_own(at_a, KEY_A, {"authorization"})
    first, second = attempts(house, answer, 2)
    assert (first["outcome"], first["reason"]) == ("refused", "untranslatable")
    assert second["upstream"] == "LLMProvider/a"


@pytest.mark.parametrize("script", ["429", "503", "reset", "hang"])
@pytest.mark.promise("failover.saves")
def test_a_stream_that_has_not_begun_is_saved_too(house: House, script: str):
    answer = house.post(script, stream=True)
    assert answer.status_code == 200
    assert said(answer.content) == "b says [masked:card]"
    assert answer.content.rstrip().endswith(b"data: [DONE]")
    assert CARD.encode() not in answer.content
    assert len(house.seen(house.b)) == 1


def test_a_client_of_another_api_reads_its_own(house: House):
    """An Anthropic client, whose first provider speaks OpenAI Chat and fails."""
    with house.made.client() as client:
        body = {"model": "both", "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]}
        headers = {"x-script": "503", "x-note": "n", "anthropic-version": "2023-06-01", "anthropic-beta": "x-1"}
        answer = client.post("/v1/messages", json=body, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["content"] == [{"type": "text", "text": "b says [masked:card]"}]
    (at_a,), (at_b,) = house.seen(house.a), house.seen(house.b)
    assert_only_its_own(at_a, KEY_A, {"authorization"})
    assert_only_its_own(at_b, KEY_B, {"x-api-key", "anthropic-version", "anthropic-beta"})


def test_a_large_prompt_is_tried_again_whole(house: House):
    text = "x" * 6_000_000
    with house.made.client() as client:
        answer = client.post("/v1/chat/completions", json=chat(text, model="both"), headers={"x-script": "503"})
    assert answer.status_code == 200, answer.text
    (at_b,) = house.seen(house.b)
    assert at_b.json()["messages"][0]["content"][0]["text"] == text


def test_headers_as_large_as_the_gateway_takes_reach_the_target_and_disturb_nobody(house: House):
    """On a connection that callers share, one with large headers once ended the streams of all others."""

    async def slow(line: Line) -> None:
        await line.chunked(chunk("begun, and "))
        await line.wait()
        await line.chunk(chunk("ended.") + chunk(None, "stop") + b"data: [DONE]\n\n")
        await line.end()

    house.a.scripts["slow"] = slow
    with ThreadPoolExecutor(3) as pool:
        streams = [pool.submit(house.post, "slow", "plain-both", stream=True) for _ in range(3)]
        until("all streams have begun", lambda: len(house.a.seen) == 3)
        for kib in (40, 66, 80, 95):
            for stream in (False, True):
                answer = house.post("429", "plain-both", headers={"x-large": "v" * kib * 1024}, stream=stream)
                assert answer.status_code == 200, (kib, answer.text)
        house.a.open("slow")
        assert [said(stream.result().content) for stream in streams] == ["begun, and ended."] * 3


# -- what is not -------------------------------------------------------------------------------------------------------


@pytest.mark.promise("failover.begun")
def test_a_stream_that_breaks_off_is_not_begun_anew(house: House):
    house.a.scripts["broken-stream"] = broken_stream
    got = b""
    with (
        house.made.client() as client,
        client.stream("POST", "/v1/chat/completions", json=chat("hello", model="both", stream=True),
                      headers={"x-script": "broken-stream"}) as answer,
    ):  # fmt: skip
        assert answer.status_code == 200
        ended = False
        try:
            for piece in answer.iter_raw():
                got += piece
                if b"begun" in got:
                    house.a.open("broken-stream")
            ended = True
        except httpx2.HTTPError:
            pass
    assert said(got).startswith("from a: begun,")
    assert "b says" not in said(got)
    assert b"[DONE]" not in got
    assert b'"finish_reason":"stop"' not in got
    assert not ended or b'"error"' in got, "nothing tells the client that this is not the end"
    assert house.b.seen == []
    assert len(house.a.seen) == 1


@pytest.mark.parametrize("status", ["400 Bad Request", "401 Unauthorized", "404 Not Found", "422 Unprocessable"])
@pytest.mark.promise("failover.client-errors")
def test_what_is_wrong_with_the_call_is_asked_once(house: House, status: str):
    house.a.scripts["wrong"] = failing(status)
    answer = house.post("wrong")
    assert answer.status_code == int(status[:3])
    assert "error" in answer.json()
    assert house.b.seen == []
    assert house.made.gateway.record(answer)["attempts"] == 1


def test_one_attempt_is_no_failover(house: House):
    answer = house.post("503", "once")
    assert answer.status_code == 503
    assert len(house.a.seen) == 1
    assert house.b.seen == []


def test_no_more_targets_are_tried_than_attempts_allow(house: House):
    answer = house.post("503", "twice")
    assert answer.status_code == 503
    assert [arrived.json()["model"] for arrived in house.a.seen] == [MODEL_A, "up-a2"]
    assert house.b.seen == []
    assert house.made.gateway.record(answer)["attempts"] == 2


def test_two_models_of_one_provider_are_two_targets(house: House):
    assert house.post("rest", "same").status_code == 200
    assert [arrived.json()["model"] for arrived in house.a.seen] == [MODEL_A]


# -- when all fail -----------------------------------------------------------------------------------------------------


@pytest.fixture
def b_fails(house: House) -> Iterator[Upstream]:
    async def script(line: Line) -> None:
        name = line.request.header("x-script") or ""
        if name == "reset":
            line.abort()
        elif name == "hang":
            await line.wait()
        else:
            error = {"type": "error", "error": {"type": "overloaded_error", "message": f"b is overloaded {CARD}"}}
            await line.whole(json.dumps(error).encode(), "529 Overloaded")

    house.b.scripts[""] = script
    yield house.b
    house.b.scripts[""] = anthropic


@pytest.mark.usefixtures("b_fails")
@pytest.mark.promise("failover.last-word")
def test_the_last_failure_is_told_in_the_clients_own_dialect(house: House):
    answer = house.post("429")
    assert answer.status_code in (503, 529)
    assert answer.json()["error"]["message"] == "b is overloaded [masked:card]"
    assert "canary-of-a" not in answer.text
    assert house.made.gateway.record(answer)["attempts"] == 2


@pytest.mark.usefixtures("b_fails")
def test_the_last_failure_is_told_to_an_anthropic_client(house: House):
    with house.made.client() as client:
        body = {"model": "both", "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]}
        headers = {"x-script": "429", "anthropic-version": "2023-06-01"}
        answer = client.post("/v1/messages", json=body, headers=headers)
    assert answer.status_code == 529
    assert answer.json()["error"] == {"type": "overloaded_error", "message": "b is overloaded [masked:card]"}


@pytest.mark.usefixtures("b_fails")
@pytest.mark.parametrize(("script", "status"), [("reset", 502), ("hang", 504)])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.promise("failover.last-word")
def test_where_no_provider_answered_the_gateway_does(house: House, script: str, status: int, stream: bool):
    answer = house.post(script, stream=stream)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == "upstream-failed"
    assert house.made.gateway.record(answer)["reason"] == "upstream-failed"


# -- what nobody may forge ---------------------------------------------------------------------------------------------


FORGED = {
    "x-gatereeve-plan": "WyJnci0xIiwiYm90aCIsW1siYiIsInVwLWItY2FuYXJ5IiwiYW50aHJvcGljLW1lc3NhZ2VzIl1dXQ==",
    "x-gatereeve-upstream": "gatereeve_attempts",
    "x-gatereeve-outcome": "served",
    "x-gatereeve-message": "m",
    "x-gatereeve-dropped": "d",
    "x-gatereeve-model": "m",
    "x-envoy-attempt-count": "2",
    "x-envoy-retry-on": "5xx",
    "x-envoy-max-retries": "50",
    "x-envoy-retriable-status-codes": "200",
    "x-envoy-upstream-rq-per-try-timeout-ms": "1",
    "x-envoy-upstream-rq-timeout-ms": "1",
    "x-envoy-upstream-alt-stat-name": "x",
    "x-envoy-hedge-on-per-try-timeout": "true",
    "x-envoy-original-path": "/admin",
    "host": "attempts.gatereeve.internal",
}
EACH = [pytest.param({name: value}, id=name) for name, value in FORGED.items()]
ALONE_AND_TOGETHER = [
    *EACH,
    pytest.param({name.title(): value for name, value in FORGED.items()}, id="in capitals"),
    pytest.param(FORGED, id="all together"),
]


@pytest.mark.parametrize("forged", ALONE_AND_TOGETHER)
@pytest.mark.promise("failover.forged")
def test_a_client_that_forges_our_headers_gains_nothing(house: House, forged: dict[str, str]):
    with house.made.client("nobody") as client:
        refused = client.post("/v1/chat/completions", json=chat("x", model="both"), headers=forged)
    assert refused.status_code == 403
    with house.made.client() as client:
        denied = client.post("/v1/chat/completions", json=chat("x", model="no-such"), headers=forged)
        elsewhere = client.post("/b/v1/messages", json=chat("x", model="both"), headers=forged)
    assert denied.status_code in (403, 404)
    assert elsewhere.status_code in (403, 404)
    assert house.a.seen == house.b.seen == house.made.upstream.seen == []

    answer = house.post("rest", "only-a", headers=forged)
    assert (answer.status_code, text_of(answer)) == (200, "a is well")
    (at_a,) = house.seen(house.a)
    assert_only_its_own(at_a, KEY_A, {"authorization"})

    saved = house.post("503", headers=forged)
    assert (saved.status_code, text_of(saved)) == (200, "b says [masked:card]")
    (at_a,), (at_b,) = house.seen(house.a), house.seen(house.b)
    assert_only_its_own(at_a, KEY_A, {"authorization"})
    assert_only_its_own(at_b, KEY_B, {"x-api-key", "anthropic-version"})


@pytest.mark.parametrize("forged", ALONE_AND_TOGETHER)
@pytest.mark.promise("failover.forged")
def test_nobody_without_a_token_comes_in_by_it(house: House, forged: dict[str, str]):
    with httpx2.Client(base_url=house.made.gateway.url, trust_env=False, verify=False) as client:
        answer = client.post("/v1/chat/completions", json=chat("x", model="both"), headers=forged)
    assert answer.status_code == 401
    assert house.a.seen == house.b.seen == []


@pytest.mark.parametrize("model", ["only-a", "both"], ids=["directly", "by attempts"])
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "streamed"])
@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
@pytest.mark.promise("failover.forged")
def test_a_provider_that_forges_our_headers_is_not_believed(house: House, model: str, whole: bool, status: str):
    lies = {"x_gatereeve_outcome": "not-ready", "x_gatereeve_message": "lie", "x_gatereeve_dropped": "lie",
            "x_gatereeve_model": "lie/lie", "x_gatereeve_id": "gr-lie", "x_envoy_attempt_count": "2",
            "x_envoy_upstream_service_time": "1"}  # fmt: skip

    async def lying(line: Line) -> None:
        if whole or status != "200 OK":
            body = completion("true") if status == "200 OK" else b'{"error":{"message":"true"}}'
            await line.whole(body, status, **lies)
        else:
            await line.chunked(chunk("true") + chunk(None, "stop") + b"data: [DONE]\n\n", **lies)
            await line.end()

    house.a.scripts["lying"] = lying
    answer = house.post("lying", model, stream=not whole)
    assert answer.status_code == int(status[:3])
    assert "true" in answer.text
    assert "lie" not in str(answer.headers)
    assert answer.headers["x-gatereeve-model"] == f"a/{MODEL_A}"
    ours = {name for name in answer.headers if name.startswith(("x-gatereeve", "x-envoy"))}
    assert ours == {"x-gatereeve-id", "x-gatereeve-model"}
    assert house.b.seen == []
    entry = house.made.gateway.record(answer)
    assert (entry["upstream"], entry.get("dropped")) == ("LLMProvider/a", None)


def test_a_provider_cannot_answer_with_a_503_of_ours(house: House):
    """Its own 503 with our words fails over as any other."""
    house.a.scripts["ours"] = failing("503 Service Unavailable", x_gatereeve_outcome="served", x_gatereeve_message="x")
    assert text_of(house.post("ours")) == "b says [masked:card]"


# -- circuits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", ["503", "hang", "reset"])
@pytest.mark.promise("failover.circuit")
def test_a_provider_that_keeps_failing_is_not_asked_for_a_while(own, script: str):
    house = House(own(workers=1))
    try:
        until("the model can be called", lambda: house.post("rest").status_code == 200 or None)
        house.a.seen.clear()
        for _ in range(5):
            assert house.post(script).status_code == 200
        assert len(house.a.seen) == 5
        begun = time.monotonic()
        for _ in range(10):
            assert text_of(house.post(script)) == "b says [masked:card]"
        assert len(house.a.seen) == 5, "it was asked although its circuit is broken"
        assert time.monotonic() - begun < 5
        # Where it is the last, or the only one, it is asked all the same.
        assert text_of(house.post("rest", "only-a")) == "a is well"
        assert text_of(house.post("rest", "claude-first", n=2)) == "a is well"
        house.a.seen.clear()
        if script == "503":  # once is enough to wait for
            until("it is asked again", lambda: text_of(house.post("rest")) == "a is well", 20.0, 0.5)
    finally:
        house.close()
