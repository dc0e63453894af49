"""The door to RE2: both ways through it lead to the same place."""

import pytest
import re2

from extproc.masking import automaton
from extproc.masking.automaton import Automaton, Refused, direct, public

TEXTS = [b"", b"a", b"aab ab\xc3\xa9 ab", b"4111 1111", "é中😀a".encode(), b"\xff\xfe\x00", bytes(300)]
PATTERNS = ["a*b\\b", "(?:b|ab?)\\z", "", "\\d{2,4}", "(?i:k)", "[^a]", "^a", "\\x{4e2d}.?"]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("longest", [True, False])
def test_the_quick_way_answers_as_the_public_one_between_all_limits(pattern, longest):
    compiled = Automaton(pattern, longest=longest)._pattern
    for text in TEXTS:
        for begin in range(min(len(text), 20) + 1):
            for end in range(begin, len(text) + 1):
                answers = [tuple(ask(text, begin, end) for ask in way(compiled)) for way in (direct, public)]
                assert answers[0] == answers[1], (text, begin, end)


def test_this_re2_has_the_quick_way():
    assert automaton.DOOR is direct


def test_a_match_is_the_leftmost_and_longest_one():
    some = Automaton("a|ab")
    text = b"xxabab"
    assert some.find(text, 0, 6) == (2, 4)
    assert some.start(text, 3, 6) == 4
    assert some.reach(text, 4, 6) == 6
    assert some.reach(text, 4, 5) == 5
    assert some.reach(text, 0, 6) == -1
    assert some.find(text, 5, 6) is None
    assert Automaton("a|ab", longest=False).find(text, 0, 6) == (2, 3)


def test_what_stands_beyond_a_limit_is_seen_by_assertions_only():
    assert Automaton("ab\\b").find(b"abab", 0, 2) is None
    assert Automaton("ab\\b").find(b"ab-b", 0, 2) == (0, 2)


SAME = re2.compile(b"a*b\\b")


class Other:
    """A pattern of an RE2 that has changed."""

    def __init__(self, spans):
        self._regexp = self
        self.Match = spans
        self.search, self.match = SAME.search, SAME.match


@pytest.mark.parametrize(
    "spans",
    [
        pytest.param(lambda *limits: [(0, 1)], id="another result"),
        pytest.param(lambda *limits: [], id="no spans"),
        pytest.param(lambda *limits: None, id="nothing"),
        pytest.param(lambda anchor: [(0, 1)], id="other arguments"),
        pytest.param(None, id="no such call"),
    ],
)
def test_an_re2_that_answers_otherwise_is_asked_through_its_public_api(spans, monkeypatch):
    monkeypatch.setattr(automaton.re2, "compile", lambda expression: Other(spans))
    assert not automaton._known()


def test_an_re2_without_the_inner_names_is_asked_through_its_public_api(monkeypatch):
    assert automaton._known()
    monkeypatch.delattr(automaton.re2, "_Anchor")
    assert not automaton._known()


def test_a_refused_pattern_is_not_quoted():
    with pytest.raises(Refused) as caught:
        Automaton("hunter2(")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("[a-z]", True, id="a range"),
        pytest.param("\\d", True, id="digits"),
        pytest.param("\\w", True, id="word characters"),
        pytest.param("(?i:x)", True, id="a letter in any case"),
        pytest.param("(?i:k)", False, id="a letter that has a case outside ASCII"),
        pytest.param("(?i:[q-t])", False, id="a range that has one"),
        pytest.param("[^a]", False, id="a negated class"),
        pytest.param("\\W", False, id="what is no word character"),
        pytest.param(".", False, id="anything"),
        pytest.param("[a\\x{e9}]", False, id="a class with another"),
        pytest.param("\\pL", False, id="a Unicode class"),
    ],
)
def test_whether_only_ascii_can_begin_a_match(pattern, expected):
    assert Automaton(f"(?s:{pattern})").only_ascii is expected
