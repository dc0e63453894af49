"""A tool's schema: what it allows, what makes it unusable, and that no schema and no arguments do harm."""

import math
import time

import pytest

from extproc.arguments.schema import MAX_DEPTH, Problem, ToolSchema, measure


def compiled(schema: object) -> ToolSchema:
    found = ToolSchema.compile(schema)
    assert isinstance(found, ToolSchema), found
    return found


def said(schema: object, arguments: dict) -> list[tuple[str, str]]:
    return [(finding.where, finding.message) for finding in compiled(schema).problems(arguments)]


def test_arguments_that_fit_have_no_findings():
    schema = {"type": "object", "properties": {"a": {"type": "integer", "maximum": 5}}, "required": ["a"]}
    assert said(schema, {"a": 5}) == []


@pytest.mark.parametrize(
    ("keywords", "value", "words"),
    [
        pytest.param({"type": "string"}, 1, "of type string", id="type"),
        pytest.param({"type": ["string", "null"]}, 1, "null or string", id="one of several types"),
        pytest.param({"enum": ["x", "y"]}, "z", "none of the values", id="enum"),
        pytest.param({"const": "x"}, "z", "one value", id="const"),
        pytest.param({"pattern": "^a+$"}, "b", "pattern", id="pattern"),
        pytest.param({"format": "email"}, "b", "email", id="format email"),
        pytest.param({"format": "uuid"}, "b", "uuid", id="format uuid"),
        pytest.param({"format": "ipv4"}, "127.1", "ipv4", id="format ipv4"),
        pytest.param({"format": "ipv6"}, "::g", "ipv6", id="format ipv6"),
        pytest.param({"format": "uri"}, "no uri", "uri", id="format uri"),
        pytest.param({"format": "date-time"}, "yesterday", "date-time", id="format date-time"),
        pytest.param({"minimum": 3}, 2, "at least 3", id="minimum"),
        pytest.param({"maximum": 3}, 4, "at most 3", id="maximum"),
        pytest.param({"exclusiveMinimum": 3}, 3, "more than 3", id="exclusive minimum"),
        pytest.param({"exclusiveMaximum": 3}, 3, "less than 3", id="exclusive maximum"),
        pytest.param({"multipleOf": 3}, 4, "multiple of 3", id="multiple"),
        pytest.param({"minLength": 3}, "a", "at least 3 characters", id="too short"),
        pytest.param({"maxLength": 3}, "aaaa", "at most 3 characters", id="too long"),
        pytest.param({"minItems": 1}, [], "at least 1 items", id="too few items"),
        pytest.param({"maxItems": 1}, [1, 2], "at most 1 items", id="too many items"),
        pytest.param({"uniqueItems": True}, [1, 1], "same item twice", id="an item twice"),
        pytest.param({"contains": {"const": 1}}, [2], "lacks an item", id="contains"),
        pytest.param({"anyOf": [{"type": "string"}]}, 1, "none of the forms", id="any of"),
        pytest.param({"oneOf": [{}, {}]}, 1, "more than one", id="one of"),
        pytest.param({"not": {}}, 1, "excludes", id="not"),
        pytest.param({"propertyNames": {"maxLength": 1}}, {"ab": 1}, "name", id="names of members"),
        pytest.param({"minProperties": 1}, {}, "at least 1 members", id="too few members"),
        pytest.param(False, 1, "not allowed here", id="a schema that is false"),
        pytest.param({"dependentRequired": {"b": ["c"]}}, {"b": 1}, "required", id="dependent members"),
    ],
)
def test_a_finding_tells_place_and_keyword(keywords, value, words):
    [(where, message)] = said({"properties": {"a": keywords}}, {"a": value})
    assert where == "/a"
    assert words in message
    assert message.endswith(".")


