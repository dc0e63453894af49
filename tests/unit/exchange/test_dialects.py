"""Requests read and written, refusals and models: checked with the vendors' own SDKs where they have an opinion."""

import json
from pathlib import Path

import anthropic
import httpx2
import openai
import pytest

from extproc.errors import BadRequest
from extproc.exchange import json_body
from extproc.exchange.classify import DIALECTS
from extproc.exchange.model import LlmCall
from extproc.exchange.refusal import Reason, Refusal

CALL = LlmCall("", "chat", "m")  # of which readers want nothing here

CHAT, RESPONSES, CLAUDE = (DIALECTS[name] for name in ("openai-chat", "openai-responses", "anthropic-messages"))
GOLDEN = Path(__file__).parents[2] / "golden"
OLDEST = (CHAT, RESPONSES, CLAUDE)
EACH = pytest.mark.parametrize("dialect", OLDEST, ids=[dialect.name for dialect in OLDEST])


def sdk(dialect, status, headers, body, calls=None):
    """An SDK client whose every request is answered so."""

    def answer(request):
        if calls is not None:
            calls.append(request)
        return httpx2.Response(status, headers=list(headers), content=body)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    make = anthropic.Anthropic if dialect is CLAUDE else openai.OpenAI
    return make(api_key="k", base_url="http://gateway.test" + ("" if dialect is CLAUDE else "/v1"), http_client=http)


def ask(dialect, client, **more):
    if dialect is CHAT:
        return client.chat.completions.create(model="m", messages=[], **more)
    if dialect is RESPONSES:
        return client.responses.create(model="m", input="hi", **more)
    return client.messages.create(model="m", max_tokens=9, messages=[], **more)


@EACH
@pytest.mark.parametrize(
    ("reason", "status", "calls"),
    [
        (Reason.TOKEN_EXPIRED, 401, 1),
        (Reason.MODEL_NOT_ALLOWED, 403, 1),
        (Reason.MODEL_UNKNOWN, 404, 1),
        (Reason.BODY_SHAPE, 400, 1),
        (Reason.BODY_TOO_LARGE, 413, 1),
    ],
)
def test_the_sdk_raises_a_refusal_with_its_reason_and_does_not_try_again(dialect, reason, status, calls):
    refusal = Refusal.of(reason, "ex-1", headers=(("www-authenticate", "Bearer"),))
    rendered = dialect.refusal(refusal)
    assert rendered.status == status
    made = []
    module = anthropic if dialect is CLAUDE else openai
    client = sdk(dialect, status, rendered.headers, rendered.body, made)
    with client, pytest.raises(module.APIStatusError) as caught:
        ask(dialect, client)
    assert caught.value.status_code == status
    assert refusal.text in str(caught.value)
    assert caught.value.response.headers["www-authenticate"] == "Bearer"
    assert len(made) == calls


@EACH
@pytest.mark.parametrize("reason", [Reason.KEYS_UNAVAILABLE, Reason.ANSWER_UNREADABLE, Reason.INTERNAL_ERROR])
def test_what_may_pass_by_itself_may_be_tried_again(dialect, reason):
    rendered = dialect.refusal(Refusal.of(reason))
    assert dict(rendered.headers) == {"content-type": "application/json"}


def test_error_bodies_are_those_of_the_apis():
    refusal = Refusal.of(Reason.MODEL_NOT_ALLOWED, "ex-1")
    for dialect in (CHAT, RESPONSES):
        assert json.loads(dialect.refusal(refusal).body) == {
            "error": {
                "message": refusal.text,
                "type": "invalid_request_error",
                "param": None,
                "code": "model-not-allowed",
            }
        }
    assert json.loads(CLAUDE.refusal(refusal).body) == {
        "type": "error",
        "error": {"type": "permission_error", "message": refusal.text},
        "request_id": "ex-1",
    }


