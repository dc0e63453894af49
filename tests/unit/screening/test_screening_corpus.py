"""The corpora of tests/corpus/screening: what is caught, what is wrongly caught, and what is known to be missed.

The figures in docs/screening.md are these; run this file with `-s` to see them by technique.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from extproc.screening import FLAG, REFUSE, Kind, screen

CORPUS = Path(__file__).parents[2] / "corpus" / "screening"
# Techniques that phrases cannot catch. Listed, so that catching one or losing another is noticed.
MISSED = {"paraphrase": 8}


class Text(NamedTuple):
    group: str
    kind: Kind
    text: str


def texts(name: str) -> Iterator[Text]:
    groups = yaml.safe_load((CORPUS / f"{name}.yaml").read_text(encoding="utf-8"))
    for group, kinds in groups.items():
        for kind, entries in kinds.items():
            yield from (Text(group, kind, entry) for entry in entries)


ATTACKS, HARMLESS, FRESH = list(texts("attacks")), list(texts("harmless")), list(texts("fresh"))


def reached(entries: list[Text], score: int) -> list[Text]:
    return [entry for entry in entries if screen(entry.text, entry.kind).score >= score]


def by_group(title: str, entries: list[Text]) -> None:
    flagged, refused = reached(entries, FLAG), reached(entries, REFUSE)
    print(f"\n{title}: {len(flagged)} of {len(entries)} flagged, {len(refused)} refused")
    for group in dict.fromkeys(entry.group for entry in entries):
        counts = [sum(entry.group == group for entry in some) for some in (entries, flagged, refused)]
        print(f"| {group} | {counts[0]} | {counts[1]} | {counts[2]} |")


def test_the_corpora_are_large_and_no_text_stands_in_them_twice():
    assert len(ATTACKS) >= 200
    assert len(HARMLESS) >= 200
    every = [(entry.kind, entry.text) for entry in ATTACKS + HARMLESS + FRESH]
    assert len(every) == len(set(every))


@pytest.mark.promise("screening.corpus")
def test_of_the_attacks_at_least_95_of_100_are_flagged():
    by_group("attacks", ATTACKS)
    assert len(reached(ATTACKS, FLAG)) >= 0.95 * len(ATTACKS)


def test_the_misses_are_the_listed_ones():
    caught = set(reached(ATTACKS, FLAG))
    missed = [entry.group for entry in ATTACKS if entry not in caught]
    assert {group: missed.count(group) for group in missed} == MISSED


@pytest.mark.promise("screening.corpus")
def test_of_the_harmless_at_most_1_of_100_is_refused_and_5_of_100_are_flagged():
    by_group("harmless", HARMLESS)
    assert len(reached(HARMLESS, REFUSE)) <= 0.01 * len(HARMLESS)
    assert len(reached(HARMLESS, FLAG)) <= 0.05 * len(HARMLESS)


def test_attacks_written_after_the_rules_are_mostly_flagged_too():
    by_group("fresh", FRESH)
    assert len(reached(FRESH, FLAG)) >= 0.6 * len(FRESH)


def test_text_about_prompt_injection_is_never_refused():
    articles = [entry for entry in HARMLESS if entry.group == "security-articles"]
    assert len(articles) >= 15
    assert not reached(articles, REFUSE)


@pytest.mark.parametrize("entry", HARMLESS, ids=lambda entry: f"{entry.group}: {entry.text[:24]!r}".encode("ascii", "replace").decode())  # fmt: skip # noqa: E501
def test_no_signal_quotes_the_text(entry):
    words = {word for word in entry.text.split() if len(word) > 12}
    for signal in screen(entry.text, entry.kind).signals:
        assert not words & set(signal.reason.split())
