"""OpenAI and Anthropic clients served by Gemini: requests checked with Google's own types, answers with the clients'
own SDKs, streams cut at every byte."""

import json

import anthropic
import httpx2
import openai
import pytest
from google.genai import types

from extproc.errors import BadRequest, Uninspectable
from extproc.exchange.classify import DIALECTS
from extproc.exchange.translation.registry import TRANSLATIONS

PAIRS = [(source, "gemini") for source in ("openai-chat", "anthropic-messages")]
CHAT, CLAUDE = (TRANSLATIONS[pair] for pair in PAIRS)
PNG = "iVBORw0KGgo="
USAGE = {
    "promptTokenCount": 20,
    "toolUsePromptTokenCount": 2,
    "cachedContentTokenCount": 8,
    "candidatesTokenCount": 7,
    "thoughtsTokenCount": 5,
}


def request(pair, doc, model="gemini-3-flash"):
    doc = {"model": "m", "messages": [], **doc}
    if pair is CLAUDE:
        doc.setdefault("max_tokens", 99)
    out = pair.request(DIALECTS[pair.source].read("chat", doc), model)
    checked(out.doc)
    return out


def checked(doc):
    """Raises unless Google's SDK knows every field."""
    for content in doc["contents"]:
        types.Content.model_validate(content)
    config = dict(doc.get("generationConfig", {}))
    for key in ("tools", "toolConfig", "systemInstruction"):
        if key in doc:
            config[key] = doc[key]
    types.GenerateContentConfig.model_validate(config)


def chunk(parts, finish=None, **more):
    candidate = {"content": {"role": "model", "parts": parts}}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "responseId": "R-1", "modelVersion": "gemini-3-flash", **more}


def stream(*docs):
    return b"".join([b"data: " + json.dumps(doc).encode() + b"\r\n\r\n" for doc in docs])


def call_of(pair, **doc):
    doc = {"model": "m", "messages": [], "stream": True, **doc}
    if pair is CLAUDE:
        doc["max_tokens"] = 9
        doc["thinking"] = {"type": "adaptive"}
    return DIALECTS[pair.source].read("chat", doc)


def replied(pair, raw, pieces=None, **doc):
    reply = pair.answer(call_of(pair, **doc))
    return b"".join([reply.feed(piece) for piece in pieces or [raw]]) + reply.finish()


def client(pair, status, kind, body):
    def answer(_request):
        return httpx2.Response(status, headers={"content-type": kind}, content=body)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    if pair is CLAUDE:
        return anthropic.Anthropic(api_key="k", base_url="http://x.test", http_client=http, max_retries=0)
    return openai.OpenAI(api_key="k", base_url="http://x.test/v1", http_client=http, max_retries=0)


def ask(pair, sdk, **more):
    if pair is CLAUDE:
        return sdk.messages.create(model="m", max_tokens=9, messages=[], **more)
    return sdk.chat.completions.create(model="m", messages=[], **more)


SIGNED = [
    chunk([{"text": "Hm.", "thought": True}], usageMetadata={"promptTokenCount": 20}),
    chunk([{"text": "So "}]),
    chunk(
        [{"text": "then"}, {"functionCall": {"name": "run", "args": {"a": [1, "é"]}}, "thoughtSignature": "ab+/cQ=="}]
    ),
    chunk([{"functionCall": {"id": "g2", "name": "stop", "args": {}}}], "STOP", usageMetadata=USAGE),
]


