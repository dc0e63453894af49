"""What stands before a text: seen by keywords and word boundaries, never masked and never returned."""

import pytest

from extproc.masking import MaskFilter, RuleSet, rules

SHIPPED = RuleSet(rules())
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzA9d8f7g6h"


@pytest.mark.parametrize(
    ("before", "text", "expected"),
    [
        pytest.param("ssn: ", "536904399", "[masked:us-ssn-plain]", id="the key names what the value is"),
        pytest.param("x: ", "536904399", "536904399", id="another key says nothing"),
        pytest.param("", "536904399", "536904399", id="no key says nothing"),
        pytest.param("SecretAccessKey: ", SECRET, "[masked:aws-secret-key]", id="a key in another case"),
        pytest.param("4111 1111 ", "1111 1111", "1111 1111", id="nothing begins in what stands before"),
        pytest.param("ssn" + " " * 80, "536904399", "536904399", id="too far before"),
        pytest.param("4111111111111111 ", "ok", "ok", id="a match in what stands before is not returned"),
        pytest.param("\u00e9" * 40 + " ssn: ", "a 536904399", "a [masked:us-ssn-plain]", id="cut inside a character"),
        pytest.param("\ud800 ssn: ", "536904399", "[masked:us-ssn-plain]", id="half a character before"),
    ],
)
def test_a_text_is_masked_by_what_stands_before_it(before, text, expected):
    mask = MaskFilter(SHIPPED)
    assert mask.text(text, before) == expected
    for cut in range(len(text) + 1):
        stream = mask.stream(before)
        assert stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.flush() == expected


def test_after_its_end_a_stream_has_forgotten_what_stood_before():
    stream = MaskFilter(SHIPPED).stream("ssn: ")
    assert stream.feed("536904399") + stream.flush() == "[masked:us-ssn-plain]"
    assert stream.feed("536904399") + stream.flush() == "536904399"
