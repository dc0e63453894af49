"""One session action to the bytes of one ProcessingResponse. Answers that never vary are encoded once."""

from collections.abc import Callable
from typing import Any

from extproc.pb import ext_proc_pb2 as pb
from extproc.session.actions import (
    Pairs,
    RequestBodyReply,
    RequestHeadersReply,
    RequestTrailersReply,
    Respond,
    ResponseChunk,
    ResponseHeadersReply,
    ResponseTrailersReply,
)

_OVERWRITE = pb.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD


def _empty(kind: str) -> bytes:
    message = pb.ProcessingResponse()
    part = getattr(message, kind)
    part.SetInParent()
    if kind.endswith(("headers", "body")):
        part.response.SetInParent()
    return message.SerializeToString()


_REQUEST_HEADERS = _empty("request_headers")
_REQUEST_BODY = _empty("request_body")
_REQUEST_TRAILERS = _empty("request_trailers")
_RESPONSE_HEADERS = _empty("response_headers")
_RESPONSE_TRAILERS = _empty("response_trailers")


def _response_trailers(action: ResponseTrailersReply) -> bytes:
    if not action.remove:
        return _RESPONSE_TRAILERS
    message = pb.ProcessingResponse()
    message.response_trailers.header_mutation.remove_headers.extend(action.remove)
    return message.SerializeToString()


def _mutate(mutation: pb.HeaderMutation, pairs: Pairs, remove: tuple[str, ...]) -> None:
    add = mutation.set_headers.add
    for key, value in pairs:
        option = add()
        # Always overwrite: the default appends, and an appended credential or Host is two of them.
        option.append_action = _OVERWRITE
        header = option.header
        header.key = key
        header.raw_value = _octets(value)
    if remove:
        mutation.remove_headers.extend(remove)


def _octets(value: str) -> bytes:
    """What came from Envoy goes back as the bytes it was; a text of ours that Latin-1 cannot say goes as UTF-8."""
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace")


def _request_headers(action: RequestHeadersReply) -> bytes:
    if not action.set and not action.remove:
        return _REQUEST_HEADERS
    message = pb.ProcessingResponse()
    common = message.request_headers.response
    _mutate(common.header_mutation, action.set, action.remove)
    common.clear_route_cache = True
    return message.SerializeToString()


def _request_body(action: RequestBodyReply) -> bytes:
    if action.body is None and not action.set and not action.remove:
        return _REQUEST_BODY
    message = pb.ProcessingResponse()
    common = message.request_body.response
    _mutate(common.header_mutation, action.set, action.remove)
    common.clear_route_cache = True
    if action.body is not None:
        common.body_mutation.body = action.body
    return message.SerializeToString()


def _response_headers(action: ResponseHeadersReply) -> bytes:
    if not action.set and not action.remove:
        return _RESPONSE_HEADERS
    message = pb.ProcessingResponse()
    _mutate(message.response_headers.response.header_mutation, action.set, action.remove)
    return message.SerializeToString()


def _chunk(action: ResponseChunk) -> bytes:
    message = pb.ProcessingResponse()
    streamed = message.response_body.response.body_mutation.streamed_response
    streamed.body = action.body
    streamed.end_of_stream = action.end_of_stream
    return message.SerializeToString()


def _respond(action: Respond) -> bytes:
    message = pb.ProcessingResponse()
    immediate = message.immediate_response
    rendered = action.rendered
    immediate.status.code = rendered.status
    immediate.body = rendered.body
    immediate.details = action.details
    _mutate(immediate.headers, rendered.headers, ())
    return message.SerializeToString()


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    RequestHeadersReply: _request_headers,
    RequestBodyReply: _request_body,
    RequestTrailersReply: lambda _: _REQUEST_TRAILERS,
    ResponseHeadersReply: _response_headers,
    ResponseChunk: _chunk,
    ResponseTrailersReply: _response_trailers,
    Respond: _respond,
}


def encode(action: Any) -> bytes:
    """The wire bytes of a reply. A KeyError here means an action that is no reply: the driver's mistake."""
    return _ENCODERS[type(action)](action)
