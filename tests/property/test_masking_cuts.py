"""The promise of masking: cutting a text never changes what comes out, and no planted secret comes out.

The oracle here is the whole text at once; `test_masking_union.py` proves that against a slow reference.
"""

from functools import cache
from itertools import pairwise
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extproc.masking import MaskFilter, Rule, RuleSet, StreamMasker, catalogue, literal_rule, rules
from extproc.masking.automaton import public
from extproc.masking.checks import luhn
from extproc.masking.syntax import chars

SHIPPED = RuleSet(rules())
RELAXED = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))

B64 = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
VALID = {
    "card": ["4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "4222222222222", "6011111111111117"],
    "iban": ["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819"],
    "email": ["john.doe@example.com", "a+b@mail.example.co.uk"],
    "us-ssn": ["123-45-6789"],
    "phone": ["+14155552671", "(415) 555-2671"],
    "jwt": ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"],
    "private-key": ["-----BEGIN RSA PRIVATE KEY-----\nMIIEow+/==\n-----END RSA PRIVATE KEY-----"],
    "aws-access-key-id": ["AKIAIOSFODNN7EXAMPLE"],
    "gcp-api-key": ["AIzaSyA1234567890abcdefghijklmnopqrstuv"],
    "azure-client-secret": ["abc8Q~abcdefghijklmnopqrstuvwxyz01234567"],
    "github-token": ["ghp_abcdefghijklmnopqrstuvwxyz0123456789"],
    "slack-token": ["xoxb-123456789012-abcdefghij"],
    "anthropic-key": ["sk-ant-api03-abcdefghijklmnopqrstuvwxyz"],
    "openai-key": ["sk-proj-abc_def-ghijklmnopqrstuvwxyz0123456789"],
}
SECRETS = [secret for secrets in VALID.values() for secret in secrets]
ALMOST = [
    "4111 1111 1111 1112", "411111111111", "DE88 3704 0044 0532 0130 00", "john.doe@example", "@", "000-12-3456",
    "+1415", "eyJhbGciOiJIUzI1NiJ9.", "-----BEGIN RSA PRIVATE KEY----", "-----BEGIN", "AKIAIOSFODNN7EXAMPL", "AIzaSy",
    "ghp_abc", "xoxb-", "sk-ant-", "sk-", "8Q~", f"aws_secret_access_key={B64}", "aws_secret", B64, "ssn 536904399",
    "phone:", "tel:",
]  # fmt: skip
GLUE = [
    "",
    " ",
    "\n",
    ".",
    ",",
    "-",
    "@",
    "x",
    "0",
    "é",
    "中文",
    "😀",
    "\ud83d",
    "\ude00",
    "\u202f",
    "prose here ",
    "=",
    '"',
]


def cut(text: str, places: list[int]) -> list[str]:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[begin:end] for begin, end in pairwise(edges)]


def streamed(compiled: RuleSet, pieces: list[str]) -> tuple[str, dict[str, int]]:
    masker = StreamMasker(compiled)
    out = "".join([masker.feed(piece) for piece in pieces])
    return out + masker.flush(), masker.counts


def whole(compiled: RuleSet, text: str) -> tuple[str, dict[str, int]]:
    mask = MaskFilter(compiled)
    return mask.text(text), mask.counts


planted = st.lists(st.sampled_from(SECRETS * 2 + ALMOST + GLUE * 3), max_size=12).map("".join)


@pytest.mark.parametrize("secret", [pytest.param(text, id=f"{number}") for number, text in enumerate(SECRETS + ALMOST)])
def test_every_one_and_two_cuts_of_each_secret_between_neighbours(secret):
    text = f"é {secret}\u4e2d ok"
    expected = whole(SHIPPED, text)
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            assert streamed(SHIPPED, [text[:first], text[first:second], text[second:]]) == expected


@cache
def by_the_public_api():
    """The shipped rules, compiled anew as on an RE2 whose inner call is not what we know."""
    with patch("extproc.masking.automaton.DOOR", public):
        chars.cache_clear()
        return RuleSet(catalogue._all.__wrapped__().values())


@RELAXED
@given(planted, st.lists(st.integers(0, 10_000), max_size=40))
def test_random_cuts_of_planted_text(text, places):
    expected = whole(SHIPPED, text)
    assert streamed(SHIPPED, cut(text, places)) == expected
    assert streamed(by_the_public_api(), cut(text, places)) == whole(by_the_public_api(), text) == expected


