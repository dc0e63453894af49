"""Actions as Envoy's messages."""

from typing import Any

import pytest

from extproc.exchange.refusal import Rendered
from extproc.pb import ext_proc_pb2 as pb
from extproc.session.actions import (
    Await,
    Record,
    RequestBodyReply,
    RequestHeadersReply,
    RequestTrailersReply,
    Respond,
    ResponseChunk,
    ResponseHeadersReply,
    ResponseTrailersReply,
)
from extproc.wire.encode import encode

SET = (("x-a", "1"), (":path", "/\xff"))


def sent(action: Any) -> pb.ProcessingResponse:
    return pb.ProcessingResponse.FromString(encode(action))


def pairs(mutation: pb.HeaderMutation) -> list[tuple[str, bytes]]:
    for option in mutation.set_headers:
        # An appended credential or Host would be two of them.
        assert option.append_action == pb.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
        assert option.header.value == ""
    return [(option.header.key, option.header.raw_value) for option in mutation.set_headers]


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (RequestHeadersReply(), "request_headers"),
        (RequestBodyReply(), "request_body"),
        (RequestTrailersReply(), "request_trailers"),
        (ResponseHeadersReply(), "response_headers"),
        (ResponseTrailersReply(), "response_trailers"),
    ],
)
def test_going_on_changes_nothing(action: Any, kind: str) -> None:
    message = sent(action)
    assert message.WhichOneof("response") == kind
    assert not message.request_headers.response.clear_route_cache
    assert len(encode(action)) <= 4


def test_changed_request_headers_choose_the_route_again() -> None:
    common = sent(RequestHeadersReply(SET, ("cookie",))).request_headers.response
    assert pairs(common.header_mutation) == [("x-a", b"1"), (":path", b"/\xff")]
    assert list(common.header_mutation.remove_headers) == ["cookie"]
    assert common.clear_route_cache


@pytest.mark.parametrize("body", [None, b"", b"\x00body"], ids=["kept", "emptied", "replaced"])
def test_a_request_body_is(body: bytes | None) -> None:
    common = sent(RequestBodyReply(body, SET, ("cookie",))).request_body.response
    assert common.HasField("body_mutation") is (body is not None)
    assert common.body_mutation.body == (body or b"")
    assert pairs(common.header_mutation)[0] == ("x-a", b"1")
    assert common.clear_route_cache


def test_response_headers_are_changed() -> None:
    mutation = sent(ResponseHeadersReply(SET, ("content-length",))).response_headers.response.header_mutation
    assert pairs(mutation) == [("x-a", b"1"), (":path", b"/\xff")]
    assert list(mutation.remove_headers) == ["content-length"]


@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize("body", [b"", b"\xff\x00"])
def test_a_chunk_is_a_streamed_response(body: bytes, end: bool) -> None:
    streamed = sent(ResponseChunk(body, end)).response_body.response.body_mutation.streamed_response
    assert (streamed.body, streamed.end_of_stream) == (body, end)


def test_an_empty_chunk_is_still_an_answer() -> None:
    mutation = sent(ResponseChunk(b"", False)).response_body.response.body_mutation
    assert mutation.WhichOneof("mutation") == "streamed_response"


def test_trailers_are_removed() -> None:
    mutation = sent(ResponseTrailersReply(("x-a", "x-b"))).response_trailers.header_mutation
    assert list(mutation.remove_headers) == ["x-a", "x-b"]


def test_an_immediate_response_has_status_headers_body_and_details() -> None:
    rendered = Rendered(451, (("content-type", "application/json"), ("x-note", "caf\xe9")), b"{}")
    immediate = sent(Respond(rendered, "gatereeve_reason")).immediate_response
    assert (immediate.status.code, immediate.body, immediate.details) == (451, b"{}", "gatereeve_reason")
    assert pairs(immediate.headers) == [("content-type", b"application/json"), ("x-note", b"caf\xe9")]


def test_a_header_value_of_ours_beyond_latin_1_goes_as_utf_8() -> None:
    mutation = sent(ResponseHeadersReply((("x-a", "\u20ac\ud800"),))).response_headers.response.header_mutation
    assert pairs(mutation) == [("x-a", "\u20ac?".encode())]


@pytest.mark.parametrize("action", [Record({}), Await(lambda: None)], ids=["a record", "an effect"])
def test_what_is_no_reply_is_not_sent(action: Any) -> None:
    with pytest.raises(KeyError):
        encode(action)
