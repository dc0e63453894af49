"""One tool's guard: everything its arguments are held against, compiled once for its definition.

Names are compared without case and compatibility forms, because some servers read them so. A check that the policy
declares for an argument holds for all text inside it; one that an argument has by default holds for its text and the
items of its arrays, since members of objects have names of their own.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from extproc.arguments.checks import CHECKS, Check, Finding
from extproc.arguments.defaults import Tool, default_checks, folded, names_anything, properties
from extproc.arguments.limits import Number, OneOf, Size
from extproc.arguments.schema import Problem, ToolSchema
from extproc.arguments.schema_copy import pointer, shown
from extproc.exchange.model import JsonObject

MOST_FINDINGS = 8


@dataclass(frozen=True, slots=True)
class Applied:
    """One check of a policy: which arguments it holds for, and how it judges them. Made by `applied`."""

    name: str
    arguments: tuple[str, ...] = ()
    """Patterns with * and ?; with a dot they mean the dotted name. None: the arguments that have it by default."""
    unless: tuple[str, ...] = ()
    """Patterns of arguments it does not hold for."""
    judge: Check | None = None
    """None switches the check off for these arguments."""


@dataclass(frozen=True, slots=True)
class Cap:
    """A blast radius: the numbers that arguments of these names may be."""

    arguments: tuple[str, ...]
    number: Number


@dataclass(frozen=True, slots=True)
class Allowed:
    """The values that arguments of these names may have."""

    arguments: tuple[str, ...]
    values: OneOf


@dataclass(frozen=True, slots=True)
class Settings:
    """What a policy says of the arguments of some tools. Of several `Applied` of one check the first that matches
    an argument counts."""

    schema: bool = True
    """Whether arguments are held against the tool's own schema."""
    defaults: bool = True
    """Whether arguments get checks by name and format where the policy declares none."""
    checks: tuple[Applied, ...] = ()
    caps: tuple[Cap, ...] = ()
    values: tuple[Allowed, ...] = ()
    size: Size = field(default_factory=Size)


class _Rule(NamedTuple):
    """What holds for one argument."""

    checks: tuple[tuple[str, Check], ...]  # by name: what judges its text
    declared: tuple[tuple[str, Check], ...]  # those of them that hold for members of objects as well
    whole: tuple[tuple[str, Callable[[Any], str]], ...]  # what judges the value as it is


def applied(
    name: str, arguments: Iterable[str] = (), unless: Iterable[str] = (), *, on: bool = True, **options: Any
) -> Applied:
    """A check by its name, with its options (`roots`, `hosts`, `classes`, ...). Raises ValueError for unknown ones."""
    if name not in CHECKS:
        raise ValueError(f"there is no check {name!r}; there are {', '.join(CHECKS)}")
    try:
        judge = CHECKS[name](**options) if on else None
    except TypeError:
        raise ValueError(f"the check {name!r} has no option of that name or type: {', '.join(options)}") from None
    return Applied(name, _patterns(arguments), _patterns(unless), judge)


def cap(arguments: Iterable[str], maximum: float | None = None, minimum: float | None = None) -> Cap:
    """A numeric cap, bounds inclusive. Below zero often means "no limit", so a maximum alone excludes it too."""
    if minimum is None and maximum is not None and maximum >= 0:
        minimum = 0
    return Cap(_patterns(arguments), Number(minimum, maximum))


def allowed(arguments: Iterable[str], values: Iterable[str | float | bool]) -> Allowed:
    return Allowed(_patterns(arguments), OneOf(values))


def compile_guard(
    input_schema: JsonObject | None, settings: Settings | None = None, tool_name: str = "", description: str = ""
) -> "Guard":
    """The guard of one tool definition. Takes some 100 µs; the caller keeps it. Raises nothing for any definition."""
    return Guard(input_schema, settings or Settings(), Tool.of(tool_name, description))


