"""Bedrock Converse and InvokeModel: golden event streams, requests, refusals; frames by botocore's own reader."""

import importlib.util
import json
from pathlib import Path

import pytest

from extproc.errors import BadRequest, Uninspectable
from extproc.exchange import bedrock_converse, bedrock_invoke, bedrock_path, eventstream, json_body
from extproc.exchange.model import Place
from extproc.exchange.refusal import Reason, Refusal

GOLDEN = Path(__file__).parents[2] / "golden"
CONVERSE, INVOKE = bedrock_converse.DIALECT, bedrock_invoke.DIALECT
BOTH = pytest.mark.parametrize("dialect", [CONVERSE, INVOKE], ids=lambda dialect: dialect.name)
CASES = [(dialect, case) for dialect in (CONVERSE, INVOKE) for case in sorted((GOLDEN / dialect.name).iterdir())]
STREAMS = [pytest.param(d, c, id=f"{d.name}: {c.name}") for d, c in CASES if (c / "answer.jsonl").exists()]
DOCUMENTS = [pytest.param(d, c, id=f"{d.name}: {c.name}") for d, c in CASES if (c / "answer.json").exists()]

_spec = importlib.util.spec_from_file_location("bedrock_frames", GOLDEN / "frames.py")
frames = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(frames)


def begin(dialect, case, mask):
    doc = json_body.decode((case / "request.json").read_bytes())
    return dialect.answer(dialect.read("chat", doc, Place("m", stream=True)), mask)


def raw_stream(dialect, case):
    return frames.write((case / "answer.jsonl").read_text(), chunks=dialect is INVOKE)


@pytest.mark.parametrize(("dialect", "case"), STREAMS)
def test_a_masked_stream_is_the_same_for_every_cut(dialect, case, transcript):
    raw, expected = raw_stream(dialect, case), (case / "expected.jsonl").read_text()
    whole = transcript.run(begin(dialect, case, transcript.FakeFilter()), [raw])
    assert frames.read(whole, chunks=dialect is INVOKE) == expected
    for cut in range(0, len(raw) + 1, 1 + len(raw) // 1500):
        assert transcript.run(begin(dialect, case, transcript.FakeFilter()), [raw[:cut], raw[cut:]]) == whole
    single = [raw[i : i + 1] for i in range(len(raw))]
    assert transcript.run(begin(dialect, case, transcript.FakeFilter()), single) == whole
    assert not any(secret in expected for secret in transcript.SECRETS)


@pytest.mark.parametrize(("dialect", "case"), STREAMS)
def test_without_a_mask_the_very_bytes_pass(dialect, case):
    raw = raw_stream(dialect, case)
    answer = begin(dialect, case, None)
    chunks = [raw[i : i + 97] for i in range(0, len(raw), 97)]
    assert all(answer.feed(chunk) is chunk for chunk in chunks)
    assert answer.finish() == b""


@pytest.mark.parametrize(("dialect", "case"), DOCUMENTS)
def test_a_masked_document(dialect, case, transcript):
    raw, expected = (case / "answer.json").read_bytes(), (case / "expected.json").read_bytes()
    assert begin(dialect, case, transcript.FakeFilter()).document(raw) == expected
    assert not any(secret.encode() in expected for secret in transcript.SECRETS)
    assert begin(dialect, case, None).document(raw) is raw


@pytest.mark.parametrize(("dialect", "case"), STREAMS + DOCUMENTS)
def test_what_the_audit_learns_is_the_same_with_and_without_a_mask(dialect, case, transcript):
    facts = json.loads((case / "facts.json").read_bytes())
    for mask in (None, transcript.FakeFilter()):
        answer = begin(dialect, case, mask)
        if (case / "answer.jsonl").exists():
            transcript.run(answer, [raw_stream(dialect, case)])
        else:
            answer.document((case / "answer.json").read_bytes())
        learned = {"model": answer.model, "finish_reasons": list(answer.finish_reasons)}
        usage = {name: getattr(answer.usage, name) for name in facts["usage"]}
        assert {**learned, "usage": usage} == {key: facts[key] for key in ("model", "finish_reasons", "usage")}
        assert list(answer.notes) == (facts["notes"] if mask else [])


@pytest.mark.parametrize(("dialect", "case"), STREAMS + DOCUMENTS)
def test_the_request_names_its_tools(dialect, case):
    call = dialect.read("chat", json_body.decode((case / "request.json").read_bytes()), Place("m"))
    facts = json.loads((case / "facts.json").read_bytes())
    assert [list(call.tools), list(call.server_tools)] == [facts["tools"], facts["server_tools"]]


def message(payload, headers=None, kind="event"):
    return eventstream.encode({":message-type": kind, ":event-type": "chunk", **(headers or {})}, payload)


@BOTH
@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"data: {}\n\ndata: {}", id="SSE"),
        pytest.param(message(b"SECRET-TOKEN"), id="a payload that is no JSON"),
        pytest.param(message(b"[1]"), id="a payload that is no object"),
        pytest.param(message(b"{}", kind="other"), id="a message type nobody knows"),
        pytest.param(message(b"{}")[:-1] + b"\x00", id="a wrong checksum"),
    ],
)
def test_what_cannot_be_read_ends_a_masked_stream_for_good(dialect, raw, fake):
    answer = dialect.answer(None, fake)
    with pytest.raises(Uninspectable) as caught:
        answer.feed(raw)
    assert "SECRET" not in caught.value.message
    with pytest.raises(Uninspectable):
        answer.feed(message(b"{}"))
    assert answer.finish() == b""
    assert dialect.answer(None, None).feed(raw) is raw


