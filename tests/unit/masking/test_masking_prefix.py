"""The derived pattern holds every beginning of every match, and nothing that cannot begin one."""

import pytest
import re2

from extproc.errors import RuleError
from extproc.masking.core import compile_hold, compile_re2
from extproc.masking.prefix import (
    HEAD,
    bounded,
    check_bounds,
    first_bytes,
    heads,
    lengths,
    loosened,
    render,
    split_tail,
)
from extproc.masking.syntax import parse

PATTERNS = [
    pytest.param("abc", ["abc"], ["b", "abd", "xa"], id="literal"),
    pytest.param("a|bc|bde", ["a", "bc", "bde"], ["c", "bcc", "ba"], id="alternatives"),
    pytest.param("(?:ab){2,3}c", ["ababc", "abababc"], ["abc", "ababababa", "ba"], id="repeated group"),
    pytest.param("a?b?c", ["abc", "bc", "c", "ac"], ["d", "ba", "cc"], id="optional parts"),
    pytest.param("(?:a|bb){3}", ["aaa", "bbabb", "bbbbbb"], ["aaab", "babb"], id="repeated alternatives"),
    pytest.param("\\bab\\b-c", ["ab-c"], ["abc", "b"], id="assertions inside"),
    pytest.param("(?i)éa[x-z]{2}", ["Éaxy", "éAZZ"], ["éb", "a"], id="case folded, not ASCII"),
    pytest.param("(?:a{2}){2}b{0}c", ["aaaac"], ["aaaab", "ac"], id="nested counts and a count of none"),
    pytest.param("x{1500}y", ["x" * 1500 + "y"], ["xy", "y"], id="more than RE2 repeats"),
    pytest.param("(?:x{30}){50}y", ["x" * 1500 + "y"], ["y"], id="more than RE2 repeats, nested"),
    pytest.param("(?P<name>a)(?s:.)[]a]\\x{62}\\pN", ["a\n]b7", "aéab٣"], ["b7"], id="every kind of leaf"),
    pytest.param("(?i:a)b(?-i)c", ["Abc"], ["ABc"], id="flags end with their group"),
]


def fits(automaton, text):
    """Whether the longest match from the text's start is all of it."""
    return automaton.reach(text, 0, len(text)) == len(text)


def held(pattern, text):
    return len(text) - len(
        text.encode()[: compile_hold(bounded(parse(pattern))).start(text.encode(), 0, len(text.encode()))].decode()
    )


@pytest.mark.parametrize(("pattern", "matches", "others"), PATTERNS)
def test_every_beginning_of_a_match_is_held_whole(pattern, matches, others):
    for text in matches:
        assert fits(compile_re2(render(bounded(parse(pattern)))), text.encode())
        for size in range(1, len(text) + 1):
            assert held(pattern, text[:size]) == size


@pytest.mark.parametrize(("pattern", "matches", "others"), PATTERNS)
def test_what_begins_no_match_is_not_held_whole(pattern, matches, others):
    for text in others:
        assert held(pattern, text) < len(text)


@pytest.mark.parametrize(("pattern", "matches", "others"), PATTERNS)
def test_the_loosened_pattern_matches_wherever_the_rule_does(pattern, matches, others):
    loose = compile_re2(render(loosened(bounded(parse(pattern)))))
    for text in matches:
        assert loose.find(text.encode(), 0, len(text.encode())) is not None


@pytest.mark.parametrize(("pattern", "matches", "others"), PATTERNS)
def test_lengths_and_first_bytes_bound_every_match(pattern, matches, others):
    node = bounded(parse(pattern))
    low, high = lengths(node)
    for text in matches:
        assert low <= len(text) <= high == check_bounds(node)
        assert text.encode()[0] in first_bytes(node)[0]


@pytest.mark.parametrize(("pattern", "matches", "others"), PATTERNS)
def test_the_heads_have_every_ascii_beginning_of_a_match_and_what_follows_a_short_one(pattern, matches, others):
    sets = heads(bounded(parse(pattern)))
    assert len(sets) == HEAD
    for text in matches:
        for behind in ("", "~~~~~~", "\x00\x00\x00\x00\x00\x00"):
            head = (text + behind).encode()[:HEAD]
            assert not head.isascii() or all(byte in found for byte, found in zip(head, sets, strict=False)), text


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param("[ab]c{2}d?", ["ab", "c", "c", None, None], id="anything may follow the shortest match"),
        pytest.param("(?:x|yz){3}w", ["xy", "xyz", "xyz", "wxyz", None], id="alternatives of two lengths"),
        pytest.param("\\bk{2,3}\\d", ["k", "k", "k0123456789", None, None], id="an assertion takes no room"),
        pytest.param("a{0}b{5,900}", ["b"] * 5, id="what is repeated no times is not there"),
    ],
)
def test_what_the_first_bytes_can_be(pattern, expected):
    every = frozenset(range(128))
    assert heads(bounded(parse(pattern))) == tuple(
        every if found is None else frozenset(found.encode()) for found in expected
    )


def test_the_tree_means_what_re2_means():
    pattern = "(?i)a(?:b|[c-e]{2,3})\\d?\\.x"
    mine, theirs = compile_re2(render(bounded(parse(pattern)))), re2.compile(pattern.encode())
    for text in [b"AB.x", b"acd1.X", b"acdee.x", b"ab1x", b"acde9.x"]:
        assert fits(mine, text) == bool(theirs.fullmatch(text)), text


def test_a_trailing_unbounded_class_becomes_the_tail():
    node, tail = split_tail(parse("sk-[a-z]{20,}"))
    assert lengths(node) == (23, 23)
    assert tail is not None
    assert tail.source == "[a-z]"


def test_an_unbounded_repetition_inside_is_bounded():
    assert lengths(bounded(parse("a+b"))) == (2, 257)


def test_a_pattern_longer_than_can_be_held_is_refused():
    with pytest.raises(RuleError, match="5001 characters"):
        check_bounds(bounded(parse("x{5000}y")))
