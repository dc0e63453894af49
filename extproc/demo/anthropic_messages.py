"""The demo LLM's Anthropic Messages: request text, whole answer, stream."""

import json
import random
from collections.abc import Iterator
from typing import Any

from extproc.demo.answer import Answer, pieces, text_of

Events = Iterator[tuple[str, dict[str, Any] | str]]


def last_text(request: dict[str, Any]) -> str:
    """The last user message; tool results in it count as its text."""
    messages = [m for m in request.get("messages", []) if isinstance(m, dict)]
    return next((text_of(m.get("content")) for m in reversed(messages) if m.get("role") == "user"), "")


def whole(said: Answer, _request: dict[str, Any], id: str) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": said.text, "citations": None}
    if said.tool:
        block = {"type": "tool_use", "id": f"toolu_{id}", "name": said.tool, "input": _arguments(said.text)}
    return {**_message(said, id), "content": [block], "stop_reason": _reason(said), "usage": _usage(said, said.tokens)}


def stream(said: Answer, _request: dict[str, Any], id: str, cuts: random.Random) -> Events:
    def event(kind: str, **fields: Any) -> tuple[str, dict[str, Any]]:
        return kind, {"type": kind, **fields}

    yield event("message_start", message={**_message(said, id), "usage": _usage(said, 1)})
    if said.tool:
        block: dict[str, Any] = {"type": "tool_use", "id": f"toolu_{id}", "name": said.tool, "input": {}}
        kind, field, text = "input_json_delta", "partial_json", json.dumps(_arguments(said.text))
    else:
        block = {"type": "text", "text": ""}
        kind, field, text = "text_delta", "text", said.text
    yield event("content_block_start", index=0, content_block=block)
    yield event("ping")
    for piece in pieces(text, cuts):
        yield event("content_block_delta", index=0, delta={"type": kind, field: piece})
    yield event("content_block_stop", index=0)
    yield event(
        "message_delta",
        delta={"stop_reason": _reason(said), "stop_sequence": None},
        usage={"output_tokens": said.tokens},
    )
    yield event("message_stop")


def error(status: int, message: str) -> dict[str, Any]:
    kinds = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 500: "api_error"}
    return {
        "type": "error",
        "error": {"type": kinds.get(status, "invalid_request_error"), "message": message},
        "request_id": "req_demo",
    }


def _message(said: Answer, id: str) -> dict[str, Any]:
    return {"id": f"msg_{id}", "type": "message", "role": "assistant", "model": said.model, "content": [],
            "stop_reason": None, "stop_sequence": None}  # fmt: skip


def _reason(said: Answer) -> str:
    return "tool_use" if said.tool else "end_turn"


def _usage(said: Answer, output: int) -> dict[str, Any]:
    return {"input_tokens": said.asked, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
            "output_tokens": output, "service_tier": "standard"}  # fmt: skip


def _arguments(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {"text": text}
    return value if isinstance(value, dict) else {"value": value}
