"""Wildcards: `*` is any text, everything else is itself, and matching never takes more than linear time."""

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.policy.names import NOTHING, Names

TEXT = st.text(alphabet="ab*.", max_size=8)


@given(st.lists(TEXT, min_size=1, max_size=4), st.text(alphabet="ab.", max_size=10))
def test_matching_agrees_with_regular_expressions(patterns, name):
    expected = any(re.fullmatch(".*".join(map(re.escape, p.split("*"))), name, re.S) for p in patterns)
    assert Names(patterns)(name) is expected


@given(TEXT, st.text(alphabet="ab.", max_size=10))
def test_matching_agrees_with_fnmatch(pattern, name):
    assert Names([pattern])(name) is fnmatch.fnmatchcase(name, pattern)


@pytest.mark.parametrize("special", ["[ab]", "a?", "a.", "(a|b)", "\\*"])
def test_nothing_but_the_star_is_special(special):
    assert Names([special])(special)
    assert not any(Names([special])(name) for name in ("a", "b", "ab", "ax"))


def test_the_empty_set_has_no_member_and_is_false():
    assert not NOTHING("")
    assert not NOTHING("*")
    assert not NOTHING


def test_a_hostile_name_against_many_stars_is_linear():
    # With backtracking this would take longer than the universe has existed.
    assert not Names(["a*" * 50 + "b"])("a" * 100_000)


def test_exact_names_are_known_unless_a_wildcard_opens_the_set():
    assert Names(["a", "b"]).exact == {"a", "b"}
    assert Names(["a", "b*"]).exact is None
    assert Names(["*"]).exact is None
