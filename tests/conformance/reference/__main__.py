"""A server of the official Python SDK with everything that the conformance suite looks for, in both eras.

    python -m tests.conformance.reference --port 3001      at /mcp, until it is ended

The suite passes against it directly; the tests' own clients use it too. What it has beyond the suite's needs is said
by its tools themselves.
"""

import argparse

from mcp.server.mcpserver import MCPServer, RequestStateSecurity
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.types import JSONRPCMessage

from tests.conformance.reference import asking, plain

_STATE_KEY = b"no secret: the key of a server that exists for tests"


class Events(EventStore):
    """Everything that was ever sent, so that a stream can be taken up again."""

    def __init__(self) -> None:
        self._all: list[tuple[str, JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        self._all.append((stream_id, message))
        return str(len(self._all))

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        after = int(last_event_id) if last_event_id.isdecimal() else 0
        if not 0 < after <= len(self._all):
            return None
        stream = self._all[after - 1][0]
        for number, (of, message) in enumerate(self._all[after:], after + 1):
            if of == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


def made() -> MCPServer:
    server = MCPServer(
        name="reference",
        version="1.0.0",
        instructions="A server for tests.",
        request_state_security=RequestStateSecurity(keys=[_STATE_KEY]),
    )
    for add in (*plain.ALL, *asking.ALL):
        add(server)
    return server


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.reference")
    parser.add_argument("--port", type=int, default=3001)
    made().run("streamable-http", port=parser.parse_args().port, event_store=Events(), retry_interval=100)


if __name__ == "__main__":
    main()