class TestRequests:
    def test_of_openai_chat(self):
        out = request(
            CHAT,
            {
                "messages": [
                    {"role": "developer", "content": "Be brief."},
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "What is this?"},
                            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
                            {"type": "image_url", "image_url": {"url": "https://x.test/a.jpg?size=1"}},
                        ],
                    },
                    {
                        "role": "assistant",
                        "content": None,
                        "tool_calls": [
                            {"id": "g1", "type": "function", "function": {"name": "run", "arguments": '{"a":1}'}},
                            {"id": "made_call_R1_1", "type": "function", "function": {"name": "stop", "arguments": ""}},
                        ],
                    },
                    {"role": "tool", "tool_call_id": "g1", "content": "one"},
                    {"role": "tool", "tool_call_id": "made_call_R1_1", "content": "two"},
                    {"role": "system", "content": "Be kind."},
                    {"role": "user", "content": "And?"},
                ],
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "run", "description": "d", "parameters": {"type": "object"}},
                    },
                    {"type": "function", "function": {"name": "stop", "strict": True}},
                ],
                "tool_choice": {"type": "function", "function": {"name": "run"}},
                "parallel_tool_calls": False,
                "max_completion_tokens": 50,
                "temperature": 0.5,
                "top_p": 1,
                "stop": "END",
                "seed": 7,
                "frequency_penalty": 0.1,
                "reasoning_effort": "xhigh",
                "response_format": {"type": "json_object"},
                "user": "u",
                "logit_bias": {"1": 2},
            },
        )
        assert out.doc == {
            "contents": [
                {
                    "role": "user",
                    "parts": [
                        {"text": "What is this?"},
                        {"inlineData": {"mimeType": "image/png", "data": PNG}},
                        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://x.test/a.jpg?size=1"}},
                    ],
                },
                {
                    "role": "model",
                    "parts": [
                        {
                            "functionCall": {"id": "g1", "name": "run", "args": {"a": 1}},
                            "thoughtSignature": "skip_thought_signature_validator",
                        },
                        {"functionCall": {"name": "stop", "args": {}}},
                    ],
                },
                {
                    "role": "user",
                    "parts": [
                        {"functionResponse": {"id": "g1", "name": "run", "response": {"output": "one"}}},
                        {"functionResponse": {"name": "stop", "response": {"output": "two"}}},
                        {"text": "And?"},
                    ],
                },
            ],
            "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]},
            "tools": [
                {
                    "functionDeclarations": [
                        {"name": "run", "description": "d", "parametersJsonSchema": {"type": "object"}},
                        {"name": "stop"},
                    ]
                }
            ],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["run"]}},
            "generationConfig": {
                "maxOutputTokens": 50,
                "temperature": 0.5,
                "topP": 1,
                "stopSequences": ["END"],
                "thinkingConfig": {"thinkingLevel": "high"},
                "seed": 7,
                "frequencyPenalty": 0.1,
                "responseMimeType": "application/json",
            },
        }
        assert set(out.dropped) == {
            "logit_bias",
            "messages[].role=system",
            "tools[].function.strict",
            "parallel_tool_calls",
            "reasoning_effort",
            "user",
        }
        assert (out.model, out.stream) == ("gemini-3-flash", False)

    def test_of_anthropic_messages(self):
        out = request(
            CLAUDE,
            {
                "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
                "messages": [
                    {"role": "user", "content": "hi"},
                    {
                        "role": "assistant",
                        "content": [
                            {"type": "thinking", "thinking": "hm", "signature": "x"},
                            {"type": "tool_use", "id": "g1__sig__ab-_cQ", "name": "run", "input": {"a": 1}},
                        ],
                    },
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "tool_result",
                                "tool_use_id": "g1__sig__ab-_cQ",
                                "is_error": True,
                                "content": [
                                    {"type": "text", "text": "broken"},
                                    {
                                        "type": "image",
                                        "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                                    },
                                ],
                            }
                        ],
                    },
                ],
                "tools": [{"name": "run", "input_schema": {"type": "object"}}],
                "tool_choice": {"type": "any"},
                "top_k": 3,
                "stop_sequences": ["a", "b"],
                "thinking": {"type": "enabled", "budget_tokens": 2048},
                "stream": True,
            },
            model="gemini-2.5-pro",
        )
        assert out.doc["contents"][1]["parts"] == [
            {"functionCall": {"id": "g1", "name": "run", "args": {"a": 1}}, "thoughtSignature": "ab+/cQ=="}
        ]
        assert out.doc["contents"][2]["parts"] == [
            {
                "functionResponse": {
                    "id": "g1",
                    "name": "run",
                    "response": {"error": "broken"},
                    "parts": [{"inlineData": {"mimeType": "image/png", "data": PNG}}],
                }
            }
        ]
        assert out.doc["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}
        assert out.doc["generationConfig"] == {
            "maxOutputTokens": 99,
            "topK": 3,
            "stopSequences": ["a", "b"],
            "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 2048},
        }
        assert out.stream
        assert set(out.dropped) == {"cache_control", "messages[].content[].thinking"}

    def test_results_come_first_across_turns_that_become_one(self):
        calls = [{"type": "tool_use", "id": one, "name": one, "input": {}} for one in ("a", "b")]
        results = [{"type": "tool_result", "tool_use_id": one, "content": one} for one in ("a", "b")]
        messages = [
            {"role": "assistant", "content": calls},
            {"role": "user", "content": [results[0], {"type": "text", "text": "and"}]},
            {"role": "user", "content": [results[1]]},
        ]
        parts = request(CLAUDE, {"messages": messages}).doc["contents"][1]["parts"]
        assert [next(iter(part)) for part in parts] == ["functionResponse", "functionResponse", "text"]

    @pytest.mark.parametrize(
        ("model", "effort", "thinking"),
        [
            ("gemini-3-flash", "low", {"thinkingLevel": "low"}),
            ("gemini-3-flash", "none", {"thinkingLevel": "minimal"}),
            ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
            ("gemini-2.5-flash", "medium", {"thinkingBudget": 8192}),
        ],
    )
    def test_effort_is_a_level_or_for_older_models_a_budget(self, model, effort, thinking):
        out = request(CHAT, {"reasoning_effort": effort}, model)
        assert out.doc["generationConfig"]["thinkingConfig"] == thinking

    def test_a_schema_for_the_answer(self):
        schema = {"type": "object", "properties": {"a": {"type": "string"}}}
        wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}
        out = request(CHAT, {"response_format": wanted})
        assert out.doc["generationConfig"] == {"responseMimeType": "application/json", "responseJsonSchema": schema}
        assert out.dropped == ("response_format.json_schema.name",)

    @pytest.mark.parametrize(
        ("pair", "doc", "field"),
        [
            pytest.param(CHAT, {"n": 2}, "n", id="several choices"),
            pytest.param(
                CHAT, {"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, "tool result", id="no call"
            ),
            pytest.param(CHAT, {"stop": list("abcdef")}, "stop", id="too many stop sequences"),
            pytest.param(
                CHAT,
                {
                    "messages": [
                        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y"}}]}
                    ]
                },
                "media type",
                id="a URL of unknown type",
            ),
            pytest.param(
                CHAT,
                {
                    "messages": [
                        {
                            "role": "system",
                            "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}],
                        }
                    ]
                },
                "instructions",
                id="an image as instruction",
            ),
            pytest.param(
                CHAT,
                {
                    "messages": [
                        {
                            "role": "assistant",
                            "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "[1]"}}],
                        }
                    ]
                },
                "arguments",
                id="arguments that are no object",
            ),
        ],
    )
    def test_what_cannot_be_said_is_refused_by_name(self, pair, doc, field):
        with pytest.raises(BadRequest) as caught:
            request(pair, doc)
        assert caught.value.status == 400
        assert field in caught.value.message


class TestAnswers:
    @pytest.mark.parametrize("pair", [CHAT, CLAUDE], ids=["openai", "anthropic"])
    def test_a_stream_is_the_same_for_every_cut(self, pair):
        raw = stream(*SIGNED)
        whole = replied(pair, raw)
        for cut in range(1, len(raw)):
            assert replied(pair, raw, [raw[:cut], raw[cut:]]) == whole
        assert replied(pair, raw, [raw[i : i + 1] for i in range(len(raw))]) == whole

    def test_the_openai_sdk_reads_a_stream(self):
        body = replied(CHAT, stream(*SIGNED), stream_options={"include_usage": True})
        with client(CHAT, 200, "text/event-stream", body) as sdk:
            chunks = list(sdk.chat.completions.create(model="m", messages=[], stream=True))
        deltas = [each.choices[0].delta for each in chunks if each.choices]
        assert "".join(delta.content or "" for delta in deltas) == "So then"
        assert "".join(getattr(delta, "reasoning_content", "") or "" for delta in deltas) == "Hm."
        calls = [call for delta in deltas for call in delta.tool_calls or []]
        assert [call.id for call in calls if call.id] == ["made_call_R1_0__sig__ab-_cQ", "g2"]
        assert [call.function.arguments for call in calls if call.function.arguments] == ['{"a":[1,"é"]}', "{}"]
        assert [each.choices[0].finish_reason for each in chunks if each.choices][-1] == "tool_calls"
        usage = chunks[-1].usage
        assert (usage.prompt_tokens, usage.completion_tokens) == (22, 12)
        assert usage.prompt_tokens_details.cached_tokens == 8
        assert usage.completion_tokens_details.reasoning_tokens == 5
        assert body.endswith(b"data: [DONE]\n\n")

    def test_the_anthropic_sdk_reads_a_stream(self):
        body = replied(CLAUDE, stream(*SIGNED))
        sdk = client(CLAUDE, 200, "text/event-stream", body)
        with sdk, sdk.messages.stream(model="m", max_tokens=9, messages=[]) as events:
            message = events.get_final_message()
        assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
        assert message.content[1].text == "So then"
        assert message.content[2].input == {"a": [1, "é"]}
        assert message.stop_reason == "tool_use"
        assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (14, 8)
        assert message.usage.output_tokens == 12

    def test_the_call_a_client_sends_back_is_the_call_gemini_made(self):
        body = replied(CHAT, stream(*SIGNED))
        with client(CHAT, 200, "text/event-stream", body) as sdk:
            chunks = list(sdk.chat.completions.create(model="m", messages=[], stream=True))
        ids = [c.id for each in chunks if each.choices for c in each.choices[0].delta.tool_calls or [] if c.id]
        history = [
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": ids[0], "type": "function", "function": {"name": "run", "arguments": '{"a":[1,"é"]}'}},
                    {"id": ids[1], "type": "function", "function": {"name": "stop", "arguments": "{}"}},
                ],
            },
            *[{"role": "tool", "tool_call_id": one, "content": "ok"} for one in ids],
        ]
        contents = request(CHAT, {"messages": history}).doc["contents"]
        made = [part for doc in SIGNED for part in doc["candidates"][0]["content"]["parts"] if "functionCall" in part]
        assert contents[0]["parts"] == made
        assert [part["functionResponse"]["name"] for part in contents[1]["parts"]] == ["run", "stop"]

    def test_a_document_for_each_client(self):
        doc = json.dumps(chunk([{"text": "a"}, {"text": "b"}], "MAX_TOKENS", usageMetadata=USAGE)).encode()
        with client(CHAT, 200, "application/json", CHAT.answer(call_of(CHAT)).document(200, doc)) as sdk:
            answer = sdk.chat.completions.create(model="m", messages=[])
        assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("ab", "length")
        assert answer.usage.total_tokens == 34
        with client(CLAUDE, 200, "application/json", CLAUDE.answer(call_of(CLAUDE)).document(200, doc)) as sdk:
            answer = sdk.messages.create(model="m", max_tokens=9, messages=[])
        assert (answer.content[0].text, answer.stop_reason) == ("ab", "max_tokens")

    @pytest.mark.parametrize(
        ("doc", "reason"),
        [
            (chunk([{"text": "x"}], "STOP"), "stop"),
            (chunk([{"text": "x"}], "SAFETY"), "content_filter"),
            (chunk([], "RECITATION"), "content_filter"),
            (chunk([{"text": "x"}], "OTHER"), "stop"),
            ({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}}, "content_filter"),
        ],
    )
    def test_why_it_ended(self, doc, reason):
        whole = json.loads(CHAT.answer(call_of(CHAT)).document(200, json.dumps(doc).encode()))
        assert whole["choices"][0]["finish_reason"] == reason
        assert b'"finish_reason":"%b"' % reason.encode() in replied(CHAT, stream(doc))

    def test_a_stream_that_breaks_off_stays_unended(self):
        out = replied(CHAT, stream(*SIGNED[:2]))
        assert b"[DONE]" not in out
        assert b'"finish_reason":"' not in out

    @pytest.mark.parametrize("pair", [CHAT, CLAUDE], ids=["openai", "anthropic"])
    @pytest.mark.parametrize(
        ("status", "name", "error"),
        [(400, "INVALID_ARGUMENT", "BadRequestError"), (429, "RESOURCE_EXHAUSTED", "RateLimitError"),
         (503, "UNAVAILABLE", None), (403, "PERMISSION_DENIED", "PermissionDeniedError")],
    )  # fmt: skip
    def test_errors_are_the_clients_own(self, pair, status, name, error):
        module = anthropic if pair is CLAUDE else openai
        raw = json.dumps({"error": {"code": status, "message": "sorry", "status": name}}).encode()
        body = pair.answer(call_of(pair)).document(status, raw)
        with client(pair, status, "application/json", body) as sdk, pytest.raises(module.APIStatusError) as caught:
            ask(pair, sdk)
        assert "sorry" in str(caught.value)
        if error:
            assert type(caught.value).__name__ == error
        out = replied(pair, stream(SIGNED[1], json.loads(raw)))
        with client(pair, 200, "text/event-stream", out) as sdk, pytest.raises(module.APIError, match="sorry"):
            list(ask(pair, sdk, stream=True))

    def test_an_answer_the_model_spoiled_is_an_error(self):
        spoiled = chunk([], "MALFORMED_FUNCTION_CALL")
        assert b'"error"' in replied(CHAT, stream(spoiled))
        with pytest.raises(Uninspectable):
            CHAT.answer(call_of(CHAT)).document(200, json.dumps(spoiled).encode())

    @pytest.mark.parametrize(
        "part",
        [
            {"inlineData": {"mimeType": "image/png", "data": PNG}},
            {"executableCode": {"code": "1"}},
            {"functionCall": {"name": "f", "partialArgs": []}},
            {"functionCall": {"name": "f", "args": []}},
        ],
    )
    def test_a_part_that_cannot_be_said_is_not_lost_in_silence(self, part):
        with pytest.raises(Uninspectable):
            replied(CHAT, stream(chunk([part])))


@pytest.mark.parametrize("source", ["openai-chat", "openai-completions", "openai-embeddings"])
def test_azure_deployments_take_the_same_bodies_at_their_own_paths(source):
    pair = TRANSLATIONS[source, "azure-" + source]
    doc = {"model": "alias", "messages": [], "input": "x", "prompt": "x"}
    call = DIALECTS[source].read("chat", doc)
    out = pair.request(call, "dep/1")
    assert out.doc == {**doc, "model": "dep/1"}
    assert DIALECTS[pair.target].path(call, "dep/1").startswith("/openai/deployments/dep%2F1/")
    assert pair.answer(call).document(200, b"{}") == b"{}"
