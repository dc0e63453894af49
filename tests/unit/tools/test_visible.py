"""What people cannot see is shown to them, and nothing else is touched."""

import json

import pytest

from extproc.tools.visible import escaped_json, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("Reads a file.", "Reads a file.", id="plain"),
        pytest.param("Zürich, Łódź, 東京, नमस्ते, 🙂", "Zürich, Łódź, 東京, नमस्ते, 🙂", id="every script and emoji"),
        pytest.param("a\u200bb\u200dc\ufeff", "a\\u{200b}b\\u{200d}c\\u{feff}", id="zero width"),
        pytest.param("\u202eabc\u2066", "\\u{202e}abc\\u{2066}", id="bidirectional"),
        pytest.param("x\U000e0049\U000e0067", "x\\u{e0049}\\u{e0067}", id="tags"),
        pytest.param("x\ufe00\U000e0100\u180b", "x\\u{fe00}\\u{e0100}\\u{180b}", id="variation selectors"),
        pytest.param("a\u00a0b\u3000c\u2028", "a\\u{a0}b\\u{3000}c\\u{2028}", id="other blanks"),
        pytest.param("\u3164\u115f\u2800\u034f", "\\u{3164}\\u{115f}\\u{2800}\\u{34f}", id="letters drawn as nothing"),
        pytest.param("a\nb\tc\rd\x1b[31m", "a\\nb\\tc\\rd\\u{1b}[31m", id="lines and terminal controls"),
        pytest.param("\\u{200b} \\n", "\\\\u{200b} \\\\n", id="what only looks like an escape"),
        pytest.param("\ue000\ud800\U0001fffe", "\\u{e000}\\u{d800}\\u{1fffe}", id="private, half and unassigned"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_what_is_long_is_cut_and_says_how_much_is_missing() -> None:
    assert visible("\u200b" * 10, 4) == "\\u{200b}" * 4 + "... (6 more characters)"


@pytest.mark.parametrize("text", ["plain", "é\u200b\U000e0041\x7f\u2028\ufe0f", 'quote " and \\ and \n'])
def test_json_with_escapes_means_the_same_and_hides_nothing(text: str) -> None:
    written = escaped_json(json.dumps({text: [text]}, ensure_ascii=False, indent=2))
    assert json.loads(written) == {text: [text]}
    assert visible(written.replace("\\", "").replace("\n", "")) == written.replace("\\", "").replace("\n", "")
