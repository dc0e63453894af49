"""What becomes of an MCP server's answers, and of the answers that belong to no chat."""

import json
from typing import Any

import pytest

from tests.unit.session.transcript import (
    CARD,
    MASKED,
    PROMPT,
    Playbook,
    allowed,
    answer,
    anthropic,
    begins,
    body,
    chunk,
    forwards,
    gives,
    mcp,
    messages,
    over,
    refuses,
    request,
    rpc,
    rpc_error,
    sse,
    tool,
)


def mcp_call(said: Any = None) -> Playbook:
    return allowed(mcp(), said or tool("read_note"))


def result(text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "result": {"content": [{"type": "text", "text": text}]}}


TOOLS = {
    "jsonrpc": "2.0",
    "id": 7,
    "result": {"tools": [{"name": name, "inputSchema": {}} for name in ("read_note", "read_secret", "delete_note")]},
}


@pytest.mark.promise("mcp.filtered")
@pytest.mark.parametrize("group", ["engineering", "bare"], ids=["masked", "not masked"])
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", "text/plain"])
def test_a_list_of_tools_shows_only_what_may_be_called_as(kind: str, group: str) -> None:
    playbook = allowed(mcp(group), rpc("tools/list"))
    data = json.dumps(TOOLS)
    streamed = kind == "text/event-stream"
    playbook >> answer(200, kind)
    if streamed:
        playbook << begins()
        data = f"event: message\nid: 1\ndata: {data}\n\n"
    playbook >> chunk(data)
    if not streamed:
        playbook << begins(length="any")
    assert playbook << gives(end=True, has="read_note", lacks="delete_note")
    assert b"read_secret" not in playbook.given


@pytest.mark.promise("mcp.filtered")
def test_a_list_cannot_hide_in_what_says_nothing_of_itself() -> None:
    playbook = allowed(mcp("bare"), rpc("tools/list"))
    assert (
        playbook
        >> answer(200, None)
        >> chunk(f"data: {json.dumps(TOOLS)}\n\n")
        << refuses(502, "answer-unreadable", shape=rpc_error)
    )


@pytest.mark.promise("masking.stream")
def test_a_line_that_is_no_field_does_not_pass_in_an_mcp_stream() -> None:
    playbook = mcp_call()
    assert playbook >> sse() << begins() >> chunk(f"note {CARD}\n\n") << gives(end=True, lacks="note")


@pytest.mark.promise("mcp.eras")
def test_a_stream_of_a_session_is_filtered_and_masked() -> None:
    playbook = Playbook()
    assert playbook >> mcp(method="GET") << forwards() >> sse() << begins()
    note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": CARD}}
    assert playbook >> chunk(f"data: {json.dumps(note)}\n\n", False) << gives(end=False, has=MASKED, lacks="4111")
    assert playbook >> chunk(f"data: {json.dumps(TOOLS)}\n\n", False) << gives(end=False, lacks="delete_note")
    assert over(playbook)["aborted"] is True


def test_the_end_of_a_session_may_be_answered_in_words() -> None:
    playbook = Playbook()
    assert playbook >> mcp(method="DELETE") << forwards() >> answer(200, "text/plain")
    assert playbook >> chunk("bye") << begins(length=3) << gives("bye", end=True)


def test_a_session_id_of_the_server_reaches_the_client() -> None:
    playbook = mcp_call(rpc("initialize", {"protocolVersion": "2025-06-18"}))
    assert playbook >> answer(mcp_session_id="s-1") >> chunk(result("hi")) << begins(length="any") << gives(end=True)
    assert "mcp-session-id" not in playbook.actions[-2].remove


def test_tokens_counted_are_an_answer_like_any_other() -> None:
    playbook = allowed(request("/v1/messages/count_tokens"), body(model="claude-sonnet"))
    assert (
        playbook
        >> answer()
        >> chunk('{"input_tokens":5}')
        << begins(length=18)
        << gives('{"input_tokens":5}', end=True)
    )
    assert over(playbook)["operation"] == "count_tokens"


def test_an_anthropic_answer_that_is_refused_is_refused_in_its_words() -> None:
    playbook = allowed(messages(), body(model="claude-sonnet"))
    assert playbook >> answer(200, "text/html") >> chunk(PROMPT) << refuses(502, "answer-unreadable", shape=anthropic)
