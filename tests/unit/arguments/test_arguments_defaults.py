"""Which checks an argument gets by its name, its format and its tool."""

import pytest

from extproc.arguments.defaults import Tool, default_checks, folded, properties, words_of

_OTHERS = [
    *(
        "content",
        "text",
        "body",
        "message",
        "description",
        "prompt",
        "query",
        "code",
        "title",
        "comment",
        "html",
        "data",
    ),
    *(
        "fileContent",
        "file_content",
        "path_params",
        "commander",
        "json_path",
        "xpath",
        "jsonPath",
        "css_path",
        "markdown",
    ),
    *(
        "fileCount",
        "is_file_open",
        "shellfish",
        "sqlite_version",
        "x",
        "_",
        "日本",
        "profile",
        "statement",
        "script",
        "args",
    ),
]
SHELL, DATABASE = Tool(shell=True), Tool(sql=True)


@pytest.mark.parametrize(
    ("names", "check"),
    [
        pytest.param(
            "path file filename file_path filePath FilePath SOURCE_PATH source-path paths targetDir "
            "directory folder outputFolder cwd workdir root dest file2",
            "path",
            id="files",
        ),
        pytest.param(
            "url URL uri imageUrl imageURLs base_url callback_url link endpoint webhookUrl href urls",
            "url",
            id="addresses",
        ),
        pytest.param("command cmd shell shellCommand bash commands", "command-line", id="lines of a shell"),
        pytest.param("sql rawSql SQL", "sql", id="SQL"),
        pytest.param("branch ref hostname remote git_branch commit", "argument", id="arguments of programs"),
    ],
)
def test_names_that_say_where_a_value_goes_are_checked(names, check):
    for name in names.split():
        assert default_checks(name) == (check,), name


@pytest.mark.parametrize(
    "name",
    _OTHERS,
)
def test_names_that_say_something_else_are_not(name):
    assert default_checks(name) == ()


@pytest.mark.parametrize(
    ("name", "tool", "checks"),
    [
        pytest.param("script", SHELL, ("command-line",), id="a script of a shell"),
        pytest.param("args", SHELL, ("command",), id="arguments of a shell"),
        pytest.param("query", DATABASE, ("sql",), id="a query of a database"),
        pytest.param("statement", DATABASE, ("sql",), id="a statement of a database"),
        pytest.param("query", SHELL, (), id="a query of a shell"),
        pytest.param("args", DATABASE, (), id="arguments of a database"),
    ],
)
def test_names_with_several_meanings_count_where_the_tool_says_so(name, tool, checks):
    assert default_checks(name, tool=tool) == checks


@pytest.mark.parametrize(
    ("name", "description", "tool"),
    [
        pytest.param("run_command", "", SHELL, id="runs commands"),
        pytest.param("bash", "", SHELL, id="a shell"),
        pytest.param("query", "Execute a query on the database.", DATABASE, id="runs queries"),
        pytest.param("query-database", "Find pages of a database.", Tool(), id="a database of another kind"),
        pytest.param("query", "Run a read-only SQL query.", DATABASE, id="says SQL"),
        pytest.param("execute_sql", "", Tool(shell=True, sql=True), id="both"),
        pytest.param("search", "Search the web.", Tool(), id="searches"),
        pytest.param("ask", "Ask in natural language; it becomes SQL.", Tool(), id="takes natural language"),
        pytest.param("read_file", "Do not use bash for this.", Tool(), id="only speaks of a shell"),
    ],
)
def test_a_tool_says_where_its_arguments_go(name, description, tool):
    assert Tool.of(name, description) == tool


@pytest.mark.parametrize(
    ("formats", "checks"),
    [({"uri"}, ("url",)), ({"uri-reference"}, ("url",)), ({"path"}, ("path",)), ({"email"}, ()), ({"date-time"}, ())],
)
def test_a_format_says_it_as_well(formats, checks):
    assert default_checks("thing", frozenset(formats)) == checks


def test_properties_are_found_through_everything_that_may_hold_them():
    string, uri = {"type": "string"}, {"type": "string", "format": "URI"}
    schema = {
        "properties": {
            "Plain": string,
            "object": {"properties": {"inner": uri}},
            "list": {"items": {"properties": {"item": uri}}},
            "uris": {"items": uri},
            "ref": {"$ref": "#/$defs/a~1b"},
            "union": {"anyOf": [{"type": "null"}, uri]},
            "loop": {"$ref": "#"},
            "web": {"$ref": "https://example.org/x"},
        },
        "allOf": [
            {"properties": {"more": uri}},
            {"if": {"properties": {"when": string}}, "then": {"properties": {"then": uri}}},
        ],
        "$defs": {"a/b": {"properties": {"deep": uri}}},
    }
    found = properties(schema)
    with_uri = {name for name, known in found.items() if known.formats == {"uri"} and not name.startswith("loop")}
    assert with_uri == {"object.inner", "list.item", "uris", "ref.deep", "union", "more", "then"}
    assert {"plain", "when", "web", "loop.plain", "loop.loop"} <= set(found)


@pytest.mark.parametrize(
    "schema",
    [
        None,
        True,
        [],
        {"properties": 3},
        {"properties": {"a": 3}},
        {"allOf": 3},
        {"items": [3]},
        {"$ref": 3},
        {"$ref": "#/x/y"},
        {"properties": {"a": {"format": 3}}},
    ],
)
def test_odd_schemas_have_the_properties_that_can_be_seen(schema):
    assert set(properties(schema)) <= {"a"}


def test_a_schema_that_grows_without_end_is_looked_at_in_bounds():
    schema = {"properties": {name: {"$ref": "#"} for name in "abcdefgh"}}
    assert len(properties(schema)) <= 1_000


def test_names_are_compared_as_lenient_servers_read_them():
    assert folded("PATH") == folded("path") == folded("ｐａｔｈ") == "path"
    assert folded("replica\u017f") == "replicas"  # Go's JSON takes the long s for an s


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("filePath", "file path"),
        ("HTTPSource.path", "http source path"),
        ("file_path2", "file path"),
        ("2", "2"),
        ("", ""),
        ("-", ""),
        ("URL", "url"),
        ("imageURLs", "image urls"),
        ("URLsOf", "urls of"),
        ("aB", "a b"),
    ],
)
def test_names_are_split_into_words(name, words):
    assert " ".join(words_of(name)) == words
