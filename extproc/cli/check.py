"""`gatereeve check`: every problem of a policy, each with its place and its remedy."""

import sys
from pathlib import Path

import click

from extproc.policy import load


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
def check(paths: tuple[Path, ...]) -> None:
    """Read policy folders or files and print every problem at once.

    One line each: file:line: path: what is wrong, what to write instead. Exit code 1 if there is one. Warnings go to
    stderr and change no exit code.
    """
    policy, problems = load.check(list(paths))
    for problem in problems:
        click.echo(str(problem))
    if policy is None or problems:
        click.echo(f"{len(problems)} problem(s).", err=True)
        sys.exit(1)
    for warning in policy.warnings:
        click.echo(f"{warning.file}:{warning.line}: warning: {warning.message}", err=True)
    click.echo(
        f"Good: {len(policy.agents)} agent policies, {len(policy.providers)} LLM providers, "
        f"{len({m.name for m in policy.models.values()})} models, {len(policy.servers)} MCP servers "
        f"(version {policy.version})."
    )
