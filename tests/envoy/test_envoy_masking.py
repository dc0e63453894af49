"""Masking of answers on their way through the real Envoy: however the demo cuts, clients read the masked whole."""

import json
import time

import pytest

from tests.envoy.gateway import Gateway, client, request
from tests.envoy.oracle import SECRETS, TEXT, assert_clean, masked

SEEDS = range(12)
CALL = f'call send {{"to": "{SECRETS[1]}", "note": "card\\n{SECRETS[0]}", "n": 12345678901234567890}}'
ARGUMENTS = {"to": masked(SECRETS[1]), "note": masked(f"card\n{SECRETS[0]}"), "n": 12345678901234567890}


def _ask(demo: Gateway, path: str, body: dict, seed: int = 0) -> bytes:
    headers = {"authorization": f"Bearer {demo.token('engineering')}", "x-demo-seed": str(seed),
               "anthropic-version": "2023-06-01"}  # fmt: skip
    answer = request("POST", f"{demo.url}{path}", json=body, headers=headers, timeout=20)
    assert answer.status_code == 200
    assert_clean(answer.content)
    return answer.content


def _events(data: bytes) -> list[dict]:
    return [json.loads(line[6:]) for line in data.splitlines() if line.startswith(b"data: {")]


def _chat(text: str, **more) -> dict:
    return {"model": "gpt-4", "messages": [{"role": "user", "content": text}], **more}


@pytest.mark.promise("masking.stream")
@pytest.mark.promise("masking.cuts")
@pytest.mark.parametrize("seed", SEEDS)
def test_a_chat_stream_reads_like_the_masked_whole(demo: Gateway, seed):
    events = _events(_ask(demo, "/v1/chat/completions", _chat(TEXT, stream=True), seed))
    assert "".join(c["delta"].get("content") or "" for e in events for c in e["choices"]) == masked(TEXT)


@pytest.mark.promise("masking.stream")
@pytest.mark.parametrize("seed", SEEDS)
def test_a_responses_stream_reads_like_the_masked_whole_in_every_place(demo: Gateway, seed):
    events = _events(_ask(demo, "/v1/responses", {"model": "gpt-4", "input": TEXT, "stream": True}, seed))
    by_type: dict[str, list[dict]] = {}
    for event in events:
        by_type.setdefault(event["type"], []).append(event)
    assert "".join(e["delta"] for e in by_type["response.output_text.delta"]) == masked(TEXT)
    assert by_type["response.output_text.done"][0]["text"] == masked(TEXT)
    assert by_type["response.output_item.done"][0]["item"]["content"][0]["text"] == masked(TEXT)
    assert by_type["response.completed"][0]["response"]["output"][0]["content"][0]["text"] == masked(TEXT)


@pytest.mark.promise("masking.stream")
@pytest.mark.parametrize("seed", SEEDS)
def test_a_messages_stream_reads_like_the_masked_whole(demo: Gateway, seed):
    body = {"model": "claude-sonnet", "max_tokens": 9, "stream": True, "messages": _chat(TEXT)["messages"]}
    events = _events(_ask(demo, "/v1/messages", body, seed))
    deltas = [e["delta"] for e in events if e["type"] == "content_block_delta"]
    assert "".join(d["text"] for d in deltas) == masked(TEXT)
    assert [e["type"] for e in events][-1] == "message_stop"


@pytest.mark.promise("masking.tool-arguments")
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("api", ["chat", "responses", "messages"])
def test_arguments_of_a_streamed_tool_call_are_masked_json(demo: Gateway, api, seed):
    schema = {"type": "object", "properties": {}}
    if api == "chat":
        tools = [{"type": "function", "function": {"name": "send", "parameters": schema}}]
        events = _events(_ask(demo, "/v1/chat/completions", _chat(CALL, stream=True, tools=tools), seed))
        calls = [t for e in events for c in e["choices"] for t in c["delta"].get("tool_calls") or []]
        text = "".join(call["function"].get("arguments") or "" for call in calls)
    elif api == "responses":
        tools = [{"type": "function", "name": "send", "parameters": schema}]
        body = {"model": "gpt-4", "input": CALL, "stream": True, "tools": tools}
        events = _events(_ask(demo, "/v1/responses", body, seed))
        text = "".join(e["delta"] for e in events if e["type"] == "response.function_call_arguments.delta")
        [done] = [e for e in events if e["type"] == "response.function_call_arguments.done"]
        assert json.loads(done["arguments"]) == ARGUMENTS
    else:
        tools = [{"name": "send", "input_schema": schema}]
        body = {"model": "claude-sonnet", "max_tokens": 9, "stream": True, "tools": tools,
                "messages": _chat(CALL)["messages"]}  # fmt: skip
        events = _events(_ask(demo, "/v1/messages", body, seed))
        text = "".join(e["delta"]["partial_json"] for e in events if e["type"] == "content_block_delta")
    assert json.loads(text) == ARGUMENTS


@pytest.mark.promise("masking.document")
@pytest.mark.parametrize(
    ("path", "body", "read"),
    [
        pytest.param("/v1/chat/completions", _chat(TEXT), lambda d: d["choices"][0]["message"]["content"], id="chat"),
        pytest.param("/v1/responses", {"model": "gpt-4", "input": TEXT},
                     lambda d: d["output"][0]["content"][0]["text"], id="responses"),
        pytest.param("/v1/messages", {"model": "claude-sonnet", "max_tokens": 9, "messages": _chat(TEXT)["messages"]},
                     lambda d: d["content"][0]["text"], id="messages"),
    ],
)  # fmt: skip
def test_a_whole_answer_is_masked_too(demo: Gateway, path, body, read):
    assert read(json.loads(_ask(demo, path, body))) == masked(TEXT)


def test_log_probabilities_would_tell_the_text_so_they_are_dropped_and_noted(demo: Gateway):
    headers = {"authorization": f"Bearer {demo.token('engineering')}"}
    answer = request("POST", f"{demo.url}/v1/chat/completions", json=_chat(TEXT, logprobs=True), headers=headers,
                         timeout=20)  # fmt: skip
    assert answer.json()["choices"][0]["logprobs"] is None
    assert_clean(answer.content)
    assert "logprobs-dropped" in demo.record(answer)["notes"]


def test_the_record_counts_what_was_masked_and_holds_none_of_it(demo: Gateway):
    headers = {"authorization": f"Bearer {demo.token('engineering')}", "x-demo-seed": "3"}
    answer = request("POST", f"{demo.url}/v1/chat/completions", json=_chat(TEXT, stream=True), headers=headers,
                         timeout=20)  # fmt: skip
    record = demo.record(answer)
    assert record["masked"]["card"] == 1
    assert record["masked"]["email"] == 1
    assert "mask default" in record["obligations"]
    assert_clean(json.dumps(record))


@pytest.mark.promise("masking.stream")
@pytest.mark.promise("masking.hold-back")
def test_a_stream_flows_while_it_is_masked(demo: Gateway):
    """Prose is not held back: the first words are there long before the upstream has said the last."""
    headers = {"authorization": f"Bearer {demo.token('engineering')}", "x-demo-delay": "0.1", "x-demo-seed": "1"}
    text = "These are plain words without anything to mask in them. " * 6
    url = f"{demo.url}/v1/chat/completions"
    with client() as made, made.stream("POST", url, json=_chat(text, stream=True), headers=headers) as answer:
        times = [time.monotonic() for _ in answer.iter_bytes()]
    assert len(times) > 5
    assert times[-1] - times[0] > 0.4
