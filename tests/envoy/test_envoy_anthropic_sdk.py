"""The official anthropic SDK, unchanged but for base URL and key, through the real Envoy."""

from collections.abc import Iterator

import anthropic
import pytest

from tests.envoy.gateway import Gateway
from tests.envoy.oracle import TEXT, masked

TOOL = {"name": "send", "description": "", "input_schema": {"type": "object", "properties": {}}}
CALL = 'call send {"to": "ada@corp.test", "card": "4111 1111 1111 1111", "n": 7}'
CALLED = {"to": masked("ada@corp.test"), "card": masked("4111 1111 1111 1111"), "n": 7}
ASK = {"model": "claude-sonnet", "max_tokens": 100}


@pytest.fixture
def client(demo: Gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=demo.url, api_key=demo.token("engineering")) as made:
        yield made


@pytest.fixture
def intern(demo: Gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=demo.url, auth_token=demo.token("interns")) as made:
        yield made


def _user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


@pytest.mark.promise("clients.anthropic")
@pytest.mark.promise("llm.dialects")
def test_a_message_is_answered_and_masked(client: anthropic.Anthropic):
    answer = client.messages.create(messages=_user(TEXT), **ASK)
    assert answer.content[0].text == masked(TEXT)
    assert answer.stop_reason == "end_turn"
    assert answer.usage.output_tokens > 0


@pytest.mark.promise("clients.anthropic")
@pytest.mark.parametrize("seed", range(4))
def test_a_streamed_message_says_the_same(client: anthropic.Anthropic, seed):
    with client.messages.stream(messages=_user(TEXT), extra_headers={"X-Demo-Seed": str(seed)}, **ASK) as stream:
        said = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert said == masked(TEXT)
    assert final.content[0].text == masked(TEXT)
    assert final.stop_reason == "end_turn"


def test_a_tool_call_carries_a_masked_input(client: anthropic.Anthropic):
    answer = client.messages.create(messages=_user(CALL), tools=[TOOL], **ASK)
    [block] = answer.content
    assert (block.type, block.name, block.input) == ("tool_use", "send", CALLED)
    assert answer.stop_reason == "tool_use"


@pytest.mark.promise("clients.anthropic")
@pytest.mark.parametrize("seed", range(4))
def test_a_streamed_tool_call_says_the_same(client: anthropic.Anthropic, seed):
    with client.messages.stream(
        messages=_user(CALL), tools=[TOOL], extra_headers={"X-Demo-Seed": str(seed)}, **ASK
    ) as stream:
        final = stream.get_final_message()
    assert final.content[0].input == CALLED


def test_tokens_are_counted(client: anthropic.Anthropic):
    assert client.messages.count_tokens(model="claude-sonnet", messages=_user("hello")).input_tokens > 0


def test_the_list_of_models_is_what_the_caller_may_use(client: anthropic.Anthropic, intern: anthropic.Anthropic):
    assert [m.id for m in client.models.list()] == ["claude-sonnet", "gpt-4", "gpt-4o-mini"]
    assert [m.id for m in intern.models.list()] == ["gpt-4o-mini"]
    assert client.models.retrieve("claude-sonnet").id == "claude-sonnet"


@pytest.mark.promise("clients.anthropic")
@pytest.mark.promise("llm.access")
@pytest.mark.parametrize("operation", ["create", "stream", "count_tokens"])
def test_a_model_that_is_not_allowed_is_the_SDKs_own_exception_and_not_retried(  # noqa: N802
    demo: Gateway, intern: anthropic.Anthropic, operation
):
    before = len(demo.audit())
    with pytest.raises(anthropic.PermissionDeniedError) as caught:  # noqa: PT012
        if operation == "create":
            intern.messages.create(messages=_user("hi"), **ASK)
        elif operation == "stream":
            with intern.messages.stream(messages=_user("hi"), **ASK) as stream:
                stream.until_done()
        else:
            intern.messages.count_tokens(model="claude-sonnet", messages=_user("hi"))
    assert "model-not-allowed" in caught.value.message
    assert caught.value.body["error"]["type"] == "permission_error"
    demo.record(caught.value.response.headers["x-gatereeve-id"])
    mine = [e for e in demo.audit()[before:] if e.get("model") == "claude-sonnet" and e["verdict"] == "deny"]
    assert len(mine) == 1


def test_an_expired_token_is_an_authentication_error(demo: Gateway):
    token = demo.token("engineering", ttl=-3600)
    client = anthropic.Anthropic(base_url=demo.url, api_key=token)
    with client, pytest.raises(anthropic.AuthenticationError) as caught:
        client.messages.create(messages=_user("hi"), **ASK)
    assert "token-expired" in caught.value.message


def test_an_unknown_model_is_not_found(client: anthropic.Anthropic):
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.messages.create(messages=_user("hi"), model="no-such", max_tokens=1)
    assert "model-unknown" in caught.value.message


def test_a_wrong_body_is_a_bad_request(client: anthropic.Anthropic):
    with pytest.raises(anthropic.BadRequestError) as caught:
        client.messages.create(messages="hello", **ASK)
    assert "body-shape" in caught.value.message


def test_an_upstreams_own_error_stays_what_it_is(demo: Gateway):
    client = anthropic.Anthropic(base_url=demo.url, api_key=demo.token("engineering"), max_retries=0)
    with client, pytest.raises(anthropic.RateLimitError) as caught:
        client.messages.create(messages=_user("fail 429"), **ASK)
    assert "failed with 429" in caught.value.message


@pytest.mark.promise("llm.survives")
def test_beta_and_version_headers_reach_the_upstream(demo: Gateway, client: anthropic.Anthropic):
    marker = "beta-2026-11-21-marker"
    client.beta.messages.create(messages=_user("hello"), betas=[marker], **ASK)
    [seen] = [entry for entry in demo.seen() if marker in entry["headers"].get("anthropic-beta", "")]
    assert seen["headers"]["anthropic-version"]
    assert seen["body"]["model"] == "claude-sonnet"
