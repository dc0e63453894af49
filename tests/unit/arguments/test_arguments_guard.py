"""A tool's guard: schema, checks by policy and by default, caps and values, in one."""

import pytest

from extproc.arguments.guard import MOST_FINDINGS, Settings, allowed, applied, cap, compile_guard
from extproc.arguments.limits import Size

SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string"},
        "site": {"type": "string", "format": "uri"},
        "content": {"type": "string"},
        "edits": {"type": "array", "items": {"type": "object", "properties": {"file": {"type": "string"}}}},
    },
    "additionalProperties": True,
}


def found(arguments: dict, settings: Settings | None = None, name: str = "", schema: dict | None = SCHEMA) -> list:
    guard = compile_guard(schema, settings, name)
    return sorted((finding.check, finding.where) for finding in guard.problems(arguments))


@pytest.mark.parametrize(
    ("arguments", "findings"),
    [
        pytest.param(
            {"path": "src/a.py", "content": "$(id); ../.. http://169.254.169.254"}, [], id="text may say anything"
        ),
        pytest.param({"path": "../../etc/passwd"}, [("path", "/path")], id="a declared property, by name"),
        pytest.param({"site": "http://169.254.169.254/"}, [("url", "/site")], id="a declared property, by format"),
        pytest.param({"PATH": "../x"}, [("path", "/PATH")], id="another case"),
        pytest.param({"ｐａｔｈ": "../x"}, [("path", "/ｐａｔｈ")], id="compatibility characters"),
        pytest.param({"otherFile": "../x"}, [("path", "/otherFile")], id="an argument the schema does not mention"),
        pytest.param({"edits": [{"file": "a"}, {"file": "../x"}]}, [("path", "/edits/1/file")], id="inside an array"),
        pytest.param({"a": {"b": {"cwd": "../x"}}}, [("path", "/a/b/cwd")], id="deep and not mentioned"),
        pytest.param({"files": ["a", ["../x"]]}, [("path", "/files/1/0")], id="items have their array's name"),
        pytest.param({"files": {"../x": "text"}}, [("path", "/files/..~1x")], id="names of members of a map"),
        pytest.param({"files": {"a": "../x"}}, [], id="members have names of their own"),
        pytest.param({"path": 3}, [("schema", "/path")], id="the schema is held as well"),
        pytest.param({"path": None}, [("schema", "/path")], id="null is for the schema"),
        pytest.param({"command": "npm test && id"}, [("command-line", "/command")], id="a line of a shell"),
        pytest.param({"sql": "DROP TABLE t"}, [("sql", "/sql")], id="SQL"),
        pytest.param({"branch": "--upload-pack=id"}, [("argument", "/branch")], id="an argument of a program"),
        pytest.param({"query": "DROP TABLE t"}, [], id="a query of anything"),
        pytest.param(
            {"uri": "memo://notes/1", "link": "mailto:a@b.example", "endpoint": "/v1/x"}, [], id="identifiers"
        ),
        pytest.param({"uri": "http://127.0.0.1/"}, [("url", "/uri")], id="an identifier that is fetched"),
        pytest.param({"uri": "file:///etc/passwd"}, [("url", "/uri")], id="an identifier of a file"),
        pytest.param({"uri": "git+ssh://x"}, [("url", "/uri")], id="a scheme of two"),
        pytest.param({"endpoint": "//127.0.0.1/x"}, [("url", "/endpoint")], id="a host that looks like a path"),
        pytest.param(
            {"endpoint": "localhost:8080/x"}, [("url", "/endpoint")], id="a port that looks like a scheme's rest"
        ),
    ],
)
def test_arguments_have_checks_by_default(arguments, findings):
    assert found(arguments) == findings


def test_the_tool_decides_about_names_with_several_meanings():
    assert found({"query": "DROP TABLE t"}, name="sql_database") == [("sql", "/query")]
    assert found({"script": "a; b"}, name="run_shell") == [("command-line", "/script")]


def test_defaults_and_schema_can_be_switched_off():
    assert found({"path": "../x"}, Settings(defaults=False)) == []
    assert found({"path": 3}, Settings(schema=False)) == []
    assert found({"path": "../x", "site": "http://127.0.0.1"}, Settings(checks=(applied("path", on=False),))) == [
        ("url", "/site")
    ]


def test_one_argument_can_be_left_out_of_a_check():
    settings = Settings(checks=(applied("path", unless=["path"]),))
    assert found({"path": "../x", "file": "../x"}, settings) == [("path", "/file")]
    settings = Settings(checks=(applied("path", ["path"], on=False),))
    assert found({"path": "../x", "file": "../x"}, settings) == [("path", "/file")]