@pytest.mark.parametrize("payload", [b'{"bytes":1}', b'{"bytes":"?"}', b'{"bytes":"W10="}', b'{"bytes":"eA=="}'])
def test_a_chunk_that_carries_no_event_ends_a_masked_stream(payload, fake):
    with pytest.raises(Uninspectable):
        INVOKE.answer(None, fake).feed(message(payload))


@BOTH
def test_a_message_that_broke_off_is_dropped_with_a_note(dialect, fake):
    answer = dialect.answer(None, fake)
    assert answer.feed(message(b'{"a":"SECRET-TOKEN"}')[:-3]) == b""
    assert answer.finish() == b""
    assert answer.notes == ("unfinished-event-dropped",)


@BOTH
def test_headers_nobody_defined_do_not_pass_a_mask(dialect, fake):
    answer = dialect.answer(None, fake)
    out = answer.feed(message(b"", {"x-note": "SECRET-TOKEN"}, kind="exception"))
    assert b"SECRET" not in out
    assert b"x-note" not in out
    assert answer.notes == ("headers-dropped",)


@BOTH
def test_an_event_without_payload_passes(dialect, fake):
    raw = eventstream.encode({":message-type": "event", ":event-type": "initial-response"}, b"")
    assert dialect.answer(None, fake).feed(raw) == raw


@pytest.mark.parametrize(
    ("dialect", "name", "start", "more"),
    [
        (CONVERSE, "contentBlockDelta", {"delta": {"text": "SECRET-"}}, {"delta": {"text": "TOKEN"}}),
        (
            CONVERSE,
            "contentBlockDelta",
            {"delta": {"toolResult": [{"text": "SECRET-"}]}},
            {"delta": {"toolResult": [{"text": "TOKEN"}]}},
        ),
    ],
)
def test_text_after_its_end_is_not_passed(dialect, name, start, more, fake):
    answer = dialect.answer(None, fake)
    for event, doc in [(name, start), ("contentBlockStop", {"contentBlockIndex": 0})]:
        answer.feed(message(json_body.encode(doc), {":event-type": event}))
    with pytest.raises(Uninspectable):
        answer.feed(message(json_body.encode(more), {":event-type": name}))


