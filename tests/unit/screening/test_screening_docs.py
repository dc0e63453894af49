"""docs/screening.md names every signal with its weights."""

from pathlib import Path

import pytest

from extproc.screening import (
    direction,
    errands,
    exfiltration,
    homoglyphs,
    invisible,
    judge,
    markup,
    orders,
    roles,
    terminal,
)
from extproc.screening.model import Sign

PAGE = (Path(__file__).parents[3] / "docs" / "screening.md").read_text(encoding="utf-8")
MODULES = (direction, errands, exfiltration, homoglyphs, invisible, judge, markup, orders, roles, terminal)
SIGNS = {sign for module in MODULES for sign in vars(module).values() if isinstance(sign, Sign)}


def test_every_signal_has_a_name_of_its_own():
    assert len({sign.name for sign in SIGNS}) == len(SIGNS)


@pytest.mark.parametrize("sign", sorted(SIGNS), ids=lambda sign: sign.name)
def test_the_page_has_its_row(sign):
    assert f"| `{sign.name}` | {sign.reason} | {sign.description} | {sign.result} |" in PAGE
