"""What a URL may be, with each option; which machine a host stands for; what a sentence says."""

import time

import pytest

from extproc.arguments import url as said
from extproc.arguments.checks import CHECKS
from extproc.arguments.hosts import Host, read_host
from extproc.arguments.url import Url

FREE = Url()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param("https://example.com/" + "x" * 70_000, said.LONG, id="too long"),
        pytest.param("https://example.com/\n", said.CONTROLS, id="a line end"),
        pytest.param("https://example.com/\xa0", said.CONTROLS, id="a blank of another script at the end"),
        pytest.param("https://example.com/%0d%0aX:1", said.CONTROLS, id="a line end in the path, encoded"),
        pytest.param("ftp://example.com/", said.SCHEME, id="another scheme"),
        pytest.param("https:/example.com/", said.FORM, id="one slash"),
        pytest.param("//example.com/", said.FORM, id="no scheme but slashes"),
        pytest.param("https://example.com:x/", said.FORM, id="a port that is none"),
        pytest.param("https://user@example.com/", said.USER, id="user information"),
        pytest.param("https://example.com\\x", said.CONFUSED, id="a backslash behind the host"),
        pytest.param("https://example.com#@example.org/", said.CONFUSED, id="an at sign behind a fragment"),
        pytest.param("https://0x8.8.8.8/", said.UNCLEAR, id="a public address in hexadecimal"),
        pytest.param("https://ex_ample!.com/", said.UNCLEAR, id="a character no host has"),
        pytest.param("https://-a.example.com/", said.UNCLEAR, id="a label that begins with a hyphen"),
        pytest.param("https://10.0.0.1/", said.PRIVATE, id="a private address"),
        pytest.param("https://wiki/", said.PRIVATE, id="a single label"),
        pytest.param("https://127.0.0.1/", said.RESERVED, id="this machine"),
        pytest.param("https://169.254.169.254/", said.METADATA, id="a metadata service"),
        pytest.param("https://example.com:22/", said.PORT, id="a port of another protocol"),
        pytest.param("https://example.com/?url=http://10.0.0.1/", said.NESTED, id="a URL inside"),
        pytest.param("https://example.com/?q=" + "%25" * 9 + "41", "", id="many percent signs in a row"),
        pytest.param("https://example.com/?q=" + "%" + "25" * 9 + "41", said.NESTED, id="too many layers"),
        pytest.param(
            "https://example.com/?q=&#" + "9" * 9_000 + ";", said.NESTED, id="a reference that is no character"
        ),
        pytest.param("https://example.com/" + "http://a.com/" * 20, said.NESTED, id="too many URLs inside"),
    ],
)
def test_each_kind_of_trouble_has_its_sentence(value, message):
    assert FREE(value) == message


