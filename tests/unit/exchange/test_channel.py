import pytest

from extproc.errors import Uninspectable
from extproc.exchange.channel import Channel, Joiner, TextChannel, clean


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain", "plain", id="ASCII"),
        pytest.param("é\U0001f600", "é\U0001f600", id="characters of any size"),
        pytest.param("\ud83d\ude00", "\U0001f600", id="a pair of halves is joined"),
        pytest.param("a\ud83d", "a\ufffd", id="a first half alone"),
        pytest.param("\ude00b", "\ufffdb", id="a second half alone"),
        pytest.param("\ude00\ud83d", "\ufffd\ufffd", id="halves in the wrong order"),
    ],
)
def test_text_is_made_of_whole_characters_for_every_cut(text, expected):
    assert clean(text) == expected
    for cut in range(len(text) + 1):
        joiner = Joiner()
        assert joiner.feed(text[:cut]) + joiner.feed("") + joiner.feed(text[cut:]) + joiner.flush() == expected


def test_a_channel_finds_a_secret_cut_between_the_halves_of_a_character(fake):
    channel = TextChannel(fake)
    assert channel.feed("a\ud83d") + channel.feed("\udd11b") + channel.flush() == "a[key]b"


def test_a_closed_channel_takes_no_more_text(fake):
    channel = Channel(TextChannel(fake), None)
    channel.feed("SECRET")
    assert channel.close() == "SECRET"
    assert channel.close() == ""
    assert channel.feed("") == ""
    with pytest.raises(Uninspectable):
        channel.feed("-TOKEN")


@pytest.mark.parametrize(
    ("pieces", "altered"),
    [(["a SEC", "RET b", " SECRET"], False), (["a SEC", "RET-TOKEN"], True), (["SECRET-", "TOKEN b", "c"], True)],
)
def test_a_watched_channel_knows_whether_anything_was_masked(fake, pieces, altered):
    channel = Channel(TextChannel(fake), None, watch=True)
    for piece in pieces:
        channel.feed(piece)
    channel.close()
    assert channel.altered is altered
