"""Which terminal sequences are harmless and which hide something."""

import pytest

from extproc.screening import terminal


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("\x1b[1;31mred\x1b[0m", "ansi-colour", id="colours"),
        pytest.param("\x1b[38;5;8mgrey", "ansi-colour", id="colour number eight"),
        pytest.param("\x1b[8mhidden", "ansi-conceal", id="concealed text"),
        pytest.param("\x1b[2K\x1b[1G50 %", "ansi-line", id="a progress bar"),
        pytest.param("\x1b[2J", "ansi-cursor", id="a cleared screen"),
        pytest.param("\x1b[?1049h", "ansi-cursor", id="the other screen"),
        pytest.param("\x1b]8;;https://a.example\x07a\x1b]8;;\x07", "osc-link", id="a link"),
        pytest.param("\x1b]8;;https://a.example\x07https://b.example\x1b]8;;\x07", "osc-false-link", id="a false link"),
        pytest.param("\x1b]52;c;eA==\x07", "osc-control", id="the clipboard"),
        pytest.param("good\x08\x08\x08\x08evil", "backspace", id="backspaces over text"),
        pytest.param("a\x00b", "control-characters", id="a NUL"),
    ],
)
def test_a_sequence_gives_its_sign(text, name):
    assert name in [sign.name for sign in terminal.look(text).signs]
