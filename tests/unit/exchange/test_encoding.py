"""Content codings of requests and answers: read, bounded, or refused."""

import gzip
import zlib

import pytest

from extproc.errors import BadRequest, Uninspectable
from extproc.exchange.encoding import FREE, RATIO, Decoder, decode_request, readable

TEXT = b"some text, " * 1000


@pytest.mark.parametrize("coding", ["", "identity", "gzip", "x-gzip", "deflate", " GZip "])
def test_a_coding_is_readable(coding: str) -> None:
    assert readable(coding)


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "gzip;q=1", "identity, gzip"])
def test_a_coding_is_not_readable(coding: str) -> None:
    assert not readable(coding)
    with pytest.raises(BadRequest):
        decode_request(b"", coding, 10)


def test_a_request_is_bounded_whatever_its_coding() -> None:
    assert decode_request(TEXT, "", len(TEXT)) == TEXT
    assert decode_request(gzip.compress(TEXT), "gzip", len(TEXT)) == TEXT
    assert decode_request(zlib.compress(TEXT), "deflate", len(TEXT)) == TEXT
    for body, coding in ((TEXT, ""), (gzip.compress(TEXT), "gzip"), (zlib.compress(TEXT), "deflate")):
        with pytest.raises(BadRequest) as caught:
            decode_request(body, coding, len(TEXT) - 1)
        assert (caught.value.status, caught.value.reason) == (413, "body-too-large")


def test_a_bomb_costs_no_more_than_the_bound() -> None:
    bomb = gzip.compress(bytes(50_000_000), 9)
    with pytest.raises(BadRequest):
        decode_request(bomb, "gzip", 1000)
    with pytest.raises(Uninspectable) as caught:
        Decoder("gzip", 1000).feed(bomb)
    assert caught.value.reason == "answer-too-large"


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_an_answer_is_read_however_it_is_cut(size: int) -> None:
    data = gzip.compress(TEXT)
    decoder = Decoder("gzip", len(TEXT))
    assert b"".join(decoder.feed(data[at : at + size]) for at in range(0, len(data), size)) == TEXT
    decoder.finish()


def test_a_decoder_that_has_given_up_stays_so() -> None:
    decoder = Decoder("gzip", 10)
    data = gzip.compress(TEXT)
    for _ in range(3):
        with pytest.raises(Uninspectable):
            decoder.feed(data)


@pytest.mark.parametrize(
    "chunks",
    [[gzip.compress(TEXT) + b"x"], [gzip.compress(TEXT), b"x"], [gzip.compress(TEXT), gzip.compress(TEXT)]],
    ids=["in the same chunk", "in the next chunk", "as a second member"],
)
def test_bytes_after_the_end_are_refused(chunks: list[bytes]) -> None:
    decoder = Decoder("gzip", 10 * len(TEXT))
    *before, last = chunks
    for chunk in before:
        decoder.feed(chunk)
    with pytest.raises(Uninspectable):
        decoder.feed(last)


def test_an_answer_that_is_cut_off_is_refused_and_one_that_never_began_is_not() -> None:
    decoder = Decoder("gzip", 10**6)
    decoder.feed(gzip.compress(TEXT)[:-1])
    with pytest.raises(Uninspectable):
        decoder.finish()
    Decoder("gzip", 10).finish()


def test_what_unpacks_to_far_more_than_it_is_is_refused_long_before_the_bound() -> None:
    bomb = gzip.compress(b'{"a":[' + b"{}," * 4_500_000 + b"1]}", 9)
    limit = 16 << 20
    with pytest.raises(BadRequest) as caught:
        decode_request(bomb, "gzip", limit)
    assert (caught.value.status, caught.value.reason) == (413, "body-too-large")
    for size in (1 << 20, 1000):
        decoder = Decoder("gzip", limit)
        passed: list[int] = []
        with pytest.raises(Uninspectable) as unread:
            passed += (len(decoder.feed(bomb[at : at + size])) for at in range(0, len(bomb), size))
        assert unread.value.reason == "answer-too-large"
        assert sum(passed) <= max(FREE, RATIO * len(bomb))


def test_what_packs_well_but_is_small_passes() -> None:
    body = b" " * (FREE - 2) + b"{}"
    assert decode_request(gzip.compress(body), "gzip", 16 << 20) == body
    assert Decoder("gzip", 16 << 20).feed(gzip.compress(body)) == body
