"""One thing that must not pass, with the examples that prove it. A `Rule` that exists works: it has been tried.

A rule's texts may be secrets (literal lists) or look like them (examples): they are in no `repr` and no error.
"""

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass, field

from extproc.errors import RuleError
from extproc.masking.core import Core, compile_core, compile_node
from extproc.masking.syntax import literals

ACTIONS = ("redact", "partial", "drop")
BLOCK = 32_768  # bytes: twice the largest private key in use (RSA-16384, encrypted, armoured)
_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


@dataclass(frozen=True, slots=True)
class Rule:
    """Contract of the fields:

    `name` is lower-case kebab; it is the label in the output. `pattern` is RE2 (see `syntax`); a match is the longest
    one. `check` names a validator (`checks.CHECKS`) that a match must pass; shorter matches are tried when it fails.
    `keywords`: at least one of them, in any case, stands in the 64 bytes before a match. `tail`: a character class
    that is swallowed after a match, without limit. `until`: the match begins a block; all is masked up to and
    including the first match of `until`, or `until_max` bytes. `action`: "redact" leaves `[masked:name]`, "partial"
    also the match's last 4 characters, "drop" nothing. Each of `positives` must contain a match, none of `negatives`.

    Raises `RuleError`, naming the rule and the remedy, when the pattern is outside the subset or cannot be bounded,
    when there is no positive, or when an example does not hold.
    """

    name: str
    description: str
    pattern: str = field(repr=False)
    _: KW_ONLY
    check: str | None = None
    keywords: tuple[str, ...] = ()
    tail: str = ""
    until: str | None = None
    until_max: int = BLOCK
    action: str = "redact"
    positives: tuple[str, ...] = field(default=(), repr=False)
    negatives: tuple[str, ...] = field(default=(), repr=False)
    literals: tuple[str, ...] = field(default=(), repr=False)  # made by `literal_rule`: then `pattern` is empty
    ignore_case: bool = False  # of `literals`
    core: Core = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.name or not set(self.name) <= _NAME:
            raise RuleError(f"rule {self.name!r}: a name has lower-case letters, digits and '-' only")
        try:
            check_action(self.action, block=self.until is not None)
            object.__setattr__(self, "core", self._compiled())
        except RuleError as error:
            raise RuleError(f"rule '{self.name}': {error}") from None
        if self.literals:
            return  # their own examples: `_compiled` makes exactly them match
        self._try_examples()

    def _compiled(self) -> Core:
        if not self.literals:
            return compile_core(self.pattern, self.check, self.keywords, self.tail, self.until, self.until_max)
        node = literals(self.literals, fold=self.ignore_case)
        return compile_node(node, None, None, (), "", None, self.until_max)

    def _try_examples(self) -> None:
        if not self.positives:
            raise RuleError(
                f"rule '{self.name}': no positive example; give at least one text that contains what must be masked"
            )
        for number, text in enumerate(self.positives, 1):
            if not self.core.occurs(_bytes(text)):
                raise RuleError(
                    f"rule '{self.name}': positive example {number} is not matched; "
                    "correct the pattern, its check or keywords, or the example"
                )
        for number, text in enumerate(self.negatives, 1):
            if self.core.occurs(_bytes(text)):
                raise RuleError(
                    f"rule '{self.name}': negative example {number} is matched; narrow the pattern or drop the example"
                )


def literal_rule(
    name: str, texts: Iterable[str], *, ignore_case: bool = False, action: str = "redact", description: str = ""
) -> Rule:
    """A rule for a list of texts, each matched exactly as it is (or in any case). The texts are their own examples.

    Raises `RuleError` that says which entry is wrong by its number, never what it is.
    """
    entries = tuple(dict.fromkeys(texts))
    if not entries:
        raise RuleError(f"rule '{name}': the list is empty; give at least one text")
    for number, text in enumerate(entries, 1):
        if not text.strip():
            raise RuleError(f"rule '{name}': entry {number} of the list is empty; remove it")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise RuleError(f"rule '{name}': entry {number} of the list has an unpaired surrogate") from None
    return Rule(
        name,
        description or "A list of texts",
        "",
        action=action,
        literals=entries,
        ignore_case=ignore_case,
    )


def check_action(action: str, *, block: bool) -> None:
    """Raises `RuleError` when there is no such action, or it cannot be done for a block."""
    if action not in ACTIONS:
        raise RuleError(f"no such action; there are {', '.join(ACTIONS)}")
    if block and action == "partial":
        raise RuleError("a block has no last 4 characters worth keeping; use redact or drop")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