class Guard:
    """Holds arguments against all that is set. Immutable; may be shared by all exchanges."""

    __slots__ = ("_known", "_schema", "_settings", "_tool", "_unusable", "notes")

    def __init__(self, input_schema: JsonObject | None, settings: Settings, tool: Tool) -> None:
        compiled = ToolSchema.compile(input_schema) if settings.schema and input_schema is not None else None
        self._schema = compiled if isinstance(compiled, ToolSchema) else None
        self._unusable = compiled.message if isinstance(compiled, Problem) else ""
        self._settings, self._tool = settings, tool
        self._known: Mapping[str, _Rule | None] = {
            at: self._rule(at, *known) for at, known in properties(input_schema).items()
        }
        self.notes: tuple[str, ...] = (
            (self._unusable,) if self._unusable else self._schema.notes if self._schema else ()
        )
        """For people, once per tool: what of its schema is not, or cannot be, held against arguments."""

    def problems(self, arguments: JsonObject) -> tuple[Finding, ...]:
        """What is wrong with the arguments of a call, at most MOST_FINDINGS; () if nothing is. Raises nothing."""
        excess = self._settings.size.excess(arguments)
        if excess is not None:
            return (Finding("size", shown(excess.where, 200), excess.message),)
        found: list[Finding] = []
        self._members(arguments, (), "", None, found)
        if self._schema is not None and len(found) < MOST_FINDINGS:
            found += self._schema.problems(arguments)
        elif self._unusable:
            found.append(Finding("schema", "", self._unusable))
        return tuple(found[:MOST_FINDINGS])

    def _members(
        self, holder: JsonObject, where: tuple[Any, ...], at: str, above: _Rule | None, found: list[Finding]
    ) -> None:
        known = self._known
        for name, value in holder.items():
            if value is None:  # the absence of a value
                continue
            below = name if name.islower() and name.isascii() else folded(name)
            if at:
                below = f"{at}.{below}"
            rule = known[below] if below in known else self._rule(below, name)
            if above is not None and above.declared:
                rule = _joined(rule, above)
            if rule is not None or type(value) is dict or type(value) is list:
                self._value(value, rule, (where, name), below, found)
            if len(found) >= MOST_FINDINGS:
                return

    def _value(self, value: Any, rule: _Rule | None, where: tuple[Any, ...], at: str, found: list[Finding]) -> None:
        if rule is not None:
            for name, judge_whole in rule.whole:
                message = judge_whole(value)
                if message:
                    found.append(Finding(name, _pointer(where), message))
        if type(value) is str:
            if rule is not None:
                self._text(value, rule, where, found)
        elif type(value) is list:
            below = rule if rule is None or not rule.whole else rule._replace(whole=())  # they have seen the items
            for place, item in enumerate(value):
                self._value(item, below, (where, place), at, found)
                if len(found) >= MOST_FINDINGS:
                    return
        elif type(value) is dict:
            if rule is not None:
                for key in value:  # a map from paths to contents, or from hosts to ports
                    self._text(key, rule, (where, key), found)
            self._members(value, where, at, rule, found)

    def _text(self, text: str, rule: _Rule, where: tuple[Any, ...], found: list[Finding]) -> None:
        for name, judge in rule.checks:
            message = judge(text)
            if message:
                found.append(Finding(name, _pointer(where), message))

    def _rule(self, at: str, written: str, formats: frozenset[str] = frozenset()) -> _Rule | None:
        """What holds for the argument of this dotted, folded name, written so; None for nothing."""
        settings, name = self._settings, folded(written)
        usual = default_checks(written, formats, self._tool) if settings.defaults else ()
        checks: dict[str, Check | None] = {}
        declared: dict[str, Check] = {}
        for each in settings.checks:
            if each.name in checks:
                continue
            if _matches(each.unless, name, at):
                continue
            if _matches(each.arguments, name, at) if each.arguments else each.name in usual or each.judge is None:
                checks[each.name] = each.judge
                if each.arguments and each.judge is not None:
                    declared[each.name] = each.judge
        for check in usual:
            if check not in checks and not any(each.name == check and each.unless and _matches(each.unless, name, at)
                                               for each in settings.checks):  # fmt: skip
                checks[check] = _uri if check == "url" and names_anything(written) else _USUAL[check]
        whole: list[tuple[str, Callable[[Any], str]]] = []
        whole += [("number", each.number) for each in settings.caps if _matches(each.arguments, name, at)]
        whole += [("values", each.values) for each in settings.values if _matches(each.arguments, name, at)]
        on = tuple((check, judge) for check, judge in checks.items() if judge is not None)
        return _Rule(on, tuple(declared.items()), tuple(whole)) if on or whole else None


# The checks that need no options, for arguments that have them by default.
_USUAL: Mapping[str, Check] = {
    name: CHECKS[name]() for name in ("path", "url", "command-line", "command", "argument", "sql")
}


# Schemes that common libraries fetch. Others (memo://, s3://, urn:) are identifiers that only the server understands.
_FETCHED = frozenset(
    (
        *(
            "http",
            "https",
            "ws",
            "wss",
            "ftp",
            "ftps",
            "sftp",
            "tftp",
            "scp",
            "ssh",
            "file",
            "smb",
            "cifs",
            "nfs",
            "data",
        ),
        *("gopher", "dict", "ldap", "ldaps", "rmi", "dns", "telnet", "imap", "imaps", "pop3", "smtp", "rtsp", "mysql"),
        *(
            "postgres",
            "postgresql",
            "redis",
            "mongodb",
            "jar",
            "netdoc",
            "phar",
            "php",
            "zip",
            "expect",
            "glob",
            "javascript",
        ),
        *("vbscript", "view-source"),
    )
)


def _uri(value: str) -> str:
    """The check of a URL for an argument that may hold a path of an API, or an identifier of the server's own."""
    if value[:1] == "/" and value[1:2] not in ("/", "\\", "\t", "\n", "\r"):
        return ""
    scheme, colon, rest = value.partition(":")
    plain = scheme.isascii() and scheme[:1].isalpha() and scheme.replace("-", "").replace("+", "").isalnum()
    if colon and plain and not rest[:1].isdigit() and _FETCHED.isdisjoint(scheme.lower().split("+")):
        return ""
    return _USUAL["url"](value)


def _joined(rule: _Rule | None, above: _Rule) -> _Rule:
    """A member's rule with what the policy declares for the argument it stands in."""
    if rule is None:
        return _Rule(above.declared, above.declared, ())
    own = {name for name, _ in rule.checks}
    more = tuple(each for each in above.declared if each[0] not in own)
    return _Rule(rule.checks + more, rule.declared + more, rule.whole)


def _patterns(patterns: Iterable[str]) -> tuple[str, ...]:
    return tuple(folded(pattern) for pattern in patterns)


def _matches(patterns: tuple[str, ...], name: str, at: str) -> bool:
    return any(fnmatchcase(at if "." in pattern else name, pattern) for pattern in patterns)


def _pointer(where: tuple[Any, ...]) -> str:
    steps: list[str | int] = []
    while where:
        where, step = where
        steps.append(step)
    return pointer(steps[::-1])
