"""Every row of the tables of requests in docs/translation.md to Bedrock and Gemini, held to what it says. A row without
a case here, and a case whose row is gone, fail."""

import importlib.util
import json
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location(
    "translation_rows", Path(__file__).parents[3] / "golden" / "translation_rows.py"
)
rows = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rows)
BLOCKED, CHAT, CLAUDE, CONVERSE, EMPTY = rows.BLOCKED, rows.CHAT, rows.CLAUDE, rows.CONVERSE, rows.EMPTY
GEMINI, INVOKE, KNOWN, MARK, ON_BEDROCK = rows.GEMINI, rows.INVOKE, rows.KNOWN, rows.MARK, rows.ON_BEDROCK
OTHER, PDF, PNG, RESULT, S = rows.OTHER, rows.PDF, rows.PNG, rows.RESULT, rows.S
THOUGHT, TOOL, called, fn, image = rows.THOUGHT, rows.TOOL, rows.called, rows.fn, rows.image
schema, source, text, used, user = rows.schema, rows.source, rows.text, rows.used, rows.user
SECTIONS = []


def section(*about):
    SECTIONS.append(rows.Section(*about))
    return SECTIONS[-1]


# fmt: off
t = section("OpenAI Chat Completions, OpenAI Responses and Anthropic Messages → Bedrock Converse", CHAT, CONVERSE)
t("the model, stream", {"stream": True}, {"model": None, "stream": None})
t("system texts", {"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"},
  {"role": "system", "content": "c"}]}, {"system": [{"text": "a"}, {"text": "c"}]}, dropped=("messages[].role=system",))
t("user and assistant messages", {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"},
  {"role": "assistant", "content": ""}, {"role": "user", "content": "c"}]},
  {"messages": [{"role": "user", "content": [{"text": "a"}, {"text": "b"}, {"text": "c"}]}]})
t("text", user(text("a"), text(""), text(" ")), {"messages": [{"content": [{"text": "a"}]}]},
  dropped=("content=blank",))
t("tool calls", {**called('{"a":1}', "a:b"), "tools": [fn()]}, {"messages": [{"content": [{"toolUse": {
  "toolUseId": "a_b", "name": "f", "input": {"a": 1}}}]}, {}]})
t("tool results", {**used(text("and"), {**RESULT, "is_error": True}), "tools": [TOOL]}, {"messages": [{}, {"content": [
  {"toolResult": {"toolUseId": "t", "content": [{"text": "said"}], "status": "error"}}, {"text": "and"}]}]},
    source=CLAUDE)
t("images by data (PNG, JPEG, GIF, WebP)", user(image(PNG)), {"messages": [{"content": [
  {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}]}]})
t("images by data (PNG, JPEG, GIF, WebP)", user(image("data:image/bmp;base64,AA==")), refused="an image of this type")
row = "documents by data (PDF, CSV, Word, Excel, HTML, text, Markdown)"
t(row, user({"type": "file", "file": {"filename": "n", "file_data": PDF}}), {"messages": [{"content": [
  {"document": {"format": "pdf", "name": "n", "source": {"bytes": "JVBERi0="}}}]}]})
t(row, user({"type": "file", "file": {"filename": "ä.b", "file_data": PDF}}), {"messages": [{"content": [
  {"document": {"name": "b"}}]}]}, dropped=("messages[].content[].file.filename",))
for kind, word in {"text/csv": "csv", "text/html": "html", "text/plain": "txt", "text/markdown": "md"}.items():
    t(row, user({"type": "file", "file": {"file_data": f"data:{kind};base64,AA=="}}),
      {"messages": [{"content": [{"document": {"format": word, "name": "document"}}]}]})
