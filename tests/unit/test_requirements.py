"""Promises and tests keep each other: none without the other. Reads the tests as text; runs none of them."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.requirements import PROMISES, Promise

TESTS = Path(__file__).resolve().parents[1]


def named(source: str) -> Iterator[str]:
    """The ids of promises that a module's tests name, in decorators or in `pytestmark`. A test that is always skipped
    holds nothing. Raises ValueError for an id that is not a plain text: it could not be found by searching."""
    tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(_name(target) == "pytestmark" for target in node.targets):
            yield from _ids(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            decorators = node.decorator_list
            if any(_name(getattr(part, "func", part)) == "pytest.mark.skip" for part in decorators):
                continue
            for part in decorators:
                yield from _ids(part)


def _ids(expression: ast.expr) -> Iterator[str]:
    for node in ast.walk(expression):
        if isinstance(node, ast.Call) and _name(node.func) == "pytest.mark.promise":
            (argument,) = node.args
            if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                raise ValueError(f"line {node.lineno}: the id of a promise is written out")
            yield argument.value


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


@cache
def holders() -> dict[str, set[str]]:
    """Promise id to the test files that name it."""
    found = defaultdict(set)
    for path in sorted(TESTS.rglob("test_*.py")):
        for name in named(path.read_text(encoding="utf-8")):
            found[name].add(path.relative_to(TESTS).as_posix())
    return dict(found)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.id)
def test_a_promise_is_held(promise: Promise) -> None:
    files = holders().get(promise.id, set())
    assert files, f"no test holds {promise.id!r} ({promise.source}): {promise.text}"
    if promise.envoy:
        assert any(file.startswith("envoy/") for file in files), (
            f"{promise.id!r} ({promise.source}) is held only by {sorted(files)}, by none through the real Envoy"
        )


def test_no_test_names_a_promise_that_nobody_made() -> None:
    known = {promise.id for promise in PROMISES}
    assert {name: sorted(files) for name, files in holders().items() if name not in known} == {}


def test_a_promise_is_made_once() -> None:
    ids = [promise.id for promise in PROMISES]
    assert len(ids) == len(set(ids))
    assert all(promise.text and promise.source for promise in PROMISES)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param('@pytest.mark.promise("a")\ndef test_x(): pass', ["a"], id="decorators"),
        pytest.param('@pytest.mark.promise("a")\nasync def test_x(): pass', ["a"], id="decorators of coroutines"),
        pytest.param('class TestX:\n @pytest.mark.promise("a")\n def test_y(self): pass', ["a"], id="methods"),
        pytest.param('pytestmark = [pytest.mark.envoy, pytest.mark.promise("a")]', ["a"], id="whole modules"),
        pytest.param('# @pytest.mark.promise("a")\n"pytest.mark.promise(1)"', [], id="no comments and texts"),
        pytest.param('@pytest.mark.skip\n@pytest.mark.promise("a")\ndef test_x(): pass', [], id="no skipped tests"),
        pytest.param(
            '@pytest.mark.parametrize("a", [pytest.param(1, marks=pytest.mark.promise("b"))])\ndef test_x(a): pass',
            ["b"],
            id="single cases",
        ),
    ],
)
def test_promises_are_found_in(source: str, found: list[str]) -> None:
    assert list(named(source)) == found


def test_an_id_that_is_not_written_out_is_an_error() -> None:
    with pytest.raises(ValueError, match="written out"):
        list(named("@pytest.mark.promise(ID)\ndef test_x(): pass"))
