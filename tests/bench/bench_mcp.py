"""What MCP costs the processor: reading and writing a call, masking an SSE message, filtering a long list.

Run as a script: prints one line per row with its target and exits 1 if a row misses it. Process CPU time, best of
several rounds, so that a busy neighbour on the machine does not decide the result.
"""

import json
import sys
import time
from collections.abc import Callable

from extproc.exchange import mcp


class FakeFilter:
    """The cheapest filter that still looks at every character; the real rules are benched with masking."""

    def text(self, text: str, before: str = "") -> str:
        return text.replace("4111111111111111", "[card]")

    def stream(self, before: str = "") -> "FakeFilter":
        return self


def best_us(step: Callable[[], object], times: int, rounds: int = 7) -> float:
    """Microseconds of CPU per call of `step`."""
    step()
    best = float("inf")
    for _ in range(rounds):
        begin = time.process_time_ns()
        for _ in range(times):
            step()
        best = min(best, (time.process_time_ns() - begin) / times / 1000)
    return best


def a_call() -> bytes:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
    params = {"_meta": meta, "name": "read_note", "arguments": {"id": 7, "tags": ["a", "b"], "text": "x" * 720}}
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).encode()


def a_list(count: int) -> bytes:
    tools = [
        {
            "name": f"tool_{number}",
            "description": f"Does the thing number {number}, and then some more, as a description goes.",
            "inputSchema": {"type": "object", "properties": {"id": {"type": "string", "description": "Which one."}}},
        }
        for number in range(count)
    ]
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).encode()


def rows() -> list[tuple[str, float, float]]:
    """(what, measured µs, target µs)."""
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "read_note"}
    body = a_call()
    assert 900 < len(body) < 1100
    call = mcp.read("demo", body, headers)

    text = "The customer called about the order that did not arrive on time. " * 3 + "Card 4111111111111111."
    result = {"content": [{"type": "text", "text": text}], "structuredContent": {"note": text, "count": 3}}
    message = json.dumps({"jsonrpc": "2.0", "id": 7, "result": result}).encode()
    event = b"event: message\ndata: " + message + b"\n\n"
    masked = mcp.answer(call, FakeFilter(), None)
    assert b"4111111111111111" not in masked.feed(event)
    numbered = b"id: 0123456789\n" + event

    listing = a_list(1000)
    allowed = frozenset(f"tool_{number}" for number in range(0, 1000, 2))
    filtered = mcp.answer(call, None, lambda kind, name: kind == "tool" and name in allowed)
    assert filtered.document(listing).count(b'"inputSchema"') == 500
    both = mcp.answer(call, FakeFilter(), lambda kind, name: True)

    return [
        ("tools/call of 1 KB, read and write", best_us(lambda: mcp.write(mcp.read("demo", body, headers)), 2000), 25),
        ("SSE message, masked", best_us(lambda: masked.feed(event), 2000), 15),
        ("SSE message with an event id, masked", best_us(lambda: masked.feed(numbered), 2000), 20),
        ("tools/list of 1,000, filtered", best_us(lambda: filtered.document(listing), 20), 2000),
        ("tools/list of 1,000, filtered and masked", best_us(lambda: both.document(listing), 10), 10000),
    ]


def main() -> int:
    missed = 0
    for what, measured, target in rows():
        missed += measured > target
        print(f"{what:42} {measured:9.1f} µs  (target {target:g}){'  MISSED' if measured > target else ''}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
