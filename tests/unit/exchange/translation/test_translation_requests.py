"""Field by field: what of a request is carried over, what is dropped by its name, and what is refused."""

import pytest

from extproc.errors import BadRequest
from extproc.exchange.classify import DIALECTS
from extproc.exchange.translation.loss import MAX_NAMES, Loss
from extproc.exchange.translation.openai_chat_to_anthropic import OpenAiChatToAnthropic
from extproc.exchange.translation.openai_responses_to_anthropic import OpenAiResponsesToAnthropic
from extproc.exchange.translation.registry import TRANSLATIONS

CHAT, RESPONSES, ANTHROPIC = "openai-chat", "openai-responses", "anthropic-messages"
SCHEMA = {"type": "object", "properties": {}}
FUNCTION = {"type": "function", "function": {"name": "f"}}
FLAT = {"type": "function", "name": "f"}
BASES = {
    CHAT: {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
    RESPONSES: {"model": "m", "input": "Hi"},
    ANTHROPIC: {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
}


def ask(source, target, operation="chat", **fields):
    call = DIALECTS[source].read(operation, {**BASES[source], **fields})
    return TRANSLATIONS[source, target].request(call, "upstream")


def user(*content):
    return [{"role": "user", "content": list(content)}]


@pytest.mark.parametrize(
    ("source", "target", "fields", "sent"),
    [
        pytest.param(CHAT, ANTHROPIC, {}, {"max_tokens": 8192}, id="a limit is made where the API needs one"),
        pytest.param(CHAT, ANTHROPIC, {"max_tokens": 7}, {"max_tokens": 7}, id="max_tokens"),
        pytest.param(CHAT, ANTHROPIC, {"stop": "x"}, {"stop_sequences": ["x"]}, id="one stop sequence"),
        pytest.param(CHAT, ANTHROPIC, {"user": "u"}, {"metadata": {"user_id": "u"}}, id="user"),
        pytest.param(CHAT, ANTHROPIC, {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}, id="no effort"),
        pytest.param(CHAT, ANTHROPIC, {"reasoning_effort": "high"}, {"output_config": {"effort": "high"}}, id="effort"),
        pytest.param(
            CHAT, ANTHROPIC, {"tools": [FUNCTION]}, {"tools": [{"name": "f", "input_schema": SCHEMA}]}, id="bare tool"
        ),
        pytest.param(
            CHAT,
            ANTHROPIC,
            {"tools": [FUNCTION], "tool_choice": "none"},
            {"tool_choice": {"type": "none"}},
            id="no tool",
        ),
        pytest.param(
            CHAT,
            ANTHROPIC,
            {"tools": [FUNCTION], "tool_choice": FUNCTION},
            {"tool_choice": {"type": "tool", "name": "f"}},
            id="named tool",
        ),
        pytest.param(CHAT, ANTHROPIC, {"response_format": {"type": "text"}}, {}, id="plain text"),
        pytest.param(ANTHROPIC, CHAT, {"system": "Be."}, {}, id="system as a string"),
        pytest.param(
            ANTHROPIC, CHAT, {"thinking": {"type": "disabled"}}, {"reasoning_effort": "none"}, id="no thinking"
        ),
        pytest.param(
            ANTHROPIC,
            CHAT,
            {"tools": [{"name": "f", "input_schema": SCHEMA}], "tool_choice": {"type": "tool", "name": "f"}},
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            id="named tool of Anthropic",
        ),
        pytest.param(
            ANTHROPIC, CHAT, {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}, id="usage"
        ),
        pytest.param(
            RESPONSES,
            CHAT,
            {"input": [{"type": "additional_tools", "role": "developer", "tools": [FLAT]}, *user()]},
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}]},
            id="tools that hide in the input",
        ),
        pytest.param(
            RESPONSES,
            CHAT,
            {"tools": [FLAT], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [FLAT]}},
            {"tool_choice": "auto"},
            id="allowed tools",
        ),
    ],
)
def test_carried_over(source, target, fields, sent):
    translated = ask(source, target, **fields)
    assert translated.doc.items() >= sent.items()
    assert (translated.dropped, translated.model, translated.doc["model"]) == ((), "upstream", "upstream")


