"""What reaches a shell or a program. Tricks by name are in the corpus; here stands what the checks promise."""

import time

import pytest

from extproc.arguments.command import MAX_LENGTH, Argument, Command, CommandLine


@pytest.mark.parametrize("sign", [*";&|<>`()'\"\n\r\0\x0b\x0c\x1b\x7f\x85\u2028\u2029"])
def test_no_sign_of_a_shell_passes_anywhere_in_a_value(sign):
    for value in (sign, sign + "x", "x" + sign, "a" + sign + "b", "some words " + sign + " more words"):
        assert Command()(value), repr(value)


@pytest.mark.parametrize("sign", [*";&|<>`()\n\0\x1b"])
def test_no_sign_of_a_shell_passes_outside_quotes_of_a_line(sign):
    for value in ("ls " + sign + " x", "ls 'a'" + sign + "'b'", 'ls "a"' + sign + "b"):
        assert CommandLine()(value), repr(value)


@pytest.mark.parametrize("sign", [*";&|<>()#*?"])
def test_separators_in_quotes_separate_nothing(sign):
    assert CommandLine()(f"echo 'a {sign} b'") == ""
    assert CommandLine()(f'echo "a {sign} b"') == ""


def test_quotes_are_read_as_every_shell_reads_them():
    assert CommandLine()('echo "a\\" & calc "')
    assert CommandLine()("echo \\' & calc \\'")
    assert "not closed" in CommandLine()('echo "a\\" b"')
    assert CommandLine()('curl -d "{\\"a\\": 1}" x') == ""


def test_cmd_has_no_single_quotes_and_no_second_line():
    for value in ("echo 'a & b'", "echo 'a\nb'", 'echo "a\nb"'):
        assert CommandLine()(value) == ""
        assert CommandLine(cmd=True)(value)


def test_only_allowed_programs_begin_a_line():
    check = CommandLine(programs=("git", "npm"))
    assert check("git log") == check("  npm test") == check("git") == ""
    for value in ("", " ", "gitk", "./git log", "'git' log", "GIT log", "x git", "\\git log", "FOO=1 git log"):
        assert "policy allows" in check(value), value


def test_wildcards_pass_unless_the_policy_says_otherwise():
    for value in ("*.txt", "a?", "[ab]"):
        assert Command()(value) == CommandLine()(value) == ""
        assert Command(globs=False)(value)
        assert CommandLine(globs=False)(value)
    assert CommandLine(globs=False)("find -name '*.txt'") == ""


@pytest.mark.parametrize("check", [Command(), CommandLine(), Argument()])
def test_no_message_quotes_the_value(check):
    for value in ("hunter2; id", "-hunter2", "$(hunter2)", "'hunter2", "@/hunter2", "ext::hunter2", "hunter2\0"):
        assert "hunter2" not in check(value)


@pytest.mark.parametrize("check", [Command(), CommandLine()])
def test_a_value_longer_than_any_command_is_refused(check):
    assert check("a" * MAX_LENGTH) == ""
    assert check("a" * (MAX_LENGTH + 1))


@pytest.mark.parametrize("check", [Command(), CommandLine(), Argument()])
@pytest.mark.parametrize(
    "piece", ["'", '"', "\\", "%25", "\\x5c", "$", "{", "a ", "sh ", "é", "\\'", "^", "%A", "=", "-c "]
)
def test_hostile_repetition_costs_linear_time(check, piece):
    value = piece * (30_000 // len(piece))
    begin = time.thread_time()
    check(value)
    assert time.thread_time() - begin < 0.2


def test_half_characters_are_refused_and_never_crash():
    for check in (Command(), CommandLine(), Argument()):
        assert check("a\ud800")


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "PATH", "IFS", "BASH_ENV", "GIT_SSH_COMMAND", "NODE_OPTIONS", "PYTHONPATH"]
)
def test_variables_that_choose_programs_are_not_set(name):
    for check in (Command(), CommandLine()):
        assert "environment variable" in check(f"{name}=x ls")
        assert "environment variable" in check(f"env {name}+=x ls")
        assert check(f"X{name}X=x ls") == ""


@pytest.mark.parametrize("value", ["-5", "+5", "-0.5", "-33.8,151.2", "+49 (30) 123-45", "-1e3", "-5%"])
def test_numbers_are_no_options(value):
    assert Argument()(value) == ""


@pytest.mark.parametrize(
    "value", ["-", "--", "-x", "--x=1", "-5x", "-e", "-.x", "+x", "\u2013x", " -x", "\t--x", "'-x"]
)
def test_options_are_no_arguments(value):
    assert Argument()(value)
