"""The upstream's dialect masks first, the translation reads what is left: no secret comes out on the other side."""

import pytest

SECRET = "SECRET-TOKEN"
PAIRS = [
    ("openai-chat", "anthropic-messages"),
    ("anthropic-messages", "openai-chat"),
    ("openai-responses", "openai-chat"),
    ("openai-responses", "anthropic-messages"),
]
ANSWERS = {
    "anthropic-messages": (
        {"type": "thinking", "thinking": f"think {SECRET}", "signature": "c2ln"},
        {"type": "text", "text": f"say {SECRET}"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"key": f"use {SECRET}"}},
    ),
    "openai-chat": (
        {"reasoning_content": "think SECRET"},
        {"reasoning_content": "-TOKEN"},
        {"content": "say SECRET"},
        {"content": "-TOKEN"},
        {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"key":"use SECR'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": 'ET-TOKEN"}'}}]},
    ),
}


@pytest.mark.parametrize("pair", PAIRS, ids="-to-".join)
@pytest.mark.parametrize("size", [1, 64, 100_000])
def test_a_secret_across_deltas_is_masked_in_the_translated_stream(gateway, upstream, fake, pair, size):
    if pair[1] == "anthropic-messages":
        events = upstream.message_events(*ANSWERS[pair[1]], stop="tool_use")
    else:
        events = upstream.chunks(*ANSWERS[pair[1]], reason="tool_calls")
    client = gateway(pair, [events], size=size, mask=fake).client()
    shown = show(client, pair[0])
    assert "SECRET" not in shown
    assert "TOKEN" not in shown
    for text in ("think [masked]", "say [masked]", "use [masked]"):
        assert text in shown


def show(client, source):
    """Everything the SDK has at the end, as text."""
    if source == "anthropic-messages":
        ask = [{"role": "user", "content": "Hi"}]
        with client.messages.stream(model="m", max_tokens=9, messages=ask, thinking={"type": "adaptive"}) as stream:
            return stream.get_final_message().to_json()
    if source == "openai-responses":
        with client.responses.stream(model="m", input="Hi") as stream:
            return stream.get_final_response().to_json()
    with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "Hi"}]) as stream:
        message = stream.get_final_completion().choices[0].message
        return message.to_json()
