"""Every row of the tables of answers in docs/translation.md, held to what it says. A row without a case here, and a
case whose row is gone, fail. (Streams tell what documents tell: see the property tests.)"""

import importlib.util
import json
from base64 import b64encode
from pathlib import Path

import pytest

from extproc.errors import Uninspectable
from extproc.exchange import frame_answer
from extproc.exchange.classify import DIALECTS
from extproc.exchange.translation.registry import TRANSLATIONS

_spec = importlib.util.spec_from_file_location(
    "translation_rows", Path(__file__).parents[3] / "golden" / "translation_rows.py"
)
rows = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rows)
CHAT, RESPONSES, CLAUDE, CONVERSE, INVOKE = rows.CHAT, rows.RESPONSES, rows.CLAUDE, rows.CONVERSE, rows.INVOKE
GEMINI, text = rows.GEMINI, rows.text
ASKED = {
    CHAT: rows.BASES[CHAT],
    RESPONSES: {**rows.BASES[RESPONSES], "tools": [{"type": "custom", "name": "patch"}], "metadata": {"a": "b"}},
    CLAUDE: {**rows.BASES[CLAUDE], "thinking": {"type": "adaptive"}},
}
TABLES = {}
USED = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}


def claude(*content, stop="end_turn", usage=None, **more):
    return {"id": "x", "type": "message", "role": "assistant", "model": "u", "content": list(content),
            "stop_reason": stop, "usage": usage or {"input_tokens": 1, "output_tokens": 1}, **more}  # fmt: skip


def chat(message, reason="stop", usage=None):
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return {"id": "x", "choices": [choice], "usage": usage or {}}


def converse(*content, stop="end_turn", usage=None, **more):
    return {"output": {"message": {"role": "assistant", "content": list(content)}}, "stopReason": stop,
            "usage": usage or {}, **more}  # fmt: skip


def gemini(*parts, finish="STOP", usage=None):
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": finish}
    return {"candidates": [candidate], "responseId": "x", "usageMetadata": usage or {}}


def chats(message=None, reason=None, usage=None):
    """What a chat client is to be told of it."""
    choice = {**({"message": message} if message else {}), **({"finish_reason": reason} if reason else {})}
    return {**({"choices": [choice]} if choice else {}), **({"usage": usage} if usage else {})}


def failed(**error):
    return {"error": error}


def table(title, pair):
    cases = TABLES[title] = []

    def add(row, said, told, status=200, pair=pair):
        cases.append((row, pair, said, told, status))

    return add


REFUSED = object()  # what cannot be told
# fmt: off
t = table("OpenAI Chat Completions → Anthropic Messages", (CHAT, CLAUDE))
t("`text`", claude(text("a"), text("b")), chats({"content": "ab", "tool_calls": None}))
t("`thinking`", claude({"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking",
  "data": "d"}),
  chats({"reasoning_content": "hm", "content": None}))
t("`tool_use`", claude(text("a"), USED, {**USED, "id": "t2"}), chats({"tool_calls": [{**CALL, "id": "t"}, {**CALL,
  "id": "t2"}]}))
t("citations", claude(text("a", citations=[{"type": "char_location", "cited_text": "quoted"}])),
  chats({"content": "a", "annotations": None}))
row = "end_turn, stop_sequence, pause_turn / max_tokens, model_context_window_exceeded / tool_use / refusal"
for given, taken in {"end_turn": "stop", "stop_sequence": "stop", "pause_turn": "stop", "max_tokens": "length",
                     "model_context_window_exceeded": "length", "tool_use": "tool_calls"}.items():
    t(row, claude(stop=given), chats(reason=taken))
t(row, claude(stop="refusal", stop_details={"type": "refusal", "explanation": "no"}), chats({"refusal": "no"},
  "content_filter"))
COUNTED = {"input_tokens": 10, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2, "output_tokens": 5,
           "output_tokens_details": {"thinking_tokens": 4}}
