"""Bedrock behind OpenAI's and Anthropic's unchanged SDKs. Bodies are checked with botocore's own validator."""

import importlib.util
import json
from base64 import b64decode
from pathlib import Path

import anthropic
import botocore.session
import httpx2
import openai
import pytest
from botocore.validate import ParamValidator

from extproc.errors import BadRequest, Uninspectable
from extproc.exchange import json_body
from extproc.exchange.classify import DIALECTS
from extproc.exchange.model import LlmCall, Place
from extproc.exchange.translation.registry import TRANSLATIONS

GOLDEN = Path(__file__).parents[3] / "golden"
CHAT, RESPONSES, CLAUDE = "openai-chat", "openai-responses", "anthropic-messages"
CONVERSE, INVOKE = "bedrock-converse", "bedrock-invoke"
PAIRS = [(CHAT, CONVERSE), (CLAUDE, CONVERSE), (RESPONSES, CONVERSE), (CLAUDE, INVOKE)]
CASES = [
    pytest.param(pair, case, id=f"{case.parent.name}: {case.name}")
    for pair in PAIRS
    for case in sorted((GOLDEN / "translation" / "-to-".join(pair)).iterdir())
]
STREAMS = [case for case in CASES if (case.values[1] / "answer.jsonl").exists()]
SHAPE = botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("Converse").input_shape

_spec = importlib.util.spec_from_file_location("translation_frames", GOLDEN / "frames.py")
frames = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(frames)


def strict(doc):
    """Fails unless boto3 would let its user send `doc`, member by member."""
    report = ParamValidator().validate({**json.loads(json.dumps(doc)), "modelId": "m"}, SHAPE)
    assert not report.has_errors(), report.generate_report()


def call_of(pair, case):
    return DIALECTS[pair[0]].read("chat", json.loads((case / "request.json").read_text()))


@pytest.mark.parametrize(("pair", "case"), [case for case in CASES if case.values[0][1] == CONVERSE])
def test_boto3_would_send_every_body(pair, case):
    call = call_of(pair, case)
    translated = TRANSLATIONS[pair].request(call, "anthropic.claude-x")
    strict(translated.doc)
    judged = DIALECTS[CONVERSE].read("chat", translated.doc, Place(translated.model, translated.stream))
    assert judged.tools == tuple(tool["toolSpec"]["name"] for tool in _specs(translated.doc))
    assert (translated.stream, translated.model) == (call.stream, "anthropic.claude-x")


def _specs(doc):
    return [tool for tool in doc.get("toolConfig", {}).get("tools", []) if "toolSpec" in tool]


