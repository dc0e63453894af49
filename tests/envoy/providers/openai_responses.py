"""OpenAI Responses, without memory: a reference to what was said before is refused."""

import json
from base64 import b64decode
from typing import Any

from openai.types.responses import response_create_params

from tests.envoy.providers import shapes
from tests.envoy.providers.plays import (
    CACHED,
    INPUT,
    OUTPUT,
    REASONING,
    SIGNATURE,
    Ask,
    Call,
    Image,
    Play,
    Text,
    Thought,
    pieces,
)
from tests.envoy.providers.stage import Answer, Wrong


def read(doc: dict[str, Any]) -> Ask:
    """Raises `Wrong` for what the API refuses."""
    stream = doc.get("stream", False)
    shapes.check({**doc, "stream": True}, response_create_params.ResponseCreateParamsStreaming)
    if type(stream) is not bool:
        raise Wrong("stream is no boolean")
    if doc.get("previous_response_id") or doc.get("conversation"):
        raise Wrong("nothing is remembered here")
    items = doc.get("input")
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    ask = Ask(doc["model"], stream, doc.get("instructions") or "")
    outputs: dict[str, str] = {}
    calls: list[str] = []
    for item in items or []:
        kind = item.get("type", "message")
        if kind == "message" and item["role"] == "user":
            ask.text, ask.images, calls, ask.thoughts = _text(item["content"]), _images(item["content"]), [], []
        elif kind == "message" and item["role"] in ("system", "developer"):
            ask.system += _text(item["content"])
        elif kind == "function_call":
            calls.append(item["call_id"])
        elif kind == "function_call_output":
            if item["call_id"] not in calls or item["call_id"] in outputs:
                raise Wrong(f"an output for {item['call_id']}, where {calls} were called")
            outputs[item["call_id"]] = _text(item["output"])
        elif kind == "reasoning":
            if item.get("encrypted_content") not in (None, SIGNATURE):
                raise Wrong("encrypted_content that is not from here")
            ask.thoughts.append(item.get("encrypted_content") or "")
        elif kind != "message":
            raise Wrong(f"an item of type {kind}")
    if missing := [call for call in calls if call not in outputs]:
        raise Wrong(f"No tool output found for function call {missing}")
    ask.calls, ask.results = len(calls), [outputs[call] for call in calls]
    ask.tools = [tool["name"] for tool in doc.get("tools", []) if "name" in tool]
    ask.schema = (doc.get("text") or {}).get("format", {}).get("schema")
    return ask


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if "text" in part)


def _images(content: Any) -> list[Image]:
    images = []
    for part in content if isinstance(content, list) else []:
        if part["type"] == "input_image":
            kind, _, data = part["image_url"].removeprefix("data:").partition(";base64,")
            images.append(Image(kind, b64decode(data, validate=True)))
    return images


# -- answers -----------------------------------------------------------------------------------------------------------


def write(ask: Ask, play: Play) -> Answer:
    if not ask.stream:
        return Answer([json.dumps(_response(ask, play, "completed")).encode()])
    events = [
        f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': n})}\n\n".encode()
        for n, event in enumerate(_events(ask, play))
    ]
    return Answer(events, "text/event-stream; charset=utf-8", stream=True)


def _response(ask: Ask, play: Play, status: str) -> dict[str, Any]:
    done = status == "completed"
    usage = {"input_tokens": INPUT, "input_tokens_details": {"cached_tokens": CACHED, "cache_write_tokens": 0},
             "output_tokens": OUTPUT, "total_tokens": INPUT + OUTPUT,
             "output_tokens_details": {"reasoning_tokens": REASONING if play.thought else 0}}  # fmt: skip
    return {"id": "resp_fake", "object": "response", "created_at": 1_760_000_000, "status": status, "error": None,
            "incomplete_details": None, "instructions": None, "metadata": {}, "model": ask.model, "store": False,
            "output": [_item(n, part) for n, part in enumerate(play.parts)] if done else [],
            "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
            "usage": usage if done else None}  # fmt: skip


def _item(n: int, part: Any, *, done: bool = True) -> dict[str, Any]:
    status = "completed" if done else "in_progress"
    if isinstance(part, Text):
        return {"id": f"msg_{n}", "type": "message", "role": "assistant", "status": status,
                "content": [_content(part.text)] if done else []}  # fmt: skip
    if isinstance(part, Thought):
        summary = [{"type": "summary_text", "text": part.text}] if done else []
        return {"id": f"rs_{n}", "type": "reasoning", "summary": summary, "encrypted_content": part.signature}
    return {"id": f"fc_{n}", "type": "function_call", "call_id": part.id, "name": part.name, "status": status,
            "arguments": json.dumps(part.input) if done else ""}  # fmt: skip


def _content(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _events(ask: Ask, play: Play) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = [
        {"type": "response.created", "response": _response(ask, play, "in_progress")},
        {"type": "response.in_progress", "response": _response(ask, play, "in_progress")},
    ]
    for n, part in enumerate(play.parts):
        place = {"item_id": _item(n, part)["id"], "output_index": n}
        out.append({"type": "response.output_item.added", "output_index": n, "item": _item(n, part, done=False)})
        out += [{**event, **place} for event in _inner(part)]
        out.append({"type": "response.output_item.done", "output_index": n, "item": _item(n, part)})
    return [*out, {"type": "response.completed", "response": _response(ask, play, "completed")}]


def _inner(part: Any) -> list[dict[str, Any]]:
    if isinstance(part, Call):
        text = json.dumps(part.input)
        kind = "response.function_call_arguments"
        told = [{"type": f"{kind}.delta", "delta": piece} for piece in pieces(text)]
        return [*told, {"type": f"{kind}.done", "name": part.name, "arguments": text}]
    if isinstance(part, Thought):
        kind, place = "response.reasoning_summary", {"summary_index": 0}
        whole: dict[str, Any] = {"type": "summary_text", "text": part.text}
        begun = {"type": f"{kind}_part.added", "part": {**whole, "text": ""}, **place}
        told = [{"type": f"{kind}_text.delta", "delta": piece, **place} for piece in pieces(part.text)]
        done = {"type": f"{kind}_text.done", "text": part.text, **place}
        return [begun, *told, done, {"type": f"{kind}_part.done", "part": whole, **place}]
    place = {"content_index": 0}
    begun = {"type": "response.content_part.added", "part": _content(""), **place}
    told = [{"type": "response.output_text.delta", "delta": piece, "logprobs": [], **place}
            for piece in pieces(part.text)]  # fmt: skip
    done = {"type": "response.output_text.done", "text": part.text, "logprobs": [], **place}
    return [begun, *told, done, {"type": "response.content_part.done", "part": _content(part.text), **place}]
