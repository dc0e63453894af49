"""The demo LLM speaks three APIs well enough for the SDKs that nobody here wrote."""

import json

import anthropic
import httpx2
import openai
import pytest

from extproc.demo.llm import KEY, DemoLlm

TEXT = 'Grüße, card 4111 1111 1111 1111 and 🙂 "quotes" \\ done'
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.fixture
async def demo():
    served = DemoLlm(port=0)
    async with served.server:
        yield served


@pytest.fixture
async def gpt(demo):
    async with openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{demo.server.port}/v1", api_key=KEY, max_retries=0
    ) as client:
        yield client


@pytest.fixture
async def claude(demo):
    async with anthropic.AsyncAnthropic(
        base_url=f"http://127.0.0.1:{demo.server.port}", api_key=KEY, max_retries=0
    ) as client:
        yield client


def user(text):
    return [{"role": "system", "content": "ignored"}, {"role": "user", "content": text}]


async def test_chat_answers_with_the_last_user_message(gpt):
    said = await gpt.chat.completions.create(model="demo-large", messages=user(TEXT))
    assert said.choices[0].message.content == TEXT
    assert said.usage.total_tokens > 0


@pytest.mark.parametrize("seed", range(8))
async def test_a_streamed_chat_joins_to_the_message_whatever_the_cuts(gpt, seed):
    stream = await gpt.chat.completions.create(
        model="m", messages=user(TEXT), stream=True, stream_options={"include_usage": True},
        extra_headers={"X-Demo-Seed": str(seed), "X-Demo-Delay": "0"},
    )  # fmt: skip
    chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == TEXT
    assert chunks[-1].usage.completion_tokens > 0
    assert len(chunks) > 6


async def test_a_chat_tool_call_streams_its_arguments_in_fragments(gpt):
    tools = [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]
    async with gpt.chat.completions.stream(
        model="m", messages=user('call weather {"city": "Zürich"}'), tools=tools
    ) as stream:
        final = await stream.get_final_completion()
    call = final.choices[0].message.tool_calls[0].function
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Zürich"})
    assert final.choices[0].finish_reason == "tool_calls"


async def test_after_a_tool_ran_chat_answers_with_what_it_said(gpt):
    messages = [*user("x"), {"role": "tool", "tool_call_id": "c", "content": "sunny"}]
    said = await gpt.chat.completions.create(model="m", messages=messages)
    assert said.choices[0].message.content == "sunny"


async def test_responses_answers_plain_and_streamed(gpt):
    assert (await gpt.responses.create(model="m", input=TEXT)).output_text == TEXT
    async with gpt.responses.stream(model="m", input=[{"role": "user", "content": TEXT}]) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert final.output_text == TEXT
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"


async def test_a_responses_tool_call_arrives_whole(gpt):
    tools = [{"type": "function", "name": "weather", "parameters": WEATHER, "strict": False}]
    async with gpt.responses.stream(model="m", input='call weather {"city": "Rom"}', tools=tools) as stream:
        final = await stream.get_final_response()
    assert json.loads(final.output[0].arguments) == {"city": "Rom"}


async def test_messages_answers_plain_streamed_and_counted(claude):
    ask = {"model": "claude-sonnet", "max_tokens": 99, "messages": [{"role": "user", "content": TEXT}]}
    assert (await claude.messages.create(**ask)).content[0].text == TEXT
    async with claude.messages.stream(**ask, extra_headers={"X-Demo-Seed": "3"}) as stream:
        assert await stream.get_final_text() == TEXT
    counted = await claude.messages.count_tokens(model="claude-sonnet", messages=ask["messages"])
    assert counted.input_tokens > 0


async def test_a_messages_tool_call_arrives_whole(claude):
    async with claude.messages.stream(
        model="m", max_tokens=9, tools=[{"name": "weather", "input_schema": WEATHER}],
        messages=[{"role": "user", "content": 'call weather {"city": "Bonn"}'}],
    ) as stream:  # fmt: skip
        final = await stream.get_final_message()
    assert final.content[0].input == {"city": "Bonn"}
    assert final.stop_reason == "tool_use"


async def test_failures_on_request_are_the_sdks_own_exceptions(gpt, claude):
    with pytest.raises(openai.InternalServerError):
        await gpt.chat.completions.create(model="m", messages=user("fail 500"))
    with pytest.raises(openai.RateLimitError):
        await gpt.responses.create(model="m", input="fail 429")
    with pytest.raises(anthropic.RateLimitError):
        await claude.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "fail 429"}])


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "plain"])
async def test_die_cuts_the_answer_in_the_middle(demo, stream):
    async with httpx2.AsyncClient() as client:
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.post(
                f"http://127.0.0.1:{demo.server.port}/v1/chat/completions",
                json={"model": "m", "messages": user("die"), "stream": stream},
                headers={"authorization": f"Bearer {KEY}"},
            )


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no credential"),
        pytest.param({"authorization": "Bearer someone-elses"}, id="another credential"),
        pytest.param(
            {"authorization": f"Bearer {KEY}", "x-api-key": "the-clients"}, id="a client's credential beside ours"
        ),
        pytest.param({"authorization": f"Bearer {KEY}", "cookie": "session=1"}, id="a client's cookie beside ours"),
    ],
)
async def test_only_the_injected_credential_is_accepted(demo, headers):
    async with httpx2.AsyncClient() as client:
        answer = await client.post(
            f"http://127.0.0.1:{demo.server.port}/v1/messages", json={"model": "m"}, headers=headers
        )
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "authentication_error"


async def test_seen_shows_requests_as_they_arrived(demo, gpt):
    await gpt.chat.completions.create(model="demo-large", messages=user("hello"))
    async with httpx2.AsyncClient() as client:
        seen = (await client.get(f"http://127.0.0.1:{demo.server.port}/seen")).json()
    assert seen[-1]["path"] == "/v1/chat/completions"
    assert seen[-1]["headers"]["authorization"] == f"Bearer {KEY}"
    assert seen[-1]["body"]["model"] == "demo-large"


async def test_the_same_seed_cuts_the_same_way(demo):
    async def cuts():
        async with httpx2.AsyncClient() as client, client.stream(
            "POST", f"http://127.0.0.1:{demo.server.port}/v1/messages",
            json={"model": "m", "messages": [{"role": "user", "content": TEXT}], "stream": True},
            headers={"authorization": f"Bearer {KEY}", "X-Demo-Seed": "7"},
        ) as answer:  # fmt: skip
            body = (await answer.aread()).decode()
        return [
            json.loads(line[6:])["delta"]
            for line in body.split("\n")
            if line.startswith("data:") and "text_delta" in line
        ]

    assert await cuts() == await cuts()
