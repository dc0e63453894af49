"""Which of several targets serves a call, through the real Envoy: shares, stickiness, conditions, and what is told."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.envoy.conftest import Scripted, scripted_gateway
from tests.envoy.gateway import Ports
from tests.envoy.policies import chat, completion, document
from tests.envoy.upstream import Line, Upstream

NAMES = ("one", "two", "three")


class House:
    """A gateway before three providers that say their names."""

    def __init__(self, made: Scripted) -> None:
        self.made = made
        self.providers = {name: Upstream(Ports.take(1)) for name in NAMES}
        write = made.folder.write
        for name, upstream in self.providers.items():
            upstream.scripts[""] = self._says(name)
            write(document("LLMProvider", name, dialects=["openai-chat"], url=f"http://127.0.0.1:{upstream.port}",
                           credential={"from": {"value": f"key-of-{name}-0123456789"}},
                           dataClass="restricted" if name == "three" else "internal"))  # fmt: skip
        one, two, three = ({"provider": name, "model": f"up-{name}", "order": 0} for name in NAMES)
        models: dict[str, Any] = {
            "shared": {"targets": [{**one, "weight": 3}, two]},
            "by-caller": {"targets": [one, two], "sticky": "caller"},
            "by-nothing": {"targets": [one, two], "sticky": "none"},
            "ordered": {"targets": [{**one, "order": 9}, {**two, "order": 1}]},
            "special": {
                "targets": [
                    {**one, "order": 1, "when": '"vip" in identity.groups'},
                    {**two, "order": 2, "when": "call.stream"},
                    {**three, "order": 3, "when": "call.size > 2000"},
                    {**three, "model": "up-class", "order": 4, "when": 'call.dataClass == "restricted"'},
                    {**two, "model": "up-rest", "order": 5},
                ]
            },
            "vip-only": {"targets": [{**one, "when": '"vip" in identity.groups'}, {**two, "when": "false"}]},
        }
        for name, spec in models.items():
            write(document("Model", name, **spec))
        for name, more in {
            "shows": {"showModel": True},
            "quiet": {},
            "secret": {"showModel": True, "dataClass": "restricted"},
        }.items():
            write(document("AgentPolicy", name, subjects=[{"groups": [name]}], models={"allow": list(models)}, **more))

    def _says(self, name: str) -> Any:
        async def script(line: Line) -> None:
            await line.whole(completion(f"{name} {line.request.json()['model']}"))

        return script

    def ask(self, model: str, text: str = "hello", *groups: str, **more: Any) -> httpx2.Response:
        with self.made.client(*(groups or ("shows",))) as client:
            return client.post("/v1/chat/completions", json={**chat(text, model=model), **more})

    def served(self, model: str, text: str = "hello", *groups: str, **more: Any) -> str:
        """The provider and the model that it was asked for."""
        answer = self.ask(model, text, *groups, **more)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["choices"][0]["message"]["content"])

    def close(self) -> None:
        for upstream in self.providers.values():
            upstream.close()


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    made = scripted_gateway(start=False)
    built = House(made)
    made.gateway.start()
    yield built
    made.gateway.finish()
    built.close()
    made.upstream.close()


@pytest.mark.promise("routing.order")
@pytest.mark.promise("routing.sticky")
def test_conversations_are_shared_by_weight_and_stay_where_they_are_as_they_grow(house: House):
    token = house.made.issuer.token("shows")
    with ThreadPoolExecutor(4) as pool:

        def talk(number: int) -> list[str]:
            with httpx2.Client(base_url=house.made.gateway.url, trust_env=False, verify=False) as client:
                messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"Topic {number}"}]
                said = []
                for turn in range(3):
                    answer = client.post("/v1/chat/completions", json={"model": "shared", "messages": messages},
                                         headers={"authorization": f"Bearer {token}"})  # fmt: skip
                    said.append(answer.json()["choices"][0]["message"]["content"])
                    messages += [{"role": "assistant", "content": said[-1]}, {"role": "user", "content": f"And {turn}"}]
                return said

        talks = list(pool.map(talk, range(160)))
    assert all(len(set(said)) == 1 for said in talks)
    shares = Counter(said[0] for said in talks)
    assert set(shares) == {"one up-one", "two up-two"}
    assert 0.60 <= shares["one up-one"] / 160 <= 0.88  # three quarters, four standard deviations of fair drawing


def test_by_caller_all_of_ones_conversations_go_to_one(house: House):
    assert len({house.served("by-caller", f"topic {number}") for number in range(12)}) == 1


def test_by_nothing_even_one_conversation_is_shared(house: House):
    assert {house.served("by-nothing") for _ in range(24)} == {"one up-one", "two up-two"}


@pytest.mark.promise("routing.sticky")
def test_a_key_that_the_client_caches_by_keeps_its_target(house: House):
    assert len({house.served("shared", f"topic {n}", prompt_cache_key="k") for n in range(12)}) == 1


@pytest.mark.promise("routing.order")
def test_a_lower_order_comes_first(house: House):
    assert {house.served("ordered", f"topic {number}") for number in range(8)} == {"two up-two"}


@pytest.mark.parametrize(
    ("groups", "more", "expected"),
    [
        pytest.param(("shows", "vip"), {}, "one up-one", id="identity"),
        pytest.param(("shows",), {"stream": True}, "two up-two", id="streaming"),
        pytest.param(("shows",), {"user": "u" * 3000}, "three up-three", id="size"),
        pytest.param(("secret",), {}, "three up-class", id="class of data"),
        pytest.param(("shows",), {}, "two up-rest", id="none of them"),
    ],
)
@pytest.mark.promise("routing.conditions")
def test_conditions_say_who_serves(house: House, groups: tuple[str, ...], more: dict[str, Any], expected: str):
    for upstream in house.providers.values():
        upstream.seen.clear()
    answer = house.ask("special", "hello", *groups, **more)
    name, model = expected.split()
    assert [arrived.json()["model"] for arrived in house.providers[name].seen] == [model]
    assert sum(len(upstream.seen) for upstream in house.providers.values()) == 1
    assert house.made.gateway.record(answer)["upstream_model"] == model


@pytest.mark.promise("routing.conditions")
def test_a_call_that_no_condition_lets_pass_is_refused_with_the_reason(house: House):
    answer = house.ask("vip-only")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "no-target")
    assert house.served("vip-only", "hello", "shows", "vip") == "one up-one"


@pytest.mark.promise("sensitivity.refused")
def test_a_target_without_clearance_gets_nothing_however_the_others_fare(house: House):
    for upstream in house.providers.values():
        upstream.seen.clear()
    answer = house.ask("ordered", "hello", "secret")
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "provider-not-cleared"
    assert not any(upstream.seen for upstream in house.providers.values())


@pytest.mark.parametrize(
    ("groups", "shown"),
    [
        pytest.param(("shows",), True, id="a policy that shows it"),
        pytest.param(("quiet",), False, id="a policy that does not"),
        pytest.param(("shows", "quiet"), False, id="one of each"),
    ],
)
@pytest.mark.parametrize("model", ["ordered", "vip-only"])
@pytest.mark.promise("routing.told")
def test_the_target_is_told_only_if_every_allowing_policy_shows_it(
    house: House, groups: tuple[str, ...], shown: bool, model: str
):
    answer = house.ask(model, "hello", *groups, "vip")
    assert answer.status_code == 200
    told = answer.headers.get("x-gatereeve-model")
    expected = {"ordered": "two/up-two", "vip-only": "one/up-one"}[model]
    assert told == (expected if shown else None)
    assert house.made.gateway.record(answer)["upstream"] == f"LLMProvider/{expected.partition('/')[0]}"


@pytest.mark.promise("failover.clean")
def test_no_credential_goes_to_the_wrong_provider(house: House):
    house.served("shared")
    for name, upstream in house.providers.items():
        for arrived in upstream.seen:
            assert arrived.header("authorization") == f"Bearer key-of-{name}-0123456789"
            assert json.loads(arrived.body)["model"].startswith("up-")
