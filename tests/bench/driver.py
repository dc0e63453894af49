"""Plays Envoy towards a processor over a Unix socket: one process, one connection, N exchanges at a time.

Commands come as JSON lines on standard input and each is answered by one line, so that the same warm process drives
both sides of a comparison:

    {"address": "unix:/run/w0.sock", "exchange": "/dir/chat.bin", "count": 1000, "streams": 16}

An exchange file is a msgspec list of serialized messages. The first two are answered before the next is sent, as Envoy
does; the answer's headers and body go without waiting, because the processor may hold the first until it has the rest.
"""

import asyncio
import sys
import time
from pathlib import Path

import grpc
import grpc.aio
import msgspec
import uvloop

_METHOD = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"


class Command(msgspec.Struct):
    address: str
    exchange: str
    count: int
    streams: int


async def _one(call: object, messages: list[bytes]) -> int:
    stream = call()
    for message in messages[:2]:
        await stream.write(message)
        if await stream.read() is grpc.aio.EOF:
            raise RuntimeError("the processor ended the stream")
    for message in messages[2:]:
        await stream.write(message)
    await stream.done_writing()
    answers = 0
    while await stream.read() is not grpc.aio.EOF:
        answers += 1
    return answers


async def _run(command: Command, channels: dict[str, grpc.aio.Channel]) -> dict[str, float]:
    messages = msgspec.msgpack.decode(Path(command.exchange).read_bytes(), type=list[bytes])
    channel = channels.get(command.address)
    if channel is None:
        channel = channels[command.address] = grpc.aio.insecure_channel(
            command.address, options=[("grpc.max_receive_message_length", -1)]
        )
        await asyncio.wait_for(channel.channel_ready(), 20)
    call = channel.stream_stream(_METHOD, request_serializer=None, response_deserializer=None)
    left = command.count
    answers = 0

    async def lane() -> None:
        nonlocal left, answers
        while left > 0:
            left -= 1
            got = await _one(call, messages)
            answers += got  # not `+= await`: that reads the sum before it waits

    begin = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(command.streams):
            group.create_task(lane())
    return {"seconds": time.perf_counter() - begin, "answers": answers / command.count}


async def main() -> None:
    channels: dict[str, grpc.aio.Channel] = {}
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        result = await _run(msgspec.json.decode(line, type=Command), channels)
        print(msgspec.json.encode(result).decode(), flush=True)
    for channel in channels.values():
        await channel.close()


if __name__ == "__main__":
    uvloop.run(main())
