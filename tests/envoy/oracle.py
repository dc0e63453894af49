"""What masked text must read like: the masker over the whole text at once, and texts with something in them."""

from extproc.masking import MaskFilter, RuleSet, rules

_ALL = RuleSet(rules())

SECRETS = ("4111 1111 1111 1111", "ada@corp.test", "AKIAIOSFODNN7EXAMPLE", "DE89370400440532013000")
TEXT = (
    "Grüße 👋🏽! Her card is 4111 1111 1111 1111 and not 4111 1111 1111 1112; write to ada@corp.test. "
    "Key AKIAIOSFODNN7EXAMPLE, account DE89370400440532013000. Nothing else, \"quoted\" and \\escaped\\."
)  # fmt: skip


def masked(text: str) -> str:
    return MaskFilter(_ALL).text(text)


def assert_clean(data: bytes | str) -> None:
    """No secret of `TEXT` is in there, not even without its blanks."""
    text = data if isinstance(data, str) else data.decode("utf-8", "replace")
    for secret in SECRETS:
        assert secret not in text
        assert secret.replace(" ", "") not in text.replace(" ", "")
