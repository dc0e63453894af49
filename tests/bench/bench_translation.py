"""What a translation costs: a chat request of 4 KB, one event of a stream, and the signature that Bedrock asks for.

Microseconds of CPU. The request's first row is the translation with its encoding; the second adds decoding and reading
the client's body, and preparing the answer. Run: python tests/bench/bench_translation.py
"""

import json
import sys
from base64 import b64encode
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from extproc.adapters import sigv4
from extproc.exchange import frame_answer, json_body, sse
from extproc.exchange.classify import DIALECTS
from extproc.exchange.translation.registry import TRANSLATIONS
from tests.bench.timing import best_us as _best_us

REQUEST, EVENT, SIGNATURE = 60, 20, 150  # budgets
CHAT, RESPONSES, CLAUDE = "openai-chat", "openai-responses", "anthropic-messages"
CONVERSE, INVOKE, GEMINI = "bedrock-converse", "bedrock-invoke", "gemini"
PAIRS = (
    (CHAT, CLAUDE),
    (CHAT, CONVERSE),
    (CHAT, GEMINI),
    (CLAUDE, INVOKE),
    (CLAUDE, CONVERSE),
    (CLAUDE, CHAT),
    (CLAUDE, GEMINI),
    (RESPONSES, CHAT),
    (RESPONSES, CLAUDE),
    (RESPONSES, CONVERSE),
)
MODEL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
WORDS = "The customer called about the order that did not arrive on time. "
SCHEMA = {
    "type": "object",
    "properties": {"path": {"type": "string", "description": "Where it is."}, "lines": {"type": "integer"}},
    "required": ["path"],
}
TOOLS = [("read_file", "Reads a file of the workspace. " * 3), ("list_files", "Lists what a folder holds. " * 3)]


def best_us(step) -> float:
    return _best_us(step, seconds=0.03)


def chat() -> dict:
    call = {"id": "call_1", "type": "function", "function": {"name": "read_file", "arguments": '{"path":"a/b.txt"}'}}
    return {
        "model": "gpt-5-mini",
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.2,
        "max_completion_tokens": 1024,
        "messages": [
            {"role": "system", "content": WORDS * 12},
            {"role": "user", "content": WORDS * 6},
            {"role": "assistant", "content": WORDS * 4},
            {"role": "user", "content": [{"type": "text", "text": WORDS * 4}]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": WORDS * 15},
        ],
        "tools": [
            {"type": "function", "function": {"name": name, "description": said, "parameters": SCHEMA}}
            for name, said in TOOLS
        ],
        "tool_choice": "auto",
    }


def claude() -> dict:
    return {
        "model": "claude-sonnet",
        "stream": True,
        "temperature": 0.2,
        "max_tokens": 1024,
        "system": [{"type": "text", "text": WORDS * 12}],
        "messages": [
            {"role": "user", "content": WORDS * 6},
            {"role": "assistant", "content": WORDS * 4},
            {"role": "user", "content": [{"type": "text", "text": WORDS * 4}]},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "toolu_1", "name": "read_file", "input": {"path": "a/b.txt"}}],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": WORDS * 15}],
            },
        ],
        "tools": [{"name": name, "description": said, "input_schema": SCHEMA} for name, said in TOOLS],
        "tool_choice": {"type": "auto"},
    }


def responses() -> dict:
    return {
        "model": "gpt-5-mini",
        "stream": True,
        "store": False,
        "temperature": 0.2,
        "max_output_tokens": 1024,
        "instructions": WORDS * 12,
        "input": [
            {"role": "user", "content": WORDS * 6},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": WORDS * 4}]},
            {"role": "user", "content": [{"type": "input_text", "text": WORDS * 4}]},
            {"type": "function_call", "call_id": "call_1", "name": "read_file", "arguments": '{"path":"a/b.txt"}'},
            {"type": "function_call_output", "call_id": "call_1", "output": WORDS * 15},
        ],
        "tools": [
            {"type": "function", "name": name, "description": said, "parameters": SCHEMA} for name, said in TOOLS
        ],
        "tool_choice": "auto",
    }


REQUESTS = {CHAT: chat, CLAUDE: claude, RESPONSES: responses}


