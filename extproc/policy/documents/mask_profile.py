"""The declared shape of a MaskProfile: what is masked in answers."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from extproc.policy.documents.base import Declared, one_of
from extproc.policy.fields import DnsName, Text

Action = Literal["redact", "partial", "drop"]


class RuleUse(Declared):
    """A built-in rule, and what to do with what it finds."""

    rule: Text = Field(description='Name of a built-in rule, "*" for all of them.')
    action: Action | None = Field(default=None, description="What to do with a match; default: the rule's own.")


def _rule_use(value: object) -> object:
    return {"rule": value} if isinstance(value, str) else value


class MaskPattern(Declared):
    """A rule of your own, with the examples that prove it."""

    name: DnsName = Field(description="Label in the output: [masked:<name>].")
    pattern: Text = Field(repr=False, description="A regular expression (RE2).")
    positives: tuple[Text, ...] = Field(min_length=1, repr=False, description="Texts that hold a match.")
    negatives: tuple[Text, ...] = Field(default=(), repr=False, description="Texts that hold none.")
    action: Action = Field(default="redact", description="What to do with a match.")


class MaskLiterals(Declared):
    """A list of texts that must not pass."""

    name: DnsName = Field(description="Label in the output: [masked:<name>].")
    values: tuple[Text, ...] | None = Field(default=None, repr=False, description="The texts.")
    file: Text | None = Field(
        default=None, description="A file with one text per line, relative to the document's folder."
    )
    case_sensitive: bool = Field(default=True, description="false: any case matches.")
    action: Action = Field(default="redact", description="What to do with a match.")

    @model_validator(mode="after")
    def _exactly_one(self) -> "MaskLiterals":
        one_of(self, ("values", "file"))
        return self


class MaskProfileSpec(Declared):
    """What is masked in answers."""

    rules: tuple[Annotated[RuleUse, BeforeValidator(_rule_use, json_schema_input_type=str | RuleUse)], ...] = Field(
        default=(), description='Built-in rules: names, {rule, action}, or "*" for all.'
    )
    patterns: tuple[MaskPattern, ...] = Field(default=(), description="Rules of your own.")
    literals: tuple[MaskLiterals, ...] = Field(default=(), description="Lists of texts.")

    @model_validator(mode="after")
    def _masks_something(self) -> "MaskProfileSpec":
        if not (self.rules or self.patterns or self.literals):
            raise ValueError('masks nothing; write rules: ["*"] for all built-in rules')
        return self