@pytest.mark.parametrize("delta", [5, None, {"SECRET-TOKEN": 1}])
def test_a_delta_that_cannot_be_masked_is_not_passed(delta, fake):
    doc = {"contentBlockIndex": 0, "delta": delta}
    with pytest.raises(Uninspectable):
        CONVERSE.answer(None, fake).feed(message(json_body.encode(doc), {":event-type": "contentBlockDelta"}))


@pytest.mark.parametrize(
    ("doc", "tools", "served"),
    [
        pytest.param(
            {"messages": [{"role": "system", "content": [{"toolAddition": {"tool": {"name": "a"}}}]}]},
            ("a",),
            (),
            id="a tool added inside a message",
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"toolAddition": {"tool": {"name": "a", "serverName": "x"}}}]}]},
            (),
            ("mcp:x",),
            id="an MCP server's tool added inside a message",
        ),
        pytest.param(
            {
                "additionalModelRequestFields": {
                    "tools": [{"type": "computer_20250124", "name": "c"}, {"type": "web_search_20250305"}],
                    "mcp_servers": [{"name": "y"}],
                    "top_k": 5,
                }
            },
            ("computer",),
            ("web_search", "mcp:y"),
            id="Claude's own tools among the additional fields",
        ),
        pytest.param({"toolConfig": None, "messages": None}, (), (), id="null is absent"),
    ],
)
def test_tools_are_found_wherever_they_hide_in_converse(doc, tools, served):
    call = CONVERSE.read("chat", doc, Place("m"))
    assert (call.tools, call.server_tools) == (tools, served)


def test_a_stored_prompt_in_place_of_a_model_is_a_server_tool():
    call = CONVERSE.read("chat", {}, Place("arn:aws:bedrock:eu-west-1:123456789012:prompt/ABCDEFGHIJ:1"))
    assert call.server_tools == ("prompt",)


def test_of_all_limits_on_output_the_largest_counts():
    doc = {"inferenceConfig": {"maxTokens": 5}, "additionalModelRequestFields": {"max_tokens": 9}}
    assert CONVERSE.read("chat", doc, Place("m")).max_tokens == 9
    assert CONVERSE.read("chat", {}, Place("m")).max_tokens is None


@pytest.mark.parametrize(
    ("dialect", "doc", "field"),
    [
        (CONVERSE, {"toolConfig": []}, "toolConfig"),
        (CONVERSE, {"toolConfig": {"tools": {}}}, "toolConfig.tools"),
        (CONVERSE, {"toolConfig": {"tools": [{"toolSpec": {}}]}}, "toolConfig.tools[0].toolSpec.name"),
        (CONVERSE, {"toolConfig": {"tools": [{"future": {}}]}}, "toolConfig.tools[0]"),
        (CONVERSE, {"messages": "x"}, "messages"),
        (CONVERSE, {"messages": [{"content": [{"toolAddition": {}}]}]}, "toolAddition.tool"),
        (CONVERSE, {"inferenceConfig": {"maxTokens": "9"}}, "maxTokens"),
        (CONVERSE, {"additionalModelRequestFields": {"messages": []}}, "additionalModelRequestFields.messages"),
        (CONVERSE, {"additionalModelRequestFields": {"tools": "x"}}, "additionalModelRequestFields.tools"),
        (INVOKE, {}, "anthropic_version"),
        (INVOKE, {"anthropic_version": "v", "model": "other"}, "model"),
        (INVOKE, {"anthropic_version": "v", "stream": True}, "stream"),
        (INVOKE, {"anthropic_version": "v", "tools": [5]}, "tools"),
        (INVOKE, {"anthropic_version": "v", "max_tokens": -1}, "max_tokens"),
    ],
)
def test_a_request_that_cannot_be_judged_is_refused_by_field(dialect, doc, field):
    with pytest.raises(BadRequest) as caught:
        dialect.read("chat", doc, Place("m"))
    assert caught.value.reason == "body-shape"
    assert field in caught.value.message


