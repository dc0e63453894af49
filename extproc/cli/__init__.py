"""The command line: one file per command. Parses, calls, prints; decides nothing."""

from extproc.cli.main import main

__all__ = ["main"]
