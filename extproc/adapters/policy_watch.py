"""The policy in force, and the watch over the folder it comes from.

A change is loaded in a thread once the folder has settled, then swapped in whole by one attribute assignment. A folder
that does not load changes nothing: the last good policy stays, and everyone who asks is told so.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from extproc.adapters.files import Signature, signature
from extproc.errors import PolicyError, Problem
from extproc.policy.runtime import Policy

_MAX_FILES = 20_000
_PATIENCE = 20  # looks at a folder that keeps changing before it is loaded as it is
_log = structlog.get_logger("gatereeve.policy")

FolderSignature = tuple[tuple[str, Signature | None], ...]


@dataclass(frozen=True, slots=True)
class PolicyStatus:
    """For readiness detail and metrics. `outcome` of the last load: "none", "loaded", "unchanged" or "failed";
    times are Unix seconds, 0.0 for never. `problems` are those of the last load."""

    outcome: str = "none"
    version: str = ""
    loaded_at: float = 0.0
    failed_at: float = 0.0
    problems: tuple[Problem, ...] = ()


class PolicyHolder:
    """Where everyone finds the policy. `current` is a plain attribute: read it once per exchange and keep it."""

    __slots__ = ("current", "status")

    def __init__(self, current: Policy | None = None) -> None:
        self.current = current
        self.status = PolicyStatus(version=current.version if current else "")


class PolicyWatch:
    """`load` compiles a folder and raises `PolicyError`; it runs in a thread. `prepare` is awaited with a new policy
    before it takes effect (warm its keys and credentials there). `on_outcome` hears "loaded", "unchanged", "failed".
    `wall` is Unix seconds."""

    def __init__(
        self,
        folder: Path,
        load: Callable[[Path], Policy],
        holder: PolicyHolder,
        wall: Callable[[], float],
        *,
        prepare: Callable[[Policy], Awaitable[None]] | None = None,
        on_outcome: Callable[[str, PolicyStatus], None] | None = None,
    ) -> None:
        self._folder = folder
        self._load = load
        self._holder = holder
        self._wall = wall
        self._prepare = prepare
        self._on_outcome = on_outcome
        self._loaded: FolderSignature | None = None
        self._seen: FolderSignature | None = None
        self._unsettled = 0

    async def first(self) -> Policy:
        """Load the folder now, at start. Raises `PolicyError` with every problem: there is no last good one yet."""
        self._seen = await asyncio.to_thread(folder_signature, self._folder)
        await self._reload(self._seen)
        if self._holder.current is None:
            raise PolicyError(list(self._holder.status.problems))
        return self._holder.current

    async def poll(self) -> bool:
        """One look at the folder. True if it was loaded (for better or worse)."""
        now = await asyncio.to_thread(folder_signature, self._folder)
        if now == self._loaded:
            self._seen, self._unsettled = now, 0
            return False
        if now != self._seen and self._unsettled < _PATIENCE:  # still being written: look again
            self._seen = now
            self._unsettled += 1
            return False
        self._unsettled = 0
        await self._reload(now)
        return True

    async def run(self, *, every: float = 0.5) -> None:
        """Watch until cancelled. A change takes effect after between one and two times `every` seconds, and the time
        it takes to compile."""
        while True:
            await asyncio.sleep(every)
            await self.poll()

    async def _reload(self, before: FolderSignature) -> None:
        self._loaded = before  # a change while loading is then seen as one by the next look
        try:
            policy = await asyncio.to_thread(self._load, self._folder)
        except PolicyError as error:
            self._fail(error.problems)
            return
        except (OSError, UnicodeDecodeError) as error:
            self._fail([Problem(self._folder.name, 0, "", f"cannot be read ({type(error).__name__})")])
            return
        except Exception as error:  # noqa: BLE001 - a bug in the compiler must cost a reload, never the data plane
            _log.error("policy compiler failed", exc_info=error)
            self._fail(
                [Problem(self._folder.name, 0, "", f"the compiler failed ({type(error).__name__}): report this")]
            )
            return
        current = self._holder.current
        if current is not None and current.version == policy.version:
            self._finish("unchanged", policy)
            return
        if self._prepare is not None:
            await self._prepare(policy)
        self._holder.current = policy
        self._finish("loaded", policy)
        _log.info("policy loaded", version=policy.version)

    def _finish(self, outcome: str, policy: Policy) -> None:
        status = self._holder.status
        loaded_at = self._wall() if outcome == "loaded" else status.loaded_at
        self._holder.status = PolicyStatus(outcome, policy.version, loaded_at, status.failed_at)
        self._tell(outcome)

    def _fail(self, problems: list[Problem]) -> None:
        status = self._holder.status
        self._holder.status = PolicyStatus("failed", status.version, status.loaded_at, self._wall(), tuple(problems))
        kept = self._holder.current
        _log.error(
            "policy does not load; the last good one stays" if kept else "policy does not load",
            problems=[str(problem) for problem in problems[:20]],
            number=len(problems),
            version=status.version,
        )
        self._tell("failed")

    def _tell(self, outcome: str) -> None:
        if self._on_outcome is not None:
            self._on_outcome(outcome, self._holder.status)


def folder_signature(folder: Path) -> FolderSignature:
    """Name and file signature of every YAML file below `folder`, hidden ones left out (Kubernetes keeps the real files
    in hidden folders and links to them). Equal signatures: nothing was changed."""
    found: list[tuple[str, Signature | None]] = []
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if name.endswith((".yaml", ".yml")) and not name.startswith("."):
                path = os.path.join(here, name)  # noqa: PTH118 - strings: this runs over every file, twice a second
                found.append((path, signature(path)))
        if len(found) > _MAX_FILES:
            break
    return tuple(sorted(found, key=lambda pair: pair[0]))
