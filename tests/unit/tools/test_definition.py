"""The canonical form against RFC 8785's own examples, and what a digest covers."""

import json
import struct
from typing import Any

import msgspec
import pytest

from extproc.tools.definition import DefinitionError, Digests, canonical, definition, digest, number

TOOL: dict[str, Any] = {
    "name": "send_mail",
    "title": "Send mail",
    "description": "Sends a mail.",
    "inputSchema": {"type": "object", "properties": {"to": {"type": "string", "maxLength": 320}}, "required": ["to"]},
    "outputSchema": {"type": "object"},
    "annotations": {"readOnlyHint": False},
    "execution": {"taskSupport": "optional"},
    "icons": [{"src": "https://vendor.example/icon.png"}],
    "_meta": {"trace": 1},
}


def test_the_example_of_rfc_8785_section_3_2_2() -> None:
    text = r"""{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"""
    assert canonical(json.loads(text)).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_sorted_as_in_rfc_8785_section_3_2_3() -> None:
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    order = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical(dict.fromkeys(keys, 0)))) == order


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_numbers_are_those_of_rfc_8785_appendix_b(bits: str, text: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert number(value) == text
    assert canonical({"n": [value, {"m": value}]}).decode() == f'{{"n":[{text},{{"m":{text}}}]}}'
    assert canonical(value).decode() == text


def test_an_integer_that_no_double_can_carry_keeps_its_digits() -> None:
    assert canonical({"maximum": 2**64 - 1}) == b'{"maximum":18446744073709551615}'
    assert canonical([1.5, 2**64 - 1]) == b"[1.5,18446744073709551615]"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(float("nan"), id="no number"),
        pytest.param(float("inf"), id="infinity"),
        pytest.param("\ud800", id="half of a surrogate pair"),
        pytest.param({"\udc00": 1.5}, id="half of one in a key"),
        pytest.param(object(), id="no JSON at all"),
        pytest.param(10**5000, id="more digits than are read"),
    ],
)
def test_what_json_cannot_say_has_no_canonical_form(value: Any) -> None:
    with pytest.raises(DefinitionError):
        canonical({"a": [value]})
    assert Digests().of({"name": "x", "inputSchema": value}) == ""


def test_what_is_nested_without_end_has_no_canonical_form() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(DefinitionError, match="deep"):
        digest({"name": "x", "inputSchema": deep})
    assert Digests().of({"name": "x", "inputSchema": deep}) == ""


def test_a_digest_covers_everything_but_icons_and_meta() -> None:
    assert definition(TOOL).keys() == TOOL.keys() - {"icons", "_meta"}
    assert digest(TOOL) == digest(definition(TOOL))
    assert digest({**TOOL, "_meta": {"trace": 2}, "icons": []}) == digest(TOOL)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"name": "send_mai1"}, id="name"),
        pytest.param({"title": None}, id="a title that is null"),
        pytest.param({"description": "Sends a mail.\u200b"}, id="a zero-width space at the end"),
        pytest.param({"description": "Sends\u00a0a mail."}, id="another kind of blank"),
        pytest.param({"description": "Sends a mail.\U000e0041"}, id="a tag character"),
        pytest.param({"description": "Sends a mail.\ufe01"}, id="a variation selector"),
        pytest.param({"inputSchema": {**TOOL["inputSchema"], "required": []}}, id="what is required"),
        pytest.param({"outputSchema": {"type": "array"}}, id="output schema"),
        pytest.param({"annotations": {"readOnlyHint": 0}}, id="zero for false"),
        pytest.param({"annotations": {"readOnlyHint": True}}, id="an annotation"),
        pytest.param({"execution": {"taskSupport": "required"}}, id="execution"),
        pytest.param({"instructions": "Ask me first."}, id="a member that nobody knows yet"),
    ],
)
@pytest.mark.promise("integrity.digest")
def test_any_other_change_changes_the_digest(changed: dict[str, Any]) -> None:
    assert digest({**TOOL, **changed}) != digest(TOOL)
    digests = Digests()
    assert digests.of(TOOL) == digest(TOOL)
    assert digests.of({**TOOL, **changed}) == digest({**TOOL, **changed})


@pytest.mark.promise("integrity.digest")
def test_the_same_definition_sent_in_another_way_has_the_same_digest() -> None:
    other = msgspec.json.decode(json.dumps(dict(reversed(TOOL.items())), indent=3))
    assert digest(other) == digest(TOOL)
    assert digest({"name": "x", "inputSchema": {"minimum": 1.0}}) == digest(
        {"name": "x", "inputSchema": {"minimum": 1}}
    )


def test_the_form_of_a_digest_stays_as_it_is_because_pins_of_yesterday_must_match_tomorrow() -> None:
    assert digest({"name": "a", "description": "é\u200b", "inputSchema": {"type": "object", "minimum": 1e21}}) == (
        "sha256:d8caef32de2e2b2437804d721e548cee03a25cefb0683872e083f001272d44c2"
    )


def test_digests_remember_no_more_than_they_may() -> None:
    digests = Digests(limit=10)
    for count in range(100):
        tool = {"name": f"t{count % 25}"}
        assert digests.of(tool) == digest(tool)
        assert len(digests._known) <= 10
