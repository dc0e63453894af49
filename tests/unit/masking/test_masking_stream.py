"""The stream: what waits and what does not, at the level of single pieces."""

import inspect
from collections.abc import Mapping

import pytest

from extproc.exchange.text import TextFilter, TextStream
from extproc.masking import MaskFilter, Rule, RuleSet, StreamMasker, rules

SHIPPED = RuleSet(rules())
BLOCK = RuleSet([Rule("block", "", "<<", until=">>", until_max=6, positives=("<<",))])


def test_the_filter_is_what_a_dialect_asks_for():
    mask: TextFilter = MaskFilter(SHIPPED)
    stream: TextStream = mask.stream()
    assert stream.feed("a b ") + stream.flush() == "a b "


@pytest.mark.parametrize(
    ("made", "asked"),
    [pytest.param(MaskFilter, TextFilter, id="filter"), pytest.param(StreamMasker, TextStream, id="stream")],
)
def test_every_member_that_a_dialect_asks_for_is_there_with_its_signature(made, asked):
    members = {name: member for name, member in vars(asked).items() if not name.startswith("_")}
    assert members
    for name, member in members.items():
        if isinstance(member, property):
            assert isinstance(getattr(made(SHIPPED), name), Mapping)
        else:
            assert list(inspect.signature(getattr(made, name)).parameters) == list(inspect.signature(member).parameters)


@pytest.mark.promise("masking.api")
def test_the_usage_example_of_the_package():
    sent = []
    masker = StreamMasker(rules("card", "email"))
    for piece in ["mail jo", "hn@exam", "ple.com or pay 4111 1111 ", "1111 1111"]:
        sent.append(masker.feed(piece))
    sent.append(masker.flush())
    assert "".join(sent) == "mail [masked:email] or pay [masked:card]"
    assert masker.counts == {"email": 1, "card": 1}


def test_streams_of_one_filter_count_together():
    mask = MaskFilter(SHIPPED)
    first, second = mask.stream(), mask.stream()
    first.feed("a@b.com ")
    second.feed("c@d.com ")
    mask.text("AKIAIOSFODNN7EXAMPLE")
    assert mask.counts == {"email": 2, "aws-access-key-id": 1}


def test_after_flush_a_stream_is_new():
    masker = StreamMasker(BLOCK)
    assert masker.feed("a <<secret") == "a [masked:block]"
    assert masker.flush() == ""
    assert masker.feed("b") + masker.flush() == "b"


def test_what_stood_before_a_flush_is_no_context_after_it():
    rule = RuleSet([Rule("w", "", r"\bab", positives=("ab",))])
    masker = StreamMasker(rule)
    assert masker.feed("x") + masker.flush() + masker.feed("ab") + masker.flush() == "x[masked:w]"
    assert masker.feed("x") + masker.feed("ab") + masker.flush() == "xab"


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param(["<<a>>b"], "[masked:block]b", id="ends at its marker"),
        pytest.param(["<", "<a>", ">b"], "[masked:block]b", id="marker cut"),
        pytest.param(["<<123456", "789"], "[masked:block]789", id="ends at its maximum"),
        pytest.param(["<<12345>", ">9"], "[masked:block]>9", id="a marker across the maximum is too late"),
        pytest.param(["<<1234>>9"], "[masked:block]9", id="a marker up to the maximum counts"),
        pytest.param(["<<1234", "é9"], "[masked:block]9", id="maximum at a character's end"),
        pytest.param(["<<12345é9"], "[masked:block]9", id="maximum inside a character takes all of it"),
        pytest.param(["<<12"], "[masked:block]", id="never ended: masked to the end"),
        pytest.param(["<<a>><<b>>"], "[masked:block][masked:block]", id="two in a row"),
    ],
)
def test_a_block_is_masked_to_its_end(pieces, expected):
    masker = StreamMasker(BLOCK)
    assert "".join([masker.feed(piece) for piece in pieces]) + masker.flush() == expected


def test_prose_waits_only_for_its_last_word():
    masker, out = StreamMasker(SHIPPED), ""
    prose = "The committee agreed, after a long debate; the library opens in spring! Nobody objected: fine. "
    for at, character in enumerate(prose):
        out += masker.feed(character)
        # an e-mail address may begin with any word; nothing else of this prose can begin a match
        word = prose[: at + 1]
        assert masker.held == len(word) - len(word.rstrip("abcdefghijklmnopqrstuvwxyzTN."))
    assert out == prose


def test_without_the_email_rule_prose_waits_for_almost_nothing():
    compiled = RuleSet(rule for rule in rules() if rule.name not in ("email", "azure-client-secret"))
    masker = StreamMasker(compiled)
    for character in "The quick brown fox jumps over the lazy dog, and nobody objected to that at all. ":
        masker.feed(character)
        assert masker.held <= 2  # two letters may begin an IBAN


HOSTILE = ["a", "4", "0", "@", "a@", "a@b.", "a.", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "eyJ", "sk-", "+1",
           "4 ", "DE89", "aws_secret aB1", "xoxb-", "😀", "\ud83d", "é@", " ",
           "https://hooks.slack.com/services/"]  # fmt: skip


@pytest.mark.parametrize("unit", [pytest.param(unit, id=ascii(unit)) for unit in HOSTILE])
def test_what_waits_stays_bounded_for_hostile_text(unit):
    masker = StreamMasker(SHIPPED)
    for _ in range(40):
        masker.feed(unit * 50)
        assert masker.held <= SHIPPED.longest
        assert len(masker._buffer) <= SHIPPED.longest * 4 + 64


@pytest.mark.parametrize("unit", ["a", "1", "@", "-----BEGIN "])
def test_ten_megabytes_at_once_leave_nothing_behind(unit):
    masker = StreamMasker(SHIPPED)
    text = unit * (10_000_000 // len(unit))
    out = masker.feed(text)
    assert len(masker._buffer) <= SHIPPED.longest * 4 + 64
    assert out + masker.flush() == text


def test_a_tail_and_a_block_are_swallowed_without_holding():
    masker = StreamMasker(SHIPPED)
    masker.feed("sk-ant-" + "a" * 16)
    for _ in range(10):
        assert masker.feed("a" * 1_000_000) in ("", "[masked:anthropic-key]")
        assert len(masker._buffer) <= 128
    masker = StreamMasker(SHIPPED)
    assert masker.feed("-----BEGIN PRIVATE KEY-----\n") == "[masked:private-key]"
    for _ in range(30):
        assert masker.feed("a" * 1_000) == ""
        assert len(masker._buffer) <= 128
