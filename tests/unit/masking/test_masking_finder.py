"""What texts hold, told by the names of the rules."""

import pytest

from extproc.errors import Uninspectable
from extproc.masking import MaskFilter, Rule, RuleSet, literal_rule, rules
from extproc.masking.finder import Finder

FINDER = Finder(rules())


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        pytest.param([], set(), id="no texts hold nothing"),
        pytest.param(["", "The budget for 2026 is open."], set(), id="prose holds nothing"),
        pytest.param(["pay 4111 1111 1111 1111"], {"card"}, id="a card"),
        pytest.param(["pay 4111 1111 1111 1112"], set(), id="a card with a wrong check digit is none"),
        pytest.param(["a", "b@example.com", "4111111111111111"], {"card", "email"}, id="rules of several texts"),
        pytest.param(["ssn: 536904399"], {"us-ssn-plain"}, id="a number behind its keyword"),
        pytest.param(["ssn:", "536904399"], set(), id="a keyword in another text is not near"),
        pytest.param(["536904399"], set(), id="a number without its keyword"),
        pytest.param(["\ud83d b@example.com"], {"email"}, id="half a character beside an address"),
        pytest.param(["4111", "1111", "1111", "1111"], set(), id="texts are not glued together"),
    ],
)
def test_finds(texts: list[str], names: set[str]) -> None:
    assert FINDER.found(texts) == names
    assert FINDER.found(iter(texts)) == names


def test_a_match_inside_another_is_found_where_masking_leaves_one_label() -> None:
    inner = Rule("inner", "", "b\\d", positives=("b1",))
    outer = Rule("outer", "", "ab\\dc", positives=("ab1c",))
    mask = MaskFilter(RuleSet((outer, inner)))
    mask.text("ab1c")
    assert mask.counts == {"outer": 1}
    assert Finder((outer, inner)).found(["ab1c"]) == {"outer", "inner"}


@pytest.mark.parametrize("pattern", [pytest.param("^key", id="a beginning"), pytest.param("key$", id="an end")])
def test_a_rule_that_asks_for_an_edge_of_the_text_is_found_in_any_of_several_texts(pattern: str) -> None:
    rule = Rule("edge", "", pattern, positives=("key",))
    assert Finder((rule,)).found(["x", "key", "y"]) == {"edge"}
    assert Finder((rule,)).found(["x key y"]) == set()


def test_stops_at_enough_names() -> None:
    texts = ["b@example.com", "4111111111111111", "536-90-4399"]
    assert FINDER.found(texts, enough=1) == {"email"}
    assert len(FINDER.found(texts, enough=2)) == 2
    assert len(FINDER.found(texts)) == 3


def test_many_matches_of_one_rule_hide_no_other_and_cost_little() -> None:
    texts = ["a@example.com " * 2_000 + "4111111111111111"]
    assert FINDER.found(texts, limit=1_000) == {"email", "card"}


def test_a_number_in_a_long_run_of_digits_is_found_alone() -> None:
    assert FINDER.found(["a@example.com " * 50 + "9" * 400 + " 4111111111111111"]) == {"email", "card"}


def test_beyond_the_budget_of_all_texts_nothing_is_known() -> None:
    hostile = "DE89 " * 2_000
    assert FINDER.found([hostile]) == set()
    with pytest.raises(Uninspectable):
        FINDER.found([hostile] * 3, limit=5_000)


def test_a_list_of_texts_is_found_whatever_their_case() -> None:
    finder = Finder((literal_rule("clients", ["Acme Ltd"], ignore_case=True),))
    assert finder.found(["for ACME LTD."]) == {"clients"}
