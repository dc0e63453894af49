"""Which tokens of which kind an answer tells, in every dialect, streamed and whole: one row for each."""

import json
from base64 import b64encode

import pytest

from extproc.errors import BadRequest
from extproc.exchange import frame_answer, openai_usage, sse
from extproc.exchange.classify import DIALECTS
from extproc.exchange.model import LlmCall, Place, Usage

CHAT = {
    "prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 20},
}  # fmt: skip
RESPONSES = {
    "input_tokens": 100, "output_tokens": 50, "total_tokens": 150,
    "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
    "output_tokens_details": {"reasoning_tokens": 20},
}  # fmt: skip
CLAUDE = {
    "input_tokens": 10, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 30, "output_tokens": 50,
    "output_tokens_details": {"thinking_tokens": 20},
}  # fmt: skip
CONVERSE = {
    "inputTokens": 10, "outputTokens": 50, "totalTokens": 150, "cacheReadInputTokens": 60, "cacheWriteInputTokens": 30,
}  # fmt: skip
GEMINI = {
    "promptTokenCount": 90, "toolUsePromptTokenCount": 10, "cachedContentTokenCount": 60, "candidatesTokenCount": 30,
    "thoughtsTokenCount": 20, "totalTokenCount": 150,
}  # fmt: skip
OLLAMA = {"model": "m", "done": True, "done_reason": "stop", "prompt_eval_count": 100, "eval_count": 50}
COHERE = {
    "tokens": {"input_tokens": 100, "output_tokens": 50}, "billed_units": {"input_tokens": 7, "output_tokens": 3},
    "cached_tokens": 60,
}  # fmt: skip
ALL = Usage(100, 50, 60, 30, 20)
# as Claude streams it: what message_delta tells is the sum so far, and replaces what was told before
CLAUDE_EVENTS = [
    {"type": "message_start", "message": {"model": "m", "usage": {**CLAUDE, "output_tokens": 1}}},
    {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 40}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 50}},
]
EARLY = {"promptTokenCount": 90, "toolUsePromptTokenCount": 10, "thoughtsTokenCount": 20, "cachedContentTokenCount": 60}
GEMINI_EVENTS = [{"usageMetadata": EARLY}, {"usageMetadata": GEMINI}]


def lines(*docs):
    return b"".join(json.dumps(doc).encode() + b"\n" for doc in docs)


def events(*docs):
    return b"".join(sse.encode(doc.get("type", ""), json.dumps(doc).encode()) for doc in docs)


def chunks(*docs):
    return b"".join(
        frame_answer.event("chunk", {"bytes": b64encode(json.dumps(doc).encode()).decode()}) for doc in docs
    )


CHAT_EVENTS = events(
    {"model": "m", "choices": [{"index": 0, "delta": {}}], "usage": None}, {"choices": [], "usage": CHAT}
)
OPENAI = ("openai-chat", "azure-openai-chat", "openai-completions", "azure-openai-completions")
EMBEDDED = {"data": [], "model": "m", "usage": {"prompt_tokens": 100, "total_tokens": 100}}
# dialect, whether streamed, what comes, what is counted
ROWS = [
    *[(name, True, CHAT_EVENTS, ALL) for name in OPENAI],
    *[(name, False, {"model": "m", "choices": [], "usage": CHAT}, ALL) for name in OPENAI],
    *[(name, False, EMBEDDED, Usage(100)) for name in ("openai-embeddings", "azure-openai-embeddings")],
    (
        "openai-responses",
        True,
        events(
            {"type": "response.created", "response": {"model": "m", "usage": None}},
            {"type": "response.completed", "response": {"object": "response", "usage": RESPONSES}},
        ),
        ALL,
    ),
    ("openai-responses", False, {"object": "response", "status": "completed", "usage": RESPONSES}, ALL),
    *[(name, True, events(*CLAUDE_EVENTS), ALL) for name in ("anthropic-messages", "vertex-claude")],
    ("bedrock-invoke", True, chunks(*CLAUDE_EVENTS), ALL),
    *[
        (name, False, {"type": "message", "usage": CLAUDE}, ALL)
        for name in ("anthropic-messages", "vertex-claude", "bedrock-invoke")
    ],
    ("bedrock-converse", True, frame_answer.event("metadata", {"usage": CONVERSE}), Usage(100, 50, 60, 30)),
    ("bedrock-converse", False, {"output": {}, "usage": CONVERSE}, Usage(100, 50, 60, 30)),
    *[(name, True, events(*GEMINI_EVENTS), Usage(100, 50, 60, None, 20)) for name in ("gemini", "vertex-gemini")],
    *[(name, False, GEMINI_EVENTS[1], Usage(100, 50, 60, None, 20)) for name in ("gemini", "vertex-gemini")],
    ("cohere-chat", True, events({"type": "message-end", "delta": {"usage": COHERE}}), Usage(100, 50, 60)),
    ("cohere-chat", False, {"message": {}, "usage": COHERE}, Usage(100, 50, 60)),
    ("ollama", True, lines({"model": "m", "message": {"content": "x"}, "done": False}, OLLAMA), Usage(100, 50)),
    ("ollama", False, OLLAMA, Usage(100, 50)),
]
IDS = [f"{name}, {'streamed' if streamed else 'whole'}" for name, streamed, _, _ in ROWS]


