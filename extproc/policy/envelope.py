"""One YAML document to a typed one: apiVersion, kind, metadata and spec checked. Knows nothing of other documents."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from extproc.errors import Problem
from extproc.policy.complaints import complaints, similar
from extproc.policy.documents import API_VERSION, LATER, SPECS, Declared, Metadata
from extproc.policy.fields import dns_name, model_name
from extproc.policy.nodes import Raw

TEST_KIND = "PolicyTest"
_TOP = ("apiVersion", "kind", "metadata", "spec")


@dataclass(frozen=True, slots=True)
class Document:
    """A document that is right by itself. `raw` remembers where everything stands."""

    kind: str
    name: str
    spec: Declared
    raw: Raw

    @property
    def rule(self) -> str:
        """How decisions and audits name it: `AgentPolicy/engineering (agents.yaml:12)`."""
        return f"{self.kind}/{self.name} ({self.raw.short}:{self.raw.line})"


def open_document(raw: Raw, specs: Mapping[str, type[Declared]] = SPECS) -> Document | list[Problem]:
    """The document, or everything that is wrong with it."""
    value = raw.value
    if not isinstance(value, dict):
        return [raw.problem((), f"is not a document; begin it with apiVersion: {API_VERSION} and kind:")]
    problems = [
        raw.problem((key,), f"is not a field of a document{similar(key, _TOP) or '; there are ' + ', '.join(_TOP)}")
        for key in value
        if key not in _TOP
    ]
    problems += _version(raw, value)
    kind = value.get("kind")
    model = specs.get(kind) if isinstance(kind, str) else None
    if model is None:
        problems.append(_kind(raw, kind, specs))
    metadata = _part(raw, "metadata", Metadata, problems)
    spec = _part(raw, "spec", model, problems) if model is not None else None
    if isinstance(metadata, Metadata) and model is not None:
        try:
            (model_name if kind == "Model" else dns_name)(metadata.name)
        except ValueError as error:
            problems.append(raw.problem(("metadata", "name"), str(error)))
    if problems or not isinstance(spec, Declared) or not isinstance(metadata, Metadata):
        return problems
    return Document(str(kind), metadata.name, spec, raw)


def _version(raw: Raw, value: Mapping[str, Any]) -> list[Problem]:
    if "apiVersion" not in value:
        return [raw.problem(("apiVersion",), f"is missing; add apiVersion: {API_VERSION}")]
    if value["apiVersion"] != API_VERSION:
        return [raw.problem(("apiVersion",), f"is not a version this gateway reads; write {API_VERSION}")]
    return []


def _kind(raw: Raw, kind: object, specs: Mapping[str, type[Declared]]) -> Problem:
    known = [*specs, TEST_KIND]
    if kind is None:
        return raw.problem(("kind",), f"is missing; write one of {', '.join(known)}")
    if not isinstance(kind, str):
        return raw.problem(("kind",), f"must be a text; write one of {', '.join(known)}")
    if kind in LATER:
        return raw.problem(("kind",), LATER[kind])
    return raw.problem(("kind",), f"there is no kind {kind}{similar(kind, known) or '; there are ' + ', '.join(known)}")


def _part(raw: Raw, name: str, model: type[BaseModel], problems: list[Problem]) -> BaseModel | None:
    if name not in raw.value:
        problems.append(raw.problem((name,), "is missing; add it"))
        return None
    part = raw.value[name]
    if not isinstance(part, dict):
        problems.append(raw.problem((name,), "must be a mapping of fields"))
        return None
    try:
        return model.model_validate(part)
    except ValidationError as error:
        problems.extend(complaints(error, raw, (name,), model))
        return None
