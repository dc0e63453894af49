"""Every client's API with every provider's, through the real Envoy: unchanged SDKs on one side, strict fakes on the
other. A test passes only if the fake found nothing wrong with what arrived.

What passes here is what the documentation's table of pairs is made from.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.envoy.conftest import Served
from tests.envoy.gateway import until
from tests.envoy.providers import cloud_drivers as cloud
from tests.envoy.providers.cast import TARGETS
from tests.envoy.providers.drivers import PICTURE, AzureChat, Chat, Driver, Messages, Responses
from tests.envoy.providers.plays import (
    CACHED,
    INPUT,
    OUTPUT,
    SIGNATURE,
    THOUGHT,
    TURNS,
    arguments,
    pictured,
    said,
)
from tests.envoy.providers.stage import Provider

pytestmark = pytest.mark.envoy
Make = Callable[[Served, str, str], Driver]


def _plain(kind: type[Driver]) -> Make:
    return lambda served, token, model: kind(served.url, token, model)


def _boto3(kind: type[cloud.Converse] | type[cloud.Invoke]) -> Make:
    """The token as a Bedrock API key, which boto3 sends over TLS only. boto3's clients are slow to make, so shared."""

    def make(served: Served, token: str, model: str) -> Driver:
        if token not in _CLIENTS:
            _CLIENTS[token] = cloud.bedrock(served.front.url, token, served.front.trust)
        return kind(served.front.url, token, model, _CLIENTS[token])

    return make


_CLIENTS: dict[str, Any] = {}
SOURCES: dict[str, tuple[str, Make, tuple[str, ...]]] = {
    "openai's chat": (
        "openai-chat",
        _plain(Chat),
        ("openai-chat", "azure-openai-chat", "azure-v1", "anthropic-messages", "bedrock-converse", "gemini",
         "vertex-gemini"),
    ),
    "openai's chat for Azure": ("openai-chat", _plain(AzureChat), ("azure-openai-chat", "openai-chat")),
    "openai's responses": (
        "openai-responses",
        _plain(Responses),
        ("openai-responses", "azure-v1", "openai-chat", "anthropic-messages", "bedrock-converse"),
    ),
    "anthropic": (
        "anthropic-messages",
        _plain(Messages),
        ("anthropic-messages", "bedrock-invoke", "bedrock-converse", "vertex-claude", "openai-chat", "gemini",
         "vertex-gemini"),
    ),
    "boto3's converse": ("bedrock-converse", _boto3(cloud.Converse), ("bedrock-converse", "bedrock-bearer")),
    "boto3's invoke_model": ("bedrock-invoke", _boto3(cloud.Invoke), ("bedrock-invoke", "bedrock-bearer")),
    "google-genai": ("gemini", _plain(cloud.Google), ("gemini", "vertex-gemini")),
    "google-genai on Vertex": ("vertex-gemini", _plain(cloud.Vertex), ("vertex-gemini", "gemini")),
}  # fmt: skip


# Where the path alone differs, an answer passes as it is.
_SAME_BODY = ("azure-openai-chat", "azure-v1", "bedrock-invoke", "bedrock-bearer", "vertex-claude")


@dataclass
class Pair:
    """One SDK with one provider behind the gateway."""

    served: Served
    driver: Driver
    provider: Provider
    source: str
    target: str

    def named(self) -> str:
        """The model that an answer names: the one asked for where it was translated, else what the provider said.
        Converse names none."""
        if self.source == "bedrock-converse":
            return ""
        if self.target == self.source or self.target in _SAME_BODY or self.driver.name in ("gemini", "vertex-gemini"):
            return TARGETS[self.target].model
        return self.driver.model


