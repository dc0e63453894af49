"""A climb is caught however it is spelled, what passes stays inside for every reader, and names that are names pass."""

import ntpath
import posixpath
from html import unescape
from unicodedata import normalize
from urllib.parse import quote, unquote

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from extproc.arguments.path import Path

RELAXED = settings(deadline=None, max_examples=400, suppress_health_check=list(HealthCheck))
FREE, ROOTED = Path(), Path(roots=("/srv/data",))


def each(**spelled: str):
    names = {"dot": ".", "slash": "/", "back": "\\", "percent": "%"}
    return lambda text: text.translate(str.maketrans({names[name]: spelling for name, spelling in spelled.items()}))


# Each trick is undone by some reader; any of them may be applied to what another has made.
TRICKS = [
    lambda text: quote(text, safe="").replace(".", "%2e"),
    lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    each(dot="%2E"),
    each(slash="%2f", back="%5C"),
    each(percent="%25"),
    each(dot="%u002e", slash="%u2215"),
    each(dot="&#46;", slash="&sol;"),
    each(dot="&#x2e;"),
    each(dot="\\x2e", slash="\\u002f"),
    each(dot="\uff0e", slash="\uff0f", back="\uff3c", percent="\uff05"),
    each(dot="\u2024"),
    each(slash="\u2044", back="\u2216"),
    each(dot=".\u200b"),
    each(dot="\ufeff.", slash="/\u2060"),
    each(slash="\\"),
    each(slash="//"),
    each(slash="/./"),
    each(dot="%c0%ae"),
    each(slash="%e0%80%af"),
]
CLIMBS = ["../x", "a/../../x", "..", "../../etc/passwd", "a/b/../../../c", "..\\x", "a\\..\\..\\b"]
WORDS = st.sampled_from(
    [*"abcxyz", "src", "docs", "main.py", "v1..v2", "[id]", "my file", "é", "100%", "x.tar.gz", "..a"]
)
PIECES = st.sampled_from(
    [
        *(
            "..",
            ".",
            "/",
            "\\",
            "%2e",
            "%2f",
            "%252e",
            "%5c",
            "%c0",
            "%ae",
            "\uff0e",
            "\u2215",
            "\u200b",
            "a",
            "srv",
            "data",
        ),
        *("/srv/data", "C:", ":", "~", "$", "{", "%", "file:", "//", "&#46;", ";", " ", "\0", "\\x2e", "con", "?", "u"),
    ]
)
SOUP = st.lists(PIECES, max_size=9).map("".join)
ANY = st.text(st.characters(exclude_categories=()), max_size=60)


@RELAXED
@given(st.sampled_from(CLIMBS), st.lists(st.sampled_from(TRICKS), max_size=4))
def test_a_climb_is_caught_behind_any_composition_of_tricks(climb, tricks):
    for trick in tricks:
        climb = trick(climb)
    assert FREE(climb)
    assert ROOTED(climb)


@RELAXED
@given(
    st.sampled_from(["/etc/passwd", "/proc/self/environ", "/root"]), st.lists(st.sampled_from(TRICKS[:7]), max_size=4)
)
def test_a_place_of_the_machine_is_caught_behind_any_encoding(place, tricks):
    for trick in tricks:
        place = trick(place)
    assert FREE(place)
    assert ROOTED(place)


@RELAXED
@given(st.lists(WORDS, min_size=1, max_size=6), st.sampled_from(["", "/srv/data/", "./"]))
def test_ordinary_names_pass(words, start):
    assume(not any(" " in word and number == 0 for number, word in enumerate(words)))
    value = start + "/".join(words)
    assert FREE(value) == ""
    assert ROOTED(value) == ""


@RELAXED
@given(
    st.lists(
        st.text(st.characters(categories=["Lu", "Ll", "Lo"], min_codepoint=0x100), min_size=1), min_size=1, max_size=4
    )
)
def test_names_in_any_script_pass(words):
    folded = normalize("NFKC", "/".join(words))
    assume(not any(character in folded for character in "\u2cc6\u31d3\u31d4") and folded.isprintable())
    assert FREE("docs/" + "/".join(words)) == ""


def decoders(value: str):
    """What readers that have nothing to do with ours make of a value."""
    once = unquote(value)
    yield from (value, once, unquote(once), unquote(unquote(once)), unescape(value), unescape(once))
    yield from (normalize("NFKC", text) for text in (value, once, unquote(once)))
    yield from (text.replace("\u200b", "") for text in (value, once))


@RELAXED
@given(st.one_of(SOUP, SOUP.map(lambda soup: "/srv/data/" + soup), ANY))
def test_what_passes_is_inside_for_every_reader(value):
    if ROOTED(value):
        return
    for text in decoders(value):
        assert "\0" not in text
        for reading in (text, text.replace("\\", "/")):
            reading = reading.removeprefix("file://") if reading[:5].lower() == "file:" else reading
            joined = posixpath.normpath(posixpath.join("/srv/data", reading))
            assert joined == "/srv/data" or joined.startswith("/srv/data/"), (value, reading)
        drive, _ = ntpath.splitdrive(text)
        assert drive == "", (value, text)


@RELAXED
@given(st.one_of(ANY, SOUP), st.sampled_from(["both", "posix", "windows"]), st.booleans())
def test_no_string_makes_it_raise(value, style, rooted):
    roots = (("C:\\data",) if style == "windows" else ("/srv/data",)) if rooted else ()
    message = Path(roots, style)(value)
    assert message == "" or message.endswith(".")
