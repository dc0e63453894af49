"""A load generator on raw keep-alive sockets: N connections, each with one request under way.

Commands come as JSON lines and each is answered by one:

    {"port": 10000, "request": "/dir/request.bin", "connections": 16, "seconds": 2.0}
    {"requests": 9000, "seconds": 2.0, "p50": 3.1, "p99": 6.2, "bad": 0}        (latencies in milliseconds)
"""

import asyncio
import sys
import time
from pathlib import Path

import msgspec
import uvloop


class Command(msgspec.Struct):
    port: int
    request: str
    connections: int
    seconds: float


class Client(asyncio.Protocol):
    def __init__(self, request: bytes, until: float, latencies: list[float]) -> None:
        self._request = request
        self._until = until
        self._latencies = latencies
        self._buffer = b""
        self._begin = 0.0
        self._transport: asyncio.Transport | None = None
        self.bad = 0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._begin = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = buffer[:end].lower()
        at = head.find(b"content-length: ")
        if at >= 0:
            stop = head.find(b"\r", at)
            if len(buffer) < end + 4 + int(head[at + 16 : stop if stop > 0 else None]):
                return
        elif not buffer.endswith(b"0\r\n\r\n"):  # chunked
            return
        self.bad += not buffer.startswith(b"HTTP/1.1 200")
        self._buffer = b""
        now = time.perf_counter()
        self._latencies.append(now - self._begin)
        if now < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.bad += error is not None or time.perf_counter() < self._until
        if not self.done.done():
            self.done.set_result(None)


async def run(command: Command) -> dict[str, float]:
    request = Path(command.request).read_bytes()
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    begin = time.perf_counter()
    until = begin + command.seconds
    clients = []
    for _ in range(command.connections):
        _, client = await loop.create_connection(lambda: Client(request, until, latencies), "127.0.0.1", command.port)
        clients.append(client)
    await asyncio.wait_for(asyncio.gather(*(client.done for client in clients)), command.seconds + 20)
    took = time.perf_counter() - begin
    latencies.sort()
    return {
        "requests": len(latencies),
        "seconds": took,
        "p50": latencies[len(latencies) // 2] * 1e3,
        "p99": latencies[int(len(latencies) * 0.99)] * 1e3,
        "bad": sum(client.bad for client in clients),
    }


async def main() -> None:
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(msgspec.json.encode(await run(msgspec.json.decode(line, type=Command))).decode(), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