def _pairs(wanted: Callable[[str, str], bool] = lambda source, target: True) -> list[Any]:
    out = []
    for client, (source, make, targets) in SOURCES.items():
        for target in targets:
            if not wanted(source, target):
                continue
            spoken = source if target in ("azure-v1", "bedrock-bearer") else target
            mark = pytest.mark.pair(source=source, target=spoken)
            out.append(pytest.param((source, make, target), id=f"{client} with {target}", marks=mark))
    return out


@pytest.fixture(params=_pairs())
def pair(served: Served, request: pytest.FixtureRequest) -> Iterator[Pair]:
    source, make, target = request.param
    group = "masked" if "masked" in request.fixturenames else "plain"
    provider = served.cast[TARGETS[target].provider]
    served.cast.taken()
    made = Pair(served, make(served, served.token(group), f"on-{target}"), provider, source, target)
    yield made
    made.driver.close()
    violations, strangers = served.cast.taken()
    assert violations == []
    assert strangers == set(), "headers that the provider does not know"


@pytest.fixture
def masked() -> None:
    """The test's caller is one whose answers are masked: nothing here is a secret, so nothing may change."""


@pytest.mark.pair(feature="plain")
@pytest.mark.promise("dialects.served")
@pytest.mark.promise("dialects.upstream")
@pytest.mark.promise("translation.pairs")
@pytest.mark.promise("credentials.aws")
@pytest.mark.promise("clients.boto3")
@pytest.mark.promise("clients.google-genai")
def test_a_question_is_answered(pair: Pair):
    answer = pair.driver.ask("Hi, ünïcödé “you”")
    assert answer.text == said("Hi, ünïcödé “you”")
    assert answer.usage == (INPUT, CACHED, OUTPUT)
    assert answer.model == pair.named()
    [arrived] = pair.provider.seen[-1:]
    assert pair.driver.key.encode() not in arrived.everything


@pytest.mark.pair(feature="streaming")
@pytest.mark.promise("dialects.served")
@pytest.mark.promise("translation.pairs")
@pytest.mark.promise("credentials.aws")
@pytest.mark.promise("clients.boto3")
@pytest.mark.promise("clients.google-genai")
def test_a_question_is_answered_in_a_stream(pair: Pair, masked: None):
    answer = pair.driver.ask("Hi, ünïcödé “you”", stream=True)
    assert answer.text == said("Hi, ünïcödé “you”")
    assert answer.usage == (INPUT, CACHED, OUTPUT)
    assert answer.model == pair.named()


@pytest.mark.pair(feature="tool loop")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.promise("translation.tools")
def test_a_tool_is_called_three_times_and_then_the_answer_comes(pair: Pair, stream: bool):
    driver = pair.driver
    driver.tools()
    answer = driver.ask("do: loop", stream=stream)
    for turn in range(1, TURNS + 1):
        [call] = answer.calls
        assert (call.name, call.input) == ("lookup", arguments(turn))
        driver.results({call.id: f"result {turn} “ü”"})
        answer = driver.go(stream=stream)
    assert answer.text == "Found: result 1 “ü” | result 2 “ü” | result 3 “ü”"
    assert answer.calls == []


@pytest.mark.pair(feature="parallel tool calls")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.promise("translation.tools")
def test_two_tools_are_called_at_once(pair: Pair, stream: bool, masked: None):
    driver = pair.driver
    driver.tools()
    answer = driver.ask("do: tools", stream=stream)
    assert [call.input for call in answer.calls] == [arguments(1), arguments(2)]
    driver.results({call.id: f"result {n}" for n, call in enumerate(answer.calls)})
    assert driver.go(stream=stream).text == "Found: result 0 | result 1"


@pytest.mark.pair(feature="images")
@pytest.mark.promise("translation.content")
def test_a_picture_arrives_as_it_was_sent(pair: Pair):
    pair.driver.user("do: see", PICTURE)
    assert pair.driver.go().text == pictured("image/png", PICTURE)


