"""The one thing the suite cannot do: send a token. A forwarder on loopback that adds it to every request.

Nothing else of a request or an answer is changed, but that each request has a connection of its own (so that what
follows the head need not be understood). When either side closes, the other is closed: a client that goes away in the
middle of a stream goes away for the gateway too.
"""

import asyncio
import threading
from typing import Self

_MAX_HEAD = 1 << 16


class Shim:
    """Listens on `port` of loopback from construction to `close`."""

    def __init__(self, port: int, target: int, token: str) -> None:
        self.port = port
        self._target = target
        self._line = f"authorization: Bearer {token}\r\nconnection: close\r\n".encode()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError(f"nothing could listen on port {port}")

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            server.close()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._target, limit=_MAX_HEAD)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            return
        lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith(b"connection:")]
        up_writer.write(b"\r\n".join([lines[0], self._line[:-2], *lines[1:]]) + b"\r\n\r\n")
        # Whoever ends first ends both: there is one request, and its answer ends with the connection.
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(reader, up_writer, writer))
            group.create_task(_pump(up_reader, writer, up_writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, other: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass  # one side is gone, and now the other is closed as well
    finally:
        writer.close()
        other.close()
