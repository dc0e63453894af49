"""A policy folder to a `Policy`: the only I/O of this room, off the request path.

Every problem is reported, with file and line, before anything is refused; nothing is built from a folder that has one.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from extproc.errors import PolicyError, Problem
from extproc.policy.compile import compile_policy
from extproc.policy.envelope import TEST_KIND, Document, open_document
from extproc.policy.nodes import Raw, read
from extproc.policy.references import reference_problems
from extproc.policy.runtime import Policy

LARGEST_FILE = 16 << 20  # bytes
_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Sources:
    """What YAML documents there are: policy documents, policy tests, and what could not be read."""

    documents: tuple[Raw, ...]
    tests: tuple[Raw, ...]
    problems: tuple[Problem, ...]


def load(paths: Sequence[str | Path] | str | Path) -> Policy:
    """The policy of these files and folders. Raises `PolicyError` with all problems."""
    policy, problems = check(paths)
    if policy is None:
        raise PolicyError(problems)
    return policy


def check(paths: Sequence[str | Path] | str | Path) -> tuple[Policy | None, list[Problem]]:
    """The policy, or every problem in file order. Policy tests are passed over: `testing` reads them."""
    with _uncollected():
        return _check(paths)


def _check(paths: Sequence[str | Path] | str | Path) -> tuple[Policy | None, list[Problem]]:
    sources = read_sources(paths)
    problems = list(sources.problems)
    documents: list[Document] = []
    broken: list[Raw] = []
    for raw in sources.documents:
        opened = open_document(raw)
        if isinstance(opened, Document):
            documents.append(opened)
        else:
            problems += opened
            broken.append(raw)
    if not sources.documents and not problems:
        where = ", ".join(str(path) for path in _listed(paths))
        problems.append(
            Problem(where, 0, "", "holds no policy document (*.yaml, *.yml); write one or correct the path")
        )
    problems += reference_problems(documents, broken)
    policy, wrong = compile_policy(documents)
    problems += wrong
    return (None, sorted(problems)) if problems else (policy, [])


@contextmanager
def _uncollected() -> Iterator[None]:
    """No cyclic collection meanwhile. Loading makes many objects and no garbage cycles: of a large folder, two thirds
    of the time would go into searching for some."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_sources(paths: Sequence[str | Path] | str | Path) -> Sources:
    """Every YAML document under these paths. Hidden files and folders (Kubernetes' `..data` too) are passed over."""
    documents: list[Raw] = []
    tests: list[Raw] = []
    problems: list[Problem] = []
    for path, short in _files(paths, problems):
        try:
            if path.stat().st_size > LARGEST_FILE:
                problems.append(Problem(str(path), 0, "", f"is larger than {LARGEST_FILE >> 20} MiB; split it"))
                continue
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            problems.append(Problem(str(path), 0, "", f"cannot be read ({error.strerror}); check its permissions"))
            continue
        except UnicodeDecodeError:
            problems.append(Problem(str(path), 0, "", "is not UTF-8 text; convert it"))
            continue
        found, wrong = read(text, str(path), short, str(path.parent))
        problems += wrong
        for raw in found:
            is_test = isinstance(raw.value, dict) and raw.value.get("kind") == TEST_KIND
            (tests if is_test else documents).append(raw)
    return Sources(tuple(documents), tuple(tests), tuple(problems))


def _listed(paths: Sequence[str | Path] | str | Path) -> list[Path]:
    return [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]


def _files(paths: Sequence[str | Path] | str | Path, problems: list[Problem]) -> list[tuple[Path, str]]:
    """Each file once, with its name inside the folder it was found under."""
    found: dict[Path, str] = {}
    for path in _listed(paths):
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                inside = file.relative_to(path)
                hidden = any(part.startswith(".") for part in inside.parts)
                if file.suffix in _SUFFIXES and not hidden and file.is_file():
                    found.setdefault(file, inside.as_posix())
        elif path.is_file():
            found.setdefault(path, path.name)
        else:
            problems.append(Problem(str(path), 0, "", "does not exist; correct the path"))
    return list(found.items())
