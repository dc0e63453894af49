"""Invisible characters: what they say, and which are legitimate."""

import pytest

from extproc.screening import invisible


def names(text: str) -> set[str]:
    return {sign.name for sign in invisible.look(text).signs}


def test_tags_selectors_and_bits_say_what_they_hide():
    tags = "".join(chr(0xE0000 + ord(letter)) for letter in "tagged")
    selectors = "".join(chr(0xE0100 + byte - 16) for byte in b"selected")
    bits = "".join("\u200b" if bit == "0" else "\u200c" for byte in b"bits" for bit in f"{byte:08b}")
    assert "tagged" in invisible.look("a" + tags).hidden
    assert "selected" in invisible.look("a" + selectors).hidden
    assert "bits" in invisible.look("a" + bits).hidden


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("👩‍💻 ❤️‍🔥 🏴󠁧󠁢󠁷󠁬󠁳󠁿", set(), id="emoji"),
        pytest.param("می‌خواهم", set(), id="a Persian joiner"),
        pytest.param("א\u2067abc\u2069", set(), id="a closed isolate in Hebrew"),
        pytest.param("א\u2067abc", {"stray-invisible"}, id="an open isolate in Hebrew"),
        pytest.param("a\u2067bc", {"bidi-isolate"}, id="an isolate in Latin"),
        pytest.param("א\u202eabc\u202c", {"bidi-override", "stray-invisible"}, id="an override in Hebrew"),
        pytest.param("wo\u200brd", {"zero-width"}, id="a zero-width space in a word"),
        pytest.param("word\u200b word", {"stray-invisible"}, id="a zero-width space at a break"),
        pytest.param("hy\u00adphen", {"stray-invisible"}, id="a soft hyphen"),
        pytest.param("\ufeffstart", set(), id="a byte order mark"),
        pytest.param("a\ufff9b", {"annotation"}, id="an annotation"),
        pytest.param("\ue000\ue001", set(), id="two icons of a private font"),
    ],
)
def test_what_is_legitimate_gives_no_sign(text, found):
    assert names(text) == found
