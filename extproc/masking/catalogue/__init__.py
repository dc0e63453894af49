"""The rules that are shipped. Each file is one kind of secret; each rule carries the examples it was tried with.

Order is precedence where two rules match the same text. Nothing here is compiled before it is asked for.
"""

from functools import cache

from extproc.errors import RuleError
from extproc.masking.catalogue import cloud, payment, personal, tokens
from extproc.masking.rule import Rule


@cache
def _all() -> dict[str, Rule]:
    return {rule.name: rule for rule in (*cloud.rules(), *tokens.rules(), *payment.rules(), *personal.rules())}


def rules(*names: str) -> tuple[Rule, ...]:
    """The shipped rules of these names, in order of precedence; all of them when no name is given.

    Raises `RuleError` for a name that is not shipped.
    """
    shipped = _all()
    for name in names:
        if name not in shipped:
            raise RuleError(f"no shipped rule is called '{name}'; there are {', '.join(shipped)}")
    return tuple(rule for name, rule in shipped.items() if not names or name in names)
