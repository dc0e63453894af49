"""The injected credential leaves in no text of an answer, however texts, events and bytes are cut."""

import json
from base64 import b64decode, b64encode
from itertools import pairwise
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.exchange import bedrock_converse, bedrock_invoke, frame_answer
from extproc.exchange.eventstream import EventStreamReader
from extproc.exchange.model import LlmCall
from extproc.exchange.text import TextFilter
from extproc.masking.catalogue import rules
from extproc.masking.ruleset import RuleSet
from extproc.masking.stream import MaskFilter
from extproc.session.secret_filter import SecretFilter

CARD = "4111 1111 1111 1111"
SECRET = "FwoG/ZXIvYXdz+EEsaDKqy7=="
LABEL = "[masked:credential]".ljust(len(SECRET), "*")
RULES = RuleSet(rules())


def wrapped(secrets: bytes | tuple[bytes, ...] = SECRET.encode()) -> SecretFilter:
    return SecretFilter(secrets, MaskFilter(RULES))


def alone(secrets: bytes | tuple[bytes, ...] = SECRET.encode()) -> SecretFilter:
    return SecretFilter(secrets)


both = pytest.mark.parametrize("make", [alone, wrapped])


class Greedy:
    """An inner filter that takes away a part of the secret, as a rule of the policy may."""

    counts: dict[str, int] = {}  # noqa: RUF012  (never changed)

    def renew(self) -> None: ...

    def text(self, text: str, before: str = "") -> str:
        return text.replace("YXdz", "[x]")

    def stream(self, before: str = "") -> Any:
        raise NotImplementedError


@both
@given(data=st.data())
def test_cut_anywhere_a_text_comes_out_as_the_whole_would(make: Any, data: st.DataObject) -> None:
    secrets = data.draw(st.lists(st.text("QZ/", min_size=1, max_size=5).map(str.encode), min_size=1, max_size=3))
    parts = st.sampled_from(["Q", "Z", "c", "/", "\\/", "%2F", "\U0001f600", CARD, CARD[:9], "x@example.org", " "])
    whole = "".join(data.draw(st.lists(parts, max_size=12)))
    masker = make(tuple(secrets))
    stream = masker.stream("card: ")
    for _ in range(2):  # after `flush` it is new again
        cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
        edges = [0, *cuts, len(whole)]
        pieces = [whole[a:b] for a, b in pairwise(edges)]
        fresh = make(tuple(secrets))
        found = masker.found
        expected = fresh.text(whole, "card: ")
        assert "".join([stream.feed(piece) for piece in pieces]) + stream.flush() == expected
        assert masker.found - found == fresh.found
        assert all(secret.decode() not in expected for secret in secrets)
        stream = masker.stream("card: ")


@both
def test_each_single_cut_of_a_text_with_both_gives_the_same(make: Any) -> None:
    whole = f"the key {SECRET}{CARD} of {CARD}, {SECRET}"
    expected = make().text(whole)
    assert SECRET not in expected
    assert expected.count(LABEL) == 2
    assert (CARD in expected) == (make is alone)
    for cut in range(len(whole) + 1):
        masker = make()
        stream = masker.stream()
        out = stream.feed(whole[:cut]) + stream.feed(whole[cut:]) + stream.flush()
        assert (out, masker.counts["credential"]) == (expected, 2)
        assert stream.feed("FwoG/ZXIv") + stream.flush() == "FwoG/ZXIv"


def test_a_rule_that_matches_a_part_of_the_secret_does_not_leave_the_rest() -> None:
    assert SecretFilter(SECRET.encode(), Greedy()).text(f"is {SECRET}") == f"is {LABEL}"


def test_counts_are_those_of_both() -> None:
    masker = wrapped()
    assert masker.counts == {}
    masker.text(f"{SECRET} {CARD} {SECRET}")
    assert masker.counts == {"credential": 2, "card": 1}


def test_only_what_may_begin_a_secret_waits() -> None:
    stream = alone().stream()
    assert stream.feed("all is well. Fw") == "all is well. "
    assert stream.feed("d") == "Fwd"


# --- frames ----------------------------------------------------------------------------------------------------------

CALL = LlmCall("", "chat", "m", stream=True)