@pytest.mark.parametrize(("pair", "case"), STREAMS)
def test_the_client_is_told_a_stream_however_it_is_cut(pair, case):
    said = frames.write((case / "answer.jsonl").read_text(), chunks=pair[1] == INVOKE)
    expected = (case / "expected.sse").read_bytes()
    call, translation = call_of(pair, case), TRANSLATIONS[pair]
    for cut in range(0, len(said) + 1, 1 + len(said) // 1500):
        reply = translation.answer(call)
        assert reply.feed(said[:cut]) + reply.feed(said[cut:]) + reply.finish() == expected, cut
    reply = translation.answer(call)
    assert b"".join(reply.feed(said[at : at + 1]) for at in range(len(said))) + reply.finish() == expected


def sdk(pair, said, *, mask=None, status=200, size=50):
    """The source's SDK with the pair behind it: an upstream that says `said` (a document, or lines of a stream)."""
    seen = []

    def answer(request):
        source, translation, target = DIALECTS[pair[0]], TRANSLATIONS[pair], DIALECTS[pair[1]]
        call = source.read("chat", json.loads(request.content))
        translated = translation.request(call, "anthropic.claude-x")
        seen.append(translated)
        judged = target.read("chat", translated.doc, Place(translated.model, translated.stream))
        reply, masked = translation.answer(call), target.answer(judged, mask)
        if isinstance(said, dict):
            body = reply.document(status, masked.document(json_body.encode(said)))
            return httpx2.Response(status, headers={"content-type": "application/json"}, content=body)
        wire = frames.write(said, chunks=pair[1] == INVOKE)
        out = b"".join(reply.feed(masked.feed(wire[at : at + size])) for at in range(0, len(wire), size))
        out += reply.feed(masked.finish()) + reply.finish()
        return httpx2.Response(200, headers={"content-type": reply.content_type}, content=out)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    make = anthropic.Anthropic if pair[0] == CLAUDE else openai.OpenAI
    return make(api_key="k", http_client=http, max_retries=0), seen


def golden_lines(pair, name):
    return (GOLDEN / "translation" / "-to-".join(pair) / name / "answer.jsonl").read_text()


def golden_answer(pair):
    return json.loads((GOLDEN / "translation" / "-to-".join(pair) / "every-field" / "answer.json").read_text())["body"]


TOOLS = "stream-with-tools-and-reasoning"
SECRET = {"event": "contentBlockDelta", "payload": {"contentBlockIndex": 0, "delta": {"text": "my SECRET"}}}
REST = {"event": "contentBlockDelta", "payload": {"contentBlockIndex": 0, "delta": {"text": "-TOKEN is SECRET"}}}
START = {"event": "messageStart", "payload": {"role": "assistant"}}
STOP = {"event": "messageStop", "payload": {"stopReason": "end_turn"}}
MASKED = "".join(json.dumps(line) + "\n" for line in (START, SECRET, REST, STOP))


def test_the_openai_sdk_reads_completions():
    client, seen = sdk((CHAT, CONVERSE), golden_answer((CHAT, CONVERSE)))
    done = client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": "Hi"}])
    choice = done.choices[0]
    assert (done.model, choice.finish_reason, choice.message.content) == ("gpt-4", "tool_calls", "Hello, wörld! Cited.")
    assert [(c.function.name, json.loads(c.function.arguments)) for c in choice.message.tool_calls] == [
        ("weather", {"city": "Köln"}),
        ("time", {}),
    ]
    assert (done.usage.prompt_tokens, done.usage.prompt_tokens_details.cached_tokens) == (15, 3)
    assert done.id.startswith("chatcmpl-")
    assert len(done.id) > len("chatcmpl-") + 16
    assert seen[0].doc == {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}


@pytest.mark.parametrize("size", [1, 50, 100_000])
def test_the_openai_sdk_reads_chunks(size):
    client, _ = sdk((CHAT, CONVERSE), golden_lines((CHAT, CONVERSE), TOOLS), size=size)
    with client.chat.completions.stream(
        model="gpt-4", messages=[{"role": "user", "content": "Hi"}], stream_options={"include_usage": True}
    ) as stream:
        done = stream.get_final_completion()
    message = done.choices[0].message
    assert (message.content, done.choices[0].finish_reason) == ("Hello, wörld!", "tool_calls")
    assert [c.function.arguments for c in message.tool_calls] == ['{"city":"Köln"}', "{}"]
    assert done.usage.completion_tokens == 5


def test_the_openai_sdk_reads_a_response_and_its_events():
    pair = (RESPONSES, CONVERSE)
    client, _ = sdk(pair, golden_answer(pair))
    done = client.responses.create(model="gpt-4", input="Hi")
    assert (done.status, done.output_text) == ("completed", "Hello, wörld! Cited.")
    client, _ = sdk(pair, golden_lines(pair, TOOLS))
    events = list(client.responses.create(model="gpt-4", input="Hi", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    calls = [item for item in events[-1].response.output if item.type == "function_call"]
    assert [(item.name, item.arguments) for item in calls] == [("weather", '{"city":"Köln"}'), ("time", "{}")]


def ask_claude(client, **more):
    return client.messages.create(
        model="claude",
        max_tokens=9,
        messages=[{"role": "user", "content": "Hi"}],
        thinking={"type": "adaptive"},
        **more,
    )


def ask_any(pair, client, **more):
    if pair[0] == CLAUDE:
        return ask_claude(client, **more)
    if pair[0] == CHAT:
        return client.chat.completions.create(model="m", messages=[], **more)
    return client.responses.create(model="m", input="x", **more)


def test_the_anthropic_sdk_reads_a_message_of_converse():
    pair = (CLAUDE, CONVERSE)
    client, seen = sdk(pair, golden_answer(pair))
    done = ask_claude(client)
    assert [block.type for block in done.content] == ["thinking", "redacted_thinking", "text", "tool_use", "tool_use"]
    assert (done.content[0].signature, done.content[3].input, done.stop_reason) == (
        "c2lnbmVk",
        {"city": "Köln"},
        "tool_use",
    )
    assert (done.usage.input_tokens, done.usage.cache_read_input_tokens) == (10, 3)
    assert seen[0].doc["additionalModelRequestFields"] == {"thinking": {"type": "adaptive"}}


@pytest.mark.parametrize("size", [1, 50, 100_000])
def test_the_anthropic_sdk_assembles_a_stream_of_converse(size):
    client, _ = sdk((CLAUDE, CONVERSE), golden_lines((CLAUDE, CONVERSE), TOOLS), size=size)
    with client.messages.stream(
        model="claude",
        max_tokens=9,
        messages=[{"role": "user", "content": "Hi"}],
        thinking={"type": "adaptive"},
    ) as stream:
        done = stream.get_final_message()
    assert [block.type for block in done.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert (done.content[0].thinking, done.content[0].signature) == ("Let me think.", "c2lnbmVk")
    assert (done.content[2].input, done.content[3].input, done.usage.output_tokens) == ({"city": "Köln"}, {}, 5)


def test_the_anthropic_sdk_reads_what_invoke_model_says():
    pair = (CLAUDE, INVOKE)
    client, seen = sdk(pair, golden_answer(pair))
    assert ask_claude(client).content[0].text == "[masked]"
    assert seen[0].doc == {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
        "thinking": {"type": "adaptive"},
    }
    client, _ = sdk(pair, golden_lines(pair, "thinking-and-tool-use"))
    with client.messages.stream(model="claude", max_tokens=9, messages=[]) as stream:
        done = stream.get_final_message()
    assert (done.content[0].thinking, done.content[0].signature) == ("hm [masked] hm", "U0VDUkVU")
    assert done.content[2].input == {"id": "[masked]", "[masked]": ["[card]"]}
    assert not hasattr(done, "amazon-bedrock-invocationMetrics")


def test_masked_text_stays_masked_through_a_translation(transcript_filter):
    client, _ = sdk((CHAT, CONVERSE), MASKED, mask=transcript_filter)
    chunks = client.chat.completions.create(model="m", messages=[], stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == "my [masked] is SECRET"


@pytest.fixture
def transcript_filter():
    spec = importlib.util.spec_from_file_location("translation_transcript", GOLDEN / "transcript.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FakeFilter()


@pytest.mark.parametrize("pair", PAIRS, ids="-to-".join)
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"message": "Malformed input."}, "BadRequestError"),
        (403, {"Message": "Not authorised."}, "PermissionDeniedError"),
        (404, {"message": "No such model."}, "NotFoundError"),
        (429, {"message": "Too many requests."}, "RateLimitError"),
        (503, {}, "InternalServerError"),
    ],
)
def test_errors_are_those_of_the_clients_sdk(pair, status, body, kind):
    client, _ = sdk(pair, body, status=status)
    module = anthropic if pair[0] == CLAUDE else openai
    with pytest.raises(module.APIStatusError) as caught:
        ask_any(pair, client)
    raised = caught.value
    assert isinstance(raised, getattr(module, kind))
    assert next(iter(body.values()), f"status {status}") in str(raised)


@pytest.mark.parametrize(("pair", "lines"), [(pair, None) for pair in PAIRS], ids=["-to-".join(pair) for pair in PAIRS])
def test_an_exception_in_a_stream_is_raised_by_the_clients_sdk(pair, lines):
    name = "exception-in-stream" if pair[1] == INVOKE else "stream-that-fails"
    client, _ = sdk(pair, golden_lines(pair, name))
    module = anthropic if pair[0] == CLAUDE else openai
    with pytest.raises(module.APIError) as caught:
        list(ask_any(pair, client, stream=True))
    assert "Too many tokens." in str(caught.value) or "[masked]" in str(caught.value)


@pytest.mark.parametrize("pair", PAIRS, ids="-to-".join)
def test_what_cannot_be_read_is_not_told(pair):
    call = call_of(pair, GOLDEN / "translation" / "-to-".join(pair) / "throttled")
    reply = TRANSLATIONS[pair].answer(call)
    assert b"503" in reply.document(503, b"<html>")
    with pytest.raises(Uninspectable):
        TRANSLATIONS[pair].answer(call).feed(b"data: {}\n\ndata: {}\n\n")
    if pair[1] == CONVERSE:
        for body in (b"<html>", b"{}", b'{"output":{"message":{"content":[5]}}}'):
            with pytest.raises(Uninspectable):
                reply.document(200, body)


@pytest.mark.parametrize("pair", PAIRS, ids="-to-".join)
def test_a_stream_that_breaks_off_stays_unended(pair):
    name = "thinking-and-tool-use" if pair[1] == INVOKE else TOOLS
    said = frames.write(golden_lines(pair, name), chunks=pair[1] == INVOKE)
    reply = TRANSLATIONS[pair].answer(call_of(pair, GOLDEN / "translation" / "-to-".join(pair) / "throttled"))
    out = reply.feed(said[: len(said) // 2]) + reply.finish()
    assert not any(end in out for end in (b"[DONE]", b"message_stop", b"response.completed"))
    assert TRANSLATIONS[pair].answer(LlmCall(pair[0], "chat", "m")).finish() == b""


def test_answers_to_different_turns_have_different_ids():
    ids = set()
    for turn in ("Hi", "Hi again"):
        client, _ = sdk((CHAT, CONVERSE), golden_answer((CHAT, CONVERSE)))
        ids.add(client.chat.completions.create(model="m", messages=[{"role": "user", "content": turn}]).id)
    assert len(ids) == 2


def ask(source, target, model="amazon.nova-x", operation="chat", **fields):
    base = {
        CHAT: {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
        CLAUDE: {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
        RESPONSES: {"model": "m", "input": "Hi"},
    }[source]
    call = DIALECTS[source].read(operation, {**base, **fields})
    return TRANSLATIONS[source, target].request(call, model)


FUNCTION = {"type": "function", "function": {"name": "f"}}
SPEC = {"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object", "properties": {}}}}}
NOVA, CLAUDES = "amazon.nova-x", "eu.anthropic.claude-x-v1:0"
CALLED = [
    {
        "role": "assistant",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "c", "content": ""},
]


@pytest.mark.parametrize(
    ("source", "model", "fields", "sent", "dropped"),
    [
        pytest.param(CHAT, NOVA, {"max_tokens": 7}, {"inferenceConfig": {"maxTokens": 7}}, (), id="limit"),
        pytest.param(
            CHAT, NOVA, {"tools": [FUNCTION], "tool_choice": "none"}, {}, (), id="no tools if none may be called"
        ),
        pytest.param(
            CHAT,
            NOVA,
            {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "f"}}},
            {"toolConfig": {"tools": [SPEC], "toolChoice": {"tool": {"name": "f"}}}},
            (),
            id="a named tool",
        ),
        pytest.param(CHAT, NOVA, {"tools": [FUNCTION]}, {"toolConfig": {"tools": [SPEC]}}, (), id="a bare tool"),
        pytest.param(
            CHAT,
            CLAUDES,
            {"reasoning_effort": "none"},
            {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}},
            (),
            id="no reasoning, Claude",
        ),
        pytest.param(CHAT, NOVA, {"reasoning_effort": "none"}, {}, ("reasoning_effort",), id="no reasoning, others"),
        pytest.param(
            CHAT, NOVA, {"reasoning_effort": "high"}, {"outputConfig": {"effort": "high"}}, (), id="reasoning effort"
        ),
        pytest.param(CHAT, NOVA, {"user": "u"}, {}, ("user",), id="user"),
        pytest.param(CHAT, NOVA, {"stop": " "}, {}, ("stop",), id="a stop sequence of blanks"),
        pytest.param(
            CHAT,
            NOVA,
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": False}}},
            {
                "outputConfig": {
                    "textFormat": {
                        "type": "json_schema",
                        "structure": {"jsonSchema": {"schema": "{}", "name": "n"}},
                    }
                }
            },
            ("response_format.json_schema.strict",),
            id="structured output",
        ),
        pytest.param(
            CLAUDE,
            CLAUDES,
            {"thinking": {"type": "enabled", "budget_tokens": 1024}, "top_k": 5},
            {
                "inferenceConfig": {"maxTokens": 9},
                "additionalModelRequestFields": {
                    "thinking": {"type": "enabled", "budget_tokens": 1024},
                    "top_k": 5,
                },
            },
            (),
            id="thinking and top_k, Claude",
        ),
        pytest.param(
            CLAUDE,
            NOVA,
            {"thinking": {"type": "adaptive"}, "top_k": 5},
            {"inferenceConfig": {"maxTokens": 9}},
            ("thinking", "top_k"),
            id="thinking and top_k, others",
        ),
        pytest.param(
            CHAT,
            NOVA,
            {"messages": [*CALLED, {"role": "user", "content": "x"}], "tools": [FUNCTION]},
            {
                "messages": [
                    {"role": "assistant", "content": [{"toolUse": {"toolUseId": "c", "name": "f", "input": {}}}]},
                    {
                        "role": "user",
                        "content": [{"toolResult": {"toolUseId": "c", "content": [{"text": ""}]}}, {"text": "x"}],
                    },
                ],
                "toolConfig": {"tools": [SPEC]},
            },
            (),
            id="a run of tool messages and the user's next are one",
        ),
    ],
)
def test_fields_are_carried_over_or_dropped_by_name(source, model, fields, sent, dropped):
    translated = ask(source, CONVERSE, model, **fields)
    strict(translated.doc)
    assert translated.doc == {"messages": [{"role": "user", "content": [{"text": "Hi"}]}], **sent}
    assert translated.dropped == dropped


