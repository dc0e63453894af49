"""MCPServer documents to the rules of their tools. Reads the pin files and signed lists that they name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from extproc.arguments.guard import Applied, Settings, allowed, applied, cap
from extproc.arguments.limits import Size
from extproc.errors import GatereeveError, PolicyError, Problem
from extproc.policy.documents.mcp_server import MCPServerSpec
from extproc.policy.documents.tool_rules import ArgumentsSpec, ChecksSpec
from extproc.policy.envelope import Document
from extproc.policy.names import Names
from extproc.policy.nodes import Loc
from extproc.policy.sensitivity import named
from extproc.policy.tool_rules import Approval, Screening, ToolRules
from extproc.tools import manifest as manifests
from extproc.tools import pins as pin_files
from extproc.tools.signing_keys import verifying_keys

_CHECKS = ("path", "url", "command", "command_line", "argument", "sql", "sql_value")


def compile_rules(document: Document, spec: MCPServerSpec, problems: list[Problem]) -> ToolRules:
    """The rules of one server. What is wrong is added to `problems`, with its place. Reads the files it names."""
    settings = [
        (Names((tool.match,)), _settings(document, ("spec", "tools", place, "arguments"), tool.arguments, problems))
        for place, tool in enumerate(spec.tools)
        if tool.arguments is not None
    ]
    settings.append((Names(("*",)), _settings(document, ("spec", "arguments"), spec.arguments, problems)))
    return ToolRules(
        tuple(settings),
        _approval(document, spec, problems),
        Screening(
            spec.screening.descriptions,
            spec.screening.results,
            spec.screening.refuse_at or 50,
            spec.screening.refuse_at or 70,
        ),
        spec.results.max_bytes,
        spec.results.when_larger == "truncate",
        tuple((Names((tool.match,)), named(tool.data_class)) for tool in spec.tools if tool.data_class is not None),
        frozenset({"sampling", "elicitation", "roots"} - set(spec.may_ask)),
        spec.record_arguments,
    )


def _settings(document: Document, loc: Loc, spec: ArgumentsSpec, problems: list[Problem]) -> Settings:
    checks: list[Applied] = []
    for name in _CHECKS:
        try:
            made = _applied(spec.checks, name)
        except ValueError as error:
            problems.append(document.raw.problem((*loc, "checks", _camel(name)), str(error)))
        else:
            checks += made
    return Settings(
        schema=spec.schema_,
        defaults=spec.defaults,
        checks=tuple(checks),
        caps=tuple(cap((name,), limits.max, limits.min) for name, limits in spec.limits.items()),
        values=tuple(allowed((name,), values) for name, values in spec.values.items()),
        size=Size(total=spec.max_bytes, string=spec.max_bytes, depth=spec.max_depth),
    )


def _applied(spec: ChecksSpec, name: str) -> list[Applied]:
    check = getattr(spec, name)
    told = name.replace("_", "-")
    if check is None:
        return []
    if check == "off":
        # An argument called `command` has the check of whole lines by its name; who switches off the one means both.
        both = name == "command" and spec.command_line is None
        return [applied(each, on=False) for each in ((told, "command-line") if both else (told,))]
    options: Mapping[str, Any] = check.model_dump(exclude={"arguments", "unless"})
    return [applied(told, check.arguments, check.unless, **options)]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def _approval(document: Document, spec: MCPServerSpec, problems: list[Problem]) -> Approval | None:
    if spec.pins is not None:
        raw = _read(document, ("spec", "pins", "file"), spec.pins.file, problems)
        if raw is None:
            return None
        try:
            pins = pin_files.parse(raw, spec.pins.file)
        except PolicyError as error:
            for problem in error.problems:
                said = f"{problem.path} {problem.message}".strip()
                problems.append(document.raw.problem(("spec", "pins", "file"), f"cannot be used: {said}"))
            return None
        return Approval(pins, spec.pins.on_drift == "refuse", spec.pins.on_unknown == "refuse")
    if spec.manifest is None:
        return None
    signed = _read(document, ("spec", "manifest", "file"), spec.manifest.file, problems)
    keys = _read(document, ("spec", "manifest", "keys"), spec.manifest.keys, problems)
    if signed is None or keys is None:
        return None
    try:
        # No clock here: when it ends is asked when a tool is.
        text = signed.decode("ascii", "replace")
        found = manifests.verify(text, verifying_keys(keys), now=0.0, leeway=float("inf"))
    except GatereeveError as error:
        problems.append(document.raw.problem(("spec", "manifest"), f"cannot be believed: {error}"))
        return None
    if found.server not in (document.name, spec.url):
        loc = ("spec", "manifest", "file")
        problems.append(document.raw.problem(loc, f"is of another server; sign it for {document.name} or {spec.url}"))
        return None
    return Approval(found, expires=found.expires)


def _read(document: Document, loc: Loc, name: str, problems: list[Problem]) -> bytes | None:
    try:
        return Path(document.raw.folder, name).read_bytes()
    except OSError as error:
        said = error.strerror or "no such file"
        problems.append(
            document.raw.problem(loc, f"cannot be read ({said}); correct the path, relative to this document")
        )
        return None
