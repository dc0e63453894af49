"""`gatereeve test`: runs the policy tests that stand beside the policy."""

import sys
from pathlib import Path

import click

from extproc.policy import testing
from extproc.policy.load import load


@click.command()
@click.argument("policy", type=click.Path(path_type=Path, exists=True))
@click.argument("tests", nargs=-1, type=click.Path(path_type=Path, exists=True))
def test(policy: Path, tests: tuple[Path, ...]) -> None:
    """Run policy tests: an identity and a call, and what the policy must decide.

    Tests are documents of kind PolicyTest in TESTS, or in the policy folder itself when TESTS is not given. Failures
    are printed as a diff of what was expected and what was decided. Exit code 1 if one fails.
    """
    report = testing.run(load([policy]), list(tests) or [policy])
    click.echo(report.text)
    sys.exit(0 if report.passed else 1)
