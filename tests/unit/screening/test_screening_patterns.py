"""The notation of phrases and the door to RE2."""

import pytest

from extproc.screening.judge import _RULES
from extproc.screening.patterns import Pattern, Phrases, decoded, encoded, phrase


@pytest.mark.parametrize(
    ("notation", "text", "found"),
    [
        pytest.param("drop it", "DROP -- **it**", True, id="a blank is any gap"),
        pytest.param("drop it", "dropit", False, id="a gap is not nothing"),
        pytest.param("drop <2>it", "drop it", True, id="no word in a gap for words"),
        pytest.param("drop <2>it", "drop all of it", True, id="two words"),
        pytest.param("drop <2>it", "drop all of this it", False, id="three words are too many"),
        pytest.param("drop it", "dropжit", False, id="a letter of another script is no gap"),
        pytest.param("drop it", "drop\u2003\u2014it", True, id="typographic punctuation is a gap"),
        pytest.param("[a b]c", "bc", True, id="a blank in a class is a blank"),
        pytest.param("[a b]c", " c", True, id="and matches as one"),
        pytest.param(r"a\[ ?b", "a[b", True, id="an escaped bracket begins no class"),
    ],
)
def test_a_phrase_finds(notation, text, found):
    assert Pattern(phrase(notation)).found(encoded(text)) is found


def test_a_set_answers_which_patterns_occur():
    phrases = Phrases(["alpha", "beta"], ["gamma"])
    assert sorted(phrases.hits(b"GAMMA and alpha")) == [0, 2]
    assert phrases.hits(b"nothing") == []


def test_places_and_parts_are_in_bytes_and_groups_are_text():
    pattern = Pattern("(é)(x)?")
    assert list(pattern.places("aéé".encode())) == [(1, 3), (3, 5)]
    assert list(pattern.parts("é".encode())) == [((0, 2), ("é", ""))]


def test_a_lone_surrogate_goes_there_and_back():
    assert decoded(encoded("a\ud800b")) == "a\ud800b"


def test_every_rule_has_a_sentence_and_weights_in_range():
    for rule in _RULES:
        assert rule.sign.reason.endswith(".")
        assert 0 <= rule.sign.result <= rule.sign.description <= 90