t(row, user({"type": "file", "file": {"file_data": "data:x/y;base64,AA=="}}), refused="a file of this type")
t("images and documents by URL", user(image("https://x/y.png")), refused="an image by its URL")
t("images and documents by URL", user(image("s3://x/y.png")), {"messages": [{"content": [
  {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://x/y.png"}}}}]}]})
t("signed and redacted thinking", {"messages": [{"role": "assistant", "content": [THOUGHT, {**THOUGHT, "signature": ""},
  {"type": "redacted_thinking", "data": "eA=="}]}]}, {"messages": [{"content": [
  {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
  {"reasoningContent": {"redactedContent": "eA=="}}]}]}, source=CLAUDE, dropped=("messages[].content[].thinking",))
t("cache marks", {"system": [text("a", **MARK)], "tools": [{**TOOL, **MARK}],
  **used({**RESULT, "content": [text("said", **MARK)]}, text("b", cache_control={"type": "ephemeral", "ttl": "1h"}))},
  {"system": [{}, {"cachePoint": {"type": "default"}}], "toolConfig": {"tools": [{}, {"cachePoint": {}}]},
   "messages": [{}, {"content": [{}, {"text": "b"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]}]},
  source=CLAUDE, dropped=("cache_control",))
t("tools: name, description, schema, strict", {"tools": [fn(description="d", parameters=S, strict=True), fn("g")]},
  {"toolConfig": {"tools": [{"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": S}, "strict": True}},
  {"toolSpec": {"name": "g", "inputSchema": {"json": EMPTY}}}]}})
for given, taken in (("auto", {"auto": {}}), ("required", {"any": {}}), (fn(), {"tool": {"name": "f"}})):
    t("tool choice auto, required, a tool", {"tools": [fn()], "tool_choice": given},
      {"toolConfig": {"toolChoice": taken}})
t("tool choice none", {"tools": [fn()], "tool_choice": "none"}, {"toolConfig": None})
t("tool choice none", {**called(), "tools": [fn()], "tool_choice": "none"},
  refused="forbidding tools after they were called")
t("calls in the history without tools", called(), refused="tool calls without the tools")
t("no parallel calls", {"tools": [fn()], "parallel_tool_calls": False}, dropped=("parallel_tool_calls",))
t("output limit, `top_p`", {"max_tokens": 5, "top_p": 0.3}, {"inferenceConfig": {"maxTokens": 5, "topP": 0.3}})
t("`temperature`", {"temperature": 0.3}, {"inferenceConfig": {"temperature": 0.3}})
t("`temperature`", {"temperature": 1.3}, {"inferenceConfig": {"temperature": 1}}, dropped=("temperature>1",))
t("stop sequences", {"stop": ["END", " "]}, {"inferenceConfig": {"stopSequences": ["END"]},
  "additionalModelResponseFieldPaths": ["/stop_sequence"]}, dropped=("stop",))
t("effort", {"reasoning_effort": "max"}, {"outputConfig": {"effort": "max"}})
t("effort", {"reasoning_effort": "minimal"}, {"outputConfig": {"effort": "low"}}, dropped=("reasoning_effort",))
row = "effort none; thinking; `top_k`"
t(row, {"reasoning_effort": "none"}, {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}},
  model=ON_BEDROCK)
t(row, {"reasoning_effort": "none"}, {"additionalModelRequestFields": None}, dropped=("reasoning_effort",))
BOTH = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "top_k": 3}
t(row, BOTH, {"additionalModelRequestFields": BOTH}, source=CLAUDE, model=ON_BEDROCK)
t(row, BOTH, {"additionalModelRequestFields": None}, source=CLAUDE, dropped=("thinking", "top_k"))
t("structured output", schema(description="d", strict=False), {"outputConfig": {"textFormat": {"type": "json_schema",
  "structure": {"jsonSchema": {"name": "n", "description": "d", "schema": json.dumps(S, separators=(",", ":"))}}}}},
  dropped=("response_format.json_schema.strict",))
t("the user's id", {"user": "u"}, dropped=("user",))
t("the header `anthropic-beta`", {}, {"additionalModelRequestFields": {"anthropic_beta": [KNOWN]}}, source=CLAUDE,
  model=ON_BEDROCK, betas=(KNOWN, OTHER), dropped=(f"anthropic-beta={OTHER}",))
t("the header `anthropic-beta`", {}, source=CLAUDE, betas=(KNOWN,), dropped=("anthropic-beta",))
t("count_tokens", {}, refused="the operation count_tokens", operation="count_tokens", source=CLAUDE)

t = section("Anthropic Messages → Bedrock InvokeModel", CLAUDE, INVOKE)
t("`model`, `stream`", {"stream": True}, {"model": None, "stream": None})
t("the header `anthropic-version`", {}, {"anthropic_version": "bedrock-2023-05-31"})
t("the header `anthropic-beta`", {}, {"anthropic_beta": [KNOWN]}, betas=(KNOWN, OTHER),
  dropped=(f"anthropic-beta={OTHER}",))
for name, value in {"service_tier": "auto", "inference_geo": "eu", "speed": "fast"}.items():
    t("`service_tier`, `inference_geo`, `speed`", {name: value}, {name: None}, dropped=(name,))
for name in ("mcp_servers", "container"):
    t("`mcp_servers`, `container`, tools that Anthropic runs", {name: [{"name": "x"}]}, refused=name)
t("`mcp_servers`, `container`, tools that Anthropic runs", {"tools": [{"type": "web_search_20250305", "name": "s"}]},
  refused="tools that Anthropic runs")
for kind in ("url", "file"):
    t("images and documents by URL or stored", user(source("image", type=kind)), refused="not sent along")
    t("images and documents by URL or stored", used({**RESULT, "content": [source("document", type=kind)]}),
      refused="not sent along")
KEPT = {"system": [text("s", **MARK)], "tools": [TOOL], "tool_choice": {"type": "any"}, **BOTH,
  "metadata": {"user_id": "u"},
        "temperature": 0.3, "stop_sequences": ["a"], "output_config": {"effort": "low"}, "future": 1, **user(BLOCKED)}
t("everything else", KEPT, {**KEPT, "max_tokens": 9})
t("count_tokens", {}, {"messages": None, "input": {"invokeModel": {}}}, operation="count_tokens")

t = section("OpenAI Chat Completions and Anthropic Messages → Gemini", CHAT, GEMINI)


def config(**members):
    return {"generationConfig": members}


t("`model`, `stream`", {"stream": True}, {"model": None, "stream": None})
t("system, developer / `system`", {"messages": [{"role": "system", "content": "a"}, {"role": "developer",
  "content": "b"},
  {"role": "user", "content": "c"}, {"role": "system", "content": "d"}]},
    {"systemInstruction": {"parts": [{"text": "a"},
  {"text": "b"}, {"text": "d"}]}}, dropped=("messages[].role=system",))
t("system, developer / `system`", {"messages": [{"role": "system", "content": [image(PNG)]}]}, refused="instructions")
t("system, developer / `system`", {"system": "s"}, {"systemInstruction": {"parts": [{"text": "s"}]}}, source=CLAUDE)
t("user / assistant", {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"},
  {"role": "assistant", "content": "c"}]}, {"contents": [{"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
  {"role": "model", "parts": [{"text": "c"}]}]})
t("user / assistant", used(text("and"), RESULT), {"contents": [{}, {"parts": [{"functionResponse": {}},
  {"text": "and"}]}]},
  source=CLAUDE)
t("text, refusal", {"messages": [{"role": "assistant", "content": [text("a"), {"type": "refusal", "refusal": "b"}]}]},
  {"contents": [{"parts": [{"text": "a"}, {"text": "b"}]}]})
t("images and files as data", user(image(PNG), {"type": "file", "file": {"filename": "n", "file_data": PDF}}),
  {"contents": [{"parts": [{"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}, {"inlineData": {}}]}]},
  dropped=("messages[].content[].file.filename",))
t("images and files as data", user(BLOCKED), {"contents": [{"parts": [{"inlineData": {}}]}]}, source=CLAUDE)
t("images and files by URL", user(image("https://x/y.png?z")), {"contents": [{"parts": [
  {"fileData": {"mimeType": "image/png", "fileUri": "https://x/y.png?z"}}]}]})
t("images and files by URL", user(image("https://x/y")), refused="media type")
t("tool calls", called('{"a":1}'), {"contents": [{"parts": [{"functionCall": {"id": "c", "name": "f", "args": {"a": 1}},
  "thoughtSignature": "skip_thought_signature_validator"}]}, {}]})
t("tool calls", called("", "made_call_1__sig__ab-_cQ"), {"contents": [{"parts": [{"functionCall": {"id": None,
  "args": {}},
  "thoughtSignature": "ab+/cQ=="}]}, {}]})
t("tool calls", called("[1]"), refused="arguments")
t("tool results", called(), {"contents": [{}, {"parts": [{"functionResponse": {"id": "c", "name": "f",
  "response": {"output": "said"}}}]}]})
t("tool results", used({**RESULT, "is_error": True, "content": [text("said"), BLOCKED]}), {"contents": [{}, {"parts": [
  {"functionResponse": {"response": {"error": "said"}, "parts": [{"inlineData": {}}]}}]}]}, source=CLAUDE)
t("tool results", {"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]},
  refused="a tool result without")
t("thinking blocks", {"messages": [{"role": "assistant", "content": [THOUGHT, text("a")]}]},
  {"contents": [{"parts": [{"text": "a"}]}]}, source=CLAUDE, dropped=("messages[].content[].thinking",))
t("`tools[]` functions", {"tools": [fn(description="d", parameters=S, strict=True)]},
  {"tools": [{"functionDeclarations": [
  {"name": "f", "description": "d", "parametersJsonSchema": S}]}]}, dropped=("tools[].function.strict",))
t("`tools[]` functions", {"tools": [{"type": "web_search_20250305", "name": "s"}]}, refused="tools[0].type",
  source=CLAUDE)
row = "`tool_choice` auto / none / required, any / one tool"
for given, taken in (("auto", {"mode": "AUTO"}), ("none", {"mode": "NONE"}), ("required", {"mode": "ANY"}),
                     (fn(), {"mode": "ANY", "allowedFunctionNames": ["f"]})):
    t(row, {"tools": [fn()], "tool_choice": given}, {"toolConfig": {"functionCallingConfig": taken}})
t(row, {"tools": [TOOL], "tool_choice": {"type": "any"}}, {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
  source=CLAUDE)
row = "`parallel_tool_calls: false`, `disable_parallel_tool_use`"
t(row, {"tools": [fn()], "parallel_tool_calls": False}, dropped=("parallel_tool_calls",))
t(row, {"tools": [TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, source=CLAUDE,
  dropped=("tool_choice.disable_parallel_tool_use",))
row = "token limit, `temperature`, `top_p`, `top_k`, stop sequences"
t(row, {"max_tokens": 5, "temperature": 0.3, "top_p": 0.4, "top_k": 3, "stop_sequences": ["a"]},
  config(maxOutputTokens=5, temperature=0.3, topP=0.4, topK=3, stopSequences=["a"]), source=CLAUDE)
t(row, {"stop": list("abcdef")}, refused="more than five stop sequences")
t("`seed`, penalties (OpenAI)", {"seed": 7, "frequency_penalty": 0.1, "presence_penalty": 0.2},
  config(seed=7, frequencyPenalty=0.1, presencePenalty=0.2))
t("`response_format` json_object (OpenAI)", {"response_format": {"type": "json_object"}},
  config(responseMimeType="application/json"))
t("JSON schema for the answer", schema(description="d"), config(responseMimeType="application/json",
  responseJsonSchema=S),
  dropped=("response_format.json_schema.name", "response_format.json_schema.description"))
for given, taken in {"low": "low", "xhigh": "high", "max": "high", "none": "minimal"}.items():
    t("effort", {"reasoning_effort": given}, config(thinkingConfig={"thinkingLevel": taken}), model="gemini-3-pro",
      dropped=() if given == "low" else ("reasoning_effort",))
for given, taken in {"none": 0, "low": 1024, "medium": 8192, "high": 24576}.items():
    t("effort", {"reasoning_effort": given}, config(thinkingConfig={"thinkingBudget": taken}), model="gemini-2.5-pro")
row = "thinking on, budget (Anthropic)"
t(row, {"thinking": BOTH["thinking"]}, config(thinkingConfig={"includeThoughts": True, "thinkingBudget": 1024}),
  source=CLAUDE)
t(row, {"thinking": {"type": "disabled"}}, config(thinkingConfig={"thinkingBudget": 0}), source=CLAUDE,
  model="gemini-2.5-pro")
t("user, `cache_control`, the header `anthropic-beta`", {"user": "u"}, dropped=("user",))
t("user, `cache_control`, the header `anthropic-beta`", {"system": [text("s", **MARK)]}, source=CLAUDE, betas=(KNOWN,),
  dropped=("anthropic-beta", "cache_control"))
t("`n` above 1", {"n": 2}, refused="n.")
t("counting tokens", {}, refused="the operation count_tokens", operation="count_tokens", source=CLAUDE)
# fmt: on


@pytest.mark.parametrize(
    ("pair", "fields", "sent", "dropped", "refused", "model", "more"),
    [param for section in SECTIONS for param in section.params()],
)
@pytest.mark.promise("translation.table")
def test_a_row(pair, fields, sent, dropped, refused, model, more):
    rows.run(pair, fields, sent, dropped, refused, model, more)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
@pytest.mark.promise("translation.table")
def test_every_row_has_a_case_and_every_case_a_row(section):
    section.check_rows()
