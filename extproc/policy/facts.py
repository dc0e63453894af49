"""The variables of conditions, filled from an identity, a call and a request. Built only when a condition asks."""

from collections.abc import Callable, Mapping
from typing import Any

from extproc.exchange.model import LlmCall, McpCall
from extproc.identity.model import Identity
from extproc.policy.conditions import UNLIMITED
from extproc.policy.subjects import identity_facts


class Facts:
    """Built at the first question, then kept for the rest of the decision."""

    __slots__ = ("_built", "_make")

    def __init__(self, make: Callable[[], dict[str, Any]]) -> None:
        self._make = make
        self._built: dict[str, Any] | None = None

    def all(self) -> dict[str, Any]:
        if self._built is None:
            self._built = self._make()
        return self._built


def llm_facts(identity: Identity, call: LlmCall, model: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """`model` is the Model's name, not the alias that was asked for."""
    facts = _shared(identity, request)
    facts.update(
        {
            "call.plane": "llm",
            "call.server": "",
            "call.dialect": call.dialect,
            "call.operation": call.operation,
            "call.model": model,
            "call.stream": call.stream,
            "call.tools": list(call.tools),
            "call.serverTools": list(call.server_tools),
            "call.maxTokens": UNLIMITED if call.max_tokens is None else call.max_tokens,
            "call.size": request.get("size", 0),
            "call.dataClass": "",
            "call.method": "",
            "call.name": "",
            "call.arguments": {},
        }
    )
    return facts


def mcp_facts(identity: Identity, call: McpCall, server: str, request: Mapping[str, Any]) -> dict[str, Any]:
    facts = _shared(identity, request)
    facts.update(
        {
            "call.plane": "mcp",
            "call.server": server,
            "call.dialect": "",
            "call.operation": "",
            "call.model": "",
            "call.stream": False,
            "call.tools": [],
            "call.serverTools": [],
            "call.maxTokens": UNLIMITED,
            "call.size": request.get("size", 0),
            "call.method": call.method,
            "call.name": call.name,
            "call.arguments": call.arguments,
        }
    )
    return facts


def _shared(identity: Identity, request: Mapping[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = identity_facts(identity)
    facts["request.path"] = request.get("path", "")
    facts["request.source"] = request.get("source", "")
    facts["request.provider"] = request.get("provider", "")
    headers = request.get("headers", {})
    facts["request.headers"] = headers if type(headers) is dict else dict(headers)
    return facts