def test_options_without_arguments_are_for_the_default_arguments():
    settings = Settings(checks=(applied("path", roots=["/srv/w"]), applied("url", hosts=["api.example.org"])))
    assert found({"path": "/srv/w/a", "site": "https://api.example.org/x"}, settings) == []
    assert found({"path": "/home/a", "site": "https://example.net/x"}, settings) == [
        ("path", "/path"),
        ("url", "/site"),
    ]


def test_declared_checks_hold_for_all_text_inside_an_argument():
    settings = Settings(checks=(applied("command", ["hos?", "job.*"]),), schema=False)
    assert found({"HOST": "a;b"}, settings) == [("command", "/HOST")]
    assert found({"host": {"a": ["x", {"b": "x;y"}], "content": "x;y"}}, settings) == [
        ("command", "/host/a/1/b"),
        ("command", "/host/content"),
    ]
    assert found({"job": {"name": "x;y"}, "name": "x;y"}, settings) == [("command", "/job/name")]


def test_of_several_settings_of_one_check_the_first_that_matches_counts():
    checks = (applied("sql", ["admin_sql"], classes=("ddl",)), applied("sql", ["*sql"], classes=("read",)))
    assert found({"admin_sql": "DROP TABLE t", "sql": "SELECT 1"}, Settings(checks=checks)) == []
    assert found({"admin_sql": "SELECT 1", "sql": "DROP TABLE t"}, Settings(checks=checks)) == [
        ("sql", "/admin_sql"),
        ("sql", "/sql"),
    ]


@pytest.mark.parametrize(
    ("value", "refused"),
    [
        (10, False),
        (11, True),
        (-1, True),
        ("10", False),
        ("11", True),
        ("many", True),
        (1e9, True),
        (float("nan"), True),
        (True, True),
        (None, False),
        ([5, 11], True),
        ([5, 6], False),
        ({"a": 1}, True),
        (10**400, True),
    ],
)
def test_a_cap_bounds_numbers_however_they_are_written(value, refused):
    settings = Settings(caps=(cap(["replicas"], 10),), schema=False)
    assert found({"replicas": value}, settings) == ([("number", "/replicas")] if refused else [])
    assert found({"spec": {"replica\u017f": value}}, settings) == (
        [("number", "/spec/replica\u017f")] if refused else []
    )


def test_a_cap_may_allow_numbers_below_zero():
    assert found({"offset": -5}, Settings(caps=(cap(["offset"], 10, -10),))) == []
    assert found({"offset": -11}, Settings(caps=(cap(["offset"], 10, -10),))) == [("number", "/offset")]


def test_values_can_be_listed():
    settings = Settings(values=(allowed(["env"], ["dev", "staging"]),))
    assert found({"env": "dev"}, settings) == found({"env": ["dev", "staging"]}, settings) == []
    for value in ("prod", "DEV", "dev ", ["dev", "prod"], 1, {"a": "dev"}):
        assert found({"env": value}, settings) == [("values", "/env")]


@pytest.mark.parametrize(
    ("size", "arguments"),
    [
        (Size(depth=2), {"a": [[[1]]]}),
        (Size(total=100), {"a": ["x" * 50] * 3}),
        (Size(string=10), {"a": "x" * 11}),
        (Size(items=2), {"a": [1, 2, 3]}),
    ],
)
def test_what_is_too_much_is_refused_before_anything_else(size, arguments):
    [(check, _)] = found({**arguments, "path": "../x"}, Settings(size=size))
    assert check == "size"


def test_nesting_without_end_is_refused():
    value: list = []
    for _ in range(100_000):
        value = [value]
    assert found({"a": value}) == [("size", "/a" + "/0" * 32)]
    assert len(found({"a": value}, Settings(schema=False))) == 1


def test_a_schema_that_cannot_be_used_refuses_every_call_until_it_is_switched_off():
    schema = {"properties": {"a": {"$ref": "https://example.org/x"}}}
    guard = compile_guard(schema)
    assert [finding.check for finding in guard.problems({})] == ["schema"]
    assert "outside itself" in guard.notes[0]
    assert compile_guard(schema, Settings(schema=False)).problems({}) == ()


def test_a_tool_without_a_schema_has_its_checks():
    assert found({"path": "../x", "any": 1}, schema=None) == [("path", "/path")]


def test_findings_are_limited_and_quote_nothing():
    guard = compile_guard(None)
    findings = guard.problems({f"path{number}": "../hunter2" for number in range(50)})
    assert len(findings) == MOST_FINDINGS
    assert "hunter2" not in repr(findings)
    assert len(guard.problems({"files": ["../x"] * 5_000})) == MOST_FINDINGS


@pytest.mark.parametrize(
    ("name", "options"),
    [("nothing", {}), ("path", {"hosts": ["x"]}), ("sql", {"allowed": 1}), ("url", {"schemes": ["://"]})],
)
def test_checks_and_options_that_are_not_there_are_told(name, options):
    with pytest.raises(ValueError, match=r"check|schemes"):
        applied(name, **options)