@pytest.mark.parametrize(
    ("source", "target", "fields", "dropped"),
    [
        *[
            pytest.param(CHAT, ANTHROPIC, {name: value}, name, id=f"chat {name}")
            for name, value in {
                "seed": 1,
                "logprobs": True,
                "logit_bias": {"1": 1},
                "frequency_penalty": 1,
                "presence_penalty": -1,
                "verbosity": "low",
                "store": True,
                "metadata": {"a": "b"},
                "service_tier": "flex",
                "prediction": {"type": "content", "content": "x"},
                "prompt_cache_key": "k",
                "moderation": {"model": "x"},
                "some_new_field": 1,
            }.items()
        ],
        pytest.param(CHAT, ANTHROPIC, {"new\r\nfield": 1}, "unknown", id="a name that no header can hold"),
        pytest.param(CHAT, ANTHROPIC, {"x" * 65: 1}, "unknown", id="a name too long"),
        pytest.param(CHAT, ANTHROPIC, {"temperature": 2}, "temperature>1", id="chat temperature above 1"),
        pytest.param(CHAT, ANTHROPIC, {"stop": ["\n"]}, "stop", id="chat blank stop"),
        pytest.param(
            CHAT, ANTHROPIC, {"messages": user({"type": "text", "text": " "})}, "content=blank", id="a blank text"
        ),
        pytest.param(
            CHAT,
            ANTHROPIC,
            {"messages": [*user({"type": "text", "text": "a"}), {"role": "system", "content": "b"}]},
            "messages[].role=system",
            id="the place of a late system message",
        ),
        pytest.param(
            CHAT,
            ANTHROPIC,
            {"messages": [{"role": "assistant", "content": "a", "reasoning_content": "b"}]},
            "messages[].reasoning_content",
            id="chat unsigned reasoning",
        ),
        pytest.param(ANTHROPIC, CHAT, {"top_k": 3}, "top_k", id="top_k"),
        pytest.param(ANTHROPIC, CHAT, {"thinking": {"type": "adaptive"}}, "thinking", id="adaptive thinking"),
        pytest.param(
            ANTHROPIC,
            CHAT,
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
            "thinking.budget_tokens",
            id="a budget for thinking",
        ),
        pytest.param(
            ANTHROPIC,
            CHAT,
            {"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
            "cache_control",
            id="cache_control",
        ),
        pytest.param(
            ANTHROPIC, CHAT, {"cache_control": {"type": "ephemeral"}}, "cache_control", id="cache_control at all"
        ),
        *[
            pytest.param(RESPONSES, CHAT, {name: value}, dropped, id=f"responses {dropped}")
            for name, value, dropped in [
                ("include", ["web_search_call.results"], "include"),
                ("truncation", "auto", "truncation"),
                ("store", True, "store"),
                ("reasoning", {"summary": "auto"}, "reasoning.summary"),
                ("text", {"verbosity": "high"}, "text.verbosity"),
                ("max_tool_calls", 1, "max_tool_calls"),
                ("input", [{"type": "reasoning", "summary": [], "encrypted_content": "x"}], "input[].reasoning"),
            ]
        ],
        pytest.param(
            RESPONSES,
            CHAT,
            {"input": [{"type": "reasoning", "summary": [], "encrypted_content": "anthropic:x"}]},
            "input[].reasoning",
            id="reasoning that Anthropic signed, for another provider",
        ),
    ],
)
def test_dropped_by_name(source, target, fields, dropped):
    assert ask(source, target, **fields).dropped == (dropped,)


@pytest.mark.parametrize(
    ("source", "target", "fields", "name"),
    [
        pytest.param(CHAT, ANTHROPIC, {"n": 2}, "n", id="chat choices"),
        pytest.param(CHAT, ANTHROPIC, {"modalities": ["text", "audio"]}, "modalities", id="chat speech"),
        pytest.param(CHAT, ANTHROPIC, {"web_search_options": {}}, "web_search_options", id="chat web search"),
        pytest.param(CHAT, ANTHROPIC, {"functions": [{"name": "f"}]}, "functions", id="chat functions"),
        pytest.param(
            CHAT, ANTHROPIC, {"response_format": {"type": "json_object"}}, "response_format.type", id="chat JSON mode"
        ),
        pytest.param(
            CHAT,
            ANTHROPIC,
            {"tools": [{"type": "custom", "custom": {"name": "f"}}]},
            "tools[0].type",
            id="chat custom tool",
        ),
        pytest.param(
            CHAT,
            ANTHROPIC,
            {"messages": user({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}})},
            "messages[0].content[0].type",
            id="chat audio",
        ),
        pytest.param(
            CHAT,
            ANTHROPIC,
            {"messages": user({"type": "image_url", "image_url": {"url": "data:image/bmp;base64,AAAA"}})},
            "messages: an image of this type",
            id="chat image of an odd type",
        ),
        pytest.param(
            CHAT,
            ANTHROPIC,
            {"messages": user({"type": "file", "file": {"file_id": "file-1"}})},
            "messages[0].content[0].file.file_id",
            id="chat stored file",
        ),
        pytest.param(ANTHROPIC, CHAT, {"max_tokens": 0}, "max_tokens 0", id="warming the cache"),
        pytest.param(
            ANTHROPIC,
            CHAT,
            {"mcp_servers": [{"type": "url", "url": "u", "name": "n"}]},
            "mcp_servers",
            id="MCP servers",
        ),
        pytest.param(ANTHROPIC, CHAT, {"container": "c"}, "container", id="container"),
        pytest.param(
            ANTHROPIC, CHAT, {"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0].type", id="typed tool"
        ),
        pytest.param(
            ANTHROPIC,
            CHAT,
            {"stop_sequences": list("abcde")},
            "more than four stop sequences",
            id="five stop sequences",
        ),
        pytest.param(
            ANTHROPIC,
            CHAT,
            {"messages": user({"type": "search_result", "source": "s", "title": "t", "content": []})},
            "messages[0].content[0].type",
            id="search result",
        ),
        pytest.param(
            ANTHROPIC,
            CHAT,
            {"messages": user({"type": "document", "source": {"type": "url", "url": "https://e.com/a.pdf"}})},
            "messages: a document's URL",
            id="document by URL",
        ),
        pytest.param(RESPONSES, CHAT, {"previous_response_id": "r"}, "previous_response_id", id="earlier response"),
        pytest.param(RESPONSES, CHAT, {"conversation": "c"}, "conversation", id="stored conversation"),
        pytest.param(RESPONSES, CHAT, {"background": True}, "background", id="background"),
        pytest.param(RESPONSES, CHAT, {"prompt": {"id": "p"}}, "prompt", id="stored prompt"),
        pytest.param(RESPONSES, CHAT, {"tools": [{"type": "web_search"}]}, "tools[0].type", id="server tool"),
        pytest.param(
            RESPONSES, CHAT, {"input": [{"type": "item_reference", "id": "i"}]}, "input[0].type", id="reference"
        ),
        pytest.param(RESPONSES, CHAT, {"tools": [FLAT, FLAT]}, "tools[1].name twice", id="one name twice"),
    ],
)
def test_refused_by_name(source, target, fields, name):
    with pytest.raises(BadRequest) as caught:
        ask(source, target, **fields)
    assert (caught.value.reason, caught.value.status) == ("untranslatable", 400)
    assert f"no equivalent for {name}." in caught.value.message


@pytest.mark.parametrize(
    ("source", "target", "fields", "name"),
    [
        pytest.param(CHAT, ANTHROPIC, {"temperature": "hot"}, "temperature", id="temperature"),
        pytest.param(CHAT, ANTHROPIC, {"messages": [{"role": "wizard"}]}, "messages[0].role", id="role"),
        pytest.param(CHAT, ANTHROPIC, {"reasoning_effort": "much"}, "reasoning_effort", id="effort"),
        pytest.param(CHAT, ANTHROPIC, {"tool_choice": "maybe"}, "tool_choice", id="choice"),
        pytest.param(
            CHAT,
            ANTHROPIC,
            {"messages": user({"type": "image_url", "image_url": {"url": "data:image/png,AAAA"}})},
            "messages[0].content[0].image_url.url",
            id="data URL",
        ),
        pytest.param(
            CHAT,
            ANTHROPIC,
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "["}}]}
                ]
            },
            "messages: the arguments of a tool call",
            id="arguments",
        ),
        pytest.param(ANTHROPIC, CHAT, {"system": 1}, "system", id="system"),
        pytest.param(ANTHROPIC, CHAT, {"tool_choice": {"type": "some"}}, "tool_choice.type", id="choice of Anthropic"),
        pytest.param(RESPONSES, CHAT, {"input": 1}, "input", id="input"),
        pytest.param(
            RESPONSES, CHAT, {"input": [{"role": "user", "content": [1]}]}, "input[0].content[0].type", id="part"
        ),
    ],
)
def test_what_no_api_would_take_is_refused_for_its_shape(source, target, fields, name):
    with pytest.raises(BadRequest) as caught:
        ask(source, target, **fields)
    assert caught.value.reason == "body-shape"
    assert f"The field {name} must be" in caught.value.message


