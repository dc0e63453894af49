"""Validators of candidates: a shape says what something may be, a check digit says whether it is.

Each takes the candidate as text and answers; none raises. They are named, so that rules can be written in YAML.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

Check = Callable[[str], bool]

# Lengths of an IBAN by country (ISO 13616 registry). A country that is not here has no IBAN.
_IBAN_LENGTHS = {
    length: frozenset(countries.split())
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL SD FK", 19: "MK SI", 20: "AT BA EE KZ LT LU XK MN",
        21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ TL OM SO",
        24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "PT ST LY", 26: "IS TR",
        27: "FR GR IT MC MR SM BI DJ", 28: "AL AZ BY CY DO GT HU LB PL SV NI", 29: "BR EG PS QA UA",
        30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
}  # fmt: skip
_IBAN_LENGTH = {country: length for length, countries in _IBAN_LENGTHS.items() for country in countries}
# By byte, so that a hostile run of digits costs no Python loop: what a digit counts, plain and doubled.
PLAIN = bytes((byte - 48) if 48 <= byte <= 57 else 0 for byte in range(256))
DOUBLED = bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)[byte - 48] if 48 <= byte <= 57 else 0 for byte in range(256))
NO_DIGIT = bytes(byte for byte in range(256) if not 48 <= byte <= 57)


def digits_of(text: str) -> str:
    """The ASCII digits of a text, in order."""
    return text.encode().translate(None, NO_DIGIT).decode()


def luhn(text: str) -> bool:
    """The Luhn check digit (ISO/IEC 7812-1) over the text's digits; all zeros do not count."""
    digits = text.encode().translate(None, NO_DIGIT)
    plain = digits[-1::-2]
    total = sum(plain) - 48 * len(plain) + sum(digits[-2::-2].translate(DOUBLED))
    return total > 0 and total % 10 == 0


def iban(text: str) -> bool:
    """Country, its length, and the mod-97 check of ISO 13616, separators ignored."""
    compact = "".join(character for character in text if character.isascii() and character.isalnum()).upper()
    if compact[:2] not in _IBAN_LENGTHS.get(len(compact), ()):
        return False
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97 == 1


def ssn(text: str) -> bool:
    """A US social security number that can have been issued: no area 000, 666, 9xx, no group 00, no serial 0000."""
    digits = digits_of(text)
    return (
        len(digits) == 9
        and digits[:3] not in ("000", "666")
        and digits[0] != "9"
        and digits[3:5] != "00"
        and digits[5:] != "0000"
    )


def phone(text: str) -> bool:
    """Enough digits, and not one digit over and over (0000000000, 1111111111 are placeholders)."""
    digits = digits_of(text)
    return 8 <= len(digits) <= 15 and len(set(digits)) > 2


def mixed(text: str) -> bool:
    """A random-looking key: upper case, lower case and a digit together, so no word, path or hexadecimal digest."""
    return (
        any(character.isupper() for character in text)
        and any(character.islower() for character in text)
        and any(character.isdigit() for character in text)
    )


def iban_within(text: str) -> str:
    """The longest beginning of a text that is no IBAN that may be one: no check of the 20 others is needed."""
    compact = [at for at, character in enumerate(text) if character.isascii() and character.isalnum()]
    country = "".join(text[at] for at in compact[:2]).upper()
    length = _IBAN_LENGTH.get(country, 0)
    return text[: compact[length]] if 0 < length < len(compact) else ""


CHECKS: Mapping[str, Check] = MappingProxyType({"luhn": luhn, "iban": iban, "ssn": ssn, "phone": phone, "mixed": mixed})
# For checks that know it: what part of a text that fails may pass. "" when none of its beginnings can.
WITHIN: Mapping[str, Callable[[str], str]] = MappingProxyType({"iban": iban_within})
