"""The fake providers themselves, asked directly by the vendors' own SDKs: what these tests accept is what the tests
through the gateway may rely on. And what the fakes must refuse, they refuse."""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.envoy.gateway import request, until
from tests.envoy.providers import anthropic, aws, bedrock, gemini, openai_chat
from tests.envoy.providers import cloud_drivers as cloud
from tests.envoy.providers.cast import Cast
from tests.envoy.providers.drivers import PICTURE, AzureChat, Chat, Driver, Messages, Responses
from tests.envoy.providers.plays import CACHED, INPUT, OUTPUT, THOUGHT, TURNS, arguments, pictured, said
from tests.envoy.providers.stage import Wrong
from tests.envoy.upstream import Arrived

pytestmark = pytest.mark.envoy


@pytest.fixture(scope="module")
def cast() -> Iterator[Cast]:
    made = Cast()
    yield made
    made.close()


WITH: dict[str, Callable[[Cast], Driver]] = {
    "openai's chat": lambda cast: Chat(cast["openai"].url, openai_chat.KEY, "gpt-fake"),
    "openai's responses": lambda cast: Responses(cast["openai"].url, openai_chat.KEY, "gpt-fake"),
    "openai's chat at Azure": lambda cast: AzureChat(cast["azure"].url, openai_chat.AZURE_KEY, "deployed-fake"),
    "anthropic": lambda cast: Messages(cast["anthropic"].url, anthropic.KEY, "claude-fake"),
    "boto3's converse": lambda cast: cloud.Converse(cast["bedrock"].url, "", bedrock.CLAUDE),
    "boto3's invoke_model": lambda cast: cloud.Invoke(cast["bedrock"].url, "", bedrock.CLAUDE),
    "google-genai": lambda cast: cloud.Google(cast["gemini"].url, gemini.KEY, gemini.MODEL),
    "google-genai on Vertex": lambda cast: cloud.Vertex(cast["vertex"].url, gemini.TOKEN, gemini.MODEL),
}


@pytest.fixture(params=WITH)
def driver(cast: Cast, request: pytest.FixtureRequest) -> Iterator[Driver]:
    made = WITH[request.param](cast)
    yield made
    made.close()
    assert cast.taken() == ([], set())


STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@STREAMED
def test_a_fake_says_a_text_back(driver: Driver, stream: bool):
    answer = driver.ask("Hi, fake", stream=stream)
    assert answer.text == said("Hi, fake")
    assert answer.usage == (INPUT, CACHED, OUTPUT)


@STREAMED
def test_a_fake_calls_a_tool_three_times_and_answers_then(driver: Driver, stream: bool):
    driver.tools()
    answer = driver.ask("do: loop", stream=stream)
    for turn in range(1, TURNS + 1):
        [call] = answer.calls
        assert call.input == arguments(turn)
        driver.results({call.id: f"result {turn}"})
        answer = driver.go(stream=stream)
    assert answer.text == "Found: result 1 | result 2 | result 3"
    assert answer.calls == []


@STREAMED
def test_a_fake_calls_two_tools_at_once(driver: Driver, stream: bool):
    driver.tools()
    answer = driver.ask("do: tools", stream=stream)
    assert [call.input for call in answer.calls] == [arguments(1), arguments(2)]
    driver.results({call.id: f"result {n}" for n, call in enumerate(answer.calls)})
    assert driver.go(stream=stream).text == "Found: result 0 | result 1"


@STREAMED
def test_a_fake_thinks(driver: Driver, stream: bool):
    assert driver.ask("do: think", stream=stream).thought == THOUGHT


def test_a_fake_sees_a_picture_and_obeys_a_system_prompt_and_keeps_to_a_schema(driver: Driver):
    driver.user("do: see", PICTURE)
    assert driver.go().text == pictured("image/png", PICTURE)
    driver.system = "Be brief."
    assert driver.ask("do: obey").text == "I was told: Be brief."
    driver.schema()
    assert json.loads(driver.ask("do: json").text) == {"city": "Köln", "land": "Köln"}


@pytest.mark.parametrize("status", [400, 429, 500])
@STREAMED
def test_a_fakes_error_is_the_sdks_own(driver: Driver, status: int, stream: bool):
    with pytest.raises(driver.errors[status]) as caught:
        driver.ask(f"do: error {status}", stream=stream)
    assert driver.status(caught.value) == status
    assert "as ordered" in str(caught.value)


