"""Check digits: right ones pass, each wrong digit fails."""

import pytest

from extproc.masking.checks import CHECKS


@pytest.mark.parametrize(
    ("check", "text"),
    [
        pytest.param("luhn", "4111 1111 1111 1111", id="card with spaces"),
        pytest.param("luhn", "378282246310005", id="odd length"),
        pytest.param("iban", "DE89 3704 0044 0532 0130 00", id="German account"),
        pytest.param("iban", "gb29nwbk60161331926819", id="lower case"),
    ],
)
def test_a_right_number_passes_and_no_single_wrong_digit_does(check, text):
    assert CHECKS[check](text)
    for at, character in enumerate(text):
        if character.isdigit():
            for digit in "0123456789".replace(character, ""):
                assert not CHECKS[check](text[:at] + digit + text[at + 1 :])


@pytest.mark.parametrize("text", ["", "x", "0000000000000000", "٤١١١"])
def test_luhn_of_nothing_or_zeros_does_not_count(text):
    assert not CHECKS["luhn"](text)


@pytest.mark.parametrize(
    "text", ["", "DE", "XX89370400440532013000", "DE8937040044053201300", "ΩΩ89370400440532013000"]
)
def test_no_iban_without_a_country_and_its_length(text):
    assert not CHECKS["iban"](text)


@pytest.mark.parametrize(
    ("text", "valid"),
    [("123-45-6789", True), ("000-45-6789", False), ("666-45-6789", False), ("900-45-6789", False),
     ("123-00-6789", False), ("123-45-0000", False), ("123-45-678", False)],
)  # fmt: skip
def test_only_social_security_numbers_that_can_exist(text, valid):
    assert CHECKS["ssn"](text) is valid


@pytest.mark.parametrize(("text", "valid"), [("aB1", True), ("ab1", False), ("AB1", False), ("aB", False), ("", False)])
def test_a_mixed_key_has_both_cases_and_a_digit(text, valid):
    assert CHECKS["mixed"](text) is valid


@pytest.mark.parametrize(
    ("text", "valid"), [("415-555-2671", True), ("1111111111", False), ("123", False), ("1" * 15 + "23", False)]
)
def test_a_telephone_number_is_no_placeholder(text, valid):
    assert CHECKS["phone"](text) is valid