@EACH
def test_the_sdk_raises_the_error_that_ends_a_stream(dialect):
    refusal = Refusal.of(Reason.ANSWER_UNREADABLE, "ex-1")
    body = b": ping\n\n" + dialect.error_event(refusal)
    module = anthropic if dialect is CLAUDE else openai
    client = sdk(dialect, 200, [("content-type", "text/event-stream")], body)
    with client, pytest.raises(module.APIError) as caught:
        list(ask(dialect, client, stream=True))
    assert refusal.text in str(caught.value)


@EACH
def test_the_sdk_lists_exactly_the_models_named(dialect):
    headers = [("content-type", "application/json")]
    with sdk(dialect, 200, headers, dialect.models(("a", "b"))) as client:
        assert [model.id for model in client.models.list()] == ["a", "b"]
    with sdk(dialect, 200, headers, dialect.models(())) as client:
        assert list(client.models.list()) == []
    with sdk(dialect, 200, headers, dialect.model("a")) as client:
        assert client.models.retrieve("a").id == "a"


def test_the_anthropic_sdk_assembles_a_masked_stream(transcript):
    raw = (GOLDEN / "anthropic-messages/thinking-and-tool-use/answer.sse").read_bytes()
    body = transcript.run(CLAUDE.answer(CALL, transcript.FakeFilter()), [raw])
    client = sdk(CLAUDE, 200, [("content-type", "text/event-stream")], body)
    with client, client.messages.stream(model="m", max_tokens=9, messages=[]) as stream:
        message = stream.get_final_message()
    assert message.content[0].thinking == "hm [masked] hm"
    assert message.content[2].input == {"id": "[masked]", "[masked]": ["[card]"]}
    assert message.content[5].text == "Start [masked]."


def test_the_openai_sdk_assembles_masked_streams(transcript):
    headers = [("content-type", "text/event-stream")]
    raw = (GOLDEN / "openai-chat/tool-arguments/answer.sse").read_bytes()
    body = transcript.run(CHAT.answer(CALL, transcript.FakeFilter()), [raw])
    with sdk(CHAT, 200, headers, body) as client:
        chunks = list(ask(CHAT, client, stream=True))
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    raw = (GOLDEN / "openai-responses/text-secret-across-deltas/answer.sse").read_bytes()
    body = transcript.run(RESPONSES.answer(CALL, transcript.FakeFilter()), [raw])
    with sdk(RESPONSES, 200, headers, body) as client:
        events = list(ask(RESPONSES, client, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert deltas == events[-1].response.output_text == "The key is [masked] or SECRET"


@EACH
@pytest.mark.parametrize(
    ("doc", "field"),
    [
        ({}, "model"),
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"model": "m" * 257}, "model"),
        ({"model": "m", "stream": "true"}, "stream"),
        ({"model": "m", "stream": 1}, "stream"),
        ({"model": "m", "tools": {}}, "tools"),
        ({"model": "m", "tools": ["run"]}, "tools"),
        ({"model": "m", "tools": [{"type": "function"}]}, "tools[0]"),
        ({"model": "m", "tools": [{"type": 5}]}, "tools[0]"),
        ({"model": "m", "max_tokens": -1, "max_output_tokens": -1}, "max_"),
        ({"model": "m", "max_tokens": True, "max_output_tokens": True}, "max_"),
    ],
)
def test_a_request_that_cannot_be_judged_is_refused_by_field(dialect, doc, field):
    if dialect is CLAUDE and doc.get("tools") == [{"type": "function"}]:
        doc = {"model": "m", "tools": [{"type": "custom"}]}
    with pytest.raises(BadRequest) as caught:
        dialect.read("chat", doc)
    assert caught.value.reason == "body-shape"
    assert field in caught.value.message


