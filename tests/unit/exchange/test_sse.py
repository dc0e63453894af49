import pytest

from extproc.errors import Uninspectable
from extproc.exchange import sse


def read(chunks):
    reader = sse.SseReader()
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    return events + reader.finish()


def read_all(reader, chunks):
    return [event for chunk in chunks for event in reader.feed(chunk)]


def shown(events):
    return [(event.event, event.data) for event in events if not event.comment and event.data is not None]


STREAMS = [
    pytest.param(b"data: a\n\ndata: b\n\n", [("", b"a"), ("", b"b")], id="two events"),
    pytest.param(b"event: x\ndata: a\n\n", [("x", b"a")], id="a named event"),
    pytest.param(b"data: a\ndata:b\ndata\n\n", [("", b"a\nb\n")], id="data lines are joined by LF"),
    pytest.param(b"data:  a\n\n", [("", b" a")], id="only one blank belongs to the colon"),
    pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", [("", b"a"), ("", b"b")], id="CRLF"),
    pytest.param(b"data: a\r\rdata: b\r\r", [("", b"a"), ("", b"b")], id="CR"),
    pytest.param(b"data: a\r\n\ndata: b\n\r\n\rdata: c\r\n\r", [("", b"a"), ("", b"b"), ("", b"c")], id="mixed ends"),
    pytest.param(b"\xef\xbb\xbfdata: a\n\n", [("", b"a")], id="a byte order mark"),
    pytest.param(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", [], id="a second byte order mark spoils its line"),
    pytest.param(b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [("", b"a")], id="so does one inside the stream"),
    pytest.param(b"\xef\xbbdata: a\n\n", [], id="half a byte order mark spoils its line"),
    pytest.param(b": hi\n\ndata: a\n: mid\ndata: b\n\n", [("", b"a\nb")], id="comments around and inside an event"),
    pytest.param(b"id: 7\nretry: 10\ndata: a\n\n", [("", b"a")], id="id and retry"),
    pytest.param("data: é\u2028\x85\u20ac\n\n".encode(), [("", "é\u2028\x85\u20ac".encode())], id="other line ends"),
    pytest.param(b"dat: x\n data: y\ndata: a\n\n", [("", b"a")], id="unknown fields are ignored"),
    pytest.param(b"event: x\n\ndata: a\n\n", [("", b"a")], id="a name does not survive its block"),
    pytest.param(b"data: a\n\ndata: b", [("", b"a"), ("", b"b")], id="an event without its end"),
    pytest.param(b"data: a\n\ndata: b\n", [("", b"a"), ("", b"b")], id="an event without its blank line"),
    pytest.param(b"", [], id="nothing"),
]


@pytest.mark.parametrize(("stream", "expected"), STREAMS)
def test_events_and_bytes_are_the_same_for_every_cut(stream, expected):
    cuts = [[stream], [stream[i : i + 1] for i in range(len(stream))]]
    cuts += [[stream[:i], stream[i:]] for i in range(len(stream) + 1)]
    for chunks in cuts:
        events = read(chunks)
        assert shown(events) == expected
        marked = stream.removeprefix(b"\xef\xbb\xbf")
        if not any(event.comment for event in events):
            assert b"".join(event.raw for event in events) == marked
        assert sorted(b"".join(event.raw for event in events)) == sorted(marked), "a byte was lost"


def test_a_comment_comes_out_at_once_even_inside_an_event():
    reader = sse.SseReader()
    reader.feed(b"data: a\n")
    assert [event.comment for event in reader.feed(b": ping\n")] == [True]


def test_an_event_that_ends_in_cr_comes_out_at_once():
    assert shown(sse.SseReader().feed(b"data: a\r\r")) == [("", b"a")]


def test_what_the_end_of_the_stream_completes_is_marked():
    assert [event.complete for event in read([b"data: a\n\ndata: b\n"])] == [True, False]


@pytest.mark.parametrize("piece", [b"x" * 10, b"data: xxxx\n"], ids=["one endless line", "endless data lines"])
def test_an_endless_event_is_uninspectable(piece):
    with pytest.raises(Uninspectable):
        read_all(sse.SseReader(max_event=100), [b"data: ", *[piece] * 20])


def test_a_byte_order_mark_counts_for_no_event():
    reader = sse.SseReader(max_event=12)
    assert shown(read_all(reader, [b"\xef\xbb\xbf", b"data: abcd\n\n", b"data: abcd\n\n"])) == [("", b"abcd")] * 2


def test_the_cap_is_for_one_event_and_not_for_the_stream():
    reader = sse.SseReader(max_event=100)
    assert sum(len(reader.feed(b"data: xxxx\n\n: c\n")) for _ in range(100)) == 200


@pytest.mark.parametrize("data", [b"a", b"a\nb", b"a\r\nb\rc", b"", b"\n"])
def test_what_is_encoded_is_read_back(data):
    expected = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert shown(read([sse.encode("na\nme", data)])) == [("na me", expected)]
