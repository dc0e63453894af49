"""Anthropic's unchanged SDK with an OpenAI-compatible upstream behind it."""

import json

import anthropic
import pytest

PAIR = ("anthropic-messages", "openai-chat")
TOOLS = [
    {"name": name, "description": f"What {name} does", "input_schema": {"type": "object", "properties": {}}}
    for name in ("weather", "time")
]
TEXT = "Hello, wörld!"
CALLS = [
    {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Köln"}'}},
    {"id": "call_2", "type": "function", "function": {"name": "time", "arguments": ""}},
]
TEXT_DELTAS = [{"role": "assistant", "content": ""}, {"content": "Hello, "}, {"content": "wörld!"}]
ONE_BY_ONE = [
    {"tool_calls": [{"index": 0, **CALLS[0], "function": {"name": "weather", "arguments": ""}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": '"Köln"}'}}]},
    {"tool_calls": [{"index": 1, **CALLS[1]}]},
]
SIDE_BY_SIDE = [
    {
        "tool_calls": [
            {"index": 0, **CALLS[0], "function": {"name": "weather", "arguments": ""}},
            {"index": 1, **CALLS[1]},
        ]
    },
    {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},
    {"tool_calls": [{"index": 1, "function": {"arguments": "{"}}, {"index": 0, "function": {"arguments": '"Köln"}'}}]},
    {"tool_calls": [{"index": 1, "function": {"arguments": "}"}}]},
]
WITHOUT_INDEX = [{"tool_calls": [CALLS[0]]}, {"tool_calls": [CALLS[1]]}]


def turn(client, messages, streamed=False, **more):
    more = {"model": "claude", "max_tokens": 100, "messages": messages, **more}
    if not streamed:
        return client.messages.create(**more)
    with client.messages.stream(**more) as stream:
        return stream.get_final_message()


@pytest.mark.parametrize("size", [pytest.param(size, id=f"pieces of {size}") for size in (0, 1, 7, 100_000)])
def test_a_plain_answer_reads_as_a_message_of_the_model_that_was_asked_for(gateway, upstream, size):
    usage = {"prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2}}
    usage["completion_tokens_details"] = {"reasoning_tokens": 4}
    whole = (200, upstream.completion({"content": TEXT}, **usage))
    answer = upstream.chunks(*TEXT_DELTAS, **usage) if size else whole
    message = turn(gateway(PAIR, [answer], size=size).client(), [{"role": "user", "content": "Hi"}], bool(size))
    assert (message.model, message.id, message.stop_reason) == ("claude", "msg_chatcmpl-1", "end_turn")
    assert [(block.type, block.text) for block in message.content] == [("text", TEXT)]
    counts = message.usage
    assert (counts.input_tokens, counts.cache_read_input_tokens, counts.cache_creation_input_tokens) == (5, 3, 2)
    assert (counts.output_tokens, counts.output_tokens_details.thinking_tokens) == (5, 4)


@pytest.mark.parametrize(
    "deltas",
    [
        pytest.param(None, id="whole"),
        pytest.param(ONE_BY_ONE, id="one by one"),
        pytest.param(SIDE_BY_SIDE, id="side by side"),
        pytest.param(WITHOUT_INDEX, id="whole calls without an index"),
    ],
)
def test_a_loop_of_parallel_tools_runs_to_its_end(gateway, upstream, deltas):
    if deltas is None:
        answers = [(200, upstream.completion({"content": TEXT, "tool_calls": CALLS}, "tool_calls"))]
        answers.append((200, upstream.completion({"content": TEXT})))
    else:
        answers = [upstream.chunks(*TEXT_DELTAS, *deltas, reason="tool_calls"), upstream.chunks(*TEXT_DELTAS)]
    running = gateway(PAIR, answers)
    client = running.client()
    messages = [{"role": "user", "content": "Hi"}]
    message = turn(client, messages, bool(deltas), tools=TOOLS)
    assert message.stop_reason == "tool_use"
    assert [block.type for block in message.content] == ["text", "tool_use", "tool_use"]
    assert [(block.id, block.name, block.input) for block in message.content[1:]] == [
        ("call_1", "weather", {"city": "Köln"}),
        ("call_2", "time", {}),
    ]
    messages.append({"role": "assistant", "content": message.content})
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    results = [
        {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "12 °C"}, image]},
        {"type": "tool_result", "tool_use_id": "call_2", "content": "No clock", "is_error": True},
    ]
    messages.append({"role": "user", "content": [*results, {"type": "text", "text": "Go on"}]})
    assert turn(client, messages, bool(deltas), tools=TOOLS).content[0].text == TEXT
    sent = running.seen[1]["messages"]
    assert sent[1]["content"] == TEXT
    assert [call["function"]["name"] for call in sent[1]["tool_calls"]] == ["weather", "time"]
    assert [json.loads(call["function"]["arguments"]) for call in sent[1]["tool_calls"]] == [{"city": "Köln"}, {}]
    assert sent[2:4] == [
        {"role": "tool", "tool_call_id": "call_1", "content": "12 °C"},
        {"role": "tool", "tool_call_id": "call_2", "content": "Error:\nNo clock"},
    ]
    shown = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert sent[4:] == [{"role": "user", "content": [shown, {"type": "text", "text": "Go on"}]}]


@pytest.mark.parametrize("streamed", [pytest.param(False, id="whole"), pytest.param(True, id="streamed")])
@pytest.mark.parametrize(
    ("thinking", "kinds"),
    [
        pytest.param({"type": "adaptive"}, ["thinking", "text"], id="shown to who asked"),
        pytest.param({"type": "disabled"}, ["text"], id="not shown to who did not"),
    ],
)
def test_reasoning(gateway, upstream, thinking, kinds, streamed):
    said = {"reasoning_content": "Let me think.", "content": TEXT}
    answer = upstream.chunks(said) if streamed else (200, upstream.completion(said))
    client = gateway(PAIR, [answer]).client()
    message = turn(client, [{"role": "user", "content": "Hi"}], streamed, thinking=thinking)
    assert [block.type for block in message.content] == kinds


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        pytest.param("stop", "end_turn", id="end"),
        pytest.param("length", "max_tokens", id="limit"),
        pytest.param("content_filter", "refusal", id="filter"),
        pytest.param("something_new", "end_turn", id="unknown"),
    ],
)
def test_stop_reasons(gateway, upstream, reason, stop):
    answers = [(200, upstream.completion({"content": TEXT}, reason)), upstream.chunks(*TEXT_DELTAS, reason=reason)]
    client = gateway(PAIR, answers).client()
    for streamed in (False, True):
        assert turn(client, [{"role": "user", "content": "Hi"}], streamed).stop_reason == stop


@pytest.mark.parametrize("streamed", [pytest.param(False, id="whole"), pytest.param(True, id="streamed")])
def test_hosts_that_call_tools_and_say_stop_are_understood(gateway, upstream, streamed):
    whole = (200, upstream.completion({"tool_calls": CALLS}))
    answer = upstream.chunks(*WITHOUT_INDEX) if streamed else whole
    message = turn(gateway(PAIR, [answer]).client(), [{"role": "user", "content": "Hi"}], streamed, tools=TOOLS)
    assert message.stop_reason == "tool_use"


def test_a_call_that_the_limit_cut_off_is_left_out_of_a_message(gateway, upstream):
    cut = {**CALLS[0], "function": {"name": "weather", "arguments": '{"city":"K'}}
    answer = (200, upstream.completion({"content": TEXT, "tool_calls": [cut]}, "length"))
    message = turn(gateway(PAIR, [answer]).client(), [{"role": "user", "content": "Hi"}], tools=TOOLS)
    assert ([block.type for block in message.content], message.stop_reason) == (["text"], "max_tokens")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        pytest.param(400, anthropic.BadRequestError, id="bad request"),
        pytest.param(401, anthropic.AuthenticationError, id="credential"),
        pytest.param(429, anthropic.RateLimitError, id="rate limit"),
        pytest.param(503, anthropic.InternalServerError, id="unavailable"),
    ],
)
def test_errors_are_raised_with_the_upstreams_words(gateway, status, error):
    doc = {"error": {"message": "Not now.", "type": "some_error", "code": None, "param": None}}
    with pytest.raises(error) as caught:
        turn(gateway(PAIR, [(status, doc)]).client(), [{"role": "user", "content": "Hi"}])
    assert (caught.value.status_code, caught.value.body["error"]["message"]) == (status, "Not now.")


def test_a_stream_that_fails_in_the_middle_raises(gateway, upstream):
    events = [
        *upstream.chunks(*TEXT_DELTAS)[:2],
        b'data: {"error":{"message":"Slow down","type":"rate_limit_error"}}\n\n',
    ]
    with pytest.raises(anthropic.APIStatusError, match="Slow down"):
        turn(gateway(PAIR, [events]).client(), [{"role": "user", "content": "Hi"}], True)


def test_a_stream_that_breaks_off_stays_unfinished(gateway, upstream):
    events = upstream.chunks(*TEXT_DELTAS)[:2]
    running = gateway(PAIR, [events]).client()
    stream = running.messages.create(
        model="claude", max_tokens=1, messages=[{"role": "user", "content": "Hi"}], stream=True
    )
    assert "message_stop" not in [event.type for event in stream]


def test_what_cannot_be_asked_of_the_upstream_is_refused_with_its_name(gateway):
    client = gateway(PAIR, []).client()
    with pytest.raises(anthropic.BadRequestError, match="no equivalent for tools\\[0\\]\\.type"):
        turn(client, [{"role": "user", "content": "Hi"}], tools=[{"type": "web_search_20260209", "name": "web_search"}])
