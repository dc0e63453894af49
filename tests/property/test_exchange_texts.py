"""Whatever a request looks like: every string and every unusual key of it is among its texts."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.exchange import json_body, texts

WORDS = st.sampled_from(
    ["content", "input", "data", "bytes", "arguments", "ssn", "x", "data:", "", "QUJD", "a\\b", "[", "é"]
)
STRINGS = st.one_of(WORDS, st.text(max_size=12), st.lists(WORDS).map(",".join))
JSON = st.recursive(
    st.one_of(STRINGS, st.none(), st.booleans(), st.integers()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(STRINGS, inner, max_size=4)),
    max_leaves=20,
)


def strings(node: Any) -> list[str]:
    """Values, and keys that are not an API's own."""
    if isinstance(node, dict):
        keys = [key for key in node if key not in texts._API]
        return [*keys, *(text for child in node.values() for text in strings(child))]
    if isinstance(node, list):
        return [text for child in node for text in strings(child)]
    return [node] if isinstance(node, str) else []


@settings(deadline=None, max_examples=400)
@given(st.dictionaries(STRINGS, JSON, max_size=5))
def test_every_string_is_among_the_texts(doc: dict[str, Any]) -> None:
    found, _ = texts.of(doc)
    for text in strings(doc):
        assert any(text in seen for seen in found) or (text.startswith("data:") and ";base64," in text)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(STRINGS, JSON, max_size=5))
def test_a_json_text_shows_what_the_document_would(doc: dict[str, Any]) -> None:
    quoted = json_body.encode({"a": "\n", **doc}).decode()
    found, _ = texts.of({"arguments": quoted})
    assert all(any(text in seen for seen in found) for text in strings(doc) if not text.startswith("data:"))
