"""The work that hostile text may cost: counted, the same on every machine, and bounded."""

import pytest

from extproc.errors import Uninspectable
from extproc.masking import MaskFilter, RuleSet, rules

RULES = RuleSet(rules())
HOSTILE = [
    pytest.param("DE89 ", id="beginnings of account numbers"),
    pytest.param("2 ", id="digits with spaces"),
    pytest.param("1-2-3-4-", id="digits with hyphens"),
]


def steps(text: str, **options: int) -> int:
    mask = MaskFilter(RULES, **options)
    mask.text(text)
    return mask.steps


@pytest.mark.parametrize("piece", HOSTILE)
def test_work_grows_with_the_text_and_is_the_same_every_time(piece: str) -> None:
    small, large = steps(piece * 1_000), steps(piece * 4_000)
    assert 0 < small < large <= 5 * small
    assert steps(piece * 1_000) == small


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_text_that_costs_more_than_the_budget_is_not_inspected(piece: str) -> None:
    with pytest.raises(Uninspectable, match="too much work") as caught:
        MaskFilter(RULES).text(piece * (3_000_000 // len(piece)))
    assert caught.value.reason == "answer-unreadable"
    limit = steps(piece * 1_000)
    assert steps(piece * 1_000, limit=limit) == limit
    with pytest.raises(Uninspectable):
        steps(piece * 1_000, limit=limit - 1)


def test_the_budget_is_one_for_all_texts_and_streams_of_an_exchange_until_it_is_renewed() -> None:
    once = steps("DE89 " * 100)
    mask = MaskFilter(RULES, limit=2 * once)
    mask.text("DE89 " * 100)
    stream = mask.stream()
    stream.feed("DE89 " * 100)
    with pytest.raises(Uninspectable):
        mask.text("DE89 " * 100)
    mask.renew()
    assert mask.steps == 0
    mask.text("DE89 " * 100)


def test_prose_costs_nothing_of_it_and_an_export_of_addresses_fits() -> None:
    assert steps("Lorem ipsum dolor sit amet. " * 50_000) == 0
    assert steps("4" * 1_000_000) < 100_000
    assert steps("somebody@example.com, 4111 1111 1111 1111, +49 30 901820\n" * 15_000) > 0


def test_digits_cost_what_their_sieve_costs() -> None:
    with pytest.raises(Uninspectable):
        steps("4" * 6_000_000)
