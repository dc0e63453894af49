"""Card and bank account numbers: a shape, an issuer's prefix and length, and a check digit."""

from extproc.masking.rule import Rule

# Between groups: nothing, a space or a dash, also the non-breaking and typographic ones that models write.
_GAP = "[ \\-\\x{a0}\\x{202f}\\x{2007}\\x{2010}-\\x{2013}]?"


def _grouped(*groups: str) -> str:
    return _GAP.join(groups)


# The lengths that are in use, found even inside a longer run of digits: a digit glued on must not hide a number.
_VISA = _grouped("4\\d{3}", "\\d{4}", "\\d{4}", "\\d{4}")
_MASTERCARD = _grouped("(?:5[1-5]\\d\\d|222[1-9]|22[3-9]\\d|2[3-6]\\d\\d|27[01]\\d|2720)", "\\d{4}", "\\d{4}", "\\d{4}")
_DISCOVER = _grouped("(?:6011|64[4-9]\\d|65\\d\\d)", "\\d{4}", "\\d{4}", "\\d{4}")
_JCB = _grouped("35(?:2[89]|[3-8]\\d)", "\\d{4}", "\\d{4}", "\\d{4}")
_UNIONPAY = _grouped("(?:62\\d\\d|81[0-7]\\d)", "\\d{4}", "\\d{4}", "\\d{4}")
_AMEX = _grouped("3[47]\\d\\d", "\\d{6}", "\\d{5}")
_AMEX_QUADS = _grouped("3[47]\\d\\d", "\\d{4}", "\\d{4}", "\\d{3}")
# The rare ones (shorter, longer, Maestro, Diners, digit by digit) only where a number of that length stands alone.
_DINERS = "\\b" + _grouped("3(?:0[0-5]|[689]\\d)\\d", "\\d{6}", "\\d{4}") + "\\b"
_MAESTRO = "\\b(?:5018|5020|5038|5893|6304|6759|676[1-3])\\d{8,15}\\b"
_SHORT_LONG = (
    "\\b(?:4\\d{12}|(?:4\\d{3}|6011|65\\d\\d|62\\d\\d|35[2-8]\\d)"
    + _GAP
    + _grouped("\\d{4}", "\\d{4}", "\\d{4}", "\\d{1,3}")
    + ")\\b"
)
_SPACED = "\\b(?:[2-6](?:[ -]\\d){12,18})\\b"

_ANYWHERE = (_VISA, _MASTERCARD, _DISCOVER, _JCB, _UNIONPAY, _AMEX, _AMEX_QUADS)
_ALONE = (_DINERS, _MAESTRO, _SHORT_LONG, _SPACED)


def rules() -> tuple[Rule, ...]:
    return (
        Rule(
            "card",
            "Payment card numbers: issuer's prefix and length, and the Luhn check digit",
            "|".join((*_ANYWHERE, *_ALONE)),
            check="luhn",
            tail="[0-9]",  # digits glued on: what is left of a longer number must not tell the rest
            positives=(
                "4111 1111 1111 1111",
                "card:4111-1111-1111-1111.",
                "5555555555554444",
                "2223003122003222",
                "3782 822463 10005",
                "378282246310005",
                "6011111111111117",
                "3530111333300000",
                "30569309025904",
                "6200000000000005",
                "4222222222222",
                "6759649826438453",
                "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
                "4111 1111 1111 1111 123",
                "1234 4111 1111 1111 1111",
                "0004111111111111111199",
                "4111\u00a01111\u20111111\u202f1111",
            ),
            negatives=(
                "4111 1111 1111 1112",
                "1234567890123456",
                "0000 0000 0000 0000",
                "1700000000000",
                "2026-11-21T02:18:27.123456789Z",
                "550e8400-e29b-41d4-a716-446655440000",
            ),
        ),
        Rule(
            "iban",
            "International bank account numbers: country, its length, and the mod-97 check",
            "\\b(?i:[A-Z]{2})\\d{2}(?:[ \\-\\x{a0}\\x{202f}]?(?i:[A-Z0-9])){11,30}",
            check="iban",
            positives=(
                "DE89 3704 0044 0532 0130 00",
                "GB29NWBK60161331926819",
                "iban: fr1420041010050500013m02606",
                "NO9386011117947",
                "DE89370400440532013000 and more",
                "MT84-MALT-0110-0001-2345-MTLC-AST0-01S",
            ),
            negatives=("DE88 3704 0044 0532 0130 00", "XX89 3704 0044 0532 0130 00", "AB12 this is not an account"),
        ),
    )
