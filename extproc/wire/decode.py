"""One ProcessingRequest to one session event. Anything unknown is an error here and a refusal above."""

from collections.abc import Iterable, Mapping
from typing import Any

from extproc.errors import GatereeveError
from extproc.pb import ext_proc_pb2 as pb
from extproc.session.events import (
    Event,
    RequestBody,
    RequestHeaders,
    RequestTrailers,
    ResponseBody,
    ResponseHeaders,
    ResponseTrailers,
)

# The key under which Envoy sends the attributes the filter was configured to ask for.
_FILTER = "envoy.filters.http.ext_proc"
_NONE: Mapping[str, str] = {}


class UnknownMessage(GatereeveError):
    """Envoy sent a kind of message that this version does not know: it must not be answered with "continue"."""


def decode(message: pb.ProcessingRequest) -> Event:
    """The event a message stands for. Raises `UnknownMessage`."""
    kind = message.WhichOneof("request")
    if kind == "request_body":
        return RequestBody(message.request_body.body, message.request_body.end_of_stream)
    if kind == "response_body":
        return ResponseBody(message.response_body.body, message.response_body.end_of_stream)
    if kind == "request_headers":
        part = message.request_headers
        return RequestHeaders(_headers(part.headers), part.end_of_stream, _attributes(message))
    if kind == "response_headers":
        part = message.response_headers
        return ResponseHeaders(_headers(part.headers), part.end_of_stream, _attributes(message))
    if kind == "request_trailers":
        return RequestTrailers(_headers(message.request_trailers.trailers))
    if kind == "response_trailers":
        return ResponseTrailers(_headers(message.response_trailers.trailers))
    raise UnknownMessage("a message of an unknown kind")


def _headers(header_map: pb.HeaderMap) -> dict[str, str]:
    """Names to values. Bytes that are no ASCII survive as Latin-1, which has a character for every byte."""
    repeated = header_map.headers
    headers = {header.key: header.raw_value.decode("latin-1") or header.value for header in repeated}
    return headers if len(headers) == len(repeated) else _joined(repeated)


def _joined(repeated: Iterable[pb.HeaderValue]) -> dict[str, str]:
    """A repeated name is joined, never overwritten: the last of two Authorization headers must not win silently."""
    headers: dict[str, str] = {}
    for header in repeated:
        key = header.key
        value = header.raw_value.decode("latin-1") or header.value
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def _attributes(message: pb.ProcessingRequest) -> Mapping[str, str]:
    if _FILTER not in message.attributes:
        return _NONE
    fields = message.attributes[_FILTER].fields
    return {name: _text(fields[name]) for name in fields}


def _text(value: Any) -> str:
    """An attribute's value; numbers (they count) without a fraction."""
    return value.string_value or (str(int(value.number_value)) if value.number_value else "")