@pytest.mark.parametrize(
    ("options", "value", "message"),
    [
        pytest.param({"schemes": ["https"]}, "http://example.com/", said.SCHEME, id="http can be taken away"),
        pytest.param({"schemes": ["s3"]}, "https://example.com/", said.SCHEME, id="and https"),
        pytest.param({"schemes": ["wss"]}, "wss://example.com/x", "", id="another scheme can be given"),
        pytest.param({"hosts": ["example.com"]}, "https://EXAMPLE.com./x", "", id="a host in any case"),
        pytest.param({"hosts": ["example.com"]}, "https://a.example.com/", said.HOST, id="an exact host is no suffix"),
        pytest.param({"hosts": ["*.example.com"]}, "https://a.b.example.com/", "", id="a wildcard, levels below"),
        pytest.param(
            {"hosts": ["*.example.com"]}, "https://example.com/", said.HOST, id="a wildcard is for what is below"
        ),
        pytest.param(
            {"hosts": ["*.example.com"]}, "https://badexample.com/", said.HOST, id="a wildcard begins at a dot"
        ),
        pytest.param({"hosts": ["münchen.de"]}, "https://xn--mnchen-3ya.de/", "", id="punycode of a listed host"),
        pytest.param({"hosts": ["localhost"]}, "http://localhost:8080/", "", id="this machine, named exactly"),
        pytest.param({"hosts": ["10.0.0.5"]}, "http://10.0.0.6/", said.PRIVATE, id="another private address"),
        pytest.param({"hosts": ["*.internal"]}, "http://db.internal/", "", id="a private name below a wildcard"),
        pytest.param(
            {"hosts": ["*.internal"]}, "http://metadata.google.internal/", said.METADATA, id="but not metadata"
        ),
        pytest.param(
            {"hosts": ["example.com"]}, "https://example.com/?url=https://x.org/", said.NESTED, id="a redirect out"
        ),
        pytest.param(
            {"hosts": ["example.com"]}, "https://example.com/?q=https://x.org/", "", id="a URL nobody follows"
        ),
        pytest.param({"allow_private": True}, "http://192.168.1.1/", "", id="a private address allowed"),
        pytest.param({"allow_private": True}, "http://[fd12::1]/", "", id="a unique local address allowed"),
        pytest.param(
            {"allow_private": True}, "http://[fd00:ec2::254]/", said.METADATA, id="metadata in that range is not"
        ),
        pytest.param({"allow_private": True}, "http://127.0.0.1/", said.RESERVED, id="this machine is not private"),
        pytest.param({"allow_private": True}, "http://x.org/?url=http://10.0.0.1/", "", id="nor is it inside a URL"),
        pytest.param({"ports": [8080]}, "http://example.com:8081/", said.PORT, id="another port than the allowed"),
        pytest.param({"ports": [22]}, "http://example.com:22/", "", id="an allowed port is not on the list"),
        pytest.param({"ports": [8080]}, "http://example.com/", "", id="the scheme's own port"),
    ],
)
def test_options(options, value, message):
    assert Url(**options)(value) == message


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Example.COM.", Host("example.com", "public")),
        ("8.8.8.8", Host("8.8.8.8", "public")),
        ("0x7f.1", Host("127.0.0.1", "reserved", False)),
        ("2852039166", Host("169.254.169.254", "metadata", False)),
        ("010.0.0.1", Host("8.0.0.1", "public", False)),
        ("[::1]", Host("[::1]", "reserved")),
        ("[::ffff:8.8.8.8]", Host("[::ffff:808:808]", "reserved")),
        ("[2606:4700::1111]", Host("[2606:4700::1111]", "public")),
        ("[fc00::1]", Host("[fc00::1]", "private")),
        ("a.b.internal", Host("a.b.internal", "private")),
        ("x.localhost", Host("x.localhost", "reserved")),
        ("10-0-0-1.example.com", Host("10-0-0-1.example.com", "reserved")),
        ("8-8-8-8.example.com", Host("8-8-8-8.example.com", "public")),
        ("bücher.example.com", Host("xn--bcher-kva.example.com", "public")),
        ("xn--bcher-kva.example.com", Host("xn--bcher-kva.example.com", "public")),
        *(
            (text, Host("", "unclear", False))
            for text in ("", ".", "a..b", "xn--a", "faß.de", "a b", "[::1", "1.2.3.4.5", "09.1")
        ),
        *(
            (text, Host("", "unclear", False))
            for text in ("a" * 64 + ".com", "a." * 200, "x" * 100_000, "\ud800.com", "%41.com")
        ),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_host_is_read_as_the_machine_it_stands_for(text, host):
    assert read_host(text) == host


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"schemes": []}, id="no scheme"),
        pytest.param({"schemes": ["https:"]}, id="a scheme with its colon"),
        pytest.param({"hosts": ["https://example.com"]}, id="a URL for a host"),
        pytest.param({"hosts": ["example.com:443"]}, id="a host with a port"),
        pytest.param({"hosts": ["0x7f.1"]}, id="an address in disguise"),
        pytest.param({"hosts": ["*"]}, id="a star alone"),
    ],
)
def test_an_option_that_can_be_none_is_refused_when_the_check_is_made(options):
    with pytest.raises(ValueError, match="must be"):
        Url(**options)


def test_the_registry_makes_it():
    assert CHECKS["url"](hosts=("example.com",))("https://example.org/") == said.HOST


@pytest.mark.parametrize(
    "unit", ["%25", "&url=1", "&url=http:", "://", "http://a.com/", "@", "\ufdfa", "&#46;", "?", "[", "\\"]
)
def test_the_work_grows_with_the_length_and_no_faster(unit):
    def work(length: int) -> float:
        value = "https://example.com/?" + (unit * length)[:length]
        return min(_timed(value) for _ in range(3))

    assert work(32_000) < 16 * work(4_000) + 0.01


def _timed(value: str) -> float:
    begun = time.process_time()
    FREE(value)
    return time.process_time() - begun