t("input + cache read + cache creation", claude(usage=COUNTED), chats(usage={"prompt_tokens": 15, "total_tokens": 20,
  "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2}}))
t("`output_tokens`, thinking tokens within", claude(usage=COUNTED), chats(usage={"completion_tokens": 5,
  "completion_tokens_details": {"reasoning_tokens": 4}}))
for status, kind, word in ((400, "invalid_request_error", "invalid_request_error"), (429, "rate_limit_error",
  "rate_limit_error"),
                           (529, "overloaded_error", "server_error")):
    t("errors", {"type": "error", "error": {"type": kind, "message": "m"}}, failed(message="m", type=word, code=kind),
      status)

t = table("Anthropic Messages → OpenAI Chat Completions", (CLAUDE, CHAT))
t("`content`, `refusal`", chat({"content": "a", "refusal": "b"}), {"content": [text("ab")]})
for name in ("reasoning_content", "reasoning"):
    t("`reasoning_content`, `reasoning`", chat({"content": "a", name: "hm"}),
      {"content": [{"type": "thinking", "thinking": "hm", "signature": ""}, text("a")]})
t("`tool_calls[]`", chat({"tool_calls": [CALL, {**CALL, "id": "d"}]}, "tool_calls"),
  {"content": [{**USED, "id": "c"}, {**USED, "id": "d"}], "stop_reason": "tool_use"})
t("`tool_calls[]`", chat({"tool_calls": [CALL, {"id": "d", "function": {"name": "f", "arguments": '{"a'}}]}, "length"),
  {"content": [{**USED, "id": "c"}], "stop_reason": "max_tokens"})
for given, taken in {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use",
  "content_filter": "refusal"}.items():
    t("stop / length / tool_calls / content_filter", chat({"content": "a"}, given), {"stop_reason": taken,
      "stop_sequence": None})
USAGE = {"prompt_tokens": 15, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 3,
  "cache_write_tokens": 2},
         "completion_tokens_details": {"reasoning_tokens": 4}}
t("`prompt_tokens` without cached and written ones", chat({"content": "a"}, usage=USAGE),
  {"usage": {"input_tokens": 10, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2}})
t("`completion_tokens`, `reasoning_tokens`", chat({"content": "a"}, usage=USAGE),
  {"usage": {"output_tokens": 5, "output_tokens_details": {"thinking_tokens": 4}}})
for status, kind in ((400, "invalid_request_error"), (401, "authentication_error"), (404, "not_found_error"), (500,
  "api_error")):
    t("errors", failed(message="m", type="x", code="y"), {"type": "error", "error": {"type": kind, "message": "m"}},
      status)

t = table("OpenAI Responses → OpenAI Chat Completions, and → Anthropic Messages", (RESPONSES, CHAT))
t("text, refusal", chat({"content": "a"}), {"output": [{"type": "message", "content": [{"type": "output_text",
  "text": "a"}]}],
  "status": "completed", "store": False, "metadata": {"a": "b"}})
t("text, refusal", chat({"refusal": "a"}), {"output": [{"content": [{"type": "refusal", "refusal": "a"}]}]})
t("reasoning", chat({"content": "a", "reasoning_content": "hm"}),
  {"output": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": None},
    {}]})
t("reasoning", claude({"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "redacted_thinking",
  "data": "d"}),
  {"output": [{"encrypted_content": "anthropic:s"}, {"encrypted_content": "anthropic-sealed:d"}]}, pair=(RESPONSES,
    CLAUDE))
t("tool calls", chat({"tool_calls": [CALL]}, "tool_calls"), {"output": [{"type": "function_call", "call_id": "c",
  "name": "f",
  "arguments": '{"a":1}', "status": "completed"}]})
t("tool calls", chat({"tool_calls": [{"id": "c", "function": {"name": "patch", "arguments": '{"input":"x"}'}}]},
  "tool_calls"),
  {"output": [{"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "x"}]})
for given, taken in {"length": "max_output_tokens", "content_filter": "content_filter"}.items():
    t("the limit, a refusal or filter", chat({"content": "a"}, given), {"status": "incomplete",
      "incomplete_details": {"reason": taken}})
t("usage", chat({"content": "a"}, usage=USAGE), {"usage": {"input_tokens": 15, "output_tokens": 5, "total_tokens": 20,
  "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
    "output_tokens_details": {"reasoning_tokens": 4}}})
t("errors", failed(message="m", type="x", code="y"), failed(message="m", code="y", type="rate_limit_error"), 429)
t("errors", failed(message="m", type="overloaded_error"), failed(message="m", type="server_error"), 529, (RESPONSES,
  CLAUDE))

t = table("OpenAI Chat Completions, OpenAI Responses and Anthropic Messages → Bedrock Converse", (CLAUDE, CONVERSE))
CITED = {"citationsContent": {"content": [{"text": "b"}], "citations": [{"title": "quoted"}]}}
t("`text`, `citationsContent`", converse({"text": "a"}, CITED), {"content": [text("ab")]})
t("`reasoningContent`", converse({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}},
  {"reasoningContent": {"redactedContent": "d"}}), {"content": [{"type": "thinking", "thinking": "hm",
    "signature": "s"},
  {"type": "redacted_thinking", "data": "d"}]})
ASK = {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}}
t("`toolUse`", converse(ASK, {"toolUse": {**ASK["toolUse"], "type": "server_tool_use"}}, stop="tool_use"),
  {"content": [USED]})
for given in ("end_turn", "malformed_model_output", "malformed_tool_use"):
    t("end_turn, malformed_model_output, malformed_tool_use", converse(stop=given), {"stop_reason": "end_turn"})
row = "stop_sequence / max_tokens, model_context_window_exceeded / tool_use"
for given, taken in {"max_tokens": "max_tokens", "model_context_window_exceeded": "max_tokens",
  "tool_use": "tool_use"}.items():
    t(row, converse(stop=given), {"stop_reason": taken})
t(row, converse(stop="stop_sequence", additionalModelResponseFields={"stop_sequence": "END"}),
  {"stop_reason": "stop_sequence", "stop_sequence": "END"})
for given in ("guardrail_intervened", "content_filtered"):
    t("guardrail_intervened, content_filtered", converse(stop=given), {"stop_reason": "refusal"})
    t("guardrail_intervened, content_filtered", converse(stop=given), chats(reason="content_filter"), pair=(CHAT,
      CONVERSE))
t("`inputTokens` + cache read + cache write, `outputTokens`", converse(usage={"inputTokens": 10,
  "cacheReadInputTokens": 3,
  "cacheWriteInputTokens": 2, "outputTokens": 5}), chats(usage={"prompt_tokens": 15, "completion_tokens": 5,
  "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2}}), pair=(CHAT, CONVERSE))
for status, kind in ((400, "invalid_request_error"), (403, "permission_error"), (424, "api_error"), (429,
  "rate_limit_error")):
    t("errors, exceptions in a stream", {"message": "m"}, {"type": "error", "error": {"type": kind, "message": "m"}},
      status)
t("errors, exceptions in a stream", frame_answer.exception("throttlingException", {"message": "m"}),
  b'"type":"rate_limit_error"')

t = table("Anthropic Messages → Bedrock InvokeModel", (CLAUDE, INVOKE))
t("documents", claude(text("a"), USED), claude(text("a"), USED))
STOPPED = {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 1}}
t("streams", frame_answer.event("chunk", {"bytes": b64encode(json.dumps(STOPPED).encode()).decode()}),
  b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
t("errors, exceptions in a stream", {"message": "m"}, {"type": "error", "error": {"type": "rate_limit_error",
  "message": "m"}}, 429)
t("errors, exceptions in a stream", frame_answer.exception("throttlingException", {"message": "m"}),
  b'"type":"rate_limit_error"')

t = table("OpenAI Chat Completions and Anthropic Messages → Gemini", (CHAT, GEMINI))
row = "`text`; with `thought: true`"
t(row, gemini({"text": "hm", "thought": True}, {"text": "a"}), chats({"content": "a", "reasoning_content": "hm"}))
t(row, gemini({"text": "hm", "thought": True}, {"text": "a"}), {"content": [{"type": "thinking", "thinking": "hm"},
  text("a")]},
  pair=(CLAUDE, GEMINI))
t("`functionCall`", gemini({"functionCall": {"id": "c", "name": "f", "args": {"a": 1}}}),
  chats({"tool_calls": [CALL]}, "tool_calls"))
t("`functionCall`", gemini({"functionCall": {"id": "t", "name": "f", "args": {"a": 1}}}), {"content": [USED]},
  pair=(CLAUDE, GEMINI))
for part in ({"inlineData": {}}, {"executableCode": {}}, {"fileData": {}}):
    t("any other part", gemini(part), REFUSED)
row = "STOP, OTHER / STOP after calls / MAX_TOKENS"
for given, taken in {"STOP": ("stop", "end_turn"), "OTHER": ("stop", "end_turn"), "MAX_TOKENS": ("length",
  "max_tokens")}.items():
    t(row, gemini({"text": "a"}, finish=given), chats(reason=taken[0]))
    t(row, gemini({"text": "a"}, finish=given), {"stop_reason": taken[1]}, pair=(CLAUDE, GEMINI))
t(row, gemini({"functionCall": {"name": "f", "args": {}}}), {"stop_reason": "tool_use"}, pair=(CLAUDE, GEMINI))
row = ("SAFETY, RECITATION, LANGUAGE, BLOCKLIST, PROHIBITED_CONTENT, SPII, MODEL_ARMOR, IMAGE_*, a blocked prompt")
for given in ("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR",
  "IMAGE_SAFETY",
              "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "NO_IMAGE"):
    t(row, gemini(finish=given), chats(reason="content_filter"))
BLOCKED = {"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "no"}}
t(row, BLOCKED, chats({"refusal": "no"}, "content_filter"))
t(row, BLOCKED, {"stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": "no"}}, pair=(CLAUDE,
  GEMINI))
for given in ("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS",
  "MISSING_THOUGHT_SIGNATURE"):
    t("MALFORMED_*, UNEXPECTED_TOOL_CALL, TOO_MANY_TOOL_CALLS, MISSING_THOUGHT_SIGNATURE", gemini(finish=given),
      REFUSED)
COUNTS = {"promptTokenCount": 20, "toolUsePromptTokenCount": 2, "cachedContentTokenCount": 8, "candidatesTokenCount": 7,
          "thoughtsTokenCount": 5}
t("`promptTokenCount` + `toolUsePromptTokenCount`, of it `cachedContentTokenCount`", gemini({"text": "a"},
  usage=COUNTS),
  chats(usage={"prompt_tokens": 22, "prompt_tokens_details": {"cached_tokens": 8}}))
t("`candidatesTokenCount` + `thoughtsTokenCount`", gemini({"text": "a"}, usage=COUNTS),
  chats(usage={"completion_tokens": 12, "completion_tokens_details": {"reasoning_tokens": 5}}))
SORRY = {"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}}
t("errors, also in a stream", SORRY, failed(message="m", type="rate_limit_error", code="RESOURCE_EXHAUSTED"), 429)
t("errors, also in a stream", b"data: " + json.dumps(SORRY).encode() + b"\n\n", b'"type":"rate_limit_error"')
# fmt: on

CASES = [
    pytest.param(*case[1:], id=f"{'-to-'.join(case[1])}: {case[0][:50]} {at}")
    for cases in TABLES.values()
    for at, case in enumerate(cases)
]


@pytest.mark.parametrize(("pair", "said", "told", "status"), CASES)
@pytest.mark.promise("translation.table")
def test_a_row(pair, said, told, status):
    reply = TRANSLATIONS[pair].answer(DIALECTS[pair[0]].read("chat", ASKED[pair[0]]))
    if isinstance(said, bytes):
        out = reply.feed(said) + reply.finish()
        assert told in out
        return
    body = json.dumps(said).encode()
    if told is REFUSED:
        with pytest.raises(Uninspectable):
            reply.document(status, body)
        return
    found = json.loads(reply.document(status, body))
    assert rows.holds(found, told), found


@pytest.mark.parametrize("title", TABLES)
@pytest.mark.promise("translation.table")
def test_every_row_has_a_case_and_every_case_a_row(title):
    assert list(dict.fromkeys(case[0] for case in TABLES[title])) == rows.tables()[title][1][1]


def test_every_section_of_the_page_has_its_tests():
    last = "Dialects that differ in the path alone"  # see test_translation_same_body
    assert [section for section, tables in rows.tables().items() if len(tables) == 2] == list(TABLES)
    assert set(rows.tables()) - set(TABLES) == {last}
