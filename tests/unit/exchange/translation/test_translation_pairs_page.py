"""The page that is made from the tests through Envoy: it has every pair there is, and none that there is not."""

import re
from pathlib import Path

import pytest

from extproc.exchange.translation.registry import TRANSLATIONS

PAGE = (Path(__file__).parents[4] / "docs" / "pairs.md").read_text(encoding="utf-8")
ROWS = {
    (source, target): set(features.split(", "))
    for source, target, features in re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| (.*) \|$", PAGE, re.MULTILINE)
}
TALKS = {"plain", "streaming", "tool loop", "parallel tool calls", "images", "errors", "cancellation", "broken streams"}
# What is no conversation has neither tools nor pictures.
LEAST = {"openai-embeddings": {"plain"}, "openai-completions": {"plain", "streaming"}}


@pytest.mark.parametrize("pair", TRANSLATIONS, ids="-to-".join)
@pytest.mark.promise("translation.page")
def test_a_pair_has_its_row(pair):
    assert pair in ROWS, "run `make pairs`"
    assert ROWS[pair] >= LEAST.get(pair[0], TALKS)


def test_there_is_no_row_of_a_pair_that_is_gone():
    assert {pair for pair in ROWS if pair[0] != pair[1]} == set(TRANSLATIONS)
