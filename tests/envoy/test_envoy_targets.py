"""Which target serves a call, through the real Envoy: by order, weight and condition, and the same one for as long as
a conversation lasts."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.envoy.conftest import Scripted, scripted_gateway
from tests.envoy.gateway import Ports
from tests.envoy.policies import chat, completion, document
from tests.envoy.upstream import Line, Upstream


@dataclass
class Shared:
    """A gateway before two providers, a and b, which say what they were asked as."""

    made: Scripted
    a: Upstream
    b: Upstream

    def served(self, model: str, text: str = "hello", group: str = "shown", **more: Any) -> str:
        """provider/model, as the client is told it."""
        body = chat(text, model=model, **more)
        with self.made.client(group) as client:
            answer = client.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        said = str(answer.headers.get("x-gatereeve-model", ""))
        if said:
            record = self.made.gateway.record(answer)
            assert said == f"{record['upstream'].partition('/')[2]}/{record['upstream_model']}"
            assert said.partition("/")[2] == answer.json()["choices"][0]["message"]["content"]
        return said


async def named(line: Line) -> None:
    await line.whole(completion(line.request.json()["model"]))


@pytest.fixture(scope="module")
def shared() -> Iterator[Shared]:
    made = scripted_gateway(start=False)
    built = Shared(made, Upstream(Ports.take(1)), Upstream(Ports.take(1)))
    for name, upstream in (("a", built.a), ("b", built.b)):
        upstream.scripts[""] = named
        made.folder.write(
            document("LLMProvider", name, dialects=["openai-chat"], url=f"http://127.0.0.1:{upstream.port}")
        )
    a, b = {"provider": "a", "model": "up-a", "order": 0}, {"provider": "b", "model": "up-b", "order": 0}
    models: dict[str, Any] = {
        "weighted": {"targets": [{**a, "weight": 3}, b]},
        "by-caller": {"targets": [a, b], "sticky": "caller"},
        "spread": {"targets": [a, b], "sticky": "none"},
        "ordered": {"targets": [{**b, "order": 2}, {**a, "order": 1}]},
        "by-group": {
            "targets": [
                {"provider": "a", "model": "fast", "when": '"hasty" in identity.groups'},
                {"provider": "b", "model": "long", "when": "call.size > 5000"},
                {"provider": "a", "model": "usual", "when": 'call.dataClass == "internal" && !call.stream'},
            ]
        },
        "picky": {"targets": [{"provider": "a", "when": "size(call.tools) > 0"}]},
    }
    for name, spec in models.items():
        made.folder.write(document("Model", name, **spec))
    allowed = {"allow": list(models)}
    made.folder.write(
        document("AgentPolicy", "shown", subjects=[{"groups": ["shown", "hasty"]}], models=allowed, showModel=True)
    )
    made.folder.write(document("AgentPolicy", "quiet", subjects=[{"groups": ["quiet", "hasty"]}], models=allowed))
    made.gateway.start()
    yield built
    made.gateway.finish()
    for upstream in (built.a, built.b, made.upstream):
        upstream.close()


@pytest.mark.promise("routing.order")
def test_conversations_are_shared_by_weight(shared: Shared):
    found = Counter(shared.served("weighted", f"conversation {number}") for number in range(120))
    assert set(found) == {"a/up-a", "b/up-b"}
    assert 70 <= found["a/up-a"] <= 108, "three of four"


@pytest.mark.promise("routing.sticky")
def test_a_conversation_stays_where_it_began_on_every_worker(shared: Shared):
    for text in ("one", "two", "three", "four"):
        first = shared.served("weighted", text)
        turns = [{"role": "user", "content": text}]
        for turn in range(6):
            turns += [{"role": "assistant", "content": f"a{turn}"}, {"role": "user", "content": f"q{turn}"}]
            assert shared.served("weighted", messages=turns) == first


def test_a_caller_stays_or_nobody_does_if_the_model_says_so(shared: Shared):
    assert len({shared.served("by-caller", f"text {number}") for number in range(12)}) == 1
    assert len({shared.served("spread", "the same") for _ in range(30)}) == 2


@pytest.mark.promise("routing.order")
def test_the_lower_order_serves_wherever_it_stands_in_the_list(shared: Shared):
    assert {shared.served("ordered", str(number)) for number in range(6)} == {"a/up-a"}


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        pytest.param({}, "a/usual", id="by class"),
        pytest.param({"text": "x" * 6000}, "b/long", id="by size"),
        pytest.param({"group": "hasty"}, "", id="by identity, and not told by all who allow it"),
    ],
)
@pytest.mark.promise("routing.conditions")
def test_conditions_choose(shared: Shared, asked: dict[str, Any], target: str):
    assert shared.served("by-group", **asked) == target
    if not target:
        assert shared.a.seen[-1].json()["model"] == "fast"


@pytest.mark.promise("routing.conditions")
def test_a_call_that_no_target_takes_is_refused(shared: Shared):
    with shared.made.client("shown") as client:
        answer = client.post("/v1/chat/completions", json=chat("hello", model="picky"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "no-target")
    assert shared.made.gateway.record(answer)["rule"].startswith("Model/picky ")


@pytest.mark.promise("routing.told")
def test_who_may_not_know_is_not_told_which_target_served(shared: Shared):
    assert shared.served("ordered", group="quiet") == ""
