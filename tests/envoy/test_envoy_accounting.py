"""What calls used and cost, through the real Envoy: by kind, from any provider, and nothing of it that the client did
not ask to see. And whose host was meant, which is written down beside it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.envoy.conftest import Scripted, scripted_gateway
from tests.envoy.gateway import until
from tests.envoy.policies import DONE, chat, chunk, document, said
from tests.envoy.upstream import Line

USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 40,
    "total_tokens": 140,
    "prompt_tokens_details": {"cached_tokens": 60},
    "completion_tokens_details": {"reasoning_tokens": 30},
}
COUNTED = {"input_tokens": 100, "output_tokens": 40, "cached_tokens": 60, "reasoning_tokens": 30}
COST = 0.000286  # 40 input at 2, 60 cached at 0.5 and 40 output at 4.4 per million


async def openai(line: Line) -> None:
    """Tells its usage as OpenAI does: in a stream only if it is asked to."""
    asked = line.request.json()
    if not asked.get("stream"):
        message = {"role": "assistant", "content": "hi", "refusal": None}
        await line.whole(
            json.dumps(
                {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": USAGE,
                 "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}]}
            ).encode()
        )  # fmt: skip
        return
    last = b""
    if asked.get("stream_options", {}).get("include_usage"):
        told = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": USAGE}
        last = b"data: " + json.dumps(told).encode() + b"\n\n"
    done = b"data: [DONE]\n\n"
    await line.chunked(chunk("hi") + DONE.removesuffix(done) + last + done)
    await line.end()


async def anthropic(line: Line) -> None:
    """Counts cached input beside the rest."""
    used = {"input_tokens": 40, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 10, "output_tokens": 40}
    text = [{"type": "text", "text": "hi"}]
    await line.whole(
        json.dumps(
            {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": text, "usage": used,
             "stop_reason": "end_turn", "stop_sequence": None}
        ).encode()
    )  # fmt: skip


@pytest.fixture(scope="module")
def counting() -> Iterator[Scripted]:
    made = scripted_gateway(start=False)
    made.upstream.scripts |= {"": openai, "anthropic": anthropic}
    url = f"http://127.0.0.1:{made.upstream.port}"
    price = {"input": 2, "output": 4.4, "cachedInput": 0.5, "currency": "EUR"}
    for entry in (
        document("LLMProvider", "chat", dialects=["openai-chat"], url=url),
        document("LLMProvider", "shy", dialects=["openai-chat"], url=url, askUsage=False),
        document("LLMProvider", "claude", dialects=["anthropic-messages"], url=url),
        document("Model", "priced", targets=[{"provider": "chat"}], price=price),
        document("Model", "metered", targets=[{"provider": "chat"}], price=price),
        document("Model", "shy", targets=[{"provider": "shy"}], price=price),
        document("Model", "claude", targets=[{"provider": "claude"}]),
        document("AgentPolicy", "all", subjects=[{"groups": ["counted"]}], models={"allow": ["*"]}),
    ):
        made.folder.write(entry)
    made.gateway.start()
    yield made
    made.gateway.finish()
    made.upstream.close()


def ask(made: Scripted, model: str, script: str = "", /, host: str = "", **more: Any) -> httpx2.Response:
    headers = {"x-script": script, **({"host": host} if host else {})}
    with made.client("counted") as client:
        answer = client.post("/v1/chat/completions", json=chat("hello", model=model, **more), headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="whole"),
        pytest.param({"stream": True}, id="streamed, and not asked for"),
        pytest.param({"stream": True, "stream_options": {"include_usage": True}}, id="streamed, and asked for"),
    ],
)
@pytest.mark.promise("accounting.kinds")
@pytest.mark.promise("accounting.cost")
def test_tokens_are_counted_by_kind_and_priced(counting: Scripted, more: dict[str, Any]):
    record = counting.gateway.record(ask(counting, "priced", **more))
    assert record["usage"] == COUNTED
    assert record["cost"] == {"amount": COST, "currency": "EUR"}


@pytest.mark.promise("accounting.asked")
def test_usage_is_asked_of_the_provider_and_hidden_from_who_did_not_ask(counting: Scripted):
    counting.upstream.seen.clear()
    answer = ask(counting, "priced", stream=True)
    assert counting.upstream.seen[-1].json()["stream_options"] == {"include_usage": True}
    assert said(answer.content) == "hi"
    assert b"usage" not in answer.content
    assert answer.content.endswith(b"data: [DONE]\n\n")
    asked = ask(counting, "priced", stream=True, stream_options={"include_usage": True})
    assert b'"prompt_tokens":100' in asked.content.replace(b" ", b"")


def test_a_provider_that_refuses_to_be_asked_is_not(counting: Scripted):
    counting.upstream.seen.clear()
    record = counting.gateway.record(ask(counting, "shy", stream=True))
    assert "stream_options" not in counting.upstream.seen[-1].json()
    assert (record["usage"], record.get("cost")) == ({}, None), "unknown is not 0"


@pytest.mark.promise("accounting.kinds")
def test_every_api_is_counted_in_the_same_words(counting: Scripted):
    answer = ask(counting, "claude", "anthropic")
    record = counting.gateway.record(answer)
    assert record["usage"] == {"input_tokens": 110, "cached_tokens": 60, "cache_write_tokens": 10, "output_tokens": 40}
    assert answer.json()["usage"]["prompt_tokens"] == 110, "and told in the client's own"


@pytest.mark.promise("accounting.metrics")
@pytest.mark.promise("accounting.cost")
def test_metrics_have_tokens_by_kind_and_cost_by_model(counting: Scripted):
    ask(counting, "metered")
    wanted = {"input": 100, "cached_input": 60, "output": 40, "reasoning": 30}
    sums = 'gen_ai_client_token_usage_sum{gen_ai_operation_name="chat",gen_ai_provider_name="openai",'

    def now() -> dict[str, float]:
        each = f'{sums}gen_ai_request_model="metered",gen_ai_token_type='
        return {kind: counting.gateway.metric(f'{each}"{kind}"') for kind in wanted}

    until("they are all counted", lambda: now() == wanted or None)
    assert round(counting.gateway.metric('gatereeve_cost_total{currency="EUR",model="metered"}'), 9) == COST


@pytest.mark.parametrize(
    ("host", "meant"),
    [
        pytest.param("api.openai.com", "openai", id="one that is known"),
        pytest.param("gateway.test", None, id="the gateway's own"),
    ],
)
@pytest.mark.promise("catalogue.asked")
def test_whose_host_was_asked_for_is_recorded(counting: Scripted, host: str, meant: str | None):
    assert counting.gateway.record(ask(counting, "priced", host=host)).get("asked_provider") == meant
