"""Golden transcripts: what comes back in each dialect, for every way of cutting it, with and without a mask."""

import json
from pathlib import Path

import pytest

from extproc.errors import Uninspectable
from extproc.exchange import json_body
from extproc.exchange.classify import DIALECTS
from extproc.exchange.model import LlmCall, Place

CALL = LlmCall("", "chat", "m")  # of which readers want nothing here

GOLDEN = Path(__file__).parents[2] / "golden"
# what another dialect's transcripts show already: the same class at another path
SAME = {
    "azure-openai-chat",
    "azure-openai-completions",
    "azure-openai-embeddings",
    "vertex-gemini",
    "vertex-claude",
}
WHOLE_ONLY = {"openai-embeddings"}
FRAMED = {"bedrock-converse", "bedrock-invoke", "ollama"}  # streams that are not server-sent: see their own tests
SSE = [name for name in DIALECTS if name not in FRAMED]
CASES = sorted(case for name in set(SSE) - SAME for case in (GOLDEN / name).iterdir())
STREAMS = [
    pytest.param(case, id=f"{case.parent.name}: {case.name}") for case in CASES if (case / "answer.sse").exists()
]
DOCUMENTS = [
    pytest.param(case, id=f"{case.parent.name}: {case.name}") for case in CASES if (case / "answer.json").exists()
]
EVERY = STREAMS + DOCUMENTS


def begin(case, mask):
    dialect = DIALECTS[case.parent.name]
    return dialect.answer(asked(case), mask)


def asked(case):
    doc = json_body.decode((case / "request.json").read_bytes())
    return DIALECTS[case.parent.name].read("chat", doc, Place("m", True))


def learned(answer):
    usage = answer.usage
    names = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
    return {
        "model": answer.model,
        "finish_reasons": list(answer.finish_reasons),
        "usage": {name: getattr(usage, name) for name in names},
    }


def test_there_are_transcripts_for_every_dialect():
    assert {case.values[0].parent.name for case in STREAMS} == set(SSE) - SAME - WHOLE_ONLY
    assert {case.values[0].parent.name for case in DOCUMENTS} == set(SSE) - SAME


