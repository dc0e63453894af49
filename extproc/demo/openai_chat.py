"""The demo LLM's OpenAI Chat Completions: request text, whole answer, stream."""

import random
import time
from collections.abc import Iterator
from typing import Any

from extproc.demo.answer import Answer, pieces, text_of

Events = Iterator[tuple[str, dict[str, Any] | str]]


def last_text(request: dict[str, Any]) -> str:
    """The last user message; right after a tool ran, what the tool said."""
    messages = [m for m in request.get("messages", []) if isinstance(m, dict)]
    if messages and messages[-1].get("role") == "tool":
        return text_of(messages[-1].get("content"))
    return next((text_of(m.get("content")) for m in reversed(messages) if m.get("role") == "user"), "")


def whole(said: Answer, request: dict[str, Any], id: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": said.text, "refusal": None, "annotations": []}
    if said.tool:
        call = {"id": f"call_{id}", "type": "function", "function": {"name": said.tool, "arguments": said.text}}
        message |= {"content": None, "tool_calls": [call]}
    logprobs = _logprobs([said.text]) if request.get("logprobs") and not said.tool else None
    choice = {"index": 0, "message": message, "logprobs": logprobs, "finish_reason": _reason(said)}
    return {**_base(said, id, "chat.completion"), "choices": [choice], "usage": _usage(said)}


def stream(said: Answer, request: dict[str, Any], id: str, cuts: random.Random) -> Events:
    base = _base(said, id, "chat.completion.chunk")
    counted = isinstance(request.get("stream_options"), dict) and request["stream_options"].get("include_usage")
    if counted:
        base["usage"] = None

    def chunk(delta: dict[str, Any], reason: str | None = None, logprobs: Any = None) -> tuple[str, dict[str, Any]]:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return "", {**base, "choices": [choice]}

    if said.tool:
        function = {"name": said.tool, "arguments": ""}
        call = {"index": 0, "id": f"call_{id}", "type": "function", "function": function}
        yield chunk({"role": "assistant", "content": None, "tool_calls": [call]})
        for piece in pieces(said.text, cuts):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    else:
        yield chunk({"role": "assistant", "content": "", "refusal": None})
        for piece in pieces(said.text, cuts):
            yield chunk({"content": piece}, logprobs=_logprobs([piece]) if request.get("logprobs") else None)
    yield chunk({}, _reason(said))
    if counted:
        yield "", {**base, "choices": [], "usage": _usage(said)}
    yield "", "[DONE]"


def error(status: int, message: str) -> dict[str, Any]:
    kind = {401: "authentication_error", 404: "invalid_request_error", 429: "rate_limit_error"}.get(status)
    kind = kind or ("server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": f"demo_{status}"}}


def _base(said: Answer, id: str, kind: str) -> dict[str, Any]:
    created = int(time.time())
    return {"id": f"chatcmpl-{id}", "object": kind, "created": created, "model": said.model,
            "system_fingerprint": "fp_demo"}  # fmt: skip


def _reason(said: Answer) -> str:
    return "tool_calls" if said.tool else "stop"


def _usage(said: Answer) -> dict[str, Any]:
    return {
        "prompt_tokens": said.asked,
        "completion_tokens": said.tokens,
        "total_tokens": said.asked + said.tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _logprobs(tokens: list[str]) -> dict[str, Any]:
    content = [{"token": t, "logprob": -0.1, "bytes": list(t.encode()), "top_logprobs": []} for t in tokens]
    return {"content": content, "refusal": None}
