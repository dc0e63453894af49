"""A rule is found in a text exactly when masking with this rule alone leaves a label; in texts, when it is in one."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extproc.masking import MaskFilter, RuleSet, literal_rule, rules
from extproc.masking.finder import Finder

ALL = (*rules(), literal_rule("clients", ["Acme Ltd", "Zoë & Co"], ignore_case=True))
ALONE = {rule.name: RuleSet((rule,)) for rule in ALL}
FINDER = Finder(ALL)
PIECES = [text for rule in ALL for text in (*rule.positives, *rule.negatives)]
KEYWORDS = [word for rule in ALL for word in rule.keywords]
GLUE = [
    "",
    " ",
    "\n",
    ".",
    "-",
    "@",
    "x",
    "0",
    "4",
    "é",
    "\ud83d",
    "=",
    '"',
    "ACME ltd",
    "1234567890" * 8,
    "a@b.example " * 20,
]
RELAXED = settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))

text = st.lists(st.sampled_from(PIECES * 2 + KEYWORDS + GLUE * 3), max_size=8).map("".join)


def labelled(found: str) -> set[str]:
    names = set()
    for name, ruleset in ALONE.items():
        mask = MaskFilter(ruleset)
        mask.text(found)
        names |= {name} & mask.counts.keys()
    return names


@pytest.mark.parametrize("example", [pytest.param(piece, id=f"{number}") for number, piece in enumerate(PIECES)])
def test_every_example_of_every_rule(example: str) -> None:
    assert FINDER.found([example]) == labelled(example)


@RELAXED
@given(st.lists(text, max_size=4))
def test_found_is_what_masking_labels(texts: list[str]) -> None:
    assert FINDER.found(texts) == set().union(*map(labelled, texts))


@RELAXED
@given(st.lists(text, max_size=4), st.integers(1, 3))
def test_enough_is_a_part_of_all(texts: list[str], enough: int) -> None:
    everything = FINDER.found(texts)
    some = FINDER.found(texts, enough=enough)
    assert some <= everything
    assert len(some) >= min(enough, len(everything))
