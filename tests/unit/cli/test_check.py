"""`gatereeve check`: problems end it with 1, warnings never do, and each goes where its reader looks."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from extproc.cli.check import check

POLICY = """
apiVersion: gatereeve.dev/v1alpha1
kind: AgentPolicy
metadata: {name: pilot}
spec:
  mode: MODE
  subjects: [{groups: [pilot]}]
"""


@pytest.mark.parametrize(("mode", "warned"), [("observe", True), ("enforce", False)])
def test_a_policy_that_only_observes_is_warned_of_on_stderr_and_is_no_failure(
    tmp_path: Path, mode: str, warned: bool
) -> None:
    file = tmp_path / "pilot.yaml"
    file.write_text(POLICY.replace("MODE", mode))
    result = CliRunner().invoke(check, [str(tmp_path)])
    assert result.exit_code == 0
    assert result.stdout.startswith("Good: 1 agent policies")
    said = f"{file}:6: warning: AgentPolicy/pilot only observes: callers it selects, and no enforced policy does, may"
    assert result.stderr.startswith(said) is warned
    assert bool(result.stderr) is warned


def test_problems_are_printed_and_end_it_with_1(tmp_path: Path) -> None:
    (tmp_path / "pilot.yaml").write_text(POLICY.replace("MODE", "dream"))
    result = CliRunner().invoke(check, [str(tmp_path)])
    assert result.exit_code == 1
    assert f"{tmp_path / 'pilot.yaml'}:6: spec.mode: " in result.stdout
    assert result.stderr == "1 problem(s).\n"
