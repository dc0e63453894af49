"""AWS event-stream framing, with botocore's own reader as the second opinion."""

import struct
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer

from extproc.errors import Uninspectable
from extproc.exchange import eventstream
from extproc.exchange.eventstream import EventStreamReader, encode

EVENT = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
STREAM = encode(EVENT, b'{"a":1}') + encode({":message-type": "exception"}, b"") + encode({}, b"x" * 300)


def read(*chunks):
    reader = EventStreamReader()
    messages = [message for chunk in chunks for message in reader.feed(chunk)]
    try:
        return messages, reader.finish() == []
    except Uninspectable:
        return messages, False


def broken(at, *, reseal=False):
    """One good message with one byte changed; with `reseal` the last checksum is made to fit again."""
    raw = bytearray(encode(EVENT, b"{}"))
    raw[at] ^= 1
    if reseal:
        raw[-4:] = struct.pack(">I", crc32(raw[:-4]))
    return bytes(raw)


def with_headers(block):
    return eventstream.seal(block, b"{}")


def test_what_is_written_is_what_botocore_reads():
    buffer = EventStreamBuffer()
    buffer.add_data(STREAM)
    assert [(message.headers, message.payload) for message in buffer] == [
        (EVENT, b'{"a":1}'),
        ({":message-type": "exception"}, b""),
        ({}, b"x" * 300),
    ]


def test_every_cut_gives_the_same_messages_and_every_byte_is_in_exactly_one():
    whole, clean = read(STREAM)
    assert clean
    assert b"".join(message.raw for message in whole) == STREAM
    for cut in range(len(STREAM) + 1):
        assert read(STREAM[:cut], STREAM[cut:]) == (whole, True)
    assert read(*[STREAM[at : at + 1] for at in range(len(STREAM))]) == (whole, True)


def test_headers_of_every_type_are_stepped_over_and_strings_are_kept():
    block = b"".join(
        b"%c%b%c%b" % (len(name), name, kind, value)
        for name, kind, value in [
            (b"yes", 0, b""),
            (b"no", 1, b""),
            (b"byte", 2, b"\x01"),
            (b"short", 3, b"\x00\x01"),
            (b"integer", 4, b"\x00" * 4),
            (b"long", 5, b"\x00" * 8),
            (b"bytes", 6, b"\x00\x03abc"),
            (b"string", 7, b"\x00\x02\xc3\xa9"),
            (b"time", 8, b"\x00" * 8),
            (b"uuid", 9, b"\x00" * 16),
        ]
    )
    (message,), _ = read(with_headers(block))
    assert (dict(message.headers), message.others) == ({"string": "é"}, True)


def test_an_end_inside_a_message_is_told():
    assert read(STREAM[:-1])[1] is False
    assert read(b"\x00")[1] is False
    assert read()[1] is True


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(broken(3), id="total length"),
        pytest.param(broken(7), id="headers length"),
        pytest.param(broken(9), id="first checksum"),
        pytest.param(broken(14), id="a header"),
        pytest.param(broken(-5), id="the payload"),
        pytest.param(broken(-1), id="last checksum"),
        pytest.param(broken(9, reseal=True), id="first checksum under a fitting last one"),
        pytest.param(struct.pack(">III", 15, 0, crc32(struct.pack(">II", 15, 0))), id="shorter than itself"),
        pytest.param(struct.pack(">III", 20, 10, crc32(struct.pack(">II", 20, 10))), id="headers beyond the end"),
        pytest.param(
            struct.pack(">III", 2**25, 0, crc32(struct.pack(">II", 2**25, 0))), id="larger than what is inspected"
        ),
        pytest.param(
            struct.pack(">III", 2**20, 2**18, crc32(struct.pack(">II", 2**20, 2**18))), id="too large headers"
        ),
        pytest.param(with_headers(b"\x01a\x0a"), id="unknown header type"),
        pytest.param(with_headers(b"\x01a\x07\x00\x05ab"), id="header value beyond the block"),
        pytest.param(with_headers(b"\x01a\x07\x00"), id="header length cut off"),
        pytest.param(with_headers(b"\x05a"), id="header name beyond the block"),
        pytest.param(with_headers(b"\x01a\x07\x00\x01\xff"), id="header that is not UTF-8"),
        pytest.param(with_headers(b"\x00\x00"), id="header without a name"),
        pytest.param(with_headers(b"\x01a\x00\x01a\x00"), id="the same header twice"),
        pytest.param(with_headers(b"\x01a\x07\x00\x01x\x01a\x00"), id="the same header twice with two types"),
    ],
)
def test_what_is_not_well_formed_is_not_read(raw):
    with pytest.raises(Uninspectable) as caught:
        read(raw)
    assert "message of the answer" in caught.value.message


def test_a_message_of_megabytes_in_small_pieces_is_read_in_linear_time():
    raw = encode(EVENT, b"x" * (4 << 20))
    messages, clean = read(*[raw[at : at + 512] for at in range(0, len(raw), 512)])
    assert (len(messages), len(messages[0].payload), clean) == (1, 4 << 20, True)