def stream(target: str) -> tuple[bytes, bytes]:
    """What begins a stream of the target's, and one event of text that may come any number of times."""
    if target == CHAT:
        chunk = {
            "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "object": "chat.completion.chunk", "created": 1741569952,
            "model": "gpt-5-mini-2026-01-01", "service_tier": "default", "usage": None, "obfuscation": "aB3dE",
            "choices": [{"index": 0, "delta": {"content": " gateway"}, "logprobs": None, "finish_reason": None}],
        }  # fmt: skip
        return b"", sse.encode("", json_body.encode(chunk))
    if target == GEMINI:
        candidate = {"content": {"role": "model", "parts": [{"text": " gateway"}]}, "index": 0}
        usage = {"promptTokenCount": 20, "candidatesTokenCount": 7, "totalTokenCount": 27}
        chunk = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-3-flash", "responseId": "R"}
        return b"", sse.encode("", json_body.encode(chunk))
    if target == CONVERSE:
        delta = {"contentBlockIndex": 0, "delta": {"text": " gateway"}, "p": "abcdefghijk"}
        return frame_answer.event("messageStart", {"role": "assistant"}), frame_answer.event("contentBlockDelta", delta)
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}
    start = {"type": "message_start", "message": message}
    opened = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " gateway"}}
    events = [sse.encode(doc["type"], json_body.encode(doc)) for doc in (start, opened, delta)]
    if target == INVOKE:
        events = [chunk_of(json_body.encode(doc)) for doc in (start, opened, delta)]
    return events[0] + events[1], events[2]


def chunk_of(event: bytes) -> bytes:
    """One of Anthropic's events as InvokeModel frames it."""
    return frame_answer.event("chunk", {"bytes": b64encode(event).decode("ascii"), "p": "abcdefgh"})


def requests() -> list[tuple[str, float, float]]:
    found = []
    for source, target in PAIRS:
        body = json_body.encode(REQUESTS[source]())
        assert 3500 < len(body) < 4500, len(body)
        dialect, translation = DIALECTS[source], TRANSLATIONS[source, target]
        call = dialect.read("chat", json_body.decode(body))

        def whole(dialect=dialect, translation=translation, body=body) -> None:
            read = dialect.read("chat", json_body.decode(body))
            json_body.encode(translation.request(read, MODEL).doc)
            translation.answer(read)

        assert translation.request(call, MODEL).dropped == ()
        alone = best_us(lambda t=translation, c=call: json_body.encode(t.request(c, MODEL).doc))
        found.append((f"{source} to {target}, request", alone, REQUEST))
        found.append((f"{source} to {target}, request from its bytes", best_us(whole), REQUEST))
    return found


def events() -> list[tuple[str, float, float]]:
    found = []
    for source, target in PAIRS:
        call = DIALECTS[source].read("chat", REQUESTS[source]())
        reply = TRANSLATIONS[source, target].answer(call)
        beginning, event = stream(target)
        reply.feed(beginning + event)
        assert b" gateway" in reply.feed(event)
        found.append(
            (f"{target} back to {source}, event of a stream", best_us(lambda r=reply, e=event: r.feed(e)), EVENT)
        )
    return found


def signature() -> tuple[str, float, float]:
    keys = sigv4.Keys("AKIDEXAMPLE", "secret", "token")
    body = json_body.encode(TRANSLATIONS[CLAUDE, CONVERSE].request(DIALECTS[CLAUDE].read("chat", claude()), MODEL).doc)
    host = "bedrock-runtime.eu-west-1.amazonaws.com"
    url = f"https://{host}/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream"
    headers = {"host": host, "content-type": "application/json", "user-agent": "x"}
    signed = best_us(lambda: sigv4.sign(keys, "POST", url, headers, body, "eu-west-1", "bedrock"))
    return "SigV4 of a body of 4 KB", signed, SIGNATURE


def every_field() -> list[tuple[str, float, None]]:
    """For orientation: the golden requests that use everything a pair has."""
    golden = Path(__file__).parents[1] / "golden" / "translation"
    found = []
    for source, target in PAIRS:
        path = golden / f"{source}-to-{target}" / "every-field" / "request.json"
        if path.exists():
            call = DIALECTS[source].read("chat", json.loads(path.read_text(encoding="utf-8")))
            translation = TRANSLATIONS[source, target]
            size = len(json_body.encode(call.doc)) / 1000
            us = best_us(lambda t=translation, c=call: json_body.encode(t.request(c, MODEL).doc))
            found.append((f"{source} to {target}, every field there is ({size:.1f} KB)", us, None))
    return found


def rows() -> list[tuple[str, float, float | None]]:
    """(what, measured µs, budget µs)."""
    return [*requests(), *events(), signature(), *every_field()]


def main() -> int:
    missed = 0
    for what, measured, target in rows():
        late = target is not None and measured > target
        missed += late
        budget = f"  (budget {target:g})" if target is not None else ""
        print(f"{what:70} {measured:9.1f} µs{budget}{'  MISSED' if late else ''}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
