"""A guard with any schema and any arguments: it answers, in bounds, and never tells a value."""

from hypothesis import given
from hypothesis import strategies as st

from extproc.arguments.guard import MOST_FINDINGS, Settings, allowed, applied, cap, compile_guard
from extproc.arguments.schema import Problem, ToolSchema

NAMES = st.sampled_from(
    [
        "path",
        "URL",
        "command",
        "sql",
        "branch",
        "a",
        "a.b",
        "a/b~c",
        "files",
        "replicas",
        "env",
        "",
        "\x1b",
        "\ud800",
        "é",
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**4_000, max_value=10**5_000)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["../x", "http://127.0.0.1/", "a;b", "DROP TABLE t", "-x", "\ud800", "\0"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
ARGUMENTS = st.dictionaries(NAMES, VALUES, max_size=5)
WORDS = st.sampled_from(
    ["type", "properties", "items", "allOf", "anyOf", "oneOf", "not", "if", "then", "$ref", "$defs", "pattern",
     "format", "patternProperties", "additionalProperties", "required", "enum", "const", "maximum", "minLength",
     "$schema", "$id",
     "dependencies", "prefixItems", "contains", "$anchor", "uniqueItems", "x-other"]
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS
    | st.sampled_from(
        ["#", "#/properties/a", "#/$defs/a", "string", "object", "(?=a)", "(a+)+", "uri", "[", "https://x.example/"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.just("a"), inner, max_size=4),
    max_leaves=15,
)
SETTINGS = Settings(
    checks=(applied("path", roots=["/work"]), applied("command", ["a*", "*.b"]), applied("sql-value", ["env"])),
    caps=(cap(["replicas"], 10),),
    values=(allowed(["env"], ["dev"]),),
)


@given(ANYTHING)
def test_every_schema_compiles_or_is_told(schema):
    found = ToolSchema.compile(schema)
    if isinstance(found, Problem):
        assert found.message.endswith(".")
    else:
        assert len(found.problems({"a": 1, "b": ["x"]})) <= MOST_FINDINGS


@given(ANYTHING, ARGUMENTS, st.sampled_from([None, SETTINGS, Settings(defaults=False), Settings(schema=False)]))
def test_every_guard_answers_every_call_in_bounds(schema, arguments, settings):
    guard = compile_guard(schema, settings, "run_sql", "text")
    found = guard.problems(arguments)
    assert len(found) <= MOST_FINDINGS
    for finding in found:
        assert finding.message.endswith(".")
        assert finding.where == "" or finding.where.startswith("/")
        assert finding.where.isprintable()
        assert len(finding.where) <= 200
    assert guard.problems(arguments) == found


@given(
    st.dictionaries(
        NAMES, st.sampled_from(["../hunter2", "hunter2;a", "-hunter2", "http://127.0.0.1/hunter2", "' or 1=1 hunter2"])
    )
)
def test_no_finding_tells_a_text(arguments):
    schema = {"additionalProperties": {"type": "integer", "pattern": "^$", "enum": [1]}}
    assert "hunter2" not in repr(compile_guard(schema, SETTINGS, "run_sql").problems(arguments))


@given(ARGUMENTS, NAMES)
def test_more_arguments_never_make_fewer_findings(arguments, name):
    guard = compile_guard(None, SETTINGS)
    if 0 < len(guard.problems(arguments)) < MOST_FINDINGS and name not in arguments:
        assert guard.problems({**arguments, name: "x"})
