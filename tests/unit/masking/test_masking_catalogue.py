"""The shipped rules: each is found where it stands, and ordinary text stays what it is."""

import pytest

from extproc.errors import RuleError
from extproc.masking import MaskFilter, RuleSet, rules

SHIPPED = RuleSet(rules())
EACH = [pytest.param(rule, id=rule.name) for rule in rules()]


def text(value):
    mask = MaskFilter(SHIPPED)
    return mask.text(value), mask.counts


@pytest.mark.parametrize("rule", EACH)
def test_every_rule_has_a_description_and_examples_of_both_kinds(rule):
    assert rule.description
    assert rule.positives
    assert rule.negatives


@pytest.mark.promise("masking.rules")
@pytest.mark.parametrize("rule", EACH)
def test_positives_are_masked_among_all_rules_too(rule):
    for positive in rule.positives:
        assert rule.name in text(positive)[1]


def test_masked_text_is_not_masked_again():
    once, _ = text(" ".join(positive for rule in rules() for positive in rule.positives if rule.name != "private-key"))
    assert text(once) == (once, {})


def test_rules_are_chosen_by_name_in_order_of_precedence():
    assert [rule.name for rule in rules("email", "card")] == ["card", "email"]
    with pytest.raises(RuleError, match="no shipped rule is called 'cards'; there are private-key"):
        rules("cards")


@pytest.mark.parametrize(
    "innocent",
    [
        "The meeting is on 2026-11-21 at 14:30, room 4.12, budget 1,250,000.00 EUR.",
        "pi = 3.14159265358979, e = 2.718281828459045, c = 299792458 m/s",
        "id 550e8400-e29b-41d4-a716-446655440000, commit 3f2b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f7",
        "GET /v1/models HTTP/1.1 from 192.168.100.200:8080 took 0.0123 s",
        "let x = a[10] - b[200] + 3000 * 4; // 1 2 3 4 5 6 7 8 9 10 11 12",
        "ISBN 978-3-16-148410-0, version 10.15.7, population 8 336 817",
        "1700000000, 1700000000000, 0x7fffffff, #ff00aa, 20261121T021827Z",
        "risk-averse task-based disk-usage @property npm install @scope/package-name@1.2.3",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "sk-learn, eyJ, ghp_, AKIA and -----BEGIN CERTIFICATE----- are prefixes",
    ],
)
def test_innocent_text_passes_unchanged(innocent):
    assert text(innocent) == (innocent, {})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("4111 1111 1111 1111 123", "[masked:card] 123"),
        ("1234 4111 1111 1111 1111", "1234 [masked:card]"),
        ("00041111111111111119999", "000[masked:card]"),
        ("t=eyJ4NWMiOlsi" + "TUlJ" * 500 + "Il19.eyJzdWIiOiIxIn0.c2ln;", "t=[masked:jwt];"),
        ("mail:<a@b.com>.", "mail:<[masked:email]>."),
        ("sk-ant-api03-abcdefghijklmnopqrstuvwxyz!", "[masked:anthropic-key]!"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nend", "[masked:private-key]\nend"),
        ("Tel +49 (30) 901820-0, ok", "Tel [masked:phone], ok"),
        ("(415) 555-2671 x", "[masked:phone] x"),
        (
            "aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY;",
            "aws_secret_access_key=[masked:aws-secret-key];",
        ),
    ],
)
def test_exactly_the_secret_is_replaced(given, expected):
    assert text(given)[0] == expected


def test_all_shipped_rules_hold_back_no_more_than_a_stated_bound():
    assert SHIPPED.longest == 519  # the longest header of a JWT; docs/masking.md says what waits


@pytest.mark.parametrize(
    "glued",
    ["xAKIAIOSFODNN7EXAMPLE", "_sk-ant-api03-abcdefghijklmnopqrstuvwxyz", "0123-45-6789", "xDE89370400440532013000"],
)
def test_a_gap_that_the_docs_admit_a_word_character_glued_in_front(glued):
    assert text(glued) == (glued, {})


@pytest.mark.parametrize(
    "found", ["x4111111111111111", "_4111111111111111", "x+14155552671", "x(415) 555-2671", "éa@b.com"]
)
def test_glue_does_not_hide_what_is_found_anywhere(found):
    assert text(found)[1]


def test_a_decimal_fraction_is_no_place_to_hide_a_card_number():
    assert text("the factor is 0.4111111111111111, ok") == ("the factor is 0.[masked:card], ok", {"card": 1})


@pytest.mark.parametrize(
    "card", ["DE89370400440532013000", "GB29NWBK60161331926819", "NO9386011117947", "MT84MALT011000012345MTLCAST001S"]
)
@pytest.mark.parametrize("behind", ["", "1", " 4711", "AB", " and", "-1", "0" * 30])
def test_what_follows_an_account_number_does_not_hide_it(card, behind):
    out, counts = text(card + behind)
    assert card not in out
    assert counts["iban"] == 1