def image(url):
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


def block(**members):
    return [{"role": "user", "content": [members]}]


@pytest.mark.parametrize(
    ("source", "target", "fields", "said"),
    [
        (CHAT, CONVERSE, {"messages": image("https://a.example/b.png")}, "an image by its URL"),
        (CHAT, CONVERSE, {"messages": image("data:image/bmp;base64,AAAA")}, "an image of this type"),
        (CHAT, CONVERSE, {"messages": CALLED}, "tool calls without the tools"),
        (
            CHAT,
            CONVERSE,
            {"messages": CALLED, "tools": [FUNCTION], "tool_choice": "none"},
            "forbidding tools after they were called",
        ),
        (CHAT, CONVERSE, {"n": 2}, "n"),
        (CLAUDE, CONVERSE, {"mcp_servers": [{"name": "x"}]}, "mcp_servers"),
        (CLAUDE, INVOKE, {"mcp_servers": [{"name": "x"}]}, "mcp_servers"),
        (CLAUDE, INVOKE, {"container": "c"}, "container"),
        (CLAUDE, INVOKE, {"tools": [{"type": "web_search_20250305", "name": "s"}]}, "tools that Anthropic runs"),
        (
            CLAUDE,
            INVOKE,
            {"messages": block(type="image", source={"type": "url", "url": "https://a.example"})},
            "an image or a document",
        ),
        (
            CLAUDE,
            INVOKE,
            {
                "messages": block(
                    type="tool_result",
                    tool_use_id="t",
                    content=[{"type": "document", "source": {"type": "file", "file_id": "f"}}],
                )
            },
            "an image or a document",
        ),
    ],
)
def test_what_would_mean_something_else_is_refused(source, target, fields, said):
    with pytest.raises(BadRequest) as caught:
        ask(source, target, **fields)
    assert (caught.value.reason, caught.value.status) == ("untranslatable", 400)
    assert said in caught.value.message


