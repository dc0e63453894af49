"""A result is cut before it is looked through, because what is not passed on need not be paid for."""

from types import SimpleNamespace

import pytest

from extproc.exchange import json_body
from extproc.exchange.model import McpCall
from extproc.policy.tool_rules import Screening, ToolRules
from extproc.session import tool_watch
from extproc.session.tool_watch import ToolWatch

MOST = 2048


@pytest.mark.parametrize("truncates", [True, False], ids=["cut", "replaced"])
def test_no_more_of_a_result_is_screened_than_is_passed_on(monkeypatch, truncates):
    seen = []
    screen = tool_watch.screen
    monkeypatch.setattr(tool_watch, "screen", lambda text, kind: seen.append(len(text)) or screen(text, kind))
    rules = ToolRules(max_bytes=MOST, truncates=truncates, screening=Screening(results="strip"))
    watch = ToolWatch(SimpleNamespace(rules=rules, name="s"), McpCall("s", "request", "tools/call", "t", 1), None, 0.0)
    message = {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "a\u200b" * 50_000}]}}
    assert watch(message, len(json_body.encode(message)))
    assert seen
    assert max(seen) <= MOST
    assert len(json_body.encode(message["result"])) <= MOST
