"""The examples of docs/policy.md are real: they load, pass their own tests, and their conditions compile."""

from pathlib import Path

import pytest

from extproc.policy.conditions import Scope, compile_condition
from extproc.policy.load import load
from extproc.policy.testing import run

PAGE = (Path(__file__).parents[3] / "docs" / "policy.md").read_text(encoding="utf-8")
BLOCKS = [part.split("```")[0] for part in PAGE.split("```yaml\n")[1:]]


def test_the_first_policy_loads_and_passes_its_tests(tmp_path):
    for number, block in enumerate(BLOCKS[:2]):
        (tmp_path / f"{number}.yaml").write_text(block)
    report = run(load(tmp_path), tmp_path)
    assert report.text == "3 of 3 policy tests passed"


@pytest.mark.parametrize("line", BLOCKS[2].splitlines())
def test_the_conditions_compile(line):
    source = line.removeprefix("when: ").split("   #")[0].strip().strip("'")
    assert compile_condition(source, Scope.CALL)