@BOTH
def test_what_is_written_is_what_was_judged_and_the_model_stands_in_the_path(dialect):
    body = b'{"anthropic_version":"v","new":{"a":12345678901234567890123}}'
    call = dialect.read("chat", json_body.decode(body), Place("alias", stream=True))
    assert (call.model, call.stream, call.dialect, call.operation) == ("alias", True, dialect.name, "chat")
    assert dialect.write(call, "real") == body
    stream, plain = dialect.path(call, "eu.x.y-v1:0"), dialect.path(dialect.read("chat", call.doc, Place("m")), "a/b")
    ends = ("converse-stream", "converse") if dialect is CONVERSE else ("invoke-with-response-stream", "invoke")
    assert (stream, plain) == (f"/model/eu.x.y-v1%3A0/{ends[0]}", f"/model/a%2Fb/{ends[1]}")


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/model/m/converse", "m"),
        ("/model/anthropic.claude-x-v1:0/converse", "anthropic.claude-x-v1:0"),
        ("/model/anthropic.claude-x-v1%3A0/converse", "anthropic.claude-x-v1:0"),
        ("/model/arn%3aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Feu.x/converse",
         "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.x"),
    ],
)  # fmt: skip
def test_a_models_id_is_decoded_once_and_encoded_in_one_way(path, model):
    assert bedrock_path.decode(path) == (model, "converse")
    again = bedrock_path.encode(model, "converse")
    assert bedrock_path.decode(again) == (model, "converse")


@pytest.mark.parametrize(
    "path",
    ["/model//converse", "/model/converse", "/model/a/b/converse", "/model/%2e%2e/converse", "/model/../converse",
     "/model/a%2F..%2Fb/converse", "/model/a%2F%2Fb/converse", "/model/%2Fa/converse", "/model/a%252Fb/converse",
     "/model/a%/converse", "/model/a%2/converse", "/model/a%zz/converse", "/model/a%00/converse", "/model/a b/converse",
     "/model/a%20b/converse", "/model/%C3%A9/converse", "/model/a;b/converse", "/model/a%3Fb/converse", "x/model/a/b",
     "/Model/a/converse", "/model/" + "a" * 257 + "/converse"],
)  # fmt: skip
def test_an_id_that_two_readers_may_read_in_two_ways_is_none(path):
    assert bedrock_path.decode(path) is None


@BOTH
@pytest.mark.parametrize(
    ("reason", "status", "kind", "retried"),
    [
        (Reason.TOKEN_MISSING, 401, "UnrecognizedClientException", False),
        (Reason.MODEL_NOT_ALLOWED, 403, "AccessDeniedException", False),
        (Reason.MODEL_UNKNOWN, 404, "ResourceNotFoundException", False),
        (Reason.BODY_SHAPE, 400, "ValidationException", False),
        (Reason.BODY_TOO_LARGE, 413, "ValidationException", False),
        (Reason.INTERNAL_ERROR, 500, "InternalServerException", True),
        (Reason.ANSWER_UNREADABLE, 502, "ServiceUnavailableException", True),
        (Reason.NOT_READY, 503, "ServiceUnavailableException", True),
    ],
)
def test_a_refusal_is_an_error_of_awss(dialect, reason, status, kind, retried):
    refusal = Refusal.of(reason, "ex-1", headers=(("retry-after", "5"),))
    rendered = dialect.refusal(refusal)
    headers = dict(rendered.headers)
    assert (rendered.status, headers["x-amzn-errortype"], headers["x-amzn-requestid"]) == (status, kind, "ex-1")
    assert ("x-should-retry" not in headers, headers["retry-after"]) == (retried, "5")
    assert json.loads(rendered.body) == {"message": refusal.text}