def converse(pieces: list[str], kind: str) -> bytes:
    delta: Any = {
        "text": lambda text: {"text": text},
        "tool": lambda text: {"toolUse": {"input": text}},
        "reasoning": lambda text: {"reasoningContent": {"text": text}},
    }[kind]
    where = {"contentBlockIndex": 0}
    events: list[tuple[str, dict[str, Any]]] = [("messageStart", {"role": "assistant"})]
    if kind == "tool":
        events.append(("contentBlockStart", {**where, "start": {"toolUse": {"toolUseId": "t1", "name": "f"}}}))
    events += [("contentBlockDelta", {**where, "delta": delta(piece), "p": "abcd"}) for piece in pieces]
    events += [("contentBlockStop", where), ("messageStop", {"stopReason": "end_turn"})]
    return b"".join([frame_answer.event(name, doc) for name, doc in events])


def invoke(pieces: list[str], kind: str) -> bytes:
    block, delta, member = {
        "text": ({"type": "text", "text": ""}, "text_delta", "text"),
        "tool": ({"type": "tool_use", "id": "t1", "name": "f", "input": {}}, "input_json_delta", "partial_json"),
        "reasoning": ({"type": "thinking", "thinking": "", "signature": ""}, "thinking_delta", "thinking"),
    }[kind]
    events: list[dict[str, Any]] = [{"type": "content_block_start", "index": 0, "content_block": block}]
    events += [{"type": "content_block_delta", "index": 0, "delta": {"type": delta, member: piece}} for piece in pieces]
    events += [{"type": "content_block_stop", "index": 0}, {"type": "message_stop"}]
    wraps = [{"bytes": b64encode(json.dumps(event).encode()).decode(), "p": "abc"} for event in events]
    return b"".join([frame_answer.event("chunk", wrap) for wrap in wraps])


def told(data: bytes) -> tuple[list[Any], str]:
    """The documents in an event stream, read by our reader and by botocore's, and all texts of its deltas joined."""
    ours = EventStreamReader()
    messages = ours.feed(data)
    ours.finish()
    theirs: Any = EventStreamBuffer()  # checks both checksums, too
    theirs.add_data(data)
    assert [message.payload for message in messages] == [message.payload for message in theirs]
    docs = [json.loads(message.payload) for message in messages]
    docs = [json.loads(b64decode(doc["bytes"])) if "bytes" in doc else doc for doc in docs]
    return docs, "".join([text for doc in docs for text in texts(doc.get("delta"))])


def texts(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [text for key, value in node.items() if key != "type" for text in texts(value)]
    return [node] if isinstance(node, str) else []


STREAMS = pytest.mark.parametrize(
    ("dialect", "stream"),
    [pytest.param(bedrock_converse.DIALECT, converse, id="Converse"),
     pytest.param(bedrock_invoke.DIALECT, invoke, id="InvokeModel")],
)  # fmt: skip


def through(dialect: Any, masker: TextFilter, chunks: list[bytes]) -> bytes:
    answer = dialect.answer(CALL, masker)
    return b"".join([answer.feed(chunk) for chunk in chunks]) + bytes(answer.finish())


@both
@STREAMS
@pytest.mark.parametrize("kind", ["text", "tool", "reasoning"])
def test_a_framed_stream_split_over_events_at_each_place_loses_it(
    make: Any, dialect: Any, stream: Any, kind: str
) -> None:
    said = f"key {SECRET} end"
    said = json.dumps({"k": said}).replace("/", "\\/") if kind == "tool" else said
    for cut in range(len(said) + 1):
        masker = make()
        data = stream([said[:cut], said[cut:]], kind)
        docs, text = told(through(dialect, masker, [data]))
        assert text.replace("\\/", "/") in (f"key {LABEL} end", json.dumps({"k": f"key {LABEL} end"}))
        assert SECRET not in json.dumps(docs)
        assert masker.counts == {"credential": 1}


@both
@STREAMS
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_framed_stream_cut_anywhere_is_the_same_and_has_valid_frames(
    make: Any, dialect: Any, stream: Any, data: st.DataObject
) -> None:
    said = f"{SECRET}, {CARD} and {SECRET}"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(said) - 1), max_size=8)))
    pieces = [said[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)]
    framed = stream(pieces, "text")
    at = sorted(data.draw(st.sets(st.integers(1, len(framed) - 1), max_size=8)))
    chunks = [framed[a:b] for a, b in zip([0, *at], [*at, len(framed)], strict=True)]
    out = through(dialect, make(), chunks)
    assert out == through(dialect, make(), [framed])
    assert told(out)[1] == make().text(said)


@both
@STREAMS
def test_an_exception_that_echoes_it_loses_it(make: Any, dialect: Any, stream: Any) -> None:
    masker = make()
    data = stream(["hello"], "text") + frame_answer.exception("validationException", {"message": f"bad {SECRET}"})
    docs, _ = told(through(dialect, masker, [data]))
    assert docs[-1] == {"message": f"bad {LABEL}"}
    assert masker.found == 1