@pytest.mark.parametrize("case", STREAMS)
def test_a_masked_stream_is_the_same_for_every_cut_and_shows_each_channel_masked(case, transcript):
    raw, expected = (case / "answer.sse").read_bytes(), (case / "expected.sse").read_bytes()
    for cut in range(0, len(raw) + 1, 1 + len(raw) // 1500):
        assert transcript.run(begin(case, transcript.FakeFilter()), [raw[:cut], raw[cut:]]) == expected
    single = [raw[i : i + 1] for i in range(len(raw))]
    assert transcript.run(begin(case, transcript.FakeFilter()), single) == expected
    # a client that completes the last event itself sees nothing else
    transcript.same_view(case.parent.name, expected, raw + b"\n\n")
    assert not any(secret.encode() in expected for secret in transcript.SECRETS)


@pytest.mark.parametrize("case", EVERY)
def test_what_the_audit_learns_is_the_same_with_and_without_a_mask(case, transcript):
    facts = json.loads((case / "facts.json").read_bytes())
    for mask in (None, transcript.FakeFilter()):
        answer = begin(case, mask)
        if (case / "answer.sse").exists():
            transcript.run(answer, [(case / "answer.sse").read_bytes()])
        else:
            answer.document((case / "answer.json").read_bytes())
        assert learned(answer) == {key: facts[key] for key in ("model", "finish_reasons", "usage")}
        assert list(answer.notes) == (facts["notes"] if mask else [])


@pytest.mark.parametrize("case", EVERY)
def test_the_request_names_its_tools(case):
    call = asked(case)
    facts = json.loads((case / "facts.json").read_bytes())
    assert [list(call.tools), list(call.server_tools)] == [facts["tools"], facts["server_tools"]]


@pytest.mark.parametrize("case", STREAMS)
def test_without_a_mask_the_very_bytes_pass(case):
    raw = (case / "answer.sse").read_bytes()
    answer = begin(case, None)
    chunks = [raw[i : i + 97] for i in range(0, len(raw), 97)]
    assert all(answer.feed(chunk) is chunk for chunk in chunks)
    assert answer.finish() == b""


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_masked_document(case, transcript):
    raw, expected = (case / "answer.json").read_bytes(), (case / "expected.json").read_bytes()
    assert begin(case, transcript.FakeFilter()).document(raw) == expected
    assert not any(secret.encode() in expected for secret in transcript.SECRETS)
    assert begin(case, None).document(raw) is raw


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize(
    "body",
    [b"<html>SECRET-TOKEN", b"[1]", b'"SECRET-TOKEN"', b"{", b'{"a":' * 5000],
    ids=["HTML", "[]", '""', "{", "deep"],
)
def test_a_document_that_is_no_object_does_not_pass_a_mask(name, body, fake):
    answer = DIALECTS[name].answer(CALL, fake)
    with pytest.raises(Uninspectable) as caught:
        answer.document(body)
    assert "SECRET" not in caught.value.message
    assert DIALECTS[name].answer(CALL, None).document(body) is body


@pytest.mark.parametrize("name", DIALECTS)
def test_an_empty_document_passes(name, fake):
    assert DIALECTS[name].answer(CALL, fake).document(b"") == b""


@pytest.mark.parametrize("name", SSE)
@pytest.mark.parametrize(
    "data",
    [b"SECRET-TOKEN", b"[1]", b"null", b"{", b'{"a":NaN}', b'{"a":"\xff"}'],
    ids=["text", "[]", "null", "{", "NaN", "?"],
)
def test_an_event_that_cannot_be_read_ends_a_masked_stream_for_good(name, data, fake):
    answer = DIALECTS[name].answer(CALL, fake)
    with pytest.raises(Uninspectable):
        answer.feed(b"data: " + data + b"\n\n")
    with pytest.raises(Uninspectable):
        answer.feed(b"data: {}\n\n")
    assert answer.finish() == b""
    unmasked = DIALECTS[name].answer(CALL, None)
    assert unmasked.feed(b"data: " + data + b"\n\n") == b"data: " + data + b"\n\n"


@pytest.mark.parametrize("name", SSE)
def test_an_unreadable_rest_of_a_stream_is_dropped_with_a_note(name, fake):
    answer = DIALECTS[name].answer(CALL, fake)
    assert answer.feed(b'data: {"a":"SECRET-TO') == b""
    assert answer.finish() == b""
    assert answer.notes == ("unfinished-event-dropped",)


@pytest.mark.parametrize("name", SSE)
def test_comments_and_blocks_without_data_carry_no_text(name, fake):
    answer = DIALECTS[name].answer(CALL, fake)
    assert answer.feed(b": SECRET-TOKEN\n") == b":\n\n"
    assert answer.feed(b"event: SECRET-TOKEN\nid: SECRET-TOKEN\n\ndata:\n\n") == b""


@pytest.mark.parametrize("name", SSE)
def test_an_unknown_event_is_masked_to_its_last_key(name, fake):
    doc = {
        "type": "new",
        "new": {"id": "SECRET-TOKEN", "SECRET-TOKEN": [4111111111111111]},
        "SECRET-TOKEN": 1,
        "x": "SECRET-TOKEN",
    }
    out = DIALECTS[name].answer(CALL, fake).feed(b"event: new\ndata: " + json_body.encode(doc) + b"\n\n")
    assert b"SECRET" not in out
    assert b"4111" not in out


@pytest.mark.parametrize(
    ("name", "first", "late"),
    [
        (
            "openai-chat",
            {"choices": [{"index": 0, "delta": {"content": "SECRET-"}, "finish_reason": "stop"}]},
            {"choices": [{"index": 0, "delta": {"content": "TOKEN"}}]},
        ),
        (
            "openai-responses",
            [
                {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "SECRET-"},
                {"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "SECRET-"},
            ],
            {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "TOKEN"},
        ),
        (
            "anthropic-messages",
            [
                {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "SECRET-"}},
                {"type": "content_block_stop", "index": 0},
            ],
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "TOKEN"}},
        ),
    ],
)
def test_text_after_its_end_is_not_passed(name, first, late, fake):
    answer = DIALECTS[name].answer(CALL, fake)
    for doc in first if isinstance(first, list) else [first]:
        answer.feed(b"data: " + json_body.encode(doc) + b"\n\n")
    with pytest.raises(Uninspectable):
        answer.feed(b"data: " + json_body.encode(late) + b"\n\n")


def test_halves_of_a_character_in_two_deltas_are_joined_before_they_are_masked(transcript):
    raw = b"".join(
        b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % piece for piece in (b"a\\ud83d", b"\\udd11b")
    )
    out = transcript.run(DIALECTS["openai-chat"].answer(CALL, transcript.FakeFilter()), [raw])
    assert transcript.view("openai-chat", out) == {(0, "content"): "a[key]b"}