@EACH
def test_what_is_written_is_what_was_judged_but_for_the_model(dialect):
    body = b'{"z":1,"model":"alias","new":{"a":12345678901234567890123},"stream":null}'
    call = dialect.read("chat", json_body.decode(body))
    assert (call.model, call.stream, call.dialect, call.operation) == ("alias", False, dialect.name, "chat")
    assert dialect.write(call, "real") == body.replace(b'"alias"', b'"real"')
    assert call.doc["model"] == "alias"


@pytest.mark.parametrize(
    ("dialect", "doc", "tools", "served"),
    [
        pytest.param(CHAT, {"functions": [{"name": "f"}]}, ("f",), (), id="chat: legacy functions"),
        pytest.param(CHAT, {"web_search_options": {}}, (), ("web_search",), id="chat: web search"),
        pytest.param(CHAT, {"tools": [{"type": "browser"}]}, (), ("browser",), id="chat: unknown kinds"),
        pytest.param(CHAT, {"tools": [{"function": {"name": "f"}}]}, ("f",), (), id="chat: no type"),
        pytest.param(RESPONSES, {"prompt": {"id": "p"}}, (), ("prompt",), id="responses: a stored prompt"),
        pytest.param(
            RESPONSES,
            {"input": [{"type": "mcp_list_tools", "tools": [{"name": "x"}]}, {"role": "user", "content": "x"}]},
            (),
            (),
            id="responses: what an MCP server listed is history",
        ),
        pytest.param(
            RESPONSES,
            {"input": [{"type": "future", "tools": [{"type": "mcp", "server_label": "x"}]}]},
            (),
            ("mcp:x",),
            id="responses: tools in items nobody knows",
        ),
        pytest.param(
            CLAUDE,
            {"mcp_servers": [{"type": "url", "name": "x", "url": "u"}]},
            (),
            ("mcp:x",),
            id="claude: MCP servers",
        ),
        pytest.param(
            CLAUDE,
            {"tools": [{"type": "mcp_toolset", "mcp_server_name": "x"}, {"type": "web_fetch_20990101", "name": "run"}]},
            (),
            ("mcp:x", "web_fetch"),
            id="claude: typed tools are known by type and not by name",
        ),
        pytest.param(
            CLAUDE,
            {
                "messages": [
                    {
                        "role": "system",
                        "content": [
                            {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "a"}},
                            {
                                "type": "tool_addition",
                                "tool": {"type": "tool_definition", "definition": {"name": "b", "input_schema": {}}},
                            },
                            {"type": "tool_addition", "tool": {"type": "mcp_toolset_reference", "server_name": "x"}},
                        ],
                    },
                    {
                        "role": "assistant",
                        "content": [
                            {
                                "type": "compaction",
                                "tool_changes": [{"type": "tool_definition", "definition": {"name": "c"}}],
                            }
                        ],
                    },
                ]
            },
            ("a", "b", "c"),
            ("mcp:x",),
            id="claude: tools added inside messages",
        ),
    ],
)
@pytest.mark.promise("dialects.judged")
def test_tools_are_found_wherever_they_hide(dialect, doc, tools, served):
    call = dialect.read("chat", {"model": "m", **doc})
    assert (call.tools, call.server_tools) == (tools, served)


def test_of_two_limits_on_output_the_larger_counts():
    assert CHAT.read("chat", {"model": "m", "max_tokens": 9, "max_completion_tokens": 5}).max_tokens == 9


def test_the_answer_of_count_tokens_is_usage():
    answer = CLAUDE.answer(CALL, None)
    answer.document(b'{"input_tokens":77}')
    assert answer.usage.input_tokens == 77


