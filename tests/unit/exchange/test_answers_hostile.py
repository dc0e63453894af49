"""What a hostile upstream does to a masked answer: no text may pass because of where, in what form or in how many
pieces it comes."""

import base64
import json
import re
import time

import pytest

from extproc.errors import Uninspectable
from extproc.exchange import eventstream, json_body
from extproc.exchange.classify import DIALECTS
from extproc.exchange.model import LlmCall
from extproc.masking import MaskFilter, RuleSet, rules

CALL = LlmCall("", "chat", "m")  # of which readers want nothing here

CHAT, RESPONSES, CLAUDE = "openai-chat", "openai-responses", "anthropic-messages"
SHIPPED = RuleSet(rules())
CARD = 4111111111111111


def event(doc):
    return b"data: " + json.dumps(doc).encode() + b"\n\n"


def framed(name, answer, doc):
    """An event as this dialect frames it; for AWS's frames it is one nobody knows."""
    if answer.framing == "application/x-ndjson":
        return json.dumps(doc).encode() + b"\n"
    if name == "bedrock-invoke":
        doc = {"bytes": base64.b64encode(json.dumps(doc).encode()).decode()}
    if answer.framing == "application/vnd.amazon.eventstream":
        kind = doc["bytes"] and "chunk" if "bytes" in doc else "x"
        return eventstream.encode({":message-type": "event", ":event-type": kind}, json.dumps(doc).encode())
    return event(doc)


def passed(name, docs, mask):
    """What leaves of a stream until it ends or is refused. What comes in base64 is shown without."""
    answer = DIALECTS[name].answer(CALL, mask)
    out = bytearray()
    try:
        for doc in docs:
            left = answer.feed(framed(name, answer, doc))
            if name == "bedrock-invoke":
                left = b"".join([base64.b64decode(part) for part in re.findall(rb'"bytes":"([^"]*)"', left)])
            out += left
    except Uninspectable:
        return bytes(out) + b"!"
    return bytes(out) + answer.finish()


def delta(delta, **more):
    return {"choices": [{"index": 0, "delta": delta, **more}]}


def arguments(text, **more):
    return delta({"tool_calls": [{**more, "function": {"arguments": text}}]})


def claude(member, text, index=0):
    return {"type": "content_block_delta", "index": index, "delta": {"type": f"{member}_delta", member: text}}


def responses(text, **where):
    return {"type": "response.output_text.delta", **where, "delta": text}