@pytest.mark.parametrize("hide", [False, True], ids=["shown", "hidden"])
@pytest.mark.parametrize(("name", "streamed", "answer", "expected"), ROWS, ids=IDS)
@pytest.mark.promise("accounting.every-api")
def test_every_kind_of_token_is_counted(name, streamed, answer, expected, hide, fake):
    call = LlmCall(name, "chat", "m", streamed, hide_usage=hide)
    for mask in (None, fake):
        reader = DIALECTS[name].answer(call, mask)
        if streamed:
            reader.feed(answer)
            reader.finish()
        else:
            out = json.loads(reader.document(json.dumps(answer).encode()))
            assert out == answer, "whole answers show their usage to everybody"
        assert reader.usage == expected


def test_every_dialect_has_its_rows():
    streamed = {name for name, stream, _, _ in ROWS if stream}
    assert {name for name, stream, _, _ in ROWS if not stream} == set(DIALECTS)
    assert streamed == set(DIALECTS) - {"openai-embeddings", "azure-openai-embeddings"}


def test_thoughts_that_are_told_early_stay_counted():
    reader = DIALECTS["gemini"].answer(LlmCall("gemini", "chat", "m", True), None)
    later = {"promptTokenCount": 100, "candidatesTokenCount": 30}
    reader.feed(events({"usageMetadata": EARLY}, {"usageMetadata": later}))
    assert (reader.usage.output_tokens, reader.usage.reasoning_tokens) == (50, 20)


def body(name, **more):
    start = {"prompt": "hi"} if "completions" in name else {"messages": []}
    return {"model": "m", **start, **more}


@pytest.mark.parametrize("name", OPENAI)
@pytest.mark.parametrize(
    ("sent", "hides", "upstream"),
    [
        pytest.param({"stream": True}, True, {"include_usage": True}, id="not a word"),
        pytest.param({"stream": True, "stream_options": None}, True, {"include_usage": True}, id="null"),
        pytest.param(
            {"stream": True, "stream_options": {"include_obfuscation": False, "include_usage": False}},
            True,
            {"include_obfuscation": False, "include_usage": True},
            id="no, and another option",
        ),
        pytest.param(
            {"stream": True, "stream_options": {"include_usage": True}}, False, {"include_usage": True}, id="yes"
        ),
        pytest.param({}, False, None, id="no stream"),
        pytest.param({"stream": False}, False, None, id="stream refused"),
    ],
)
@pytest.mark.promise("accounting.asked")
def test_usage_is_asked_for_where_the_client_did_not(name, sent, hides, upstream):
    doc = body(name, **sent)
    before = json.dumps(doc)
    call = DIALECTS[name].read("chat", doc, Place("m"))
    assert call.hide_usage is hides
    assert json.loads(DIALECTS[name].write(call, "u")).get("stream_options") == upstream
    assert json.dumps(doc) == before, "the judged document stays the client's"


def test_a_server_that_refuses_the_option_is_not_asked():
    doc = body("openai-chat", stream=True)
    call = LlmCall("openai-chat", "chat", "m", True, doc=doc, hide_usage=False)
    assert "stream_options" not in json.loads(DIALECTS["openai-chat"].write(call, "m"))


@pytest.mark.parametrize(
    ("chunk", "only_usage"),
    [
        pytest.param({"choices": [], "usage": CHAT}, True, id="the last chunk of OpenAI's"),
        pytest.param({"usage": CHAT}, True, id="no choices at all"),
        pytest.param({"choices": [{"index": 0}], "usage": CHAT}, False, id="usage beside text"),
        pytest.param({"choices": [], "usage": None}, False, id="no usage"),
        pytest.param({"choices": [], "prompt_filter_results": [{}], "usage": CHAT}, False, id="Azure's filters"),
        pytest.param({"error": {"message": "x"}, "usage": CHAT}, False, id="an error"),
    ],
)
def test_only_chunks_that_tell_nothing_else_are_left_out(chunk, only_usage):
    chunk = dict(chunk)
    assert openai_usage.take(chunk) is only_usage
    assert "usage" not in chunk


def test_an_event_beyond_the_cap_passes_with_all_that_follows(monkeypatch):
    monkeypatch.setattr(sse, "MAX_EVENT", 100)
    reader = DIALECTS["openai-chat"].answer(LlmCall("openai-chat", "chat", "m", True, hide_usage=True), None)
    raw = [CHAT_EVENTS, b": x\n\ndata: " + b"x" * 80, b"y" * 80 + b"\r", b"\n\r\n", CHAT_EVENTS]
    out = [reader.feed(chunk) for chunk in raw] + [reader.finish()]
    assert b"usage" not in out[0]
    assert b"".join(out[1:]) == b"".join(raw[1:])
    assert reader.notes == ("usage-unread",)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"stream_options": "include_usage"}, id="no object"),
        pytest.param({"stream_options": {"include_usage": 0}}, id="no boolean"),
        pytest.param({"stream_options": {"Include_Usage": False}}, id="another spelling"),
        pytest.param({"Stream_Options": {}}, id="another spelling of the options"),
    ],
)
def test_options_that_a_server_could_read_otherwise_are_refused(options):
    with pytest.raises(BadRequest):
        DIALECTS["openai-chat"].read("chat", body("openai-chat", stream=True, **options))
