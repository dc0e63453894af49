"""Rules together: precedence, names, the bound that is stated."""

import pytest

from extproc.errors import RuleError
from extproc.masking import MaskFilter, Rule, RuleSet, StreamMasker, rules

A = Rule("a", "", "xy", positives=("xy",))
B = Rule("b", "", "xyz?", positives=("xy",))


def test_the_longest_match_wins_and_then_the_first_rule():
    assert MaskFilter(RuleSet([A, B])).text("xyz xy") == "[masked:b] [masked:a]"
    assert MaskFilter(RuleSet([B, A])).text("xyz xy") == "[masked:b] [masked:b]"


def test_a_name_twice_is_refused():
    with pytest.raises(RuleError, match="occurs twice"):
        RuleSet([A, A])


def test_an_action_for_a_rule_that_is_not_there_is_refused():
    with pytest.raises(RuleError, match="'card', which is not in the set"):
        RuleSet([A], {"card": "drop"})


def test_an_action_that_cannot_be_done_is_refused_by_rule():
    with pytest.raises(RuleError, match="rule 'a': no such action"):
        RuleSet([A], {"a": "blur"})


def test_longest_is_the_most_that_ever_waits():
    compiled = RuleSet([A, Rule("c", "", "q[0-9]{2,7}w", positives=("q12w",))])
    assert compiled.longest == 9
    masker = StreamMasker(compiled)
    assert masker.feed("q1234567") == ""
    assert masker.held == 8


def test_no_rules_mask_nothing_and_hold_nothing():
    masker = StreamMasker(RuleSet(()))
    assert masker.feed("4111 1111 1111 1111") == "4111 1111 1111 1111"
    assert masker.flush() == ""


def test_no_match_is_shorter_than_the_shortest():
    assert RuleSet(rules()).shortest == len("a@b.co")
    two = RuleSet([A, Rule("c", "", "é{1,2}", positives=("é",))])
    assert two.shortest == 1
    assert MaskFilter(two).text("é") == "[masked:c]"
    assert MaskFilter(RuleSet([A])).text("xy") == "[masked:a]"
    assert MaskFilter(RuleSet([A])).text("\ud800") == "\ufffd"
    assert RuleSet([]).shortest == 1


@pytest.mark.parametrize(
    ("text", "begin", "expected"),
    [
        pytest.param("no secret at all", 0, -1, id="prose"),
        pytest.param("mail a@b.com", 0, 5, id="where a match may start"),
        pytest.param("a@b.com and prose", 8, -1, id="what was decided before"),
        pytest.param("a@b.com and c@d.com", 8, 12, id="what was decided before, and another"),
        pytest.param("phone: and prose", 7, 7, id="a keyword reaches into what is undecided"),
        pytest.param("phone: and prose", 0, 0, id="a keyword that is undecided itself"),
    ],
)
def test_from_where_on_something_is_suspected(text, begin, expected):
    assert RuleSet(rules()).suspect(text.encode(), begin) == expected
