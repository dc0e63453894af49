"""Writes docs/policy-reference.md from the declared models, so that the reference cannot say what the code does not.

`python -m extproc.policy.reference > docs/policy-reference.md`
"""

import sys
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from extproc.exchange.refusal import REASONS
from extproc.policy.conditions import VARIABLES, Scope
from extproc.policy.documents import API_VERSION, Metadata
from extproc.policy.schema import KINDS

_SCOPES = {Scope.IDENTITY: "everywhere", Scope.PLACE: "in `when` of a policy", Scope.CALL: "in `when` of a policy",
           Scope.TARGET: "in `when` of a target"}  # fmt: skip


def reference() -> str:
    """The whole page."""
    lines = [
        "# Policy reference",
        "",
        "Made from the code by `python -m extproc.policy.reference`; change the descriptions there. How policy works",
        "is told in [policy.md](policy.md).",
        "",
        f"Every document has `apiVersion: {API_VERSION}`, `kind`, `metadata` and `spec`, and no other field.",
        "Durations are numbers with units: `30s`, `5m`, `1h30m`, `1d`. Relative file names begin at the folder of the",
        "document. A bold field must be given.",
        "",
        "## metadata",
        "",
        *_table(Metadata),
    ]
    for kind, model in KINDS.items():
        lines += ["", f"## {kind}", "", (model.__doc__ or "").strip(), "", *_table(model)]
        for name, part in _parts(model):
            lines += ["", f"### {kind}: {name}", "", (part.__doc__ or "").strip(), "", *_table(part)]
    lines += ["", "## Variables of conditions", "", "| Variable | Type | Where | Meaning |", "|---|---|---|---|"]
    lines += [
        f"| `{name}` | {_cel(kind)} | {_SCOPES[scope]} | {text} |" for name, (kind, scope, text) in VARIABLES.items()
    ]
    lines += ["", "## Reasons", "", "| Reason | HTTP status | What the caller reads |", "|---|---|---|"]
    lines += [f"| `{reason.value}` | {said.status} | {said.message} |" for reason, said in REASONS.items()]
    return "\n".join(lines) + "\n"


def _cel(kind: Any) -> str:
    name = str(kind.name()).lower()
    return {"list": "list of string", "map": "map from string"}.get(name, name)


def _table(model: type[BaseModel]) -> list[str]:
    lines = ["| Field | Type | Default | Meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        shown = f"`{field.alias or name}`"
        shown = f"**{shown}**" if field.is_required() else shown
        meaning = (field.description or "").replace("|", "\\|")
        lines.append(f"| {shown} | {_type(field.annotation)} | {_default(field)} | {meaning} |")
    return lines


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined or value is None or isinstance(value, BaseModel) or value in ((), {}, ""):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" if item else '`""`' for item in value)
    return f"`{value}`"


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return " or ".join(_type(part) for part in arguments if part is not NoneType)
    if origin is Literal:
        return " or ".join(f"`{str(value).lower() if value is True else value}`" for value in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return "mapping"
    if hasattr(annotation, "__metadata__"):
        return _type(arguments[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.__name__
    return {"str": "text", "bool": "true or false", "int": "number", "float": "number"}.get(
        getattr(annotation, "__name__", ""), "any"
    )


def _parts(model: type[BaseModel]) -> list[tuple[str, type[BaseModel]]]:
    """Every model inside this one, depth first, each once."""
    found: dict[str, type[BaseModel]] = {}

    def walk(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            if annotation.__name__ not in found:
                found[annotation.__name__] = annotation
                for field in annotation.model_fields.values():
                    walk(field.annotation)
            return
        for part in get_args(annotation):
            walk(part)

    for field in model.model_fields.values():
        walk(field.annotation)
    return list(found.items())


if __name__ == "__main__":
    sys.stdout.write(reference())
