"""The reference and the schemas say what the models say: every field is described, nothing has drifted."""

import json
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from extproc.policy.documents import Declared
from extproc.policy.reference import reference
from extproc.policy.schema import KINDS, schema_of, schemas

PAGE = Path(__file__).parents[3] / "docs" / "policy-reference.md"


def every_model(base=Declared):
    for model in base.__subclasses__():
        yield model
        yield from every_model(model)


def test_the_reference_is_in_step_with_the_code():
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "run: python -m extproc.policy.reference > docs/policy-reference.md"
    )


@pytest.mark.parametrize("model", list(every_model()), ids=lambda model: model.__name__)
def test_every_model_and_field_is_described(model: type[BaseModel]):
    assert model.__doc__
    assert [name for name, field in model.model_fields.items() if not field.description] == []
    assert all(field.description.endswith((".", ")")) for field in model.model_fields.values())


@pytest.mark.parametrize("model", list(every_model()), ids=lambda model: model.__name__)
def test_every_model_is_strict_closed_and_immutable(model: type[BaseModel]):
    config = model.model_config
    assert (config["strict"], config["extra"], config["frozen"]) == (True, "forbid", True)


def references(value):
    if isinstance(value, dict):
        yield from [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


@pytest.mark.parametrize("kind", KINDS)
def test_a_schema_is_closed_and_whole(kind):
    schema = schema_of(kind)
    assert schema["properties"]["kind"] == {"const": kind}
    assert schema["properties"]["spec"]["additionalProperties"] is False
    assert {ref.removeprefix("#/$defs/") for ref in references(schema)} <= set(schema.get("$defs", {}))


def test_the_example_uses_no_field_that_the_schema_lacks():
    for file in (Path(__file__).parents[2] / "policy" / "example").glob("*.y*ml"):
        for document in yaml.safe_load_all(file.read_text()):
            spec = schema_of(document["kind"])["properties"]["spec"]
            assert set(document["spec"]) <= set(spec["properties"])
            assert set(spec.get("required", ())) <= set(document["spec"])


def test_all_schemas_are_one_json_document():
    assert set(json.loads(schemas())) == set(KINDS)
