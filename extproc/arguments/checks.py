"""The named checks: what a policy may ask of one string argument, by name.

A check is made once, with its options, and then called with each value; it answers with "" or with one sentence that
says what is wrong and what to do. It never raises, never quotes the value, and takes time linear in its length.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from extproc.arguments.command import Argument, Command, CommandLine
from extproc.arguments.path import Path
from extproc.arguments.sql import Sql, SqlValue
from extproc.arguments.url import Url

Check = Callable[[str], str]


class Finding(NamedTuple):
    """One thing wrong with the arguments of a call."""

    check: str  # the check's name: a key of CHECKS, or "schema", "size", "number", "values"
    where: str  # JSON pointer of the argument, "" for all of them
    message: str  # what is wrong and what to do; never the value


# By name, what makes the check: CHECKS["path"](roots=("/srv/data",)), CHECKS["url"]() for the defaults.
CHECKS: Mapping[str, Callable[..., Check]] = MappingProxyType(
    {
        "path": Path,
        "url": Url,
        "command": Command,
        "command-line": CommandLine,
        "argument": Argument,
        "sql": Sql,
        "sql-value": SqlValue,
    }
)
