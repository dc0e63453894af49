"""`make bench`: measure everything in one run, print rows and ratios, keep them as JSON.

    python -m tests.bench                 all of it, under three minutes on two cores
    python -m tests.bench --only 1 4      some sections (compared with the last run, not kept as it)
    python -m tests.bench --quick         fewer rounds
    python -m tests.bench --table         nothing is measured: the last kept run as Markdown, for docs/performance.md

Exits with 1 when something could not be measured; a budget that is not held is said in its row.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from extproc.adapters import logs
from tests.bench import envoy_rows, growth_rows, mcp_rows, report, room_rows, session_rows, worker_rows, world

_Rows = Callable[[Path, world.Caller, bool], Iterator[report.Row]]
# Section numbers to what measures them. Server-sent events (4) are measured along with 1 and 2.
_PARTS: tuple[tuple[str, str, _Rows], ...] = (
    ("session", "14", lambda folder, caller, quick: session_rows.rows(folder, caller)),
    ("worker", "24", lambda folder, caller, quick: worker_rows.rows(folder, caller, quick=quick)),
    ("envoy", "3", lambda folder, caller, quick: envoy_rows.rows(folder, caller, quick=quick)),
    ("growth", "5", lambda folder, caller, quick: growth_rows.rows(folder, caller, quick=quick)),
    ("mcp", "7", lambda folder, caller, quick: mcp_rows.rows(folder, caller, quick=quick)),
    ("rooms", "6", lambda folder, caller, quick: room_rows.rows()),
)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description="Measure Gatereeve.")
    parser.add_argument("--only", nargs="*", default=[], metavar="N", help="sections, by number")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: rough figures in under a minute")
    parser.add_argument("--table", action="store_true", help="print the last kept run as Markdown")
    chosen = parser.parse_args(arguments)
    if chosen.table:
        print(report.markdown())
        return 0
    logs.configure(format="text", level="error")
    began = time.monotonic()
    described, before = report.machine(), report.previous()
    report.heading(described)
    rows: list[report.Row] = []
    failed = []
    section = ""
    with tempfile.TemporaryDirectory(prefix="gatereeve-bench-") as temporary:
        caller = world.Caller.make()
        for name, sections, measure in _PARTS:
            if chosen.only and not set(chosen.only) & set(sections):
                continue
            folder = Path(temporary) / name
            folder.mkdir()
            try:
                for row in measure(folder, caller, chosen.quick):
                    rows.append(row)
                    report.show(row, before, section)
                    section = row.section
            except (OSError, RuntimeError, AssertionError) as error:
                failed.append(f"{name}: {type(error).__name__}: {error}")
    missed = [row.name for row in rows if row.held is False]
    whole = not (chosen.only or chosen.quick or failed)
    path = report.keep(described, rows, as_last=whole)
    print(f"\n{time.monotonic() - began:.0f} s; {sum(row.held is True for row in rows)} budgets held, "
          f"{len(missed)} not held{': ' + '; '.join(missed) if missed else ''}")  # fmt: skip
    print(f"Kept in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}"
          + (" and as last.json, which the next run is compared with." if whole else "."))  # fmt: skip
    for problem in failed:
        print(f"NOT MEASURED  {problem}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