def test_a_fake_breaks_off(driver: Driver):
    with pytest.raises(driver.broken):
        driver.ask("do: break", stream=True)


def test_a_fake_notices_that_its_caller_left(cast: Cast, driver: Driver):
    before = sum(provider.left for provider in cast.providers.values())
    driver.user("do: slow")
    driver.leave()
    driver.close()
    until("the fake noticed", lambda: sum(p.left for p in cast.providers.values()) > before)


# -- what they refuse --------------------------------------------------------------------------------------------------


@pytest.fixture
def refusing() -> Iterator[Cast]:
    made = Cast()
    yield made
    made.close()


ASK = {"model": "claude-fake", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
GOOD = {"x-api-key": anthropic.KEY, "anthropic-version": "2023-06-01"}
CALLED = [
    *ASK["messages"],
    {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "t", "input": {}}]},
]


@pytest.mark.parametrize(
    ("headers", "body", "why"),
    [
        pytest.param({**GOOD, "x-api-key": "other"}, ASK, "the provider's key, once", id="another key"),
        pytest.param({**GOOD, "authorization": "Bearer x"}, ASK, "key, once", id="a second credential"),
        pytest.param({**GOOD, "api-key": "x"}, ASK, "a foreign credential", id="a credential of another vendor's"),
        pytest.param({**GOOD, "x-gatereeve-id": "1"}, ASK, "the gateway's", id="a header of the gateway's"),
        pytest.param({**GOOD, "x-note": "eyJhbGci"}, ASK, "a client's token", id="a client's token in any header"),
        pytest.param({"x-api-key": anthropic.KEY}, ASK, "anthropic-version", id="no version"),
        pytest.param(GOOD, {**ASK, "n": 1}, "unknown fields", id="a field of another API"),
        pytest.param(GOOD, {**ASK, "max_tokens": None}, "max_tokens", id="no limit"),
        pytest.param(GOOD, {**ASK, "messages": CALLED, "tools": []}, "without tool_result", id="a call not answered"),
        pytest.param(GOOD, {**ASK, "messages": ASK["messages"] * 2}, "alternate", id="roles that do not alternate"),
        pytest.param(
            {**GOOD, "anthropic-version": "2026-10-21"}, {**ASK, "temperature": 1}, "temperature", id="sampling, newer"
        ),
    ],
)
def test_a_fake_refuses(refusing: Cast, headers: dict[str, str], body: dict[str, Any], why: str):
    url = refusing["anthropic"].url + "/v1/messages"
    answer = request("POST", url, json=body, headers={"accept": "*/*", **headers})
    assert answer.status_code >= 400
    [violation] = refusing.taken()[0]
    assert why in violation


def _signed(at: str, data: bytes, **changed: Any) -> Arrived:
    """A request signed by botocore, then changed."""
    url = f"https://bedrock.test{at}"
    made = AWSRequest("POST", url, data=data, headers={"content-type": "application/json"})
    keys = Credentials(aws.ACCESS_KEY, changed.get("secret", aws.SECRET_KEY), aws.SESSION_TOKEN)
    SigV4Auth(keys, changed.get("service", aws.SERVICE), changed.get("region", aws.REGION)).add_auth(made)
    headers = [(name.lower(), value) for name, value in made.headers.items()]
    return Arrived("POST", changed.get("path", at), [("host", "bedrock.test"), *headers], changed.get("body", data))


PATH = "/model/arn%3Aaws%3Abedrock%3Aeu%2Fx/converse"


@pytest.mark.parametrize("path", [PATH, "/model/a/converse?b=2&a=1&c", "/a%20b/~x"])
def test_a_signature_of_botocores_is_accepted(path: str):
    aws.verify(_signed(path, b'{"a": 1}'), dt.datetime.now(dt.UTC))


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"body": b"{}"}, id="another body"),
        pytest.param({"path": "/model/other/converse"}, id="another path"),
        pytest.param({"secret": "other"}, id="another secret"),
        pytest.param({"service": "s3"}, id="another service"),
        pytest.param({"region": "us-east-1"}, id="another region"),
    ],
)
def test_a_signature_over_something_else_is_refused(changed: dict[str, Any]):
    with pytest.raises(Wrong):
        aws.verify(_signed(PATH, b'{"a": 1}', **changed), dt.datetime.now(dt.UTC))


def test_a_signature_of_six_minutes_ago_is_refused():
    with pytest.raises(Wrong):
        aws.verify(_signed(PATH, b""), dt.datetime.now(dt.UTC) + dt.timedelta(minutes=6))
