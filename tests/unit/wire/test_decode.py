"""Envoy's messages as events."""

import pytest

from extproc.pb import ext_proc_pb2 as pb
from extproc.session.events import (
    RequestBody,
    RequestHeaders,
    RequestTrailers,
    ResponseBody,
    ResponseHeaders,
    ResponseTrailers,
)
from extproc.wire.decode import UnknownMessage, decode


def header_map(*pairs: tuple[str, bytes | str]) -> pb.HeaderMap:
    return pb.HeaderMap(
        headers=[
            pb.HeaderValue(key=key, raw_value=value)
            if isinstance(value, bytes)
            else pb.HeaderValue(key=key, value=value)
            for key, value in pairs
        ]
    )


@pytest.mark.parametrize(
    ("kind", "event"), [("request_headers", RequestHeaders), ("response_headers", ResponseHeaders)]
)
def test_headers_become_a_mapping_with_attributes(kind: str, event: type) -> None:
    part = pb.HttpHeaders(headers=header_map((":path", b"/v1"), ("x-a", "text")), end_of_stream=True)
    message = pb.ProcessingRequest(**{kind: part})
    message.attributes["envoy.filters.http.ext_proc"].update({"source.address": "192.0.2.1:1", "request.size": 5})
    message.attributes["some.other.filter"].update({"source.address": "forged"})
    decoded = decode(message)
    assert decoded == event(
        {":path": "/v1", "x-a": "text"}, True, {"source.address": "192.0.2.1:1", "request.size": "5"}
    )


def test_attributes_are_empty_when_there_are_none() -> None:
    decoded = decode(pb.ProcessingRequest(request_headers=pb.HttpHeaders()))
    assert decoded == RequestHeaders({}, False, {})


@pytest.mark.promise("bad-input.two-authorization-headers")
def test_a_header_that_came_twice_is_joined_and_never_replaced() -> None:
    headers = header_map(("authorization", b"Bearer a"), ("x", b"1"), ("authorization", b"Bearer b"))
    decoded = decode(pb.ProcessingRequest(request_headers=pb.HttpHeaders(headers=headers)))
    assert decoded.headers == {"authorization": "Bearer a, Bearer b", "x": "1"}


def test_a_header_that_came_twice_with_nothing_in_it_still_came_twice() -> None:
    headers = header_map(("x", b""), ("x", b"1"))
    decoded = decode(pb.ProcessingRequest(request_headers=pb.HttpHeaders(headers=headers)))
    assert decoded.headers == {"x": ", 1"}


def test_every_byte_of_a_header_survives() -> None:
    raw = bytes(range(256))
    decoded = decode(pb.ProcessingRequest(request_headers=pb.HttpHeaders(headers=header_map(("x", raw)))))
    assert decoded.headers["x"].encode("latin-1") == raw


@pytest.mark.parametrize(
    ("message", "event"),
    [
        pytest.param(
            pb.ProcessingRequest(request_body=pb.HttpBody(body=b"\x00\xff", end_of_stream=True)),
            RequestBody(b"\x00\xff", True),
            id="a request body",
        ),
        pytest.param(
            pb.ProcessingRequest(response_body=pb.HttpBody(body=b"", end_of_stream=True)),
            ResponseBody(b"", True),
            id="an empty response body",
        ),
        pytest.param(
            pb.ProcessingRequest(request_trailers=pb.HttpTrailers(trailers=header_map(("x", b"1")))),
            RequestTrailers({"x": "1"}),
            id="request trailers",
        ),
        pytest.param(
            pb.ProcessingRequest(response_trailers=pb.HttpTrailers()), ResponseTrailers({}), id="response trailers"
        ),
    ],
)
def test_a_message_becomes_an_event(message: pb.ProcessingRequest, event: object) -> None:
    assert decode(pb.ProcessingRequest.FromString(message.SerializeToString())) == event


@pytest.mark.parametrize("raw", [b"", b"\x9a\x06\x00"], ids=["empty", "of a field nobody knows"])
def test_a_message_is_refused_that_is(raw: bytes) -> None:
    with pytest.raises(UnknownMessage):
        decode(pb.ProcessingRequest.FromString(raw))
