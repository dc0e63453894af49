import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.adapters.audit_lines import json_line, text_line

ENTRY = {
    "ts": "2026-11-21T12:34:56.789Z", "id": "0f3a9c", "plane": "llm", "dialect": "openai-chat", "operation": "chat",
    "model": "gpt-4", "upstream": "LLMProvider/demo", "upstream_model": "demo-large", "verdict": "allow",
    "reason": "allowed", "subject": "user-1", "ms": {"total": 12.34}, "masked": {"card": 2, "email": 1},
}  # fmt: skip


def test_json_is_one_line_that_reads_back():
    line = json_line(ENTRY)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line) == ENTRY


HOSTILE = [
    pytest.param("a\nb\r\nc", id="line breaks"),
    pytest.param("\x1b[2J\x1b]0;owned\x07", id="terminal escapes"),
    pytest.param("\x9b31m\x85", id="C1 control characters"),
    pytest.param("a\u2028b\u2029", id="Unicode line separators"),
    pytest.param("abc\u202edcb", id="a bidirectional override"),
    pytest.param("\x7f\x00", id="DEL and NUL"),
    pytest.param("tag \U000e0041", id="an invisible tag character"),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_field_can_break_the_line_or_the_terminal(text):
    entry = {**ENTRY, **dict.fromkeys(("subject", "model", "id", "reason", "upstream_model", "ts"), text)}
    entry["masked"] = {text: 1}
    for line in (json_line(entry), text_line(entry)):
        assert line.decode()[:-1].isprintable()
    assert json.loads(json_line(entry)) == entry


def test_what_cannot_be_encoded_still_leaves_a_record_of_who_and_what():
    line = json.loads(json_line({**ENTRY, "name": "\ud800", "groups": ["\udfff"]}))
    assert (line["id"], line["verdict"], line["audit_error"]) == ("0f3a9c", "allow", "not encodable")
    assert json.loads(json_line({**ENTRY, "odd": object()}))["odd"] == "<object>"


def test_text_says_when_verdict_who_what_where_why_how_long_and_what_was_masked():
    assert text_line(ENTRY).decode() == (
        "12:34:56  allow  user-1            chat gpt-4 -> demo-large                allowed                     12.3ms"
        "  masked card:2 email:1  0f3a9c\n"
    )


def test_text_of_a_refused_mcp_call_names_server_method_and_tool():
    entry = {"ts": ENTRY["ts"], "id": "1", "plane": "mcp", "server": "demo", "method": "tools/call",
             "name": "delete_note", "verdict": "deny", "reason": "tool-not-allowed", "upstream": "x"}  # fmt: skip
    line = text_line(entry).decode()
    assert "demo tools/call delete_note  " in line
    assert "->" not in line
    assert "tool-not-allowed" in line


ATTEMPT = {
    "ts": ENTRY["ts"], "id": "0f3a9c.2", "exchange": "0f3a9c", "plane": "llm", "dialect": "openai-chat",
    "operation": "attempt", "model": "gpt-4", "upstream": "LLMProvider/second", "upstream_model": "claude",
    "outcome": "served", "reason": "", "status": 200, "ms": {"total": 9.87},
}  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "served 200"),
        ({"outcome": "status-429", "status": 429}, "status-429"),
        ({"outcome": "connect", "status": 503}, "connect"),
        ({"outcome": "refused", "reason": "credential-unavailable"}, "credential-unavailable"),
    ],
)
def test_text_of_an_attempt_does_not_look_like_a_decision(fields, reason):
    line = text_line({**ATTEMPT, **fields}).decode()
    assert line.rstrip("\n").rstrip() == (
        "12:34:56  try 2                    gpt-4 -> second/claude                  " + reason.ljust(22) +
        "       9.9ms  0f3a9c.2"
    )  # fmt: skip
    assert "allow" not in line


def test_a_decision_that_calls_itself_an_attempt_stays_one():
    """An MCP client names its operations itself."""
    entry = {**ENTRY, "plane": "mcp", "operation": "attempt", "outcome": "served"}
    assert "allow" in text_line(entry).decode()


def test_text_stays_within_its_width_and_columns_stay_aligned():
    long = {**ENTRY, "subject": "s" * 500, "model": "m" * 500, "masked": {"r" * 50: 1}, "id": "i" * 500}
    assert len(text_line(long).decode()) <= 161
    assert text_line(long).decode().index("allowed") == text_line(ENTRY).decode().index("allowed")


def test_text_of_an_empty_or_odd_entry_is_still_a_line():
    for entry in ({}, {"ms": 5, "masked": [1], "subject": 7, "verdict": None, "model": "\ud800"}):
        assert text_line(entry).endswith(b"\n")


@given(
    st.dictionaries(st.sampled_from([*ENTRY, "name", "server", "user_agent"]), st.text() | st.integers() | st.none())
)
def test_any_entry_is_exactly_one_visible_line_and_its_json_reads_back(entry):
    for line in (json_line(entry), text_line(entry)):
        assert line.endswith(b"\n")
        assert line.decode()[:-1].isprintable()
    assert json.loads(json_line(entry)) == entry
