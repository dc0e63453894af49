"""Which checks an argument gets when the policy names none: by its name, by the schema's format, by its tool.

A name is split into words (`sourcePath`, `target_dir`), and its last word counts. Text that is only text (content,
message, prompt, code) matches nothing, so that it may say whatever it likes. Names of shell and SQL arguments that
mean other things elsewhere (`query`, `script`, `args`) count only where the tool's own name or description says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple
from unicodedata import normalize

MOST_PROPERTIES = 1_000
"""Places of one schema that are looked at beforehand; arguments elsewhere are looked at when they come."""

_DEEPEST = 12
_SHORT = 64  # characters of a name whose checks are remembered


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PATH = _words(
    "path paths file files filename filenames filepath filepaths dir dirs directory directories folder folders dest "
    "dirname basepath pathname cwd workdir workspace rootdir"
)
_PATH_WHOLE = _words("root roots src source_root working_directory")
# A path, but not of files.
_NO_FILE = _words(
    "json xml html css jq object key url uri api http route query class field property node element menu x"
)
_URL = _words("url urls uri uris link links href endpoint endpoints webhook webhooks callback baseurl")
_URI = _words(
    "uri uris link links endpoint endpoints"
)  # of these: what may also be a path, or of a scheme of one's own
_COMMAND = _words("command commands cmd cmds cmdline commandline shell bash")
_SHELL_ONLY = _words("script scripts")
_SHELL_ARGUMENTS = _words("args arg argv arguments")
_SQL = _words("sql")
_SQL_ONLY = _words("query queries statement statements stmt")
_ENTRY = _words("branch ref rev revision commit tag remote host hostname package module")
_SHELL_TOOLS = _words("shell bash sh zsh powershell pwsh terminal exec execute run command cmd ssh console subprocess")
_SQL_TOOLS = _words(
    "sql mysql postgresql postgres psql sqlite mssql tsql plsql mariadb duckdb clickhouse bigquery snowflake redshift "
    "cockroachdb trino presto athena oracle"
)
_SQL_NAMES = _words("database databases db")
_URL_FORMATS = _words("uri uri-reference url iri iri-reference")
_PATH_FORMATS = _words("path file-path filepath directory-path file directory")


@dataclass(frozen=True, slots=True)
class Tool:
    """What a tool's name and description say about where its arguments go."""

    shell: bool = False
    sql: bool = False

    @classmethod
    def of(cls, name: str, description: str) -> "Tool":
        words = set(words_of(name))
        said = set(words_of(description[:4_000])) if description else set()
        asks = "natural" in said and "language" in said
        both = words | said
        runs = not both.isdisjoint(_SQL_NAMES) and not both.isdisjoint(("run", "execute", "exec"))
        sql = runs or not both.isdisjoint(_SQL_TOOLS)
        return cls(shell=not words.isdisjoint(_SHELL_TOOLS), sql=sql and not asks)


def default_checks(name: str, formats: frozenset[str] = frozenset(), tool: Tool = Tool()) -> tuple[str, ...]:
    """The names of the checks for an argument of this name; formats are those its schema gives it."""
    return (_remembered if len(name) <= _SHORT else _checks)(name, formats, tool)


def _checks(name: str, formats: frozenset[str], tool: Tool) -> tuple[str, ...]:
    words = words_of(name)
    last = words[-1] if words else ""
    found = []
    if (last in _PATH and _NO_FILE.isdisjoint(words[:-1])) or "_".join(words) in _PATH_WHOLE:
        found.append("path")
    if last in _URL or not formats.isdisjoint(_URL_FORMATS):
        found.append("url")
    if not formats.isdisjoint(_PATH_FORMATS) and not found:
        found.append("path")
    if last in _COMMAND or (last in _SHELL_ONLY and tool.shell):
        found.append("command-line")
    elif last in _SHELL_ARGUMENTS and tool.shell:
        found.append("command")
    if last in _SQL or (last in _SQL_ONLY and tool.sql):
        found.append("sql")
    if last in _ENTRY:
        found.append("argument")
    return tuple(found)


def names_anything(name: str) -> bool:
    """Whether an argument of this name may hold an identifier that no tool fetches, as well as a URL."""
    words = words_of(name)
    return bool(words) and words[-1] in _URI


# Schemas leave arguments out, and then the same few names come with every call. Names are no secrets; long ones are
# not kept, so that callers cannot fill the memory.
_remembered = lru_cache(maxsize=2_048)(_checks)


def folded(name: str) -> str:
    """A name as servers that are lenient about names compare it: without case and compatibility forms."""
    return name.lower() if name.isascii() else normalize("NFKC", name).casefold()


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, folded: `sourcePath`, `source_path`, `SOURCE-PATH` and `HTTPSource.path` all end alike."""
    if name.isascii() and name.isalpha() and name.islower():
        return (name,)
    name = name if name.isascii() else normalize("NFKC", name)
    spaced = []
    for at, each in enumerate(name):
        if not each.isalnum():
            spaced.append(" ")
            continue
        begins = name[at + 1 : at + 2].islower() and (name[at + 1] != "s" or name[at + 2 : at + 3].islower())  # URLs
        if each.isupper() and at and (name[at - 1].islower() or begins):
            spaced.append(" ")
        spaced.append(each)
    return tuple(word.casefold().rstrip("0123456789") or word for word in "".join(spaced).split())


class Property(NamedTuple):
    """An argument that a schema mentions."""

    name: str  # as the schema writes it, so that its words can be told apart
    formats: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Walk:
    root: Any
    found: dict[str, Property] = field(default_factory=dict)
    seen: set[tuple[int, str]] = field(default_factory=set)

    def visit(self, schema: Any, at: str, deep: int) -> None:
        if type(schema) is not dict or deep > _DEEPEST or (id(schema), at) in self.seen:
            return
        if len(self.found) >= MOST_PROPERTIES or len(self.seen) >= 4 * MOST_PROPERTIES:
            return
        self.seen.add((id(schema), at))
        if at and type(schema.get("format")) is str:
            known = self.found[at]
            self.found[at] = known._replace(formats=known.formats | {schema["format"].lower()})
        for word in ("allOf", "anyOf", "oneOf", "prefixItems"):
            if type(schema.get(word)) is list:
                for sub in schema[word]:
                    self.visit(sub, at, deep + 1)
        for word in ("items", "additionalItems", "contains", "if", "then", "else"):
            for sub in schema[word] if type(schema.get(word)) is list else (schema.get(word),):
                self.visit(sub, at, deep + 1)
        if type(schema.get("$ref")) is str:
            self.visit(self._meant(schema["$ref"]), at, deep + 1)
        members = schema.get("properties")
        if type(members) is dict:
            for name, sub in members.items():
                below = f"{at}.{folded(name)}" if at else folded(name)
                if len(self.found) < MOST_PROPERTIES:
                    self.found.setdefault(below, Property(name))
                    self.visit(sub, below, deep + 1)

    def _meant(self, reference: str) -> Any:
        """What a local pointer leads to; None for all others."""
        if not reference.startswith("#"):
            return None
        node = self.root
        for step in reference[1:].split("/")[1:]:
            node = node.get(step.replace("~1", "/").replace("~0", "~")) if type(node) is dict else None
        return node


def properties(schema: Any) -> Mapping[str, Property]:
    """By dotted, folded name (`options.path`; items of arrays have their array's): what the schema says of it."""
    walk = _Walk(schema)
    walk.visit(schema, "", 0)
    return walk.found
