"""The declared shape of what an MCPServer's tools are held to: their arguments, their definitions, their results."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from extproc.policy.documents.base import DataClassName, Declared
from extproc.policy.fields import Pattern, Text

Off = Literal["off"]


def _off(value: object) -> object:
    # YAML takes the bare word `off` for false.
    return "off" if value is False else value


class CheckSpec(Declared):
    """For which arguments a check holds."""

    arguments: tuple[Text, ...] = Field(
        default=(),
        description="Names, with * and ?; a dot walks into objects. Default: those that have the check by their name.",
    )
    unless: tuple[Text, ...] = Field(default=(), description="Names of arguments that it does not hold for.")


class PathSpec(CheckSpec):
    """Arguments that are paths of files."""

    roots: tuple[Text, ...] = Field(default=(), description="Folders they must be in; default: none that is sensitive.")
    style: Literal["both", "posix", "windows"] = Field(default="both", description="How the server reads paths.")
    secrets: bool = Field(default=True, description="true: no files that usually hold secrets, such as .env.")


class UrlSpec(CheckSpec):
    """Arguments that are URLs."""

    schemes: tuple[Text, ...] = Field(default=("https", "http"), min_length=1, description="Schemes they may have.")
    hosts: tuple[Text, ...] = Field(default=(), description="Hosts they may have, *.example.com for any below it.")
    allow_private: bool = Field(default=False, description="true: private and local addresses, too.")


class SqlSpec(CheckSpec):
    """Arguments that are SQL."""

    classes: tuple[Literal["read", "write", "ddl", "admin"], ...] = Field(
        default=("read",), min_length=1, description="What statements may do."
    )


class ChecksSpec(Declared):
    """Checks on arguments. Those left out hold for arguments that have them by name or format; `off` switches off."""

    path: Annotated[PathSpec | Off | None, BeforeValidator(_off)] = Field(
        default=None, description="No way out of the allowed folders, however it is written."
    )
    url: Annotated[UrlSpec | Off | None, BeforeValidator(_off)] = Field(
        default=None, description="No private, local or metadata address, however it is written."
    )
    command: Annotated[CheckSpec | Off | None, BeforeValidator(_off)] = Field(
        default=None, description="A value that is put into a shell line: no metacharacter, no substitution."
    )
    command_line: Annotated[CheckSpec | Off | None, BeforeValidator(_off)] = Field(
        default=None, description="A whole command line: one command, no substitution."
    )
    argument: Annotated[CheckSpec | Off | None, BeforeValidator(_off)] = Field(
        default=None, description="A value that becomes one argument of a program: no option."
    )
    sql: Annotated[SqlSpec | Off | None, BeforeValidator(_off)] = Field(
        default=None, description="SQL statements: only of the classes that are allowed."
    )
    sql_value: Annotated[CheckSpec | Off | None, BeforeValidator(_off)] = Field(
        default=None, description="A value that is put into SQL: nothing that ends it and goes on."
    )


class RangeSpec(Declared):
    """The numbers an argument may be, both inclusive."""

    min: float | None = Field(default=None, allow_inf_nan=False, description="The least.")
    max: float | None = Field(default=None, allow_inf_nan=False, description="The most; without `min`, 0 is the least.")

    @model_validator(mode="after")
    def _says_something(self) -> "RangeSpec":
        if self.min is None and self.max is None:
            raise ValueError("is empty; give max, min or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("has a min above its max; exchange them")
        return self


def _range(value: object) -> object:
    return {"max": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


class ArgumentsSpec(Declared):
    """What the arguments of a tool's calls are held against."""

    schema_: bool = Field(
        default=True, alias="schema", description="true: the tool's own input schema, as the server listed it."
    )
    defaults: bool = Field(default=True, description="false: only the checks written here, none by name or format.")
    checks: ChecksSpec = Field(default=ChecksSpec(), description="Checks by name.")
    limits: dict[str, Annotated[RangeSpec, BeforeValidator(_range, json_schema_input_type=float | RangeSpec)]] = Field(
        default={}, description="Numbers that arguments may be: {replicas: 10} or {percent: {min: 0, max: 50}}."
    )
    values: dict[str, Annotated[tuple[str | int | float | bool, ...], Field(min_length=1)]] = Field(
        default={}, description="Values that arguments may have: {env: [dev, staging]}."
    )
    max_bytes: int = Field(default=1 << 20, ge=1, description="Size of all arguments of a call.")
    max_depth: int = Field(default=32, ge=1, le=200, description="Objects and lists within one another.")


class ToolSpec(Declared):
    """What is different for some tools. The first entry that matches a tool counts."""

    match: Pattern = Field(description="Names of tools; `*` stands for any text.")
    arguments: ArgumentsSpec | None = Field(
        default=None, description="Instead of what the server says of arguments, not in addition."
    )
    data_class: DataClassName | None = Field(default=None, description="Class of the data these tools give out.")


class PinsSpec(Declared):
    """Definitions of tools that somebody has approved (`gatereeve tools pin`)."""

    file: Text = Field(description="The pin file, relative to the document's folder.")
    on_drift: Literal["refuse", "warn"] = Field(
        default="refuse", description="What becomes of a tool whose definition is not the approved one any more."
    )
    on_unknown: Literal["refuse", "warn"] = Field(
        default="refuse", description="What becomes of a tool that nobody has approved."
    )


class ManifestSpec(Declared):
    """A list of tools that their publisher has signed (`gatereeve tools sign`). Other tools count as not approved."""

    file: Text = Field(description="The signed list (JWS), relative to the document's folder.")
    keys: Text = Field(description="The publisher's public keys (JWKS or PEM), relative to the document's folder.")


class ScreeningSpec(Declared):
    """Texts of the server that speak to the model instead of telling it something."""

    descriptions: Literal["off", "flag", "strip", "refuse"] = Field(
        default="refuse",
        description="Descriptions of tools, prompts and resources, and the server's instructions. flag: recorded; "
        "strip: what is hidden is taken out as well; refuse: what is grave is not listed at all.",
    )
    results: Literal["off", "flag", "strip", "refuse"] = Field(
        default="strip", description="Results. refuse: a grave one is replaced by an error."
    )
    refuse_at: int | None = Field(
        default=None,
        ge=30,
        le=100,
        description="Score from which a text counts as grave; default 50 for descriptions, 70 for results, which may "
        "be any page of the world.",
    )

    @model_validator(mode="before")
    @classmethod
    def _words(cls, data: object) -> object:
        return {name: _off(value) for name, value in data.items()} if isinstance(data, dict) else data


class ResultsSpec(Declared):
    """How much one result may be."""

    max_bytes: int = Field(default=4 << 20, ge=1024, description="Size of a result's texts, structure and data.")
    when_larger: Literal["truncate", "refuse"] = Field(
        default="truncate",
        description="truncate: texts are cut and say so; what cannot be cut (structured content, data) is refused.",
    )
