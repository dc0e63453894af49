"""Resource addresses: one resource, one judgement, however its address is written."""

from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.policy.resources import AllowedResources, DeniedResources, is_plain

PUBLIC = AllowedResources(
    ["file:///public/*", "note://*", "postgres://*", "db://reader@host/*", "http://api:8080/*", "p"]
)
SECRET = DeniedResources(["note://secret/*", "file:///etc/*", "http://h:80/x", "note://one/1", "note://caf\u00e9/*"])


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("file:///public/../etc/passwd", id="dots"),
        pytest.param("file:///public/..", id="dots at the end"),
        pytest.param("file:///public/./x", id="one dot"),
        pytest.param("file:///public/%2e%2e/etc/passwd", id="encoded dots"),
        pytest.param("file:///public/.%2E/etc/passwd", id="half encoded dots"),
        pytest.param("file:///public/%252e%252e/etc/passwd", id="dots encoded twice"),
        pytest.param("file:///public%2F..%2Fetc", id="dots between encoded slashes"),
        pytest.param("file:///public%252F..%252Fetc", id="dots between slashes encoded twice"),
        pytest.param("file:///public/..;/etc", id="dots with a parameter"),
        pytest.param("file:///public/..%20/etc", id="dots with a blank, which Windows drops"),
        pytest.param("file:///public/?/../../etc", id="dots in what only some readers take for a query"),
        pytest.param("file:///public/#/../../etc", id="dots in what only some readers take for a fragment"),
        pytest.param("file:///public/..\\..\\etc", id="backslashes"),
        pytest.param("file:///public/%5c..%5cetc", id="encoded backslashes"),
        pytest.param("file:///public/%255c", id="a backslash encoded twice"),
        pytest.param("note://%73ecret/1", id="an encoded letter in the host"),
        pytest.param("note://secret/%31", id="an encoded digit"),
        pytest.param("n%6fte://secret/1", id="an encoded letter in the scheme"),
        pytest.param("note://secret%2F1", id="an encoded slash in the host"),
        pytest.param("note://\uff53ecret/1", id="a wide letter in the host"),
        pytest.param("note://a/%00", id="an encoded NUL"),
        pytest.param("note://a/\0", id="a NUL"),
        pytest.param("note://a/\n", id="a line end"),
        pytest.param("no\tte://a/b", id="a tab, which browsers drop"),
        pytest.param(" note://a/b", id="a blank before it, which browsers drop"),
        pytest.param("note://a/b\u00a0", id="a blank behind it"),
        pytest.param("note://a/%", id="half a percent encoding"),
        pytest.param("note://a/%zz", id="a percent encoding that is none"),
        pytest.param("note://a/%25%2541", id="a letter encoded twice beside a percent sign"),
        pytest.param("note://a/%c3", id="half a character"),
        pytest.param("note://a/%c0%ae%c0%ae/", id="dots in overlong UTF-8"),
        pytest.param("note://a/\ud800", id="half a surrogate pair"),
        pytest.param("note://a/%" + "25" * 9 + "2F", id="encodings in encodings without end"),
        pytest.param("note://a@b@secret/1", id="two names before the host"),
        pytest.param("", id="nothing"),
    ],
)
def test_an_address_that_two_readers_may_read_differently_is_in_doubt(uri):
    assert not is_plain(uri)
    assert not AllowedResources(["*"])(uri)
    assert DeniedResources(["x"])(uri)


