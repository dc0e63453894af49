"""The `gatereeve` command, and the one place where expected errors become a line and an exit code."""

import sys

import click

from extproc import __version__
from extproc.cli.check import check
from extproc.cli.explain import explain
from extproc.cli.providers import providers
from extproc.cli.render import render
from extproc.cli.serve import serve
from extproc.cli.test import test
from extproc.cli.token import token
from extproc.cli.tools import tools
from extproc.cli.up import up
from extproc.errors import PolicyError, StartupError

_HELP = """One policy for what AI agents send to LLM providers and MCP servers.

Start here:

\b
  gatereeve up --demo               everything on this machine, with something to try
  gatereeve check policy/           is my policy right?
  gatereeve test policy/            does it decide what I mean?
  gatereeve explain policy/ CALL    why was this call decided so?
  gatereeve up --policy policy/     enforce it

Exit codes: 0 good, 1 the policy or a test is wrong, 2 wrong usage, 3 could not start.
"""


@click.group(help=_HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, "-V", "--version", prog_name="gatereeve")
def gatereeve() -> None:
    pass


@gatereeve.command()
def version() -> None:
    """Print the version."""
    click.echo(f"gatereeve {__version__}")


for _command in (up, serve, check, test, explain, render, token, providers, tools):
    gatereeve.add_command(_command)


def main() -> None:
    """Entry point."""
    try:
        gatereeve(prog_name="gatereeve", standalone_mode=True)
    except PolicyError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        click.echo(f"{len(error.problems)} problem(s); nothing was started.", err=True)
        sys.exit(1)
    except StartupError as error:
        click.echo(f"gatereeve: {error}", err=True)
        sys.exit(3)
