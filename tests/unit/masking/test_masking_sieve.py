"""The sieve: it knows how many digits a rule wants, and leaves out only what cannot match."""

import random

import pytest

from extproc.masking import MaskFilter, Rule, RuleSet, StreamMasker, rules
from extproc.masking.checks import luhn
from extproc.masking.prefix import bounded
from extproc.masking.sieve import digit_counts, starts
from extproc.masking.syntax import parse

SHIPPED = RuleSet(rules())


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("4\\d{3}[ -]?[0-5]{4}", ({8}, {8}), id="one count"),
        pytest.param("\\b\\d{4,6}|\\d{9}", ({9}, {4, 5, 6, 9}), id="counts only where a word begins"),
        pytest.param("(?:1|22)x(?:3-?){2}", ({3, 4}, {3, 4}), id="alternatives and groups"),
        pytest.param("x\\d{4}", None, id="starts with a letter"),
        pytest.param("\\d?x\\d{4}", None, id="may start with a letter"),
        pytest.param("\\d\\w{3}", None, id="a class of digits and others"),
        pytest.param("\\d.", None, id="anything may be a digit"),
        pytest.param("\\d[5-a]", None, id="a class that goes on behind the digits"),
        pytest.param("\\d[^5]", None, id="a class of what is not"),
        pytest.param("\\d{40}", None, id="too many"),
    ],
)
def test_how_many_digits_a_match_has(pattern, expected):
    assert digit_counts(bounded(parse(pattern))) == expected


def test_the_card_rule_is_sieved():
    assert rules("card")[0].core.digits == ({15, 16}, set(range(13, 20)) | {12, 14})


@pytest.mark.parametrize("seed", range(40))
def test_exactly_the_places_with_a_right_check_digit_stay(seed):
    chance = random.Random(seed)
    text = "".join(chance.choice("0123456789" * 3 + " -x\u00e9") for _ in range(chance.randrange(120))).encode()
    free, every = frozenset({4, 15}), frozenset({4, 7, 15})
    expected = []
    for at in range(len(text)):
        if text[at : at + 1].isdigit():
            digits = "".join(chr(byte) for byte in text[at:] if 48 <= byte <= 57)
            glued = at > 0 and (text[at - 1 : at].isalnum() or text[at - 1 : at] == b"_")
            windows = [digits[:count] for count in (free if glued else every) if len(digits) >= count]
            if any(luhn(window) or set(window) == {"0"} for window in windows):
                expected.append(at)
    assert starts(text, free, every) == expected


@pytest.mark.parametrize("seed", range(60))
def test_long_runs_of_digits_are_masked_the_same_with_and_without_it(seed, monkeypatch):
    chance = random.Random(seed)
    unit = "".join(chance.choice("0123456789-  \u00a0") for _ in range(chance.randrange(1, 40)))
    cards = ["4111111111111111", "3782 822463 10005", "5555-5555-5555-4444", "+1 415 555 2671", "a@b.com"]
    text = "".join(
        chance.choice([unit, unit[:9], chance.choice(cards), str(chance.getrandbits(90))]) for _ in range(30)
    )
    mask = MaskFilter(SHIPPED)
    out = mask.text(text)
    stream = StreamMasker(SHIPPED)
    assert "".join([stream.feed(text[at : at + 200]) for at in range(0, len(text), 200)]) + stream.flush() == out
    monkeypatch.setattr("extproc.masking.search.ENOUGH", 1_000_000)
    plain = MaskFilter(SHIPPED)
    assert plain.text(text) == out
    assert plain.counts == mask.counts == stream.counts


def test_a_rule_that_is_not_sieved_is_found_among_many_digits():
    rule = Rule("id", "", "[0-9x]{5}", check="luhn", positives=("x0018",))
    assert rule.core.digits is None
    assert MaskFilter(RuleSet([rule, *rules()])).text("7" * 90 + " x0018") == "7" * 90 + " [masked:id]"