CUT = [
    pytest.param(CHAT, [arguments('"SECRET-', index=0), arguments('TOKEN"')], id="chat: a call without its index"),
    pytest.param(
        CHAT, [arguments('"SECRET-', type="function"), arguments('TOKEN"')], id="chat: a call that had a type"
    ),
    pytest.param(
        CHAT,
        [delta({"content": "SECRET-"}), delta({"content": [{"type": "text", "text": "TOKEN"}]})],
        id="chat: text, then parts",
    ),
    pytest.param(
        CHAT,
        [delta({"content": [{"type": "text", "text": "SECRET-"}]}), delta({"content": "TOKEN"})],
        id="chat: parts, then text",
    ),
    pytest.param(
        CHAT,
        [delta({"content": [{"type": kind, "text": text}]}) for kind, text in (("a", "SECRET-"), ("b", "TOKEN"))],
        id="chat: parts of two types",
    ),
    pytest.param(CHAT, [delta({"x": ["SECRET-"]}), delta({"x": ["TOKEN"]})], id="chat: strings in a list"),
    pytest.param(CHAT, [delta({"x": ["SECRET-"]}), delta({"x": "TOKEN"})], id="chat: a list, then text"),
    pytest.param(CHAT, [delta({"x": [["SECRET-"]]}), delta({"x": [["TOKEN"]]})], id="chat: lists in lists"),
    pytest.param(CHAT, [{"x": {"y": ["SECRET-"]}}, {"x": {"y": ["TOKEN"]}}], id="chat: outside choices"),
    pytest.param(CHAT, [{"choices": "SECRET-"}, {"choices": "TOKEN"}], id="chat: choices that are none"),
    pytest.param(
        CHAT,
        [delta({"annotations": [{"title": "SECRET-"}]}), delta({"annotations": [{"title": "TOKEN"}]})],
        id="chat: annotations",
    ),
    pytest.param(
        CHAT,
        [delta({"audio": {"data": "SECRET-"}}), delta({"audio": {"data": "TOKEN"}})],
        id="chat: audio that is text",
    ),
    pytest.param(
        CHAT,
        [delta({"audio": {"data": "4111"}}), delta({"audio": {"data": " 1111 1111 1111"}})],
        id="chat: audio that stops being audio",
    ),
    pytest.param(CHAT, [delta({"audio": {"data": t}}) for t in ("4111", "1111", "1111", "1111")], id="chat: fours"),
    pytest.param(CLAUDE, [{"type": "x", "y": "SECRET-"}, {"type": "x", "y": "TOKEN"}], id="claude: unknown events"),
    pytest.param(
        CLAUDE,
        [{"type": "message_start", "message": {"content": [{"text": text}]}} for text in ("SECRET-", "TOKEN")],
        id="claude: two messages",
    ),
    pytest.param(
        CLAUDE,
        [claude("text", "SECRET-"), {"type": "message_start", "message": {}}, claude("text", "TOKEN")],
        id="claude: a message within a text",
    ),
    pytest.param(
        CLAUDE,
        [
            {"type": "content_block_start", "index": 0, "content_block": {"type": "new", "text": "SECRET-"}},
            claude("text", "TOKEN"),
        ],
        id="claude: a block that begins as another",
    ),
    pytest.param(
        CLAUDE,
        [{"type": "content_block_delta", "index": 0, "delta": {"x": [t]}} for t in ("SECRET-", "TOKEN")],
        id="claude: lists in deltas",
    ),
    pytest.param(CLAUDE, [claude("signature", "SECRET-"), claude("signature", "TOKEN")], id="claude: a signature"),
    pytest.param(
        CLAUDE,
        [{**claude("text", "a"), "z": "SECRET-"}, {**claude("text", "b"), "z": "TOKEN"}],
        id="claude: beside the delta",
    ),
    pytest.param(
        RESPONSES,
        [responses("SECRET-", output_index=0, item_id="a"), responses("TOKEN", item_id="a")],
        id="responses: an index, then its id",
    ),
    pytest.param(RESPONSES, [responses("SECRET-", output_index=0), responses("TOKEN")], id="responses: no index"),
    pytest.param(
        RESPONSES, [responses("SECRET-", item_id="a"), responses("TOKEN", item_id="a", output_index=0)],
        id="responses: an id, then an index",
    ),
    pytest.param(
        RESPONSES, [responses("SECRET-", output_index=0, content_index=0), responses("TOKEN", output_index=0)],
        id="responses: no content index",
    ),
    pytest.param(
        RESPONSES, [responses("SECRET-", output_index=0), responses({"text": "TOKEN"}, output_index=0)],
        id="responses: text, then an object",
    ),
    pytest.param(
        RESPONSES,
        [
            {"type": "response.output_item.added", "output_index": 0, "item": {"id": "a", "type": "message",
             "content": [{"type": "output_text", "text": "SECRET-"}]}},
            responses("TOKEN", output_index=0, content_index=0),
        ],
        id="responses: an item that has text",
    ),
    pytest.param(
        RESPONSES,
        [{"type": "response.x", "y": {"z": "SECRET-"}}, {"type": "response.x", "y": {"z": "TOKEN"}}],
        id="responses: unknown events",
    ),
    pytest.param(
        RESPONSES,
        [{"type": "response.output_text.done", "output_index": 0, "text": t} for t in ("SECRET-", "TOKEN")],
        id="responses: two ends of one text",
    ),
    pytest.param(
        RESPONSES,
        [{"type": "response.function_call_arguments.done", "output_index": 0, "arguments": t} for t in ("1", "2")],
        id="responses: two arguments of one call",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "docs"), CUT)
def test_a_secret_cut_between_events_does_not_pass(name, docs, fake, transcript):
    out = passed(name, docs, fake)
    assert out.endswith(b"!") or any(mark.encode() in out for mark in transcript.SECRETS.values())
    assert b"TOKEN" not in out
    assert b"1111 1111 1111" not in out
    assert out.count(b"1111") < 3


@pytest.mark.parametrize("name", DIALECTS)
def test_what_comes_again_and_again_is_no_secret_cut_in_two(name, fake):
    doc = {
        "type": "x",
        "sources": ["https://example.com/?q=SECRET-TOKEN", "https://example.org/a/long/enough/path", "x"],
    }
    out = passed(name, [doc] * 300, fake)
    assert out.count(b"[masked]") == 300
    assert not out.endswith(b"!")


def test_places_without_end_are_refused_and_not_remembered(fake):
    docs = ({"type": "x", "y": {f"{number}": "z" * 2000}} for number in range(10_000))
    assert passed(CLAUDE, docs, fake).endswith(b"!")


