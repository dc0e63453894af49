"""What names or reaches a person: addresses, telephone numbers, social security numbers."""

from extproc.masking.rule import Rule

_GAP = "[ .\\-\\x{a0}\\x{202f}\\x{2010}-\\x{2013}]"
# North America: an area code and an exchange never begin with 0 or 1; separators are needed, or it is any number.
_NANP = f"(?:\\+?1{_GAP}?)?(?:\\([2-9]\\d{{2}}\\) ?|\\b[2-9]\\d{{2}}{_GAP})[2-9]\\d{{2}}{_GAP}\\d{{4}}\\b"
_E164 = f"\\+[1-9]\\d{{0,2}}(?:{_GAP}?\\(\\d{{1,4}}\\))?(?:{_GAP}?\\d){{6,12}}\\b"


def rules() -> tuple[Rule, ...]:
    return (
        Rule(
            "email",
            "E-mail addresses (ASCII local part and domain)",
            "[A-Za-z0-9._%+'-]{0,63}[A-Za-z0-9_%+-]@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,180}[A-Za-z0-9])?\\.[A-Za-z]{2,24}",
            positives=(
                "john.doe@example.com",
                "write to <a+b@mail.example.co.uk>, please",
                "x@y.io.",
                "mailto:o'neil_77@sub-domain.example.museum?subject=x",
            ),
            negatives=("john at example.com", "@decorator.method", "user@localhost", "a @ b.com", "git@:x"),
        ),
        Rule(
            "us-ssn",
            "US social security numbers with separators",
            "\\b\\d{3}[ \\-\\x{2010}-\\x{2013}]\\d{2}[ \\-\\x{2010}-\\x{2013}]\\d{4}\\b",
            check="ssn",
            positives=("123-45-6789", "SSN 536 90 4399.", "id=536-90-4399;"),
            negatives=("000-12-3456", "666-12-3456", "912-12-3456", "123-00-4567", "123-45-0000", "1123-45-67890"),
        ),
        Rule(
            "us-ssn-plain",
            "US social security numbers without separators, where the text says that one follows",
            "\\b\\d{9}\\b",
            check="ssn",
            keywords=("ssn", "social security", "social_security", "socialsecurity"),
            positives=("SSN: 536904399", '"social_security_number": "536904399"'),
            negatives=("order 536904399", "ssn: 000121234"),
        ),
        Rule(
            "phone",
            "Telephone numbers: international with +, North American with separators",
            f"{_E164}|{_NANP}",
            check="phone",
            positives=(
                "+14155552671",
                "+44 20 7946 0958",
                "+49 (30) 901820-0",
                "(415) 555-2671",
                "415-555-2671",
                "1-415-555-2671",
                "call 415.555.2671 now",
            ),
            negatives=(
                "10.0.0.1",
                "192.168.100.200",
                "2026-11-21",
                "1.23.4567",
                "version 415.555.26",
                "4155552671",
                "1 + 12345678",
                "x+=12345",
                "000-000-0000",
            ),
        ),
        Rule(
            "phone-plain",
            "North American telephone numbers without separators, where the text says that one follows",
            "\\b1?[2-9]\\d{2}[2-9]\\d{6}\\b",
            check="phone",
            keywords=("phone", "mobile", "tel:", "tel.", "cell", "fax", "call me"),
            positives=("phone: 4155552671", '"mobile":"14155552671"'),
            negatives=("order 4155552671", "phone 1234567890"),
        ),
    )