def test_a_tool_name_in_pieces_is_masked_as_a_whole_or_refused(fake):
    def chunk(name):
        call = {"index": 0, "function": {"name": name}}
        return b"data: " + json_body.encode({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}) + b"\n\n"

    answer = DIALECTS["openai-chat"].answer(CALL, fake)
    assert b'"name":"get_"' in answer.feed(chunk("get_"))
    assert b'"name":"weather [masked]"' in answer.feed(chunk("weather SECRET-TOKEN"))
    answer = DIALECTS["openai-chat"].answer(CALL, fake)
    answer.feed(chunk("SECRET-"))
    with pytest.raises(Uninspectable):
        answer.feed(chunk("TOKEN"))


def test_an_oversized_event_only_stops_the_reading_when_nothing_is_masked():
    answer = DIALECTS["openai-chat"].answer(CALL, None)
    piece = b"x" * (1 << 20)
    assert all(answer.feed(piece) is piece for _ in range(18))
    assert answer.notes == ("usage-unread",)


def test_parts_of_content_and_nested_thinking_are_channels(transcript):
    def chunk(delta):
        return b"data: " + json_body.encode({"choices": [{"index": 0, "delta": delta}]}) + b"\n\n"

    def think(text):
        return chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]})

    raw = think("a SECRET-") + think("TOKEN b SEC") + chunk({"content": [{"type": "text", "text": "SECRET-"}]})
    raw += chunk({"content": [{"type": "text", "text": "TOKEN SE"}]})
    out = transcript.run(DIALECTS["openai-chat"].answer(CALL, transcript.FakeFilter()), [raw])
    parts = [part for _, doc in transcript.events(out) for part in doc["choices"][0]["delta"].get("content", [])]
    assert "".join(part["thinking"][0]["text"] for part in parts if part["type"] == "thinking") == "a [masked] b SEC"
    assert "".join(part["text"] for part in parts if part["type"] == "text") == "[masked] SE"


def test_text_that_a_block_or_part_starts_with_belongs_to_its_channel(fake):
    answer = DIALECTS["openai-responses"].answer(CALL, fake)
    part = {"type": "output_text", "text": "SECRET-", "annotations": []}
    where = {"item_id": "m", "output_index": 0, "content_index": 0}
    events = [
        {"type": "response.content_part.added", **where, "part": part, "sequence_number": 0},
        {"type": "response.output_text.delta", **where, "delta": "TOKEN S", "sequence_number": 1},
        {
            "type": "response.content_part.done",
            **where,
            "part": {**part, "text": "SECRET-TOKEN S"},
            "sequence_number": 2,
        },
    ]
    out = b"".join(answer.feed(b"data: " + json_body.encode(event) + b"\n\n") for event in events)
    docs = [json.loads(line[6:]) for line in out.split(b"\n") if line.startswith(b"data: ")]
    assert [doc.get("delta", doc.get("part", {}).get("text")) for doc in docs] == ["", "[masked] ", "S", "[masked] S"]
    assert [doc["sequence_number"] for doc in docs] == [0, 1, 2, 3]


def test_a_signature_comes_after_all_of_the_text_it_signs(transcript):
    def delta(kind, field, text):
        doc = {"type": "content_block_delta", "index": 0, "delta": {"type": kind, field: text}}
        return b"data: " + json_body.encode(doc) + b"\n\n"

    raw = delta("thinking_delta", "thinking", "hm SECRET") + delta("signature_delta", "signature", "U0VD")
    answer = DIALECTS["anthropic-messages"].answer(CALL, transcript.FakeFilter())
    deltas = [doc["delta"] for _, doc in transcript.events(transcript.run(answer, [raw]))]
    assert [d.get("thinking", d.get("signature")) for d in deltas] == ["hm ", "SECRET", "U0VD"]
    assert answer.notes == ("uninspected-signature",)


@pytest.mark.parametrize("choices", [{"x": "SECRET-TOKEN"}, "SECRET-TOKEN", {"choices": [{"text": "SECRET-TOKEN"}]}])
def test_choices_that_are_no_list_are_masked_like_anything_unknown(choices, fake):
    out = DIALECTS["openai-chat"].answer(CALL, fake).feed(b"data: " + json_body.encode({"choices": choices}) + b"\n\n")
    assert b"[masked]" in out
    assert b"SECRET" not in out


def test_usage_is_read_however_the_upstream_writes_its_json():
    raw = b'data: {"model": "m", "choices": []}\n\ndata: {"choices": [], "usage": {"prompt_tokens": 3}}\n\n'
    answer = DIALECTS["openai-chat"].answer(CALL, None)
    answer.feed(raw)
    assert answer.usage.input_tokens == 3


def test_an_event_name_that_is_not_the_type_is_text(fake):
    assert b"SECRET" not in DIALECTS["openai-chat"].answer(CALL, fake).feed(b"event: SECRET-TOKEN\ndata: {}\n\n")
