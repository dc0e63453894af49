"""A canned HTTP/1.1 upstream on raw sockets: reads a request to its end, writes constant bytes. Nothing is slower than
needed, so that it is not what is measured; the report says how much of a core it used.

    python -m tests.bench.upstream PORT ANSWER-FILE
"""

import asyncio
import sys
from pathlib import Path

import uvloop


class Canned(asyncio.Protocol):
    """One connection. Requests are answered in order; pipelining works because Envoy never pipelines."""

    answer = b""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        while True:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                break
            at = buffer.find(b"content-length: ", 0, end)
            length = int(buffer[at + 16 : buffer.find(b"\r", at)]) if at >= 0 else 0
            whole = end + 4 + length
            if len(buffer) < whole:
                break
            buffer = buffer[whole:]
            self._transport.write(self.answer)
        self._buffer = buffer


async def serve(port: int, answer: Path) -> None:
    body = answer.read_bytes()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    Canned.answer = head.encode() + body
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
