"""An inner address is caught however it is spelled and wrapped; what passes has one host for other readers too."""

from ipaddress import IPv4Address, ip_address
from urllib.parse import quote, urlsplit

import httpx2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extproc.arguments.url import Url

RELAXED = settings(deadline=None, max_examples=400, suppress_health_check=list(HealthCheck))
FREE = Url()
LISTED = Url(hosts=("example.com", "*.example.org"))
INNER = st.sampled_from(
    ["127.0.0.1", "10.1.2.3", "172.20.0.9", "192.168.7.1", "169.254.169.254", "100.100.100.200", "0.0.0.0"]
)
FULLWIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
NUMBERS = [str, hex, lambda number: f"0{number:o}", lambda number: f"0X{number:X}", lambda number: f"0x{number:08x}"]


def spell(parts: list[int], spellings: list) -> str:
    return ".".join(spelling(part) for part, spelling in zip(parts, spellings, strict=False))


@st.composite
def addresses(draw) -> str:
    """An inner IPv4 address in one of its notations."""
    value = int(IPv4Address(draw(INNER)))
    count = draw(st.integers(1, 4))
    parts = [(value >> (24 - 8 * place)) & 255 for place in range(count - 1)]
    parts.append(value & (256 ** (5 - count) - 1))
    host = spell(parts, draw(st.lists(st.sampled_from(NUMBERS), min_size=count, max_size=count)))
    return draw(
        st.sampled_from(
            [
                host,
                host + ".",
                host.translate(FULLWIDTH),
                host.replace(".", "\u3002"),
                "".join(f"%{byte:02x}" for byte in host.encode()),
                f"[::ffff:{IPv4Address(value)}]",
                f"[64:ff9b::{IPv4Address(value)}]",
                f"[2002:{value >> 16:x}:{value & 65535:x}::]",
                f"{IPv4Address(value)}.nip.io",
                str(IPv4Address(value)).replace(".", "-") + ".example.com",
            ]
        )
    )


WRAPPERS = [
    lambda host: f"http://{host}/",
    lambda host: f"HTTPS://{host}",
    lambda host: f"https://{host}:8080/x?y#z",
    lambda host: f"http://example.com@{host}/",
    lambda host: f"http:\\\\{host}\\",
    lambda host: f"http:/{host}/",
    lambda host: f"//{host}/",
    lambda host: f"http://{host}\\.example.com/",
    lambda host: f"http://{host}#@example.com/",
    lambda host: f"http://example.com#@{host}/",
    lambda host: host,
    lambda host: f"{host}:8080/x",
]


@RELAXED
@given(addresses(), st.sampled_from(WRAPPERS))
def test_an_inner_address_is_caught_in_any_notation_and_wrapping(host, wrapper):
    assert FREE(wrapper(host))
    assert LISTED(wrapper(host))


@RELAXED
@given(addresses(), st.sampled_from(["next", "url", "redirect_uri"]), st.integers(0, 4), st.sampled_from(WRAPPERS[:3]))
def test_an_inner_address_is_caught_in_a_parameter_behind_layers(host, name, layers, wrapper):
    inner = wrapper(host)
    for _ in range(layers):
        inner = quote(inner, safe="")
    assert FREE(f"https://example.com/r?{name}={inner}")
    assert FREE(f"https://example.com/r#{name}={inner}")


LABEL = st.text("abcdefghijklmnoprstuvwxyz", min_size=3, max_size=12)
HOST = st.builds(
    lambda labels, top: ".".join(labels) + top,
    st.lists(LABEL, min_size=1, max_size=3),
    st.sampled_from([".com", ".de", ".io"]),
)
TEXT = st.text("abcXYZ0189-_.~@ é+", max_size=12)
PORT = st.sampled_from(["", ":443", ":8443", ":8080", ":3001"])


@RELAXED
@given(
    HOST,
    PORT,
    st.lists(TEXT, max_size=4),
    st.dictionaries(st.sampled_from(["q", "page", "id", "lang"]), TEXT, max_size=3),
)
def test_ordinary_urls_pass(host, port, path, query):
    value = f"https://{host}{port}/" + "/".join(quote(part) for part in path)
    if query:
        value += "?" + "&".join(f"{name}={quote(text)}" for name, text in query.items())
    assert FREE(value) == ""


PIECES = [
    "http",
    "https",
    ":",
    "/",
    "//",
    "\\",
    "@",
    "#",
    "?",
    ".",
    "example.com",
    "127.0.0.1",
    "localhost",
    "[::1]",
    "%2e",
    "%40",
]
PIECES += [
    "0x7f",
    "1",
    "8.8.8.8",
    ":80",
    ":22",
    "\t",
    "\n",
    " ",
    "\uff0e",
    "\u3002",
    "\xad",
    "\xdf",
    "xn--",
    "-",
    "a",
    "=",
    "&",
    ";",
    ",",
]
SOUP = st.lists(st.sampled_from(PIECES), max_size=9).map("".join)
ANY = st.text(st.characters(exclude_categories=()), max_size=60)


@RELAXED
@given(st.one_of(SOUP, SOUP.map(lambda soup: "http://" + soup), SOUP.map(lambda soup: "https://example.com" + soup)))
def test_what_passes_has_one_public_host_for_other_readers(value):
    if FREE(value) or "://" not in value.partition("?")[0].partition("/")[0] + "//":
        return
    if not value.lower().startswith(("http://", "https://")):
        value = "https://" + value
    one = urlsplit(value).hostname
    other = httpx2.URL(value).raw_host.decode()
    assert other == (one if one.isascii() else one.encode("idna").decode()), value
    try:
        assert ip_address(one.strip("[]")).is_global, value
    except ValueError:
        assert "." in one, value


@RELAXED
@given(st.one_of(ANY, SOUP), st.sampled_from([FREE, LISTED, Url(allow_private=True, ports=(443,))]))
def test_no_string_makes_it_raise(value, check):
    message = check(value)
    assert message == "" or message.endswith(".")
