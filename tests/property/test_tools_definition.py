"""Digests, differences, pins and manifests, for any definition and any change of it."""

import base64
import decimal
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from extproc.errors import PolicyError
from extproc.tools.definition import Digests, canonical, definition, digest
from extproc.tools.diff import diff, render
from extproc.tools.manifest import ManifestError, sign, verify
from extproc.tools.pins import dump, parse, pin
from extproc.tools.signing_keys import SigningKey, VerifyingKey
from extproc.tools.visible import visible

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
HIDDEN = "\u200b\u200d\u2060\ufeff\u202e\u00ad\U000e0041\ufe0f\u3164\u00a0\u034f\u2028\x7f\x00"
SAFE = st.integers(-(2**53), 2**53)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
LEAF = st.none() | st.booleans() | SAFE | FLOATS | TEXT | st.text('\\"1.2e,:[{', max_size=8)
JSON = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)
TOOL = st.fixed_dictionaries(
    {"name": TEXT.filter(bool)}, optional={"description": TEXT, "inputSchema": JSON, "annotations": JSON, "more": JSON}
)
NOW = 1_800_000_000.0
KEY = Ed25519PrivateKey.generate()


def reference(value: Any) -> str:
    """RFC 8785 once more, written in another way: numbers by decimal arithmetic, keys as lists of code units."""
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda item: list(memoryview(item[0].encode("utf-16-le")).cast("H")))
        return "{" + ",".join(f"{reference(key)}:{reference(item)}" for key, item in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(reference, value)) + "]"
    if isinstance(value, str):
        short = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
        return '"' + "".join(short.get(ord(c)) or (f"\\u{ord(c):04x}" if c < " " else c) for c in value) + '"'
    if isinstance(value, (bool, type(None))):
        return {True: "true", False: "false", None: "null"}[value]
    if value == 0:
        return "0"
    _, figures, exponent = decimal.Decimal(repr(abs(value))).normalize().as_tuple()
    digits, size = "".join(map(str, figures)), len(figures)
    assert isinstance(exponent, int)
    n, sign = size + exponent, "-" if value < 0 else ""
    if n > 21 or n <= -6:
        tail = "." + digits[1:] if size > 1 else ""
        return f"{sign}{digits[0]}{tail}e{n - 1:+d}"
    return sign + format(decimal.Decimal((0, figures, exponent)), "f")


@settings(max_examples=500)
@given(JSON)
@example({"\U0001f600": 1, "\ufb33": 2})
@example([1e21, 1e-7, 5e-324, 1.5, -0.0, 123456789012345680000.0])
def test_the_canonical_form_is_that_of_the_reference(value: Any) -> None:
    assert canonical(value).decode("utf-8") == reference(value)


def shuffled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@given(TOOL, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_a_digest_does_not_depend_on_how_a_definition_was_written(tool: Any, indent: Any, ascii: bool) -> None:
    other = json.loads(json.dumps(shuffled(tool), indent=indent, ensure_ascii=ascii))
    assert digest(other) == digest(tool) == Digests().of(other)
    assert diff(tool, other) == ()


def texts(value: Any, where: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], str]]:
    if isinstance(value, str):
        return [(where, value)]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in texts(item, (*where, key))]


def put(value: Any, where: tuple[Any, ...], text: str) -> Any:
    if not where:
        return text
    copy = value.copy()
    copy[where[0]] = put(value[where[0]], where[1:], text)
    return copy


@settings(max_examples=300)
@given(TOOL, st.data())
def test_one_more_character_anywhere_is_another_digest_and_is_shown(tool: Any, data: st.DataObject) -> None:
    where, text = data.draw(st.sampled_from(texts(definition(tool))))
    at = data.draw(st.integers(0, len(text)))
    char = data.draw(st.sampled_from(HIDDEN) | st.characters(exclude_categories=["Cs"]))
    other = put(tool, where, text[:at] + char + text[at:])
    assert digest(other) != digest(tool)
    (change,) = diff(tool, other)
    assert visible(change.text.replace("\\", "")) == change.text.replace("\\", "")


@settings(max_examples=300)
@given(TOOL, TOOL)
def test_two_definitions_differ_exactly_if_their_digests_do(old: Any, new: Any) -> None:
    assert (digest(old) == digest(new)) == (diff(old, new) == ())
    assert all(line.isprintable() for line in render(diff(old, new)).splitlines())


TOOLS = st.lists(TOOL, max_size=4, unique_by=lambda tool: tool["name"])


@given(TOOLS)
def test_a_pin_file_comes_back_as_it_was(tools: list[Any]) -> None:
    pins = pin("crm", tools)
    written = dump(pins)
    again = parse(written.encode("utf-8"), "f")
    assert dump(again) == written
    assert [again.check(tool) for tool in tools] == ["pinned"] * len(tools)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_other_file_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(PolicyError) as caught:  # none of these names a server and its tools
        parse(data, "f")
    assert caught.value.problems


@given(TOOLS, st.data())
def test_a_manifest_that_was_touched_anywhere_is_not_believed(tools: list[Any], data: st.DataObject) -> None:
    text = sign(SigningKey("EdDSA", "k", KEY), "crm", tools, issuer="https://vendor.example", now=NOW, expires=NOW + 9)
    keys = [VerifyingKey("EdDSA", "k", KEY.public_key())]
    manifest = verify(text, keys, now=NOW)
    assert [manifest.check(tool) for tool in tools] == ["signed"] * len(tools)
    at = data.draw(st.integers(0, len(text) - 1))
    how = data.draw(st.sampled_from(["replace", "remove", "insert"]))
    char = data.draw(st.sampled_from("ABab01-_.=+/ \u00e9") | st.characters(exclude_categories=["Cs"]))
    touched = text[:at] + ("" if how == "remove" else char) + text[at + (how != "insert") :]
    assume(touched.strip(" \r\n") != text)
    with pytest.raises(ManifestError):
        verify(touched, keys, now=NOW)


@given(st.data())
def test_every_single_bit_of_a_manifest_counts(data: st.DataObject) -> None:
    text = sign(SigningKey("EdDSA", "", KEY), "crm", [{"name": "a"}], issuer="v", now=NOW)
    parts = [base64.urlsafe_b64decode(part + "==") for part in text.split(".")]
    which = data.draw(st.integers(0, 2))
    bit = data.draw(st.integers(0, len(parts[which]) * 8 - 1))
    changed = bytearray(parts[which])
    changed[bit // 8] ^= 1 << bit % 8
    parts[which] = bytes(changed)
    forged = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
    with pytest.raises(ManifestError):
        verify(forged, [VerifyingKey("EdDSA", "", KEY.public_key())], now=NOW)
