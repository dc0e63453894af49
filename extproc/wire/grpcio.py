"""The reference server: grpcio's asyncio server, for Unix sockets, loopback, and remote peers.

Closing a stream with OK before Envoy half-closes would let the rest of the exchange pass unpoliced. So the handler
returns only after Envoy's half-close, and every other way out is an error status or a cancellation.
"""

import asyncio
from typing import Any

import grpc
import grpc.aio

from extproc.pb import ext_proc_pb2 as pb
from extproc.pb import health_pb2
from extproc.session.events import StreamClosed
from extproc.wire.server import HEALTH, METHOD, Host, Step

_EOF = grpc.aio.EOF


class GrpcioServer:
    """Serves one address ("unix:/run/gatereeve/w0.sock" or "127.0.0.1:50051")."""

    def __init__(self, host: Host, address: str, max_message_bytes: int) -> None:
        self._host = host
        self._address = address
        self._server = grpc.aio.server(
            options=[
                # The default of 4 MiB would turn larger bodies into a processor failure. Envoy's own cap comes first.
                ("grpc.max_receive_message_length", max_message_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_concurrent_streams", 100_000),
                ("grpc.http2.bdp_probe", 0),
                ("grpc.so_reuseport", 0),
            ]
        )
        self._server.add_generic_rpc_handlers((_Handlers(host),))

    async def start(self) -> None:
        self._server.add_insecure_port(self._address)
        await self._server.start()

    async def stop(self, grace: float) -> None:
        await self._server.stop(grace)


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc ships no types
    def __init__(self, host: Host) -> None:
        self._host = host
        self._process = grpc.stream_stream_rpc_method_handler(
            self._exchange,
            request_deserializer=pb.ProcessingRequest.FromString,
            response_serializer=None,  # replies are encoded already
        )
        self._check = grpc.unary_unary_rpc_method_handler(
            self._health,
            request_deserializer=health_pb2.HealthCheckRequest.FromString,
            response_serializer=health_pb2.HealthCheckResponse.SerializeToString,
        )

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method
        if method == METHOD:
            return self._process
        return self._check if method == HEALTH + "Check" else None

    async def _health(self, _request: Any, _context: Any) -> Any:
        status = health_pb2.HealthCheckResponse
        return status(status=status.SERVING if self._host.serving else status.NOT_SERVING)

    async def _exchange(self, _iterator: Any, context: Any) -> None:
        step = Step(self._host)
        clean = False
        try:
            while True:
                message = await context.read()
                if message is _EOF:
                    clean = True
                    break
                replies = step.message(message)
                while step.effect is not None:
                    for reply in replies:
                        await context.write(reply)
                    replies = step.resume(await _run(step.effect))
                for reply in replies:
                    await context.write(reply)
        except asyncio.CancelledError:
            raise  # grpc leaks the call when a handler swallows it
        except Exception as error:  # noqa: BLE001  # the last line: a failure here must abort, never end with OK
            self._host.failed(error)
            await context.abort(grpc.StatusCode.INTERNAL, "the processor failed")
        finally:
            try:
                step.event(StreamClosed(clean))
            except Exception as error:  # noqa: BLE001  # the exchange is over: only the log can still hear of it
                self._host.failed(error)


async def _run(effect: Any) -> Any:
    """The effect's result; an error is a result too, so that the session decides what it means."""
    try:
        return await effect()
    except Exception as error:  # noqa: BLE001
        return error