@pytest.mark.parametrize(
    ("name", "doc"),
    [
        pytest.param(
            CHAT, delta({"tool_calls": [{"index": 0, "function": {"arguments": {"card": CARD}}}]}), id="arguments"
        ),
        pytest.param(CHAT, delta({"content": CARD}), id="content"),
        pytest.param(CHAT, delta({"account": CARD}), id="an unknown member"),
        pytest.param(CHAT, {"choices": [], "created": CARD}, id="a time that is none"),
        pytest.param(CHAT, {"choices": [], "x": {"y": float(CARD)}}, id="a float"),
        pytest.param(
            CLAUDE, {"type": "content_block_delta", "index": 0, "delta": {"text": CARD}}, id="claude: a delta"
        ),
        pytest.param(CLAUDE, {"type": "message_delta", "usage": {"input_tokens": CARD}}, id="claude: usage"),
        pytest.param(RESPONSES, {"type": "response.x", "account": CARD}, id="responses: an unknown member"),
        pytest.param(RESPONSES, responses({"x": CARD}, output_index=0), id="responses: a delta"),
    ],
)
def test_numbers_are_masked_where_the_api_does_not_count(name, doc):
    assert b"4111" not in passed(name, [doc], MaskFilter(SHIPPED))
    assert b"4111" not in DIALECTS[name].answer(CALL, MaskFilter(SHIPPED)).document(json.dumps(doc).encode())


KEY = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.mark.parametrize(
    ("name", "doc"),
    [
        pytest.param(CHAT, {"choices": [], "id": KEY}, id="chat: id"),
        pytest.param(CHAT, {"choices": [], "object": KEY}, id="chat: object"),
        pytest.param(CHAT, delta({"role": KEY}), id="chat: role"),
        pytest.param(CHAT, {"error": {"code": KEY, "type": KEY}}, id="chat: an error's code and type"),
        pytest.param(CHAT, {"choices": [], "model": [KEY]}, id="chat: a model that is a list"),
        pytest.param(
            CHAT, delta({"reasoning_details": [{"type": "reasoning.encrypted", "data": KEY}]}), id="chat: encrypted"
        ),
        pytest.param(CHAT, delta({"audio": {"data": f"my key is {KEY}"}}), id="chat: audio"),
        pytest.param(CLAUDE, {"type": KEY}, id="claude: an event's type"),
        pytest.param(
            CLAUDE,
            {"type": "x", "content": [{"type": "image", "source": {"type": "base64", "data": KEY + " "}}]},
            id="claude: an image",
        ),
        pytest.param(CLAUDE, claude("signature", KEY), id="claude: a signature"),
        pytest.param(RESPONSES, {"type": "response.x", "item_id": KEY}, id="responses: an item's id"),
        pytest.param(RESPONSES, responses("x", output_index=0, obfuscation=KEY), id="responses: obfuscation"),
        pytest.param(
            RESPONSES,
            {"type": "response.x", "item": {"type": "image_generation_call", "result": "Z2hwX2FiY2RlZmdoaWprbG1ub3Bxcn"
             "N0dXZ3eHl6MDEyMzQ1Njc4OQ=="}},
            id="responses: a picture that is text",
        ),
    ],
)  # fmt: skip
def test_structure_passes_only_if_it_is_what_its_name_says(name, doc):
    for out in (
        passed(name, [doc], MaskFilter(SHIPPED)),
        DIALECTS[name].answer(CALL, MaskFilter(SHIPPED)).document(json.dumps(doc).encode()),
    ):
        assert b"ghp_" not in out
        assert b"Z2hwX2" not in out


def test_identifiers_and_unreadable_parts_pass_as_they_are():
    sealed = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    doc = {
        "id": "550e8400-e29b-41d4-a716-446655440000",
        "role": "assistant",
        "content": [{"type": "redacted_thinking", "data": sealed}, {"type": "tool_use", "id": "toolu_01A09q90qw90"}],
    }
    answer = DIALECTS[CLAUDE].answer(CALL, MaskFilter(SHIPPED))
    assert json.loads(answer.document(json_body.encode(doc))) == doc
    assert answer.notes == ("uninspected-data",)