@pytest.mark.parametrize("make", [OpenAiChatToAnthropic, OpenAiResponsesToAnthropic])
def test_the_newer_version_of_anthropic_gets_no_sampling_fields(make):
    pair = make(version="2026-10-21")
    call = DIALECTS[pair.source].read("chat", {**BASES[pair.source], "temperature": 1, "top_p": 0.5})
    translated = pair.request(call, "upstream")
    assert translated.dropped == ("temperature", "top_p")
    assert translated.doc.keys().isdisjoint({"temperature", "top_p"})
    assert translated.headers == (("anthropic-version", "2026-10-21"),)


def test_counting_tokens_is_refused_where_the_upstream_cannot_count():
    with pytest.raises(BadRequest, match="count_tokens"):
        ask(ANTHROPIC, CHAT, "count_tokens")


def test_ids_get_the_characters_that_the_api_takes_and_pairs_stay_pairs():
    call = {"id": "functions.f:0", "type": "function", "function": {"name": "f", "arguments": ""}}
    messages = [
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "x"},
    ]
    sent = ask(CHAT, ANTHROPIC, messages=messages).doc["messages"]
    assert sent[0]["content"][0]["id"] == sent[1]["content"][0]["tool_use_id"] == "functions_f_0"


def test_tool_results_come_directly_after_their_calls():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
    late = [{"role": "user", "content": "Hm"}, {"role": "tool", "tool_call_id": "c", "content": "x"}]
    sent = ask(CHAT, ANTHROPIC, messages=[{"role": "assistant", "tool_calls": [call]}, *late]).doc["messages"]
    assert [block["type"] for block in sent[1]["content"]] == ["tool_result", "text"]


def test_thinking_that_anthropic_signed_goes_back_to_it():
    summary = [{"type": "summary_text", "text": "Hm."}]
    items = [
        {"type": "reasoning", "summary": summary, "encrypted_content": "anthropic:c2ln"},
        {"type": "reasoning", "summary": [], "encrypted_content": "anthropic-sealed:eHg="},
        {"role": "assistant", "content": "Yes."},
    ]
    assert ask(RESPONSES, ANTHROPIC, input=items).doc["messages"][0]["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "eHg="},
        {"type": "text", "text": "Yes."},
    ]


def test_a_long_list_of_names_ends():
    loss = Loss({})
    for number in range(100):
        loss.drop(f"field_{number}")
    assert (len(loss.names), loss.names[-1]) == (MAX_NAMES + 1, "more")