def test_ids_of_calls_fit_and_stay_pairs():
    long = "x:" * 60
    calls = [{"id": given, "type": "function", "function": {"name": "f", "arguments": ""}} for given in ("a:b", long)]
    results = [{"role": "tool", "tool_call_id": given, "content": "r"} for given in ("a:b", long)]
    messages = [{"role": "assistant", "tool_calls": calls}, *results]
    doc = ask(CHAT, CONVERSE, messages=messages, tools=[FUNCTION]).doc
    asked = [block["toolUse"]["toolUseId"] for block in doc["messages"][0]["content"]]
    told = [block["toolResult"]["toolUseId"] for block in doc["messages"][1]["content"]]
    assert asked == told
    assert asked[0] == "a_b"
    assert all(len(sent) <= 64 and sent.replace("_", "").isalnum() for sent in asked)


def test_documents_get_names_that_differ():
    def file(name):
        return {"type": "file", "file": {"filename": name, "file_data": "data:application/pdf;base64,JVBERi0="}}

    doc = ask(CHAT, CONVERSE, messages=[{"role": "user", "content": [file("a"), file("a"), file("ä/b.pdf")]}]).doc
    names = [block["document"]["name"] for block in doc["messages"][0]["content"]]
    assert names == ["a", "a (2)", "b pdf"]


def test_tokens_are_counted_by_bedrocks_own_operation():
    translated = ask(CLAUDE, INVOKE, operation="count_tokens", system="s")
    inner = json.loads(b64decode(translated.doc["input"]["invokeModel"]["body"]))
    assert (inner["system"], inner["max_tokens"], "model" in inner) == ("s", 9, False)
    call = DIALECTS[CLAUDE].read("count_tokens", {"model": "m", "messages": []})
    assert DIALECTS[INVOKE].path(call, "a:b") == "/model/a%3Ab/count-tokens"
    reply = TRANSLATIONS[CLAUDE, INVOKE].answer(call)
    assert json.loads(reply.document(200, b'{"inputTokens":7}')) == {"input_tokens": 7}
    with pytest.raises(Uninspectable):
        reply.document(200, b"{}")


def test_a_request_is_translated_without_being_changed():
    for pair in PAIRS:
        case = GOLDEN / "translation" / "-to-".join(pair) / "every-field"
        call = call_of(pair, case)
        before = json.dumps(call.doc)
        TRANSLATIONS[pair].request(call, "m")
        assert json.dumps(call.doc) == before  # a second provider gets the original