def test_missing_and_unknown_members_are_told_by_name():
    schema = {"properties": {"a": {}}, "required": ["b"], "additionalProperties": False}
    found = said(schema, {"x/y": "the secret", "z": 1})
    assert sorted(where for where, _ in found) == ["", "/x~1y", "/z"]
    assert "required member b" in dict(found)[""]


def test_no_finding_quotes_a_value():
    schema = {
        "properties": {"a": {"type": "integer"}, "b": {"enum": ["q"]}, "c": {"pattern": "^x$"}, "d": {"format": "uri"}}
    }
    found = compiled(schema).problems(dict.fromkeys("abcd", "hunter2 secret"))
    assert len(found) == 4
    assert "hunter2" not in repr(found)


def test_names_with_control_characters_are_told_without_them():
    [finding] = compiled({"additionalProperties": False}).problems({"a\x1b[2J\u202e" + "b" * 900: 1})
    assert finding.where.isprintable()
    assert len(finding.where) <= 200


def test_findings_are_limited():
    assert len(compiled({"additionalProperties": {"type": "string"}}).problems({str(n): n for n in range(50)})) == 8
    assert len(compiled({"additionalProperties": {"type": "string"}}).problems({"a": 1, "b": 2}, limit=1)) == 1


def test_many_errors_cost_little():
    schema = compiled({"properties": {"a": {"items": {"type": "string"}}}})
    begin = time.thread_time()
    assert len(schema.problems({"a": [1] * 200_000})) == 1
    assert time.thread_time() - begin < 0.5


@pytest.mark.parametrize(
    ("dialect", "schema", "value"),
    [
        pytest.param("http://json-schema.org/draft-07/schema#", {"items": [{"type": "string"}]}, [1], id="draft-07"),
        pytest.param(
            "https://json-schema.org/draft-07/schema",
            {"definitions": {"s": {"type": "string"}}, "items": {"$ref": "#/definitions/s"}},
            [1],
            id="draft-07 with https",
        ),
        pytest.param(
            "http://json-schema.org/draft-04/schema#", {"maximum": 3, "exclusiveMaximum": True}, 3, id="draft-04"
        ),
        pytest.param(
            "https://json-schema.org/draft/2019-09/schema", {"items": [{"type": "string"}]}, [1], id="2019-09"
        ),
        pytest.param(
            "https://json-schema.org/draft/2020-12/schema", {"prefixItems": [{"type": "string"}]}, [1], id="2020-12"
        ),
    ],
)
def test_the_dialect_a_schema_names_is_the_one_it_is_read_in(dialect, schema, value):
    whole = {"$schema": dialect, **{word: schema.pop(word) for word in ("definitions",) if word in schema}}
    assert said({**whole, "properties": {"a": schema}}, {"a": value})


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"$ref": "https://example.org/x.json"}, id="a reference to the web"),
        pytest.param({"$ref": "http://169.254.169.254/latest"}, id="a reference to a metadata service"),
        pytest.param({"$ref": "file:///etc/passwd"}, id="a reference to a file"),
        pytest.param({"$ref": "other.json#/x"}, id="a relative reference"),
        pytest.param({"$id": "https://example.org/a/", "$ref": "b"}, id="a reference relative to its identity"),
        pytest.param({"properties": {"a": {"$ref": "//example.org/x"}}}, id="a reference deep inside"),
        pytest.param({"$dynamicRef": "https://example.org/x#a"}, id="a dynamic reference"),
        pytest.param({"$ref": "#/$defs/none"}, id="a reference that leads nowhere"),
        pytest.param({"$ref": "#none"}, id="an anchor that is not there"),
        pytest.param({"$ref": "#/properties/a/default", "properties": {"a": {"default": {}}}}, id="into data"),
        pytest.param({"$ref": 3}, id="a reference that is no text"),
        pytest.param({"allOf": [{"$ref": "#"}]}, id="a reference to itself at the same value"),
        pytest.param({"$ref": "#/$defs/a", "$defs": {"a": {"$id": "x"}}}, id="an identity inside"),
        pytest.param({"$schema": "https://example.org/mine"}, id="an unknown dialect"),
        pytest.param({"$schema": 3}, id="a dialect that is no text"),
        pytest.param({"type": "nothing"}, id="an unknown type"),
        pytest.param({"properties": {"a": 3}}, id="a member's schema that is none"),
        pytest.param({"properties": []}, id="members that are a list"),
        pytest.param({"required": True}, id="required as in old drafts"),
        pytest.param([], id="a list"),
        pytest.param("x", id="a text"),
        pytest.param(False, id="false"),
        pytest.param({"enum": [[0] * 200_000]}, id="too much data"),
        pytest.param({"anyOf": [{}] * 5_000}, id="too many subschemas"),
        pytest.param({"const": "\ud800"}, id="half a character"),
    ],
)
def test_a_schema_that_cannot_be_used_is_told_and_nothing_is_fetched(schema):
    found = ToolSchema.compile(schema)
    assert isinstance(found, Problem)
    assert found.message.endswith(".")
    assert "example.org" not in found.message


