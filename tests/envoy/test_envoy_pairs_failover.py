"""Failover between providers that differ in API, vendor and credential: each of them judges strictly what it gets, so
nothing of one attempt can be left in the next."""

from collections.abc import Iterator

import anthropic
import openai
import pytest

from tests.envoy import policies
from tests.envoy.conftest import Served
from tests.envoy.gateway import until
from tests.envoy.providers.cast import TARGETS
from tests.envoy.providers.drivers import Chat, Driver, Messages
from tests.envoy.providers.plays import TURNS, said

pytestmark = pytest.mark.envoy
ORDER = ("anthropic-messages", "bedrock-converse", "gemini", "openai-chat")
NAMES = [TARGETS[name].provider for name in ORDER]


@pytest.fixture(scope="module")
def many(served: Served) -> Served:
    """With two Models that four providers serve, one after the other. Envoy judges the health of providers, so these
    are LLMProviders of their own: those of `many` are kept well, those of `ill` are not."""
    gateway, folder = served.scripted.gateway, served.scripted.folder
    before = gateway.policy_version()
    for kind in ("many", "ill"):
        targets = []
        for name in ORDER:
            target = TARGETS[name]
            spec = {"dialects": list(target.dialects), "credential": target.credential}
            url = served.cast[target.provider].url
            folder.write(policies.document("LLMProvider", f"{kind}-{name}", url=url, **spec))
            targets.append({"provider": f"{kind}-{name}", "model": target.model})
        folder.write(policies.document("Model", kind, targets=targets, failover={"attempts": 4}))
    until("all workers have every document", lambda: _is_new(served, before))
    return served


def _is_new(served: Served, before: set[str]) -> bool:
    """Files are written one by one: what counts is that the last one's Model is there, in all workers."""
    if len(versions := served.scripted.gateway.policy_version()) != 1 or versions & before:
        return False
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=served.token()) as sdk:
        return "ill" in [model.id for model in sdk.models.list()]


@pytest.fixture(params=[Chat, Messages], ids=["openai's chat", "anthropic"])
def driver(many: Served, request: pytest.FixtureRequest) -> Iterator[Driver]:
    sdk = Chat(many.url, many.token(), "many")
    with pytest.raises(
        openai.RateLimitError
    ):  # five failures in a row make a provider ill; a 429 is none, and all say it
        sdk.ask("do: error 429")
    sdk.close()
    many.cast.taken()
    made: Driver = request.param(many.url, many.token(), "many")
    yield made
    made.close()
    assert many.cast.taken() == ([], set())


def _counts(served: Served) -> list[int]:
    return [len(served.cast[name].seen) for name in NAMES]


@pytest.mark.parametrize("how", ["429", "500", "503", "reset"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("last", range(1, 4), ids=NAMES[1:])
@pytest.mark.promise("failover.saves")
@pytest.mark.promise("failover.clean")
def test_the_next_provider_serves_what_those_before_could_not(
    many: Served, driver: Driver, how: str, stream: bool, last: int
):
    before = _counts(many)
    text = f"do: spare {NAMES[last]} {how}"
    assert driver.ask(text, stream=stream).text == said(text)
    asked = [now - then for now, then in zip(_counts(many), before, strict=True)]
    assert asked == [1] * (last + 1) + [0] * (3 - last)


@pytest.mark.promise("routing.sticky")
def test_a_tool_loop_goes_on_with_the_same_provider(many: Served, driver: Driver):
    driver.tools()
    before = _counts(many)
    answer = driver.ask("do: loop")
    for turn in range(TURNS):
        driver.results({answer.calls[0].id: f"result {turn}"})
        answer = driver.go()
    assert answer.text == "Found: result 0 | result 1 | result 2"
    assert [now - then for now, then in zip(_counts(many), before, strict=True)] == [TURNS + 1, 0, 0, 0]


@pytest.mark.promise("failover.begun")
def test_a_stream_that_broke_after_its_beginning_is_not_begun_anew_elsewhere(many: Served, driver: Driver):
    before = _counts(many)
    first = many.cast[NAMES[0]]
    first.dropped.clear()
    body = {"model": "many", "messages": [{"role": "user", "content": "do: spare gemini drop"}], "stream": True}
    if isinstance(driver, Messages):
        stream = driver.client.messages.create(**body, max_tokens=99)
    else:
        stream = driver.client.chat.completions.create(**body)
    next(iter(stream))
    first.dropped.set()
    with pytest.raises(driver.broken):
        list(stream)
    assert [now - then for now, then in zip(_counts(many), before, strict=True)] == [1, 0, 0, 0]


@pytest.mark.promise("failover.client-errors")
def test_a_mistake_of_the_clients_is_told_and_tried_nowhere_else(many: Served, driver: Driver):
    before = _counts(many)
    with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)):
        driver.ask("do: error 400")
    assert [now - then for now, then in zip(_counts(many), before, strict=True)] == [1, 0, 0, 0]


@pytest.mark.promise("failover.last-word")
def test_when_all_fail_the_last_ones_error_is_told_in_the_clients_own_words(many: Served, driver: Driver):
    before = _counts(many)
    with pytest.raises(driver.errors[429]) as caught:
        driver.ask("do: error 429")
    assert "failed with 429 as ordered" in str(caught.value)
    assert [now - then for now, then in zip(_counts(many), before, strict=True)] == [1, 1, 1, 1]


@pytest.mark.promise("failover.circuit")
def test_a_provider_that_keeps_failing_is_left_alone_for_a_while(many: Served):
    driver = Chat(many.url, many.token(), "ill")
    before = _counts(many)
    for _ in range(8):
        driver.history.clear()
        assert driver.ask("do: spare bedrock 503").text == said("do: spare bedrock 503")
    driver.close()
    assert [now - then for now, then in zip(_counts(many), before, strict=True)] == [5, 8, 0, 0]
