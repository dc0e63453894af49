"""OpenAI's unchanged SDK, asking for Chat Completions and for Responses, with other upstreams behind it."""

import json

import openai
import pytest

from extproc.exchange import sse

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"What {name} does",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
    for name in ("weather", "time")
]
FLAT_TOOLS = [{"type": "function", **tool["function"], "strict": False} for tool in TOOLS]
TEXT = {"type": "text", "text": "Hello, wörld!"}
CALLS = (
    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Köln"}},
    {"type": "tool_use", "id": "toolu_2", "name": "time", "input": {}},
)
THOUGHT = {"type": "thinking", "thinking": "Let me think.", "signature": "c2lnbmVk"}
CHAT_CALLS = [
    {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Köln"}'}},
    {"id": "call_2", "type": "function", "function": {"name": "time", "arguments": "{}"}},
]
CHAT_CALL_DELTAS = [
    {"role": "assistant", "content": ""},
    {"tool_calls": [{"index": 0, **CHAT_CALLS[0], "function": {"name": "weather", "arguments": ""}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},
    {"tool_calls": [{"index": 0, "function": {"arguments": '"Köln"}'}}]},
    {"tool_calls": [{"index": 1, **CHAT_CALLS[1]}]},
]
CHAT = ("openai-chat", "anthropic-messages")
RESPONSES = ("openai-responses", "anthropic-messages")
RESPONSES_BY_CHAT = ("openai-responses", "openai-chat")


def ask(client, **more):
    return client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": "Hi"}], **more)


def test_a_plain_answer_reads_as_a_completion_of_the_model_that_was_asked_for(gateway, upstream):
    usage = {"cache_read_input_tokens": 3, "cache_creation_input_tokens": 2}
    completion = ask(gateway(CHAT, [(200, upstream.message(TEXT, **usage))]).client())
    choice = completion.choices[0]
    assert (completion.model, completion.id) == ("gpt-4", "chatcmpl-msg_1")
    assert (choice.message.content, choice.finish_reason, choice.message.tool_calls) == (TEXT["text"], "stop", None)
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (15, 5)
    assert completion.usage.prompt_tokens_details.cached_tokens == 3
    assert completion.usage.prompt_tokens_details.cache_write_tokens == 2


@pytest.mark.parametrize("size", [pytest.param(size, id=f"pieces of {size}") for size in (1, 7, 100_000)])
def test_a_stream_reads_as_chunks_with_usage_only_if_asked_for(gateway, upstream, size):
    answers = [upstream.message_events(THOUGHT, TEXT) for _ in range(2)]
    client = gateway(CHAT, answers, size=size).client()
    chunks = list(ask(client, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT["text"]
    assert "".join(getattr(chunk.choices[0].delta, "reasoning_content", "") for chunk in chunks) == THOUGHT["thinking"]
    assert [chunk.choices[0].finish_reason for chunk in chunks][-2:] == [None, "stop"]
    assert all(chunk.usage is None for chunk in chunks)
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == []
    assert (chunks[-1].usage.prompt_tokens, chunks[-1].usage.completion_tokens) == (10, 5)
    assert all(chunk.usage is None for chunk in chunks[:-1])


@pytest.mark.parametrize("streamed", [pytest.param(False, id="whole"), pytest.param(True, id="streamed")])
def test_a_loop_of_parallel_tools_runs_to_its_end(gateway, upstream, streamed):
    make = upstream.message_events if streamed else lambda *blocks, **more: (200, upstream.message(*blocks, **more))
    running = gateway(CHAT, [make(TEXT, *CALLS, stop="tool_use"), make(TEXT)])
    client = running.client()
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    message = chat_turn(client, messages, streamed)
    assert [(call.id, call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls] == [
        ("toolu_1", "weather", {"city": "Köln"}),
        ("toolu_2", "time", {}),
    ]
    messages.append(message.to_dict())
    for call, said in zip(message.tool_calls, ("12 °C", ""), strict=True):
        messages.append({"role": "tool", "tool_call_id": call.id, "content": said})
    messages.append({"role": "user", "content": "Go on"})
    assert chat_turn(client, messages, streamed).content == TEXT["text"]
    sent = running.seen[1]
    assert sent["system"] == [{"type": "text", "text": "Be brief."}]
    assert sent["messages"][1:] == [
        {"role": "assistant", "content": [TEXT, *CALLS]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "12 °C"},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": []},
                {"type": "text", "text": "Go on"},
            ],
        },
    ]


def chat_turn(client, messages, streamed):
    if not streamed:
        return client.chat.completions.create(model="gpt-4", messages=messages, tools=TOOLS).choices[0].message
    with client.chat.completions.stream(model="gpt-4", messages=messages, tools=TOOLS) as stream:
        return stream.get_final_completion().choices[0].message


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        pytest.param(400, "invalid_request_error", openai.BadRequestError, id="bad request"),
        pytest.param(401, "authentication_error", openai.AuthenticationError, id="credential"),
        pytest.param(429, "rate_limit_error", openai.RateLimitError, id="rate limit"),
        pytest.param(529, "overloaded_error", openai.InternalServerError, id="overloaded"),
    ],
)
@pytest.mark.parametrize("pair", [CHAT, RESPONSES], ids="-".join)
def test_errors_are_raised_with_the_upstreams_words(gateway, pair, status, kind, error):
    doc = {"type": "error", "error": {"type": kind, "message": "Not now."}, "request_id": "req_1"}
    client = gateway(pair, [(status, doc)]).client()
    with pytest.raises(error) as caught:
        ask(client) if pair == CHAT else client.responses.create(model="gpt-4", input="Hi")
    assert (caught.value.status_code, caught.value.body["message"], caught.value.code) == (status, "Not now.", kind)


def test_a_stream_that_fails_in_the_middle_raises_after_what_came(gateway, upstream):
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    events = [*upstream.message_events(TEXT)[:5], sse.encode("error", json.dumps(error).encode())]
    got = []
    with pytest.raises(openai.APIError, match="Overloaded"):
        got.extend(ask(gateway(CHAT, [events]).client(), stream=True))
    assert [chunk.choices[0].delta.content for chunk in got] == ["", "Hel", "lo,"]


def test_what_cannot_be_asked_of_the_upstream_is_refused_with_its_name(gateway):
    client = gateway(CHAT, []).client()
    with pytest.raises(openai.BadRequestError, match="no equivalent for n\\."):
        ask(client, n=2)


@pytest.mark.parametrize("streamed", [pytest.param(False, id="whole"), pytest.param(True, id="streamed")])
@pytest.mark.parametrize("pair", [RESPONSES, RESPONSES_BY_CHAT], ids="-".join)
def test_a_response_is_served_by_another_api(gateway, upstream, pair, streamed):
    if pair == RESPONSES:
        answer = upstream.message_events(TEXT) if streamed else (200, upstream.message(TEXT))
    else:
        deltas = [{"role": "assistant", "content": ""}, {"content": "Hello, "}, {"content": "wörld!"}]
        whole = (200, upstream.completion({"content": TEXT["text"]}))
        answer = upstream.chunks(*deltas) if streamed else whole
    response = response_turn(gateway(pair, [answer]).client(), "Hi", streamed)
    assert (response.output_text, response.status, response.model) == (TEXT["text"], "completed", "gpt-4")
    assert (response.usage.input_tokens, response.usage.output_tokens, response.usage.total_tokens) == (10, 5, 15)


@pytest.mark.parametrize("streamed", [pytest.param(False, id="whole"), pytest.param(True, id="streamed")])
@pytest.mark.parametrize("pair", [RESPONSES, RESPONSES_BY_CHAT], ids="-".join)
def test_a_loop_of_response_tools_runs_to_its_end(gateway, upstream, pair, streamed):
    if pair == RESPONSES:
        make = upstream.message_events if streamed else lambda *blocks, **more: (200, upstream.message(*blocks, **more))
        answers = [make(THOUGHT, *CALLS, stop="tool_use"), make(TEXT)]
    elif streamed:
        answers = [upstream.chunks(*CHAT_CALL_DELTAS, reason="tool_calls"), upstream.chunks({"content": TEXT["text"]})]
    else:
        first = upstream.completion({"tool_calls": CHAT_CALLS}, "tool_calls")
        answers = [(200, first), (200, upstream.completion({"content": TEXT["text"]}))]
    running = gateway(pair, answers)
    client = running.client()
    items = [{"role": "user", "content": "Hi"}]
    response = response_turn(client, items, streamed)
    calls = [item for item in response.output if item.type == "function_call"]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [("weather", {"city": "Köln"}), ("time", {})]
    items += [item.to_dict() for item in response.output]
    items += [{"type": "function_call_output", "call_id": call.call_id, "output": "12 °C"} for call in calls]
    assert response_turn(client, items, streamed).output_text == TEXT["text"]
    sent = running.seen[1]["messages"]
    if pair == RESPONSES:
        assert sent[1] == {"role": "assistant", "content": [THOUGHT, *CALLS]}
        assert [block["tool_use_id"] for block in sent[2]["content"]] == ["toolu_1", "toolu_2"]
    else:
        assert [json.loads(call["function"]["arguments"]) for call in sent[1]["tool_calls"]] == [{"city": "Köln"}, {}]
        assert [(message["role"], message["tool_call_id"]) for message in sent[2:]] == [
            ("tool", "call_1"),
            ("tool", "call_2"),
        ]
    assert running.dropped[1] == ()


def response_turn(client, given, streamed):
    if not streamed:
        return client.responses.create(model="gpt-4", input=given, tools=FLAT_TOOLS)
    with client.responses.stream(model="gpt-4", input=given, tools=FLAT_TOOLS) as stream:
        events = list(stream)
        assert [event.sequence_number for event in events] == list(range(len(events)))
        return stream.get_final_response()


def test_a_custom_tool_and_a_namespace_come_back_as_they_were_declared(gateway, upstream):
    tools = [
        {"type": "custom", "name": "patch", "description": "Free text", "format": {"type": "text"}},
        {"type": "namespace", "name": "home", "description": "Things", "tools": [FLAT_TOOLS[0]]},
    ]
    calls = (
        {"type": "tool_use", "id": "toolu_1", "name": "patch", "input": {"input": 'a "b"\n'}},
        {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {"city": "Köln"}},
    )
    running = gateway(RESPONSES, [upstream.message_events(*calls, stop="tool_use")])
    with running.client().responses.stream(model="gpt-4", input="Hi", tools=tools) as stream:
        patch, weather = stream.get_final_response().output
    assert (patch.type, patch.input, patch.call_id) == ("custom_tool_call", 'a "b"\n', "toolu_1")
    assert (weather.type, weather.namespace, weather.name) == ("function_call", "home", "weather")
    assert running.dropped[0] == ("tools[].namespace.description",)


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        pytest.param("max_tokens", "max_output_tokens", id="limit"),
        pytest.param("refusal", "content_filter", id="refusal"),
    ],
)
def test_a_response_that_was_cut_says_why(gateway, upstream, stop, reason):
    response = response_turn(gateway(RESPONSES, [(200, upstream.message(TEXT, stop=stop))]).client(), "Hi", False)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", reason)


def test_a_response_stream_that_fails_in_the_middle_raises(gateway, upstream):
    events = [*upstream.chunks({"content": "Hel"})[:1], b'data: {"error":{"message":"Broken","code":500}}\n\n']
    stream = gateway(RESPONSES_BY_CHAT, [events]).client().responses.create(model="gpt-4", input="Hi", stream=True)
    with pytest.raises(openai.APIError, match="Broken"):
        list(stream)
