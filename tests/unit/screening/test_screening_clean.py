"""`strip`: what goes, what stays, and what it says about it."""

import pytest

from extproc.screening import strip


@pytest.mark.parametrize(
    ("text", "left", "kinds"),
    [
        pytest.param("a\u200bb", "ab", ("invisible-characters",), id="a zero-width space inside a word"),
        pytest.param("a\U000e0068\U000e0069b", "ab", ("invisible-characters",), id="tag characters"),
        pytest.param("x\u202egnp.exe", "xgnp.exe", ("invisible-characters",), id="a forced direction"),
        pytest.param("a\u2066b\u2069c", "abc", ("invisible-characters",), id="isolates where nothing runs right to left"),  # noqa: E501
        pytest.param("😀\ufe01\ufe02\ufe03", "😀", ("invisible-characters",), id="variation selectors as data"),
        pytest.param("\x1b[31mred\x1b[0m", "red", ("terminal-sequences",), id="terminal colours"),
        pytest.param("\x1b]8;;https://e.example\x07label\x1b]8;;\x07", "label", ("terminal-sequences",), id="a terminal link"),  # noqa: E501
        pytest.param("\x1b]8; open", "8; open", ("terminal-sequences",), id="a sequence that is not closed"),
        pytest.param("â\x80\x9dquoted", "âquoted", ("terminal-sequences",), id="wrongly decoded quotation marks"),
        pytest.param("a<!-- x -->b", "ab", ("hidden-markup",), id="an HTML comment"),
        pytest.param("a<p hidden>x</p>b", "ab", ("hidden-markup",), id="a hidden element"),
        pytest.param("a<p style='display:none'>x\nb", "a\nb", ("hidden-markup",), id="a hidden element that is not closed"),  # noqa: E501
        pytest.param("[//]: # (x)\nText", "Text", ("hidden-markup",), id="a Markdown comment"),
        pytest.param("![alt](https://e.example/i)", "alt `https://e.example/i`", ("fetching-markup",), id="an image"),
        pytest.param('<img alt="A" src="https://e.example/i">', "A `https://e.example/i`", ("fetching-markup",), id="an HTML image"),  # noqa: E501
        pytest.param("![a][r]", "[a][r]", ("fetching-markup",), id="an image by reference"),
        pytest.param("[a](https://e.example/?q={data})", "a `https://e.example/?q={data}`", ("fetching-markup",), id="a link with a place for data"),  # noqa: E501
        pytest.param("ok\u200b ![a](//e.example/i)", "ok a `//e.example/i`", ("fetching-markup", "invisible-characters"), id="two kinds"),  # noqa: E501
        pytest.param("<!-<!-- -->- x -->y", "y", ("hidden-markup",), id="a comment that a comment splits"),
    ],
)  # fmt: skip
def test_what_goes(text, left, kinds):
    assert strip(text) == (left, kinds)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Plain text, 5 < 6 and [1] (2) {3}.", id="plain text"),
        pytest.param("👩‍💻 👨‍👩‍👧‍👦 ❤️‍🔥 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ⚽️ ©️", id="emoji"),
        pytest.param("می‌خواهم نرم‌افزار", id="Persian joiners"),
        pytest.param("क्‍या ರ‍್ಯಾಂಕ್ അവന്‍", id="Indic joiners"),
        pytest.param("הקובץ \u200ereport.pdf\u200e נשמר", id="Hebrew with marks"),
        pytest.param("اسم \u2067ABC\u2069 هنا", id="Arabic with a closed isolate"),
        pytest.param("\ufeffid,name\n1,Ada", id="a byte order mark"),
        pytest.param("葛\U000e0100城", id="an ideograph's variant"),
        pytest.param(
            "![a](./local.png) ![b](data:image/png;base64,AAAA)", id="images that load nothing from elsewhere"
        ),
        pytest.param("[docs](https://docs.example/a?b=c)", id="an ordinary link"),
        pytest.param("a\tb\r\nc\x0c", id="tab and line ends"),
        pytest.param("\ud800 alone", id="a lone surrogate"),
    ],
)
def test_what_stays(text):
    assert strip(text) == (text, ())


def test_markup_nested_too_deep_is_broken_up():
    text = "x"
    for _ in range(30):
        text = f"<!-{text}<!-- -->- y -->"
    left, kinds = strip(text)
    assert kinds == ("hidden-markup",)
    assert "<!--" not in left
    assert strip(left) == (left, ())
