"""`python -m extproc` is `gatereeve`."""

from extproc.cli import main

main()
