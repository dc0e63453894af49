"""How targets share calls: in proportion to their weights, each key always the same, and no key moves without need."""

from collections import Counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from extproc.policy import routing
from extproc.policy.facts import Facts
from extproc.policy.routing import legs
from extproc.policy.runtime import Failover, LlmProvider, Model, Target, Upstream
from extproc.policy.sensitivity import DataClass

MANY = 4000
NAMES = [f"p{number}" for number in range(8)]
WEIGHTS = st.lists(st.integers(0, 1000), min_size=2, max_size=8)


def target(name: str, weight: int = 1, order: int = 0) -> Target:
    upstream = Upstream(f"LLMProvider/{name}", f"llm_{name}", "x.example", 443, True, "x.example", "")
    return Target(LlmProvider(name, ("openai-chat",), True, upstream, "rule"), "m", order=order, weight=weight)


def model(*targets: Target) -> Model:
    return Model("m", tuple(sorted(targets, key=lambda each: each.order)), "rule", Failover(attempts=99))


def order(made: Model, key: bytes) -> list[str]:
    found = legs(made, "openai-chat", DataClass.PUBLIC, Facts(dict), lambda: key)
    assert isinstance(found, tuple)
    return [leg.target.provider.name for leg in found]


def keys(count: int = MANY) -> list[bytes]:
    return [f"issuer\0ada\0m\0conversation {number}".encode() for number in range(count)]


@pytest.mark.parametrize(
    "weights",
    [
        pytest.param((1, 1), id="two alike"),
        pytest.param((3, 1), id="three to one"),
        pytest.param((90, 9, 1), id="a canary of one in a hundred"),
        pytest.param((1, 1, 1, 1, 1, 1, 1, 1), id="eight alike"),
        pytest.param((1000, 1), id="as uneven as it gets"),
        pytest.param((5, 0), id="one without weight"),
    ],
)
def test_each_target_gets_its_share_of_many_conversations(weights: tuple[int, ...]):
    made = model(*(target(name, weight) for name, weight in zip(NAMES, weights, strict=False)))
    got = Counter(order(made, key)[0] for key in keys())
    for name, weight in zip(NAMES, weights, strict=False):
        share = weight / sum(weights)
        spread = 4 * (share * (1 - share) / MANY) ** 0.5  # four standard deviations of fair drawing
        assert abs(got[name] / MANY - share) <= spread


def test_the_calls_of_a_target_that_fails_are_shared_by_weight_too():
    made = model(target("a", 2), target("b", 1), target("c", 1))
    second = Counter(found[1] for key in keys() if (found := order(made, key))[0] == "a")
    assert second["b"] == pytest.approx(second["c"], rel=0.15)


@given(weights=WEIGHTS, key=st.binary(max_size=200))
@pytest.mark.promise("routing.shares")
def test_one_key_always_gets_the_same_sequence_of_all_targets(weights: list[int], key: bytes):
    targets = [target(name, weight) for name, weight in zip(NAMES, weights, strict=False)]
    found = order(model(*targets), key)
    assert found == order(model(*targets), key)
    assert sorted(found) == sorted(NAMES[: len(weights)])


@given(weights=WEIGHTS, key=st.binary(max_size=200), shuffle=st.randoms())
def test_the_order_of_the_documents_list_matters_to_nobody_with_weight(weights: list[int], key: bytes, shuffle):
    targets = [target(name, weight + 1) for name, weight in zip(NAMES, weights, strict=False)]
    before = order(model(*targets), key)
    shuffle.shuffle(targets)
    assert order(model(*targets), key) == before


@given(weights=WEIGHTS, key=st.binary(max_size=200), new=st.integers(1, 1000))
@pytest.mark.promise("routing.shares")
def test_a_target_that_comes_moves_only_the_keys_it_takes(weights: list[int], key: bytes, new: int):
    assume(any(weights))
    targets = [target(name, weight) for name, weight in zip(NAMES, weights, strict=False)]
    before = order(model(*targets), key)
    after = order(model(*targets, target("new", new)), key)
    assert after[0] in (before[0], "new")
    assert [name for name in after if name != "new"] == before


@given(weights=WEIGHTS, key=st.binary(max_size=200), gone=st.integers(0, 7))
@pytest.mark.promise("routing.shares")
def test_a_target_that_goes_moves_only_the_keys_it_had(weights: list[int], key: bytes, gone: int):
    assume(len(weights) > 2 and gone < len(weights))
    targets = [target(name, weight) for name, weight in zip(NAMES, weights, strict=False)]
    before = order(model(*targets), key)
    del targets[gone]
    assert order(model(*targets), key) == [name for name in before if name != NAMES[gone]]


@given(weights=WEIGHTS, key=st.binary(max_size=200), more=st.integers(1, 1000))
def test_more_weight_takes_keys_and_gives_none_away(weights: list[int], key: bytes, more: int):
    targets = [target(name, weight + 1) for name, weight in zip(NAMES, weights, strict=False)]
    before = order(model(*targets), key)
    targets[0] = target(NAMES[0], weights[0] + 1 + more)
    after = order(model(*targets), key)
    assert after.index(NAMES[0]) <= before.index(NAMES[0])
    assert [name for name in after if name != NAMES[0]] == [name for name in before if name != NAMES[0]]


@given(orders=st.lists(st.integers(0, 3), min_size=2, max_size=8), key=st.binary(max_size=50))
def test_a_lower_order_comes_first_whatever_the_weights(orders: list[int], key: bytes):
    targets = [target(name, 1 + 100 * place, place) for name, place in zip(NAMES, orders, strict=False)]
    by_name = dict(zip(NAMES, orders, strict=False))
    found = [by_name[name] for name in order(model(*targets), key)]
    assert found == sorted(orders)


@given(weights=WEIGHTS, key=st.binary(max_size=50))
def test_one_without_weight_is_only_for_when_the_others_fail(weights: list[int], key: bytes):
    by_name = dict(zip(NAMES, weights, strict=False))
    made = model(*(target(name, weight) for name, weight in by_name.items()))
    found = [by_name[name] > 0 for name in order(made, key)]
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("drawn", [b"\x00" * 64, b"\xff" * 64], ids=["lowest", "highest"])
def test_no_draw_is_without_a_score(drawn: bytes, monkeypatch: pytest.MonkeyPatch):
    class Fixed:
        def __init__(self, data: bytes, *, digest_size: int, key: bytes = b"") -> None:
            self._size = digest_size

        def digest(self) -> bytes:
            return drawn[: self._size]

    monkeypatch.setattr(routing, "blake2b", Fixed)
    assert order(model(target("a", 1000), target("b", 1)), b"x")[0] in ("a", "b")
