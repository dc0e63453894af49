"""The reference server with a real gRPC client in Envoy's place: how streams end is what keeps refusals closed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from extproc.pb import ext_proc_pb2 as pb
from extproc.pb import health_pb2
from extproc.session.events import Event
from extproc.session.session import Session
from extproc.session.stages import Limits
from extproc.wire.grpcio import GrpcioServer
from extproc.wire.server import HEALTH, METHOD
from tests.unit.session import transcript

BIG = 8 * 1024 * 1024
PARTS = {
    "request_headers": pb.HttpHeaders,
    "response_headers": pb.HttpHeaders,
    "request_body": pb.HttpBody,
    "response_body": pb.HttpBody,
}


class House:
    """A `wire.server.Host` that keeps what it is told."""

    def __init__(self) -> None:
        self.serving = True
        self.entries: list[dict[str, Any]] = []
        self.errors: list[BaseException] = []
        self.make: Callable[[], Any] = lambda: transcript.session(limits=Limits(2 * BIG, 2 * BIG))
        self.recorded = asyncio.Event()

    def open(self, first: Event | None) -> Session:
        return self.make()

    def emit(self, entry: dict[str, Any]) -> None:
        self.entries.append(entry)
        self.recorded.set()

    def failed(self, error: BaseException) -> None:
        self.errors.append(error)


@asynccontextmanager
async def served(tmp_path: Path) -> AsyncIterator[tuple[House, grpc.aio.Channel, GrpcioServer]]:
    house = House()
    address = f"unix:{tmp_path}/w.sock"
    server = GrpcioServer(house, address, 3 * BIG)
    await server.start()
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(address, options) as channel:
        try:
            yield house, channel, server
        finally:
            await server.stop(0)


def stream(channel: grpc.aio.Channel) -> Any:
    return channel.stream_stream(
        METHOD,
        request_serializer=pb.ProcessingRequest.SerializeToString,
        response_deserializer=pb.ProcessingResponse.FromString,
    )()


def message(event: Any) -> pb.ProcessingRequest:
    """A session event as Envoy would send it."""
    name = type(event).__name__
    kind = {"RequestHeaders": "request_headers", "ResponseHeaders": "response_headers"}.get(name)
    if kind is None:
        kind = {"RequestBody": "request_body", "ResponseBody": "response_body"}[name]
        return pb.ProcessingRequest(**{kind: pb.HttpBody(body=event.body, end_of_stream=event.end_of_stream)})
    headers = [pb.HeaderValue(key=key, raw_value=value.encode("latin-1")) for key, value in event.headers.items()]
    part = pb.HttpHeaders(headers=pb.HeaderMap(headers=headers), end_of_stream=event.end_of_stream)
    made = pb.ProcessingRequest(**{kind: part})
    made.attributes["envoy.filters.http.ext_proc"].update(dict(event.attributes))
    return made


async def ask(call: Any, event: Any) -> pb.ProcessingResponse:
    await call.write(message(event))
    return await call.read()


async def test_an_exchange_is_carried_and_its_stream_ends_well_after_the_client_half_closes(tmp_path: Path) -> None:
    async with served(tmp_path) as (house, channel, _):
        call = stream(channel)
        assert (await ask(call, transcript.chat())).WhichOneof("response") == "request_headers"
        assert (await ask(call, transcript.body())).request_body.response.body_mutation.body
        await call.write(message(transcript.answer()))
        head = await ask(call, transcript.chunk(transcript.completion(transcript.CARD)))
        assert head.WhichOneof("response") == "response_headers"
        part = (await call.read()).response_body.response.body_mutation.streamed_response
        assert transcript.MASKED.encode() in part.body
        assert part.end_of_stream
        assert not house.entries
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK
        assert [entry["verdict"] for entry in house.entries] == ["allow"]


async def test_a_refusal_does_not_end_the_stream(tmp_path: Path) -> None:
    async with served(tmp_path) as (house, channel, _):
        call = stream(channel)
        reply = await ask(call, transcript.chat("expired"))
        assert reply.immediate_response.status.code == 401
        await call.write(message(transcript.answer()))  # what was on its way: no answer, no end
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await call.read()
        await house.recorded.wait()
        assert [entry["reason"] for entry in house.entries] == ["token-expired"]


async def test_a_message_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, channel, _):
        call = stream(channel)
        await call.write(pb.ProcessingRequest())
        assert (await call.read()).immediate_response.status.code == 500


async def test_a_session_that_refuses_because_of_a_bug_tells_the_host(tmp_path: Path) -> None:
    async with served(tmp_path) as (house, channel, _):
        call = stream(channel)
        assert (await ask(call, transcript.chat("bug"))).immediate_response.status.code == 500
        assert [type(error) for error in house.errors] == [RuntimeError]
        call.cancel()


class Broken:
    """A session that raises, which none should."""

    failure = None

    def on(self, *_: Any) -> Any:
        raise RuntimeError("canary")


@pytest.mark.promise("operation.fail-closed")
async def test_what_raises_in_the_driver_never_ends_the_stream_with_ok(tmp_path: Path) -> None:
    async with served(tmp_path) as (house, channel, _):
        for make in (Broken, lambda: 1 / 0):
            house.make = make
            call = stream(channel)
            await call.write(message(transcript.chat()))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            assert caught.value.code() is not grpc.StatusCode.OK
            assert "canary" not in (caught.value.details() or "")
        assert [type(error) for error in house.errors][:1] == [RuntimeError]


async def test_a_record_that_the_host_cannot_take_does_not_disturb_the_stream(tmp_path: Path) -> None:
    async with served(tmp_path) as (house, channel, _):
        house.emit = lambda entry: 1 / 0
        call = stream(channel)
        await ask(call, transcript.chat("expired"))
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK
        assert [type(error) for error in house.errors] == [ZeroDivisionError]


@pytest.mark.promise("bad-input.client-gone")
async def test_a_stream_that_is_cancelled_is_recorded_once(tmp_path: Path) -> None:
    async with served(tmp_path) as (house, channel, _):
        call = stream(channel)
        await ask(call, transcript.chat())
        await ask(call, transcript.body())
        call.cancel()
        await house.recorded.wait()
        assert [(entry["verdict"], entry["aborted"]) for entry in house.entries] == [("allow", True)]


async def test_an_effect_is_awaited_and_others_go_on_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release, begun = asyncio.Event(), asyncio.Event()

    async def fetch() -> None:
        begun.set()
        await release.wait()
        raise OSError("no route")  # a result like any other

    monkeypatch.setattr(transcript, "fetch", fetch)
    async with served(tmp_path) as (house, channel, _):
        waiting = stream(channel)
        await waiting.write(message(transcript.chat("keys")))
        await begun.wait()
        other = stream(channel)
        assert (await ask(other, transcript.chat())).WhichOneof("response") == "request_headers"
        release.set()
        assert (await waiting.read()).WhichOneof("response") == "request_headers"
        assert (await ask(waiting, transcript.body())).WhichOneof("response") == "request_body"
        assert not house.errors


async def test_a_stream_that_is_cancelled_while_an_effect_runs_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def fetch() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    monkeypatch.setattr(transcript, "fetch", fetch)
    async with served(tmp_path) as (house, channel, _):
        call = stream(channel)
        await call.write(message(transcript.chat("keys")))
        await begun.wait()
        call.cancel()
        await cancelled.wait()
        await house.recorded.wait()
        assert [entry["aborted"] for entry in house.entries] == [True]


@pytest.mark.promise("bad-input.size")
async def test_large_bodies_pass_in_both_directions(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, channel, _):
        call = stream(channel)
        await ask(call, transcript.chat("bare"))
        text = "word " * (BIG // 5)
        reply = await ask(call, transcript.body({"model": "gpt-4", "messages": [], "x": text}))
        assert len(reply.request_body.response.body_mutation.body) > BIG
        await ask(call, transcript.answer())
        await call.write(message(transcript.chunk(text)))
        got = 0
        while True:
            part = (await call.read()).response_body.response.body_mutation.streamed_response
            got += len(part.body)
            assert len(part.body) <= 1 << 20
            if part.end_of_stream:
                break
        assert got == len(text)


@pytest.mark.promise("operation.drain")
async def test_health_follows_the_host_and_open_streams_finish_while_the_server_stops(tmp_path: Path) -> None:
    async with served(tmp_path) as (house, channel, server):
        check = channel.unary_unary(
            HEALTH + "Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        assert (await check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.SERVING
        call = stream(channel)
        await ask(call, transcript.chat())
        house.serving = False
        assert (await check(health_pb2.HealthCheckRequest())).status == health_pb2.HealthCheckResponse.NOT_SERVING
        async with asyncio.TaskGroup() as group:
            group.create_task(server.stop(10))
            assert (await ask(call, transcript.body())).WhichOneof("response") == "request_body"
            await call.done_writing()
            assert await call.read() is grpc.aio.EOF
        assert [entry["verdict"] for entry in house.entries] == ["allow"]


async def test_other_methods_are_not_served(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(HEALTH + "Watch")(b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