@pytest.mark.pair(feature="system prompt")
@pytest.mark.promise("translation.content")
def test_a_system_prompt_is_obeyed(pair: Pair):
    pair.driver.system = "Be brief, “ü”."
    assert pair.driver.ask("do: obey").text == "I was told: Be brief, “ü”."


@pytest.mark.pair(feature="structured output")
@pytest.mark.promise("translation.content")
def test_an_answer_keeps_to_the_schema(pair: Pair):
    pair.driver.schema()
    assert json.loads(pair.driver.ask("do: json").text) == {"city": "Köln", "land": "Köln"}


@pytest.mark.pair(feature="reasoning")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.promise("translation.content")
def test_reasoning_is_shown(pair: Pair, stream: bool):
    _think(pair)
    answer = pair.driver.ask("do: think", stream=stream)
    assert answer.thought == THOUGHT
    assert answer.text == said("do: think")


# Who signs, and whose clients can carry it. In between it is dropped, which the fakes of all others take.
_CARRIED = {
    "openai-chat": ("gemini", "vertex-gemini"),
    "openai-responses": ("openai-responses", "azure-v1", "anthropic-messages", "bedrock-converse"),
    "bedrock-converse": ("bedrock-converse", "bedrock-bearer"),
    "bedrock-invoke": ("bedrock-invoke", "bedrock-bearer"),
    "gemini": ("gemini", "vertex-gemini"),
    "vertex-gemini": ("gemini", "vertex-gemini"),
    "anthropic-messages": tuple(name for name in SOURCES["anthropic"][2] if name != "openai-chat"),
}


def _carries(source: str, target: str) -> bool:
    return target in _CARRIED[source]


def _found(pair: Pair, stream: bool) -> str:
    """What the answer is after thinking, a call and its result."""
    _think(pair)
    pair.driver.tools()
    [call] = pair.driver.ask("do: think-tool", stream=stream).calls
    pair.driver.results({call.id: "it"})
    return pair.driver.go(stream=stream).text


@pytest.mark.pair(feature="reasoning between tool calls")
@pytest.mark.parametrize("pair", _pairs(_carries), indirect=True)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_signed_reasoning_comes_back_to_who_signed_it(pair: Pair, stream: bool):
    assert _found(pair, stream) == f"Found: it, after {SIGNATURE}"


@pytest.mark.parametrize("pair", _pairs(lambda *names: not _carries(*names)), indirect=True)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_reasoning_that_nobody_can_carry_is_left_out(pair: Pair, stream: bool):
    assert _found(pair, stream) == "Found: it, after "


def _think(pair: Pair) -> None:
    if not isinstance(pair.driver, Chat):  # which has no way to ask, and is told what there is
        pair.driver.think()


@pytest.mark.pair(feature="errors")
@pytest.mark.promise("translation.errors")
def test_a_providers_error_is_the_sdks_own_exception(pair: Pair):
    before = len(pair.provider.seen)
    for status, stream in ((400, False), (429, True), (500, False), (500, True)):
        pair.driver.history.clear()
        with pytest.raises(pair.driver.errors[status]) as caught:
            pair.driver.ask(f"do: error {status}", stream=stream)
        assert pair.driver.status(caught.value) == status
        assert f"failed with {status} as ordered" in str(caught.value)
    assert len(pair.provider.seen) == before + 4


@pytest.mark.pair(feature="broken streams")
@pytest.mark.promise("translation.broken")
def test_a_stream_that_breaks_off_does_not_end_well(pair: Pair):
    with pytest.raises(pair.driver.broken):
        pair.driver.ask("do: break", stream=True)


@pytest.mark.pair(feature="cancellation")
@pytest.mark.promise("translation.broken")
def test_a_client_that_leaves_ends_the_providers_work(pair: Pair):
    before = pair.provider.left
    pair.driver.user("do: slow")
    pair.driver.leave()
    until("the provider noticed", lambda: pair.provider.left > before)
    pair.driver.history.clear()
    assert pair.driver.ask("Still there?").text == said("Still there?")
