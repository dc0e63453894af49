"""The official openai SDK, unchanged but for base URL and key, through the real Envoy."""

import json
from collections.abc import Iterator

import openai
import pytest

from tests.envoy.gateway import Gateway
from tests.envoy.oracle import TEXT, assert_clean, masked

TOOL = {"type": "function", "function": {"name": "send", "parameters": {"type": "object", "properties": {}}}}
FLAT_TOOL = {"type": "function", "name": "send", "parameters": {"type": "object", "properties": {}}, "strict": False}
CALL = 'call send {"to": "ada@corp.test", "card": "4111 1111 1111 1111", "n": 12345678901234567890}'
SEED = {"extra_headers": {"X-Demo-Seed": "7"}}


@pytest.fixture
def client(demo: Gateway) -> Iterator[openai.OpenAI]:
    with _client(demo, "engineering") as made:
        yield made


@pytest.fixture
def intern(demo: Gateway) -> Iterator[openai.OpenAI]:
    with _client(demo, "interns") as made:
        yield made


def _client(demo: Gateway, *groups: str, **token) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{demo.url}/v1", api_key=demo.token(*groups, **token))


def _user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


@pytest.mark.promise("clients.openai")
@pytest.mark.promise("llm.dialects")
@pytest.mark.promise("llm.rewrite")
def test_a_chat_completion_is_answered_and_masked(client: openai.OpenAI):
    answer = client.chat.completions.create(model="gpt-4", messages=_user(TEXT))
    assert answer.choices[0].message.content == masked(TEXT)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens > 0


def test_a_streamed_chat_completion_says_the_same(client: openai.OpenAI):
    stream = client.chat.completions.create(
        model="gpt-4", messages=_user(TEXT), stream=True, stream_options={"include_usage": True}, **SEED
    )
    chunks = list(stream)
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == masked(TEXT)
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]
    assert chunks[-1].usage.completion_tokens > 0


def test_a_tool_call_carries_masked_arguments(client: openai.OpenAI):
    answer = client.chat.completions.create(model="gpt-4", messages=_user(CALL), tools=[TOOL])
    [call] = answer.choices[0].message.tool_calls
    arguments = json.loads(call.function.arguments)
    assert call.function.name == "send"
    assert arguments == {"to": masked("ada@corp.test"), "card": masked("4111 1111 1111 1111"),
                         "n": 12345678901234567890}  # fmt: skip


@pytest.mark.promise("clients.openai")
@pytest.mark.promise("masking.tool-arguments")
@pytest.mark.parametrize("seed", range(4))
def test_a_streamed_tool_call_says_the_same(client: openai.OpenAI, seed):
    stream = client.chat.completions.create(
        model="gpt-4", messages=_user(CALL), tools=[TOOL], stream=True, extra_headers={"X-Demo-Seed": str(seed)}
    )
    calls = [c for chunk in stream if chunk.choices for c in chunk.choices[0].delta.tool_calls or []]
    arguments = json.loads("".join(c.function.arguments or "" for c in calls))
    assert calls[0].function.name == "send"
    assert arguments == {"to": masked("ada@corp.test"), "card": masked("4111 1111 1111 1111"),
                         "n": 12345678901234567890}  # fmt: skip


def test_a_response_is_answered_and_masked(client: openai.OpenAI):
    answer = client.responses.create(model="gpt-4", input=TEXT)
    assert answer.output_text == masked(TEXT)
    assert answer.status == "completed"


@pytest.mark.promise("clients.openai")
@pytest.mark.promise("llm.dialects")
def test_a_streamed_response_says_the_same_in_its_deltas_and_in_its_end(client: openai.OpenAI):
    with client.responses.stream(model="gpt-4", input=TEXT, **SEED) as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert "".join(deltas) == masked(TEXT)
    assert final.output_text == masked(TEXT)


def test_a_streamed_response_calls_a_tool_with_masked_arguments(client: openai.OpenAI):
    events = list(client.responses.create(model="gpt-4", input=CALL, tools=[FLAT_TOOL], stream=True, **SEED))
    deltas = "".join(e.delta for e in events if e.type == "response.function_call_arguments.delta")
    [done] = [e for e in events if e.type == "response.function_call_arguments.done"]
    [item] = events[-1].response.output
    for arguments in (deltas, done.arguments, item.arguments):
        assert json.loads(arguments)["card"] == masked("4111 1111 1111 1111")
        assert_clean(arguments)


@pytest.mark.promise("llm.models")
def test_the_list_of_models_is_what_the_caller_may_use(client: openai.OpenAI, intern: openai.OpenAI):
    assert [m.id for m in client.models.list()] == ["claude-sonnet", "gpt-4", "gpt-4o-mini"]
    assert [m.id for m in intern.models.list()] == ["gpt-4o-mini"]
    assert client.models.retrieve("gpt-4").id == "gpt-4"


def test_a_model_that_the_caller_may_not_use_does_not_exist_for_retrieve(intern: openai.OpenAI):
    with pytest.raises(openai.NotFoundError) as caught:
        intern.models.retrieve("gpt-4")
    assert "model-unknown" in str(caught.value)


@pytest.mark.promise("clients.openai")
@pytest.mark.promise("llm.access")
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(
    ("model", "error", "reason"),
    [
        pytest.param("gpt-4", openai.PermissionDeniedError, "model-not-allowed", id="a model not allowed"),
        pytest.param("no-such", openai.NotFoundError, "model-unknown", id="a model that does not exist"),
    ],
)
def test_a_refusal_is_the_SDKs_own_exception_with_our_message_and_is_not_retried(  # noqa: N802
    demo: Gateway, intern: openai.OpenAI, model, error, reason, stream
):
    before = len(demo.audit())
    with pytest.raises(error) as caught:
        intern.chat.completions.create(model=model, messages=_user("hi"), stream=stream)
    assert reason in caught.value.message
    assert caught.value.code == reason
    number = caught.value.response.headers["x-gatereeve-id"]
    assert number in caught.value.message
    assert demo.record(number)["reason"] == reason
    mine = [e for e in demo.audit()[before:] if e.get("model") == model and e["reason"] == reason]
    assert len(mine) == 1  # the SDK tries twice more whatever it takes for a passing failure


def test_a_bad_token_is_an_authentication_error(demo: Gateway):
    with _client(demo, "engineering", ttl=-3600) as client, pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(model="gpt-4", messages=_user("hi"))
    assert "token-expired" in caught.value.message


def test_a_wrong_body_is_a_bad_request(client: openai.OpenAI):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=17, messages=_user("hi"))
    assert "body-shape" in caught.value.message


@pytest.mark.parametrize(("status", "error"), [(429, openai.RateLimitError), (500, openai.InternalServerError)])
def test_an_upstreams_own_error_stays_what_it_is(demo: Gateway, status, error):
    client = openai.OpenAI(base_url=f"{demo.url}/v1", api_key=demo.token("engineering"), max_retries=0)
    with client, pytest.raises(error) as caught:
        client.chat.completions.create(model="gpt-4", messages=_user(f"fail {status}"))
    assert f"failed with {status}" in caught.value.message


@pytest.mark.parametrize("dialect", ["chat", "responses"])
def test_a_stream_that_breaks_off_raises_instead_of_ending_well(client: openai.OpenAI, dialect):
    with pytest.raises(openai.APIError):  # noqa: PT012  # the error may come at the first event or at any later one
        if dialect == "chat":
            list(client.chat.completions.create(model="gpt-4", messages=_user("die"), stream=True))
        else:
            list(client.responses.create(model="gpt-4", input="die", stream=True))
