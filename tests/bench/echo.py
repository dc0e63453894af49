"""A canned processor: the same protos, server library and event loop as the worker, and no governance whatsoever.

It is the yardstick: what a grpcio ext_proc server costs that decodes each message and answers with constants. Only the
answer's body must be sent back, because Envoy's full-duplex mode drops what is not.

    python -m tests.bench.echo unix:/run/echo.sock [upstream cluster]
"""

import asyncio
import signal
import sys
from typing import Any

import grpc
import grpc.aio
import uvloop

from extproc.pb import ext_proc_pb2 as pb
from extproc.pb import health_pb2

_METHOD = "/envoy.service.ext_proc.v3.ExternalProcessor/Process"
_HEALTH = "/grpc.health.v1.Health/Check"


def _constants(cluster: str) -> dict[str, bytes]:
    answers = {}
    for kind in ("request_headers", "request_body", "response_headers"):
        message = pb.ProcessingResponse()
        common = getattr(message, kind).response
        common.SetInParent()
        if kind == "request_body" and cluster:
            common.clear_route_cache = True
            option = common.header_mutation.set_headers.add()
            option.append_action = pb.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
            option.header.key, option.header.raw_value = "x-gatereeve-upstream", cluster.encode()
        answers[kind] = message.SerializeToString()
    return answers


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, cluster: str) -> None:
        self._answers = _constants(cluster)
        self._process = grpc.stream_stream_rpc_method_handler(
            self._exchange, request_deserializer=pb.ProcessingRequest.FromString, response_serializer=None
        )
        self._check = grpc.unary_unary_rpc_method_handler(
            self._health,
            request_deserializer=health_pb2.HealthCheckRequest.FromString,
            response_serializer=health_pb2.HealthCheckResponse.SerializeToString,
        )

    def service(self, details: Any) -> Any:
        return {_METHOD: self._process, _HEALTH: self._check}.get(details.method)

    async def _health(self, _request: Any, _context: Any) -> Any:
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)

    async def _exchange(self, _iterator: Any, context: Any) -> None:
        answers = self._answers
        while True:
            message = await context.read()
            if message is grpc.aio.EOF:
                return
            kind = message.WhichOneof("request")
            if kind == "response_body":
                answer = pb.ProcessingResponse()
                streamed = answer.response_body.response.body_mutation.streamed_response
                streamed.body = message.response_body.body
                streamed.end_of_stream = message.response_body.end_of_stream
                await context.write(answer.SerializeToString())
            else:
                await context.write(answers[kind])


async def serve(address: str, cluster: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1), ("grpc.http2.bdp_probe", 0)])
    server.add_generic_rpc_handlers((_Handlers(cluster),))
    server.add_insecure_port(address)
    await server.start()
    await stop.wait()
    await server.stop(0)


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""))
