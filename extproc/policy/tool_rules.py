"""What one MCP server's tools are held to, compiled: guards of arguments, approved definitions, caps, screening.

Knows definitions and arguments as values; where definitions come from is the caller's affair. Guards are compiled when
a tool is first called and kept, because a definition is known only once its server has listed it.
"""

from dataclasses import dataclass, field
from typing import Literal

from extproc.arguments.checks import Finding
from extproc.arguments.defaults import Tool
from extproc.arguments.guard import Guard, Settings, compile_guard
from extproc.exchange.model import JsonObject
from extproc.policy.names import Names
from extproc.policy.sensitivity import DataClass
from extproc.tools.manifest import Manifest
from extproc.tools.pins import Pins

Standing = Literal["approved", "unknown", "changed"]
Treatment = Literal["off", "flag", "strip", "refuse"]

NOT_KEPT = "gatereeve/not-kept"
"""A member of what stands for a definition that was seen and could not be kept: nobody has approved that."""

_MOST_GUARDS = 20_000
_MOST_CLEAN = 50_000


@dataclass(frozen=True, slots=True)
class Screening:
    """What is done with texts that speak to the model, and from which score on they count as grave."""

    descriptions: Treatment = "refuse"
    results: Treatment = "strip"
    grave_description: int = 50
    grave_result: int = 70


@dataclass(frozen=True, slots=True)
class Approval:
    """Which definitions somebody has approved. `drift` and `unknown`: whether such a tool is refused."""

    pins: Pins | Manifest
    drift: bool = True
    unknown: bool = True
    expires: float | None = None  # Unix time after which nobody has approved anything

    def standing(self, definition: JsonObject, wall: float) -> Standing:
        """`wall` is Unix time."""
        if self.lapsed(wall):
            return "unknown"
        found = self.pins.check(definition)
        return "approved" if found in ("pinned", "signed") else "changed" if found == "changed" else "unknown"

    def lapsed(self, wall: float) -> bool:
        return self.expires is not None and wall > self.expires

    def refuses(self, standing: Standing) -> bool:
        return (standing == "changed" and self.drift) or (standing == "unknown" and self.unknown)


@dataclass(slots=True)
class ToolRules:
    """Everything a server's tools are held to. Frozen but for what it has found out so far: the guards it compiled, and
    the definitions that were screened without a finding."""

    settings: tuple[tuple[Names, Settings], ...] = ()  # the last one is for every tool
    approval: Approval | None = None
    screening: Screening = Screening()
    max_bytes: int = 4 << 20
    truncates: bool = True
    classes: tuple[tuple[Names, DataClass], ...] = ()
    denied: frozenset[str] = frozenset()  # of sampling, elicitation and roots
    records_arguments: bool = True
    _guards: dict[str, tuple[JsonObject, Guard]] = field(default_factory=dict, repr=False)
    _schemaless: dict[tuple[int, Tool], Guard] = field(default_factory=dict, repr=False)
    _clean: set[bytes] = field(default_factory=set, repr=False)

    def problems(self, tool: str, definition: JsonObject | None, arguments: JsonObject) -> tuple[Finding, ...]:
        """What is wrong with the arguments of a call; () if nothing is. Without a definition there is no schema to hold
        them against; every other check counts."""
        if definition is None:
            self._guards.pop(tool, None)
            return self._without_schema(tool).problems(arguments)
        known = self._guards.get(tool)
        if known is None or known[0] is not definition:
            if len(self._guards) >= _MOST_GUARDS:
                self._guards.clear()
            known = self._guards[tool] = (definition, self._compiled(tool, definition))
        return known[1].problems(arguments)

    def notes(self, tool: str) -> tuple[str, ...]:
        """Of the call of a tool that was just judged: which guard could not be held against it."""
        if not self.settings or not self._settings_of(tool).schema:
            return ()
        known = self._guards.get(tool)
        if known is None or NOT_KEPT in known[0]:
            return ("schema-not-known",)
        return ("schema-partly-held",) if known[1].notes else ()

    def is_clean(self, key: bytes) -> bool:
        """Whether `found_clean` was said of this digest."""
        return key in self._clean

    def found_clean(self, key: bytes) -> None:
        """Screening found nothing in what has this digest (one that nobody can find a second text for)."""
        if len(self._clean) >= _MOST_CLEAN:
            self._clean.clear()  # rare, and no worse than a start
        self._clean.add(key)

    def data_class(self, tool: str, otherwise: DataClass) -> DataClass:
        """The class of what a tool gives out."""
        for names, level in self.classes:
            if names(tool):
                return level
        return otherwise

    def _compiled(self, tool: str, definition: JsonObject) -> Guard:
        schema, said = definition.get("inputSchema"), definition.get("description")
        return compile_guard(
            schema if type(schema) is dict else None, self._settings_of(tool), tool, said if type(said) is str else ""
        )

    def _without_schema(self, tool: str) -> Guard:
        """The guard of a tool that no list has shown. Names are the caller's to choose, so none of them is kept: what
        counts of a name is what its words say."""
        settings = self._settings_of(tool)
        key = id(settings), Tool.of(tool, "")
        guard = self._schemaless.get(key)
        if guard is None:
            guard = compile_guard(None, settings, tool)
            if any(each is settings for _, each in self.settings):  # its id means it as long as these rules live
                self._schemaless[key] = guard
        return guard

    def _settings_of(self, tool: str) -> Settings:
        return next((each for names, each in self.settings if names(tool)), Settings())
