"""What judging a tool call's arguments costs: the whole guard, its parts, and compiling it.

Run as a script: prints one line per row with its target and exits 1 if a row misses it. CPU time of this thread, best
of several rounds.
"""

import json
import sys

from extproc.arguments.checks import CHECKS
from extproc.arguments.guard import Settings, allowed, applied, cap, compile_guard
from tests.bench.timing import best_us

TEXT = {"type": "string", "maxLength": 4_000}
SCHEMA = {
    "type": "object",
    "properties": {
        "path": TEXT,
        "content": TEXT,
        "callback_url": {"type": "string", "format": "uri"},
        "title": TEXT,
        "branch": TEXT,
        "tags": {"type": "array", "items": TEXT},
        "replicas": {"type": "integer", "minimum": 0},
        "dry_run": {"type": "boolean"},
        "env": {"enum": ["dev", "staging", "prod"]},
        "options": {"type": "object", "properties": {"cwd": TEXT, "depth": {"type": "integer"}}},
    },
    "required": ["path", "content"],
    "additionalProperties": False,
}
ARGUMENTS = {
    "path": "src/main/resources/report.md",
    "content": "The customer called about the order. " * 45,
    "title": "A report",
    "callback_url": "https://hooks.example.org/v1/done?id=7",
    "branch": "feature/report",
    "tags": ["a", "b", "c"],
    "replicas": 3,
    "dry_run": True,
    "env": "dev",
    "options": {"cwd": "/srv/w/app", "depth": 2},
}
SETTINGS = Settings(
    checks=(applied("path", roots=["/srv/w"]),),
    caps=(cap(["replicas"], 10),),
    values=(allowed(["env"], ["dev", "staging"]),),
)
SELECT = (
    "SELECT id, name, created_at FROM customers WHERE country = 'DE' AND status IN ('a', 'b') ORDER BY name LIMIT 9"
)


def rows() -> list[tuple[str, float, float]]:
    """(what, measured µs, target µs)."""
    size = len(json.dumps(ARGUMENTS))
    assert len(ARGUMENTS) == 10
    assert 1_900 < size < 2_200, size
    usual, strict = compile_guard(SCHEMA, None, "write_report"), compile_guard(SCHEMA, SETTINGS, "write_report")
    bare = compile_guard(None, None, "write_report")
    assert usual.problems(ARGUMENTS) == strict.problems(ARGUMENTS) == bare.problems(ARGUMENTS) == ()
    bad = {**ARGUMENTS, "path": "../../etc/passwd", "replicas": -1, "callback_url": "http://169.254.169.254/"}
    assert len(strict.problems(bad)) == 4
    line, sql = CHECKS["command-line"](), CHECKS["sql"]()
    return [
        ("10 arguments, 2 KB, schema and default checks", best_us(lambda: usual.problems(ARGUMENTS)), 25),
        ("the same under a policy with roots, caps, values", best_us(lambda: strict.problems(ARGUMENTS)), 25),
        ("the same without a schema", best_us(lambda: bare.problems(ARGUMENTS)), 40),
        ("the same, four findings", best_us(lambda: strict.problems(bad)), 100),
        ("a shell line with quotes", best_us(lambda: line('git commit -m "fix: a; b & c"')), 15),
        ("a SELECT of 120 characters", best_us(lambda: sql(SELECT)), 40),
        ("compiling a guard of ten properties", best_us(lambda: compile_guard(SCHEMA, SETTINGS, "write_report")), 400),
    ]


def main() -> int:
    missed = 0
    for what, measured, target in rows():
        missed += measured > target
        print(f"{what:50} {measured:9.1f} µs  (target {target:g}){'  MISSED' if measured > target else ''}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