def test_keys_that_become_alike_by_masking_all_stay():
    doc = {
        "metadata": {"ada@example.com": 1, "bob@example.com": 2, "[masked:email]": 3},
        "ada@example.com": 4,
        "bob@example.com": 5,
    }
    out = json.loads(DIALECTS[RESPONSES].answer(CALL, MaskFilter(SHIPPED)).document(json_body.encode(doc)))
    assert [*out.values()][1:] == [4, 5]
    assert [*out["metadata"].values()] == [1, 2, 3]
    assert "@" not in json.dumps(out)
    keys = {f"u{number}@example.com": number for number in range(8000)}
    began = time.process_time()
    out = json.loads(
        DIALECTS[RESPONSES].answer(CALL, MaskFilter(SHIPPED)).document(json_body.encode({"metadata": keys}))
    )
    assert [*out["metadata"].values()] == [*keys.values()]
    assert time.process_time() - began < 2


STRUCTURED = {
    "ssn": "536904399",
    "mobile": [{"value": 4155552671}],
    "aws": {"SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
}


@pytest.mark.parametrize(
    ("name", "docs"),
    [
        pytest.param(CHAT, [delta({"x": STRUCTURED})], id="chat: an object"),
        pytest.param(CHAT, [arguments(piece, index=0) for piece in json.dumps(STRUCTURED)], id="chat: arguments"),
        pytest.param(CLAUDE, [claude("partial_json", piece) for piece in json.dumps(STRUCTURED)], id="claude: input"),
        pytest.param(CLAUDE, [{"type": "x", "input": STRUCTURED}], id="claude: an object"),
        pytest.param(RESPONSES, [{"type": "x", "arguments": json.dumps(STRUCTURED)}], id="responses: arguments"),
        pytest.param(RESPONSES, [{"type": "x", "metadata": STRUCTURED}], id="responses: an object"),
        pytest.param(
            RESPONSES, [{"type": "x", "ssn": 536904399, "my_ssn": "536904399"}], id="responses: unknown members"
        ),
    ],
)
def test_a_key_tells_what_its_value_is(name, docs):
    mask = MaskFilter(SHIPPED)
    out = passed(name, docs, mask)
    assert not out.endswith(b"!")
    text = "".join(
        part.get("partial_json", "") if name == CLAUDE else ""
        for part in [json.loads(line[6:]).get("delta", {}) for line in out.split(b"\n") if line.startswith(b"data: ")]
    )
    for secret in ("536904399", "4155552671", "wJalr"):
        assert secret.encode() not in out
        assert secret not in text
    assert sum(mask.counts.values()) in (2, 3)


@pytest.mark.parametrize(
    ("name", "docs"),
    [
        pytest.param(
            CLAUDE,
            [claude("text", "S", index) for index in range(8000)]
            + [{"type": "content_block_stop", "index": index} for index in range(8000)],
            id="claude",
        ),
        pytest.param(
            RESPONSES,
            [responses("S", output_index=index) for index in range(8000)]
            + [{"type": "response.output_text.done", "output_index": index} for index in range(8000)],
            id="responses",
        ),
        pytest.param(
            CHAT,
            [{"choices": [{"index": index % 1000, "delta": {"content": "S"}}]} for index in range(1000)]
            + [{"choices": [{"index": index, "delta": {}, "finish_reason": "stop"}]} for index in range(1000)]
            + [{"error": {"code": "x"}}] * 14_000,
            id="chat",
        ),
        pytest.param(
            CHAT,
            [delta({"tool_calls": [{"index": index, "function": {"arguments": "{"}}]}) for index in range(1000)]
            + [delta({"content": ""}, finish_reason="stop")] * 15_000,
            id="chat: calls",
        ),
    ],
)
def test_many_texts_at_once_cost_no_more_than_few(name, docs, fake):
    """Four times the texts cost about four times as much; looking at each for every other one made it sixteen."""
    eighth, half = len(docs) // 8, len(docs) // 2

    def cost(docs):
        began = time.process_time()
        out = passed(name, docs, fake)
        assert not out.endswith(b"!")
        return time.process_time() - began

    few = min(cost(docs[:eighth] + docs[half : half + eighth]) for _ in range(3))
    assert min(cost(docs) for _ in range(2)) < 10 * few


@pytest.mark.parametrize(
    ("first", "second"),
    [pytest.param("9", str(CARD), id="a digit"), pytest.param("xAKIA", "AKIAIOSFODNN7EXAMPLE", id="a key's beginning")],
)
def test_what_came_before_at_a_place_does_not_spoil_a_match(first, second):
    out = passed(CLAUDE, [{"type": "x", "y": {"z": text}} for text in (first, second)], MaskFilter(SHIPPED))
    assert second.encode() not in out
