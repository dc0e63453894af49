"""The official conformance suite, in a folder of its own: installing it, running it, reading what it found.

npm fetches two releases of it (the current one, and the line that knows 2026-07-28) and, where the installed Node.js
is too old for them, a newer one. Nothing of that is in the repository.
"""

import json
import os
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "@modelcontextprotocol/conformance"
OLD, NEW = "0.1.16", "0.2.0-alpha.12"
NODE = "22"  # the first whose fs has globSync
_PASSED = "SUCCESS"
_SAID = frozenset({"SUCCESS", "FAILURE", "WARNING"})  # others are no verdicts


@dataclass(frozen=True, slots=True)
class Set:
    """Scenarios that are run together. `title` says which; `arguments` are the suite's own. With `only`, what is found
    of scenarios whose names begin otherwise does not count."""

    title: str
    release: str
    arguments: tuple[str, ...]
    only: str = ""


SETS = (
    Set(f"all scenarios of {OLD} (2025-06-18, 2025-11-25)", OLD, ("--suite", "all")),
    Set(f"requirements of 2025-11-25, by {NEW}", NEW, ("--requirements", "2025-11-25")),
    Set(f"requirements of 2026-07-28, by {NEW}", NEW, ("--requirements", "2026-07-28")),
)
TASKS = Set(
    f"the extension for tasks, by {NEW}, with FastMCP's server", NEW, ("--requirements", "2026-07-28"), "tasks-"
)

# (scenario, check, how often this check came before in the scenario) to the suite's verdict
Found = dict[tuple[str, str, int], str]


class Suite:
    """The suite in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def missing(self) -> str:
        """What is not there yet, "" if the suite can run."""
        absent = [str(path) for path in (self._entry(OLD), self._entry(NEW)) if not path.exists()]
        return f"{PACKAGE} is not installed (make conformance does it)" if absent or not self._node() else ""

    def install(self) -> None:
        """Fetches what is missing. Needs npm and a registry. Raises CalledProcessError with npm's own words."""
        if self._node() is None:
            self._npm("node", f"node@{NODE}")
        for release in (OLD, NEW):
            if not self._entry(release).exists():
                self._npm(release, f"{PACKAGE}@{release}")

    def run(self, which: Set, url: str, out: Path, *, timeout: float = 600.0) -> Found:
        """Runs a set against a server. `out` is emptied first and then has what the suite saw."""
        node = self._node()
        if node is None:
            raise FileNotFoundError("no Node.js that is new enough")
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        command = [node, str(self._entry(which.release)), "server", "--url", url, "-o", str(out), *which.arguments]
        with (out / "output").open("wb") as output:
            # Its exit code says that some scenario failed, and so do its files.
            subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, cwd=out, timeout=timeout, check=False)
        return {key: verdict for key, verdict in read(out).items() if key[0].startswith(which.only)}

    def _entry(self, release: str) -> Path:
        return self.folder / release / "node_modules" / PACKAGE / "dist" / "index.js"

    def _node(self) -> str | None:
        for found in (shutil.which("node"), str(self.folder / "node" / "node_modules" / ".bin" / "node")):
            if found and Path(found).exists():
                said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
                if said[:1] == "v" and int(said[1:].partition(".")[0]) >= int(NODE):
                    return found
        return None

    def _npm(self, name: str, what: str) -> None:
        prefix = self.folder / name
        prefix.mkdir(parents=True, exist_ok=True)
        quiet = ["--silent", "--no-audit", "--no-fund", "--no-package-lock"]
        subprocess.run(
            ["npm", "install", *quiet, "--prefix", str(prefix), what], check=True, cwd=prefix, env=os.environ
        )


def read(out: Path) -> Found:
    """The verdicts in the files that the suite wrote."""
    found: Found = {}
    for file in sorted(out.glob("*/checks.json")):
        scenario = _scenario(file.parent.name)
        seen: Counter[str] = Counter()
        for check in json.loads(file.read_text("utf-8")):
            if check["status"] in _SAID:
                found[scenario, check["id"], seen[check["id"]]] = check["status"]
                seen[check["id"]] += 1
    return found


def _scenario(folder: str) -> str:
    """`server-tools-list-2026-01-02T03-04-05-678Z` is about tools-list."""
    return folder.removeprefix("server-").rpartition("T")[0][: -len("-2026-01-02")]


def differences(direct: Found, through: Found) -> list[tuple[str, str, str]]:
    """(scenario, check, verdict) of each check that passes directly and not through the gateway."""
    return [
        (scenario, check, through.get((scenario, check, number), "ABSENT"))
        for (scenario, check, number), verdict in direct.items()
        if verdict == _PASSED and through.get((scenario, check, number)) != _PASSED
    ]


def passed(found: Found, scenario: str) -> str:
    """How many of a scenario's checks passed, for example 3/4."""
    verdicts = [verdict for (of, _, _), verdict in found.items() if of == scenario]
    return f"{verdicts.count(_PASSED)}/{len(verdicts)}"
