"""What a path may be, with roots and without, in each style; what a sentence says."""

import time

import pytest

from extproc.arguments import path as said
from extproc.arguments.checks import CHECKS
from extproc.arguments.path import Path

FREE = Path()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param("x" * 40_000, said.LONG, id="longer than any system takes"),
        pytest.param("a%c0%ae", said.CODED, id="bytes that are not UTF-8"),
        pytest.param("a\ud800", said.CODED, id="a lone surrogate"),
        pytest.param("&#" + "9" * 9_000 + ";", said.CODED, id="a reference that is no character"),
        pytest.param("a\0b", said.CONTROLS, id="a NUL"),
        pytest.param("../x", said.CLIMBS, id="an honest climb"),
        pytest.param("%2e%2e/x", said.DISGUISED, id="a climb in disguise"),
        pytest.param("/etc/passwd", said.PLACE, id="the machine's own place"),
        pytest.param("a/.env", said.GUARDED, id="a file of secrets"),
        pytest.param("//host/x", said.HOST, id="another host"),
        pytest.param("C:x", said.DRIVE, id="relative to a drive"),
        pytest.param("a.txt:b", said.STREAM, id="a stream"),
        pytest.param("a/NUL.txt", said.DEVICE, id="a device"),
        pytest.param("PROGRA~1", said.SHORT, id="a short name"),
        pytest.param("~root/x", said.HOME, id="another's home"),
        pytest.param("$HOME/x", said.VARIABLE, id="a variable"),
        pytest.param("http://example.com/", said.SCHEME, id="a URL"),
        pytest.param("file:///C|/Windows/win.ini", said.PLACE, id="a drive as old file URLs write it"),
    ],
)
def test_each_kind_of_trouble_has_its_sentence(value, message):
    assert FREE(value) == message


@pytest.mark.parametrize(
    ("roots", "style", "value", "message"),
    [
        pytest.param(["/srv/data"], "both", "/srv/data/a.txt", "", id="inside"),
        pytest.param(["/srv/data"], "both", "/srv/data", "", id="the root itself"),
        pytest.param(["/srv/data/"], "both", "/srv/data2/x", said.OUTSIDE, id="a root is no prefix of a name"),
        pytest.param(["/srv/data"], "both", "/SRV/DATA/x", said.OUTSIDE, id="POSIX roots keep their case"),
        pytest.param(["/srv/data"], "both", "/srv/data./x", said.OUTSIDE, id="POSIX roots keep their dots"),
        pytest.param(["/srv/data"], "both", "a/b", "", id="a relative path is free under absolute roots"),
        pytest.param(["/srv/data"], "both", "~/x", said.HOME, id="the home is outside"),
        pytest.param(["/srv/data"], "both", "~$report.docx", "", id="a lock file is no home"),
        pytest.param(["/srv/data"], "both", "\u200b\\x2e", said.OUTSIDE, id="folded, but its escape left alone"),
        pytest.param(["/srv/data"], "both", "s3://bucket/x", said.OUTSIDE, id="a store is outside"),
        pytest.param(["/srv/data"], "both", "file:///srv/data/x", "", id="a file URL inside"),
        pytest.param(["/srv/data"], "both", "file:///srv/x", said.OUTSIDE, id="a file URL outside"),
        pytest.param(["/a", "/b"], "both", "/b/x", "", id="one of several roots"),
        pytest.param(["/"], "both", "/etc/hosts", "", id="the root of all is what the operator says"),
        pytest.param(["/"], "both", "/proc/self/root", said.PLACE, id="but not a link to the root"),
        pytest.param(["/"], "both", "/proc/self/cwd/x", said.PLACE, id="nor links that lead anywhere"),
        pytest.param(["/"], "both", "/proc/1/fd/3", said.PLACE, id="nor descriptors"),
        pytest.param(["/proc"], "posix", "/proc/meminfo", "", id="a place that is a root"),
        pytest.param(["/srv"], "both", "/srv/.env", said.GUARDED, id="secrets inside a root"),
        pytest.param(["src", "docs"], "both", "docs/x.md", "", id="a relative root"),
        pytest.param(["src", "docs"], "both", "lib/x.md", said.OUTSIDE, id="outside the relative roots"),
        pytest.param(["src"], "both", "/src/x", said.OUTSIDE, id="relative roots hold no absolute path"),
        pytest.param(["src"], "both", "src/../lib/x", said.OUTSIDE, id="out of a relative root by dots"),
        pytest.param(["C:\\data"], "windows", "c:/DATA/x", "", id="Windows roots ignore case and separator"),
        pytest.param(["C:\\data"], "windows", "C:\\data. \\x", "", id="and trailing dots and blanks"),
        pytest.param(["C:\\data"], "windows", "D:\\data\\x", said.OUTSIDE, id="another drive"),
        pytest.param(["C:\\data"], "windows", "\\data\\x", said.OUTSIDE, id="the current drive may be another"),
        pytest.param(["\\\\files\\team"], "windows", "\\\\FILES\\team\\x", "", id="a share that is a root"),
        pytest.param(["\\\\files\\team"], "windows", "\\\\files\\team\\..\\x", said.OUTSIDE, id="out of the share"),
        pytest.param(["\\\\files\\team"], "windows", "\\\\files\\other\\x", said.HOST, id="another share"),
        pytest.param([], "posix", "a\\..\\..\\b", "", id="a backslash is a name to POSIX"),
        pytest.param([], "posix", "a:b", "", id="a colon is a name to POSIX"),
        pytest.param([], "posix", "nul.txt", "", id="a device is a name to POSIX"),
        pytest.param([], "posix", "x\\y/../../z", said.DISGUISED, id="dots beside a backslash are in doubt"),
        pytest.param([], "windows", "a\\..\\..\\b", said.CLIMBS, id="Windows reads both"),
    ],
)
def test_roots_and_styles(roots, style, value, message):
    assert Path(roots, style)(value) == message


def test_secrets_can_be_allowed_and_places_still_are_not():
    lax = Path(secrets=False)
    assert lax("app/.env") == ""
    assert lax(".git/hooks/pre-commit") == ""
    assert lax("/etc/passwd") == said.PLACE


@pytest.mark.parametrize("root", ["", "../x", "~/x", "$HOME", "C:x", "/a/../b", "/a\0"])
def test_a_root_that_can_be_none_is_refused_when_the_check_is_made(root):
    with pytest.raises(ValueError, match="root"):
        Path((root,))


def test_a_style_that_is_none_is_refused():
    with pytest.raises(ValueError, match="style"):
        Path(style="mac")


def test_the_registry_makes_it():
    assert CHECKS["path"](roots=("/srv",))("/tmp/x") == said.OUTSIDE


@pytest.mark.parametrize(
    "unit", ["%25", "../", "a/../", "&#46;", "%", "$", "\\x2e", "\uff0e", "\ufdfa", "a:1", "//", "\\", "'."]
)
def test_the_work_grows_with_the_length_and_no_faster(unit):
    def work(length: int) -> float:
        value = "/srv/" + (unit * length)[:length]
        return min(_timed(value) for _ in range(3))

    assert work(32_000) < 16 * work(4_000) + 0.01


def _timed(value: str) -> float:
    begun = time.process_time()
    FREE(value)
    return time.process_time() - begun