@pytest.mark.parametrize(
    "uri",
    ["file:///public/a.md", "note://a/b?c=d#e", "note://a/...", "note://a/.hidden/..x", "note://a/100%25", "note://a/a%20b",
     "note://a/caf\u00e9", "note://a/caf%C3%A9", "NOTE://A/b", "postgres://user@host/table/schema", "http://[::1]:80/a",
     "urn:isbn:1", "p", "note://{host}/{+path}", "note://a/b c", "note://a/%2F"],
)  # fmt: skip
def test_an_address_that_all_readers_read_alike_is_plain(uri):
    assert is_plain(uri)
    assert AllowedResources(["*"])(uri)


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("note://secret/1", id="as it is written"),
        pytest.param("NOTE://secret/1", id="the scheme in capitals"),
        pytest.param("note://SECRET/1", id="the host in capitals"),
        pytest.param("note://u@secret/1", id="a user"),
        pytest.param("note://u:p@secret/1", id="a user and a password"),
        pytest.param("note://secret:80/1", id="a port"),
        pytest.param("note://u@secret:80/1", id="a user and a port"),
        pytest.param("note://secret:/1", id="an empty port"),
        pytest.param("note://secret./1", id="the host with its last dot"),
        pytest.param("note:///secret/1", id="an empty host"),
        pytest.param("note:////secret/1", id="more slashes"),
        pytest.param("note:/secret/1", id="one slash"),
        pytest.param("note:secret/1", id="no slash"),
        pytest.param("note://secret//1", id="a doubled slash"),
        pytest.param("note:///secret%2F1", id="an encoded slash"),
        pytest.param("file:/etc/passwd", id="a file with one slash"),
        pytest.param("file:////etc/passwd", id="a file with four"),
        pytest.param("http://h/x", id="the scheme's own port left out"),
        pytest.param("note://one/1?x", id="a query"),
        pytest.param("note://one/1#x", id="a fragment"),
        pytest.param("note://one/1;x", id="a parameter"),
        pytest.param("note://one/1/", id="a slash at the end"),
        pytest.param("note:///cafe\u0301/1", id="an accent of its own"),
        pytest.param("note:///caf%C3%A9/1", id="an encoded accent"),
        pytest.param("note:///caf%c3%a9/1", id="an accent encoded in small letters"),
    ],
)
def test_a_denied_resource_is_denied_however_it_is_written(uri):
    assert SECRET(uri)


@pytest.mark.parametrize(
    "uri", ["note://public/1", "note://secrets/1", "note://one/12", "file:///public/etc", "http://h/y"]
)
def test_others_are_not_denied(uri):
    assert not SECRET(uri)


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        pytest.param("file:///public/a", True, id="below an allowed folder"),
        pytest.param("FILE:///public/a", True, id="the scheme in capitals"),
        pytest.param("file:///Public/a", False, id="the path in another case"),
        pytest.param("file:///private/a", False, id="another folder"),
        pytest.param("file:/public/a", False, id="not written as the policy has it"),
        pytest.param("db://reader@host/t", True, id="the user that the policy names"),
        pytest.param("db://host/t", False, id="without the user that the policy names"),
        pytest.param("db://writer@host/t", False, id="another user"),
        pytest.param("postgres://u@host/t", True, id="any user where the policy names none"),
        pytest.param("http://api:8080/a", True, id="the port that the policy names"),
        pytest.param("http://api/a", False, id="without the port that the policy names"),
        pytest.param("http://api:9090/a", False, id="another port"),
        pytest.param("http://api:8080@evil/a", False, id="an allowed host as the user of another"),
        pytest.param("p", True, id="a name that is no address"),
        pytest.param("q", False, id="another name"),
    ],
)
def test_a_resource_is_allowed_as_the_policy_writes_it(uri, allowed):
    assert PUBLIC(uri) is allowed


def test_nothing_is_allowed_or_denied_by_an_empty_list():
    assert not AllowedResources([])("note://a")
    assert not DeniedResources([])("note://a")
    assert not AllowedResources([])
    assert AllowedResources(["a*"]).patterns == ("a*",)


# fmt: off
PIECES = ["secret", "secret", "SECRET", "%73ecret", "/", "/", "//", "/1", "u@", ":80", ":", ".", "..", "%2F", "%2e",
          "%252F", "1", "?x", "#x", ";", "\\", " ", "x"]
# fmt: on


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=7).map("".join))
def test_no_address_escapes_that_a_lenient_reader_reads_as_a_denied_one(text):
    """The reader drops users, ports, queries and case, decodes all it can, resolves dots and squeezes slashes."""
    bare = unquote(unquote(text)).partition("?")[0].partition("#")[0].lower().replace("\\", "/")
    path = []
    for part in bare.split("/"):
        if part == ".." and path:
            path.pop()
        elif part.strip() not in ("", ".", ".."):
            path.append(part)
    host = path[0].rpartition("@")[2].partition(":")[0].rstrip(".") if path else ""
    if host == "secret" and len(path) > 1:
        assert SECRET("note:" + text)
        assert SECRET("note://" + text)
