"""JSON Schema of each kind, made from the declared models: for editors and for Kubernetes resources."""

import json
from typing import Any

from extproc.policy.documents import API_VERSION, SPECS, Declared, Metadata
from extproc.policy.envelope import TEST_KIND
from extproc.policy.testing import PolicyTestSpec

KINDS: dict[str, type[Declared]] = {**SPECS, TEST_KIND: PolicyTestSpec}


def schema_of(kind: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a whole document of this kind. What only code can check, `gatereeve check` does."""
    model = KINDS[kind]
    spec = model.model_json_schema(by_alias=True)
    metadata = Metadata.model_json_schema(by_alias=True)
    definitions = {**spec.pop("$defs", {}), **metadata.pop("$defs", {})}
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind,
        "description": (model.__doc__ or "").strip(),
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": False,
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": kind},
            "metadata": metadata,
            "spec": spec,
        },
    }
    if definitions:
        schema["$defs"] = definitions
    return schema


def schemas() -> str:
    """Every kind's schema as one JSON document, by kind."""
    return json.dumps({kind: schema_of(kind) for kind in KINDS}, indent=2, ensure_ascii=False) + "\n"