@RELAXED
@given(planted)
def test_one_character_at_a_time(text):
    assert streamed(SHIPPED, list(text)) == whole(SHIPPED, text)


@settings(RELAXED, max_examples=300)
@given(
    st.text(alphabet="0123456789 -4115+().@aAkKeEyYsS/\n\u00e9\ud83d\ude00", max_size=80),
    st.lists(st.integers(0, 99), max_size=9),
)
def test_random_cuts_of_text_made_of_what_rules_are_made_of(text, places):
    assert streamed(SHIPPED, cut(text, places)) == whole(SHIPPED, text)


@RELAXED
@given(
    st.lists(st.sampled_from(GLUE + ALMOST), max_size=4),
    st.lists(
        st.tuples(st.sampled_from(SECRETS), st.sampled_from([" ", "\n", ", ", " and ", "; é "])), min_size=1, max_size=4
    ),
    st.lists(st.integers(0, 10_000), max_size=9),
)
def test_a_planted_secret_never_comes_out(before, secrets, places):
    text = "".join(before) + " " + "".join(secret + glue for secret, glue in secrets)
    out, _ = streamed(SHIPPED, cut(text, places))
    assert [secret for secret, _ in secrets if secret in out] == []


@RELAXED
@given(
    st.from_regex(r"[0-9 ]{0,9}", fullmatch=True),
    st.from_regex(r"4[0-9]{14}", fullmatch=True),
    st.from_regex(r"[0-9 ]{0,9}", fullmatch=True),
)
def test_no_digits_around_a_card_number_hide_it(before, body, after):
    card = next(body + digit for digit in "0123456789" if luhn(body + digit))
    out, counts = whole(SHIPPED, before + card + after)
    assert card not in out
    assert counts["card"] >= 1


# What leaves, leaves for good: nothing that is in a later match has been shown.


@RELAXED
@given(planted, st.lists(st.integers(0, 10_000), max_size=12))
def test_what_has_left_is_always_a_beginning_of_the_whole_output(text, places):
    expected, _ = whole(SHIPPED, text)
    masker, out = StreamMasker(SHIPPED), ""
    for piece in cut(text, places):
        out += masker.feed(piece)
        assert expected.startswith(out)
        assert masker.held <= SHIPPED.longest


# Tails, blocks, checks and keywords of users, over a small alphabet, for every cut.

OWN = RuleSet(
    [
        Rule("block", "", "<<", until="b>{1,2}|a>b\\b", until_max=9, positives=("<<",)),
        Rule("tail", "", "ab", tail="[ab]", positives=("ab",)),
        Rule("near", "", "b{2}", keywords=("key", "é"), positives=("key bb",)),
        Rule("digits", "", "[0-9 ]{4,9}", check="luhn", positives=("4 2 42 2",)),
        literal_rule("words", ["aé", "😀b", "Ka"], ignore_case=True),
    ]
)


@settings(RELAXED, max_examples=400)
@given(
    st.lists(
        st.sampled_from(
            ["<", "<<", ">", "b>>", "a", "b", "key", "é", "😀", "\ud83d", "\ude00", "4", "2", "0", " ", "\u212a"]
        ),
        max_size=12,
    ).map("".join)
)
def test_blocks_tails_keywords_checks_and_lists_for_every_cut(text):
    expected = whole(OWN, text)
    assert streamed(OWN, list(text)) == expected
    for first in range(len(text) + 1):
        for second in range(first, len(text) + 1):
            assert streamed(OWN, [text[:first], text[first:second], text[second:]]) == expected


@RELAXED
@given(
    st.text(alphabet=st.characters(), max_size=30) | st.text(alphabet="\ud83d\ude00\udbff\udc00x", max_size=12),
    st.lists(st.integers(0, 50), max_size=6),
)
def test_surrogates_are_joined_or_replaced_and_never_crash(text, places):
    nothing = RuleSet(())
    expected, at = "", 0
    while at < len(text):  # an independent reading of UTF-16
        here, after = text[at], text[at + 1 : at + 2]
        if "\ud800" <= here <= "\udbff" and after and "\udc00" <= after <= "\udfff":
            expected += chr(0x10000 + ((ord(here) - 0xD800) << 10) + (ord(after) - 0xDC00))
            at += 1
        else:
            expected += "\ufffd" if "\ud800" <= here <= "\udfff" else here
        at += 1
    assert MaskFilter(nothing).text(text) == expected
    assert streamed(nothing, cut(text, places))[0] == expected