def test_a_schema_nested_without_end_is_told():
    schema: dict = {}
    for _ in range(50_000):
        schema = {"properties": {"a": schema}}
    assert isinstance(ToolSchema.compile(schema), Problem)
    deep: list = []
    for _ in range(50_000):
        deep = [deep]
    for word in ("enum", "const", "required", "maximum"):
        assert isinstance(ToolSchema.compile({word: deep}), Problem)


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"properties": {"a": {"$ref": "#/$defs/s"}}, "$defs": {"s": {"type": "string"}}}, id="pointer"),
        pytest.param(
            {"properties": {"a": {"$ref": "#s"}}, "$defs": {"x": {"$anchor": "s", "type": "string"}}}, id="anchor"
        ),
        pytest.param(
            {"properties": {"a": {"$ref": "#/$defs/x~1y%20z"}}, "$defs": {"x/y z": {"type": "string"}}}, id="escapes"
        ),
        pytest.param(
            {"properties": {"a": {"$ref": "#/definitions/s"}}, "definitions": {"s": {"type": "string"}}}, id="old place"
        ),
        pytest.param({"properties": {"a": {"$ref": "#/properties/b"}, "b": {"type": "string"}}}, id="another member"),
        pytest.param(
            {
                "$id": "https://example.org/x",
                "properties": {"a": {"$ref": "https://example.org/x#/$defs/s"}},
                "$defs": {"s": {"type": "string"}},
            },
            id="its own identity",
        ),
    ],
)
def test_local_references_are_followed(schema):
    assert said(schema, {"a": 1})[0][0] == "/a"
    assert said(schema, {"a": "x"}) == []


def test_members_that_are_named_like_keywords_are_members():
    schema = {
        "properties": {"$ref": {"type": "string"}, "pattern": {"type": "integer"}, "$id": {}, "not": {"type": "null"}}
    }
    assert said(schema, {"$ref": "x", "pattern": 1, "$id": 1, "not": None}) == []
    assert [where for where, _ in said(schema, {"pattern": "("})] == ["/pattern"]


@pytest.mark.parametrize("pattern", [r"^(?=a)b", r"^(a)\1$", r"(?<!x)y", "(\\w{1000}){1000}"])
def test_a_pattern_that_needs_backtracking_is_left_out_and_noted(pattern):
    schema = compiled({"properties": {"a": {"pattern": pattern, "maxLength": 3}}})
    assert "pattern at /properties/a" in schema.notes[0]
    assert schema.problems({"a": "zzz"}) == ()
    assert schema.problems({"a": "zzzz"})


