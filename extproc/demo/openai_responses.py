"""The demo LLM's OpenAI Responses: request text, whole answer, stream."""

import random
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

from extproc.demo.answer import Answer, pieces, text_of

Events = Iterator[tuple[str, dict[str, Any] | str]]


def last_text(request: dict[str, Any]) -> str:
    """The input text, or its last user message; right after a tool ran, what the tool said."""
    given = request.get("input", "")
    if isinstance(given, str):
        return given
    items = [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    if items and items[-1].get("type") == "function_call_output":
        return text_of(items[-1].get("output"))
    return next((text_of(item.get("content")) for item in reversed(items) if item.get("role") == "user"), "")


def whole(said: Answer, request: dict[str, Any], id: str) -> dict[str, Any]:
    return _response(said, request, id, "completed", [_item(said, id, "completed", said.text)])


def stream(said: Answer, request: dict[str, Any], id: str, cuts: random.Random) -> Events:
    numbers = count()

    def event(kind: str, **fields: Any) -> tuple[str, dict[str, Any]]:
        return kind, {"type": kind, "sequence_number": next(numbers), **fields}

    running = _response(said, request, id, "in_progress", [])
    yield event("response.created", response=running)
    yield event("response.in_progress", response=running)
    item = _item(said, id, "in_progress", "")
    place = {"item_id": item["id"], "output_index": 0}
    if said.tool:
        yield event("response.output_item.added", output_index=0, item=item)
        for piece in pieces(said.text, cuts):
            yield event("response.function_call_arguments.delta", **place, delta=piece)
        yield event("response.function_call_arguments.done", **place, name=said.tool, arguments=said.text)
    else:
        place["content_index"] = 0
        yield event("response.output_item.added", output_index=0, item={**item, "content": []})
        yield event("response.content_part.added", **place, part=_part(""))
        for piece in pieces(said.text, cuts):
            yield event("response.output_text.delta", **place, delta=piece, logprobs=[])
        yield event("response.output_text.done", **place, text=said.text, logprobs=[])
        yield event("response.content_part.done", **place, part=_part(said.text))
    yield event("response.output_item.done", output_index=0, item=_item(said, id, "completed", said.text))
    yield event("response.completed", response=whole(said, request, id))


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _item(said: Answer, id: str, status: str, text: str) -> dict[str, Any]:
    if said.tool:
        return {"id": f"fc_{id}", "type": "function_call", "status": status, "call_id": f"call_{id}",
                "name": said.tool, "arguments": text}  # fmt: skip
    return {"id": f"msg_{id}", "type": "message", "status": status, "role": "assistant", "content": [_part(text)]}


def _response(
    said: Answer, request: dict[str, Any], id: str, status: str, output: list[dict[str, Any]]
) -> dict[str, Any]:
    usage = {
        "input_tokens": said.asked,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": said.tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": said.asked + said.tokens,
    }
    return {
        "id": f"resp_{id}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": request.get("instructions"),
        "max_output_tokens": request.get("max_output_tokens"),
        "metadata": {},
        "model": said.model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": request.get("store", True),
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": request.get("tool_choice", "auto"),
        "tools": request.get("tools", []),
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage if status == "completed" else None,
    }