@EACH
@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"Model": "other"}, id="another case"),
        pytest.param({"MODEL": "other"}, id="capitals"),
        pytest.param({"Stream": True}, id="stream"),
        pytest.param({"\u017ftream": True}, id="a long s"),
        pytest.param({"Tools": []}, id="tools"),
        pytest.param({"too\u017fls": [], "tool\u017f": []}, id="tools with a long s"),
        pytest.param(
            {"tools": [{"type": "custom", "Type": "web_search", "name": "a", "custom": {"name": "a"}}]}, id="type"
        ),
        pytest.param({"tools": [{"type": "custom", "Name": "b", "name": "a", "custom": {"name": "a"}}]}, id="name"),
        pytest.param({"Fallbacks": ["other"]}, id="a refused key in another case"),
    ],
)
def test_a_key_that_some_reader_takes_for_a_judged_one_is_refused(dialect, more):
    with pytest.raises(BadRequest) as caught:
        dialect.read("chat", {"model": "m", **more})
    assert (caught.value.reason, caught.value.status) == ("body-shape", 400)
    assert "spelled exactly so" in caught.value.message


@pytest.mark.parametrize(
    ("dialect", "more"),
    [
        pytest.param(CHAT, {"tools": [{"function": {"name": "a", "Name": "b"}}]}, id="chat: a function's name"),
        pytest.param(CHAT, {"Functions": [{"name": "b"}]}, id="chat: functions"),
        pytest.param(CHAT, {"functions": [{"name": "a", "Name": "b"}]}, id="chat: a legacy function's name"),
        pytest.param(CHAT, {"Web_Search_Options": {}}, id="chat: web search"),
        pytest.param(RESPONSES, {"Prompt": {"id": "p"}}, id="responses: a stored prompt"),
        pytest.param(RESPONSES, {"Input": [{"tools": []}]}, id="responses: input"),
        pytest.param(RESPONSES, {"input": [{"Tools": [{"type": "web_search"}]}]}, id="responses: tools of an item"),
        pytest.param(CLAUDE, {"MCP_servers": []}, id="claude: servers"),
        pytest.param(CLAUDE, {"mcp_servers": [{"name": "a", "Name": "b"}]}, id="claude: a server's name"),
        pytest.param(CLAUDE, {"messages": [{"role": "user", "Content": []}]}, id="claude: content"),
        pytest.param(
            CLAUDE, {"messages": [{"content": [{"Type": "tool_addition", "tool": {}}]}]}, id="claude: a block"
        ),
    ],
)
def test_keys_inside_are_exact_too_where_they_are_judged(dialect, more):
    with pytest.raises(BadRequest) as caught:
        dialect.read("chat", {"model": "m", **more})
    assert "spelled exactly so" in caught.value.message


@EACH
@pytest.mark.parametrize("key", ["models", "fallbacks", "route", "api_base", "api_key", "base_url", "model_list"])
def test_what_leads_a_call_to_another_model_or_address_is_refused(dialect, key):
    with pytest.raises(BadRequest) as caught:
        dialect.read("chat", {"model": "m", key: ["hidden"]})
    assert (caught.value.reason, caught.value.status) == ("body-shape", 400)
    assert key in caught.value.message
    assert "hidden" not in caught.value.message


@pytest.mark.parametrize(
    ("dialect", "tool", "served"),
    [
        pytest.param(RESPONSES, {"type": "image_generation"}, "image_generation", id="responses: its own choice"),
        pytest.param(
            RESPONSES, {"type": "image_generation", "model": "dear"}, "image_generation:dear", id="responses: a model"
        ),
        pytest.param(CHAT, {"type": "browser", "model": "dear"}, "browser:dear", id="chat: a model"),
        pytest.param(
            CLAUDE,
            {"type": "advisor_20260301", "name": "advisor", "model": "dear"},
            "advisor:dear",
            id="claude: a model",
        ),
    ],
)
def test_the_model_of_a_server_tool_is_judged_with_it(dialect, tool, served):
    assert dialect.read("chat", {"model": "m", "tools": [tool]}).server_tools == (served,)
    if "model" in tool:
        with pytest.raises(BadRequest) as caught:
            dialect.read("chat", {"model": "m", "tools": [{**tool, "model": ["dear"]}]})
        assert "tools[0].model" in caught.value.message
