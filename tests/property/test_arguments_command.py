"""The shell checks against a POSIX lexer: what passes is one simple command, or adds nothing to where it is pasted."""

import shlex

from hypothesis import given
from hypothesis import strategies as st

from extproc.arguments.command import Argument, Command, CommandLine

PIECES = st.sampled_from(
    [*" \t\n;&|<>`$(){}!^%\\#'\"*?[]=~-@+", "a", "b1", "$(", "${", "&&", "' '", "\\'", '\\"', "%3b", "%253b", "\\x3b",
     "\uff1b", "\u2019", "'a'", '"b c"', "$'",
     "%PATH%", "bash -c ", "é", "\x00", "\x1b", "\u202e", "\ud800", "PATH=", "x=", "@/"]
)  # fmt: skip
VALUES = st.lists(PIECES, max_size=12).map("".join)


def operators(line: str) -> list[str] | None:
    """The operators a POSIX shell sees in a line; None if it does not end outside quotes."""
    # A letter behind each quote leaves the quoting as it is, and no quoted operator stands alone any more.
    lexer = shlex.shlex(line.replace("'", "'q").replace('"', '"q'), posix=True, punctuation_chars=True)
    lexer.commenters = ""
    lexer.whitespace_split = True
    try:
        return [token for token in lexer if token and set(token) <= set("();<>|&")]
    except ValueError:
        return None


@given(VALUES)
def test_checks_never_raise_and_never_quote(value):
    for check in (Command(), CommandLine(), CommandLine(cmd=True), CommandLine(programs=("a",)), Argument()):
        message = check(value)
        assert message == "" or (message.endswith(".") and message.startswith("The value "))


@given(VALUES)
def test_a_line_that_passes_is_one_command_to_a_posix_shell(value):
    if CommandLine()(value) == "":
        assert operators(value) == []


@given(VALUES, st.sampled_from(["ping {}", "ping '{}'", 'ping "{}"', "ping {} -c 1", "ping '{}' 'x'"]))
def test_a_value_that_passes_adds_no_operator_wherever_it_is_pasted(value, line):
    if Command()(value) == "":
        assert operators(line.format(value)) == []
        assert not any(sign in value for sign in "`;&|<>\n\0'\"()")


@given(VALUES, VALUES)
def test_what_is_refused_for_a_separator_is_refused_with_more_around_it(before, after):
    for middle in (";", "`", "$(x)", "|", "\n"):
        assert Command()(before + middle + after)


@given(st.text(max_size=40))
def test_an_argument_that_passes_is_no_option(value):
    if Argument()(value) == "" and value.strip()[:1] in ("-", "+"):
        assert value.strip()[1:2] in tuple("0123456789.")