def test_leaving_out_a_pattern_never_makes_a_schema_stricter():
    unmatched = {"pattern": "^(?!x)"}
    for schema in (
        {"not": unmatched},
        {"if": unmatched, "then": False},
        {"oneOf": [unmatched, {"type": "string"}]},
        {"patternProperties": {"^(?!x)": {}}, "additionalProperties": False},
    ):
        found = compiled({"properties": {"a": schema}})
        assert found.notes
        assert found.problems({"a": {"b": 1} if "patternProperties" in schema else "y"}) == ()


def test_patterns_run_in_linear_time():
    schema = compiled({"properties": {"a": {"pattern": "^(a+)+$"}, "b": {"pattern": "(x+x+)+y"}}})
    begin = time.thread_time()
    assert len(schema.problems({"a": "a" * 200_000 + "b", "b": "x" * 200_000})) == 2
    assert time.thread_time() - begin < 1


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"a": 10**30}, id="an integer of 30 digits"),
        pytest.param({"a": -(2**63) - 1}, id="an integer beyond 64 bits"),
        pytest.param({"a": math.nan}, id="not a number"),
        pytest.param({"a": -math.inf}, id="an infinity"),
        pytest.param({"a": "\ud800"}, id="half a character"),
        pytest.param({"\udfff": 1}, id="half a character in a name"),
    ],
)
def test_odd_values_are_refused_and_never_crash(arguments):
    schema = compiled(
        {"additionalProperties": False, "properties": {"a": {"type": "integer", "maximum": 9, "minimum": -9}}}
    )
    assert schema.problems(arguments)


def test_deep_arguments_are_refused_before_the_validator_sees_them():
    schema = compiled({"properties": {"a": {"items": {"$ref": "#/properties/a"}}}})
    value: list = []
    for _ in range(60_000):
        value = [value]
    [finding] = schema.problems({"a": value})
    assert "deeper" in finding.message


def test_references_that_double_at_each_step_are_bounded():
    chain = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(60)}
    schema = ToolSchema.compile({"$ref": "#/$defs/a0", "$defs": {**chain, "a60": {"type": "object"}}})
    assert isinstance(schema, ToolSchema)
    begin = time.thread_time()
    assert "too large" in schema.problems({})[0].message
    assert time.thread_time() - begin < 0.1


def test_references_that_double_at_each_level_of_arguments_are_bounded():
    tree = {"anyOf": [{"properties": {"a": {"$ref": "#"}}, "required": [str(n)]} for n in range(2)]}
    schema = compiled(tree)
    value: dict = {}
    for _ in range(6):
        value = {"a": value}
    assert schema.problems(value)[0].message.startswith("The value fits none")
    for _ in range(40):
        value = {"a": value}
    begin = time.thread_time()
    assert "too large" in schema.problems(value)[0].message
    assert time.thread_time() - begin < 0.1


def test_a_recursive_schema_of_one_way_takes_deep_arguments():
    schema = compiled({"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}, "v": {"type": "integer"}}})
    value: dict = {"v": 1}
    for _ in range(MAX_DEPTH - 2):
        value = {"left": value, "right": {"v": 2}}
    assert schema.problems(value) == ()


@pytest.mark.parametrize(
    ("value", "size"),
    [({}, (1, 1)), ({"a": 1}, (1, 2)), ({"a": [1, [2]]}, (3, 5)), ("x", (0, 1)), ([[], []], (2, 3))],
)
def test_size_counts_levels_and_values(value, size):
    assert tuple(measure(value)) == (*size, False)


@pytest.mark.parametrize("digits", [20, 310, 2_000, 4_299, 4_301, 100_000])
def test_no_integer_is_too_long_to_be_compared(digits):
    assert compiled({"properties": {"a": {"maximum": 9}}}).problems({"a": 10**digits})
    assert compiled({"properties": {"a": {"items": {"minimum": -9}}}}).problems({"a": [-(10**digits)]})


@pytest.mark.parametrize("schema", [True, {}, {"type": "object"}])
def test_a_schema_that_says_nothing_takes_any_object(schema):
    assert compiled(schema).problems({"a": [{"b": 1}]}) == ()
