"""Every row of the tables of requests in docs/translation.md between OpenAI and Anthropic, held to what it says. A row
without a case here, and a case whose row is gone, fail."""

import importlib.util
from pathlib import Path

import pytest

from extproc.exchange.translation.openai_chat_to_anthropic import OpenAiChatToAnthropic

_spec = importlib.util.spec_from_file_location(
    "translation_rows", Path(__file__).parents[3] / "golden" / "translation_rows.py"
)
rows = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(rows)
BLOCKED, CHAT, CLAUDE, EMPTY, KNOWN = rows.BLOCKED, rows.CHAT, rows.CLAUDE, rows.EMPTY, rows.KNOWN
MARK, PAPER, PDF, PNG, RESPONSES = rows.MARK, rows.PAPER, rows.PDF, rows.PNG, rows.RESPONSES
RESULT, S, THOUGHT, TOOL, called = rows.RESULT, rows.S, rows.THOUGHT, rows.TOOL, rows.called
fn, image, schema, source, text = rows.fn, rows.image, rows.schema, rows.source, rows.text
used, user = rows.used, rows.user
SECTIONS = []


def section(*about):
    SECTIONS.append(rows.Section(*about))
    return SECTIONS[-1]


# fmt: off
t = section("OpenAI Chat Completions → Anthropic Messages", CHAT, CLAUDE)
t("`messages[]` system, developer", {"messages": [{"role": "system", "content": "a"}, {"role": "developer",
  "content": "b"},
  {"role": "user", "content": "c"}, {"role": "system", "content": "d"}]},
  {"system": [text("a"), text("b"), text("d")]}, dropped=("messages[].role=system",))
t("`messages[]` user, assistant", {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"},
  {"role": "assistant", "content": "c"}]},
  {"messages": [{"role": "user", "content": [text("a"), text("b")]}, {"role": "assistant", "content": [text("c")]}]})
t("a run of tool messages", called(), {"messages": [{}, {"role": "user", "content": [
  {"type": "tool_result", "tool_use_id": "c", "content": "said"}]}]})
t("content: text, refusal", {"messages": [{"role": "user", "content": [text("a"), text(""), text(" ")]},
  {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}]},
  {"messages": [{"content": [text("a")]}, {"content": [text("no")]}]}, dropped=("content=blank",))
t("content: `image_url`", user(image(PNG), image("https://x/y"), {"type": "image_url", "image_url": {"url": PNG,
  "detail": "low"}}),
  {"messages": [{"content": [BLOCKED, source("image", type="url", url="https://x/y"), BLOCKED]}]},
  dropped=("messages[].content[].image_url.detail",))
t("content: `image_url`", user(image("data:image/bmp;base64,AA==")), refused="messages: an image of this type")
t("content: `file` with `file_data` (PDF)", user({"type": "file", "file": {"filename": "n", "file_data": PDF}}),
  {"messages": [{"content": [{**PAPER, "title": "n"}]}]})
t("content: `file` with `file_data` (PDF)", user({"type": "file", "file": {"file_id": "x"}}),
  refused="messages[0].content[0].file.file_id")
t("content: `file` with `file_data` (PDF)", user({"type": "file", "file": {"file_data": "data:text/csv;base64,AA=="}}),
  refused="messages: a file of this type")
t("content: `input_audio`", user({"type": "input_audio", "input_audio": {}}), refused="messages[0].content[0].type")
t("`name`, `reasoning_content`, annotations", {"messages": [{"role": "user", "name": "n", "content": "a"},
  {"role": "assistant", "content": "b", "reasoning_content": "c", "annotations": [{}]}]},
  dropped=("messages[].name", "messages[].reasoning_content", "messages[].annotations"))
t("`tool_calls[]`", called('{"a":1}', "a:b"), {"messages": [{"content": [
  {"type": "tool_use", "id": "a_b", "name": "f", "input": {"a": 1}}]}, {}]})
t("`tool_calls[]`", called(""), {"messages": [{"content": [{"input": {}}]}, {}]})
t("`tool_calls[]`", called("[1]"), refused="messages: the arguments of a tool call")
t("`tools[]` function: name, description, parameters, strict", {"tools": [fn(description="d", parameters=S,
  strict=True), fn("g")]},
  {"tools": [{"name": "f", "description": "d", "input_schema": S, "strict": True}, {"name": "g",
    "input_schema": EMPTY}]})
for name, value in {"tools": [{"type": "custom", "custom": {"name": "f"}}], "functions": [{"name": "f"}],
                    "function_call": "auto", "web_search_options": {}}.items():
    t("`tools[]` of other types, `functions`, `function_call`, `web_search_options`", {name: value},
      refused="tools[0].type" if name == "tools" else name)
for given, taken in {"auto": {"type": "auto"}, "required": {"type": "any"}, "none": {"type": "none"}}.items():
    t("`tool_choice` auto, required, none, a function", {"tools": [fn()], "tool_choice": given}, {"tool_choice": taken})
t("`tool_choice` auto, required, none, a function", {"tools": [fn()], "tool_choice": fn()},
  {"tool_choice": {"type": "tool", "name": "f"}})
t("`tool_choice` auto, required, none, a function", {"tool_choice": "auto"}, {"tool_choice": None, "tools": None})
t("`tool_choice` allowed_tools", {"tools": [fn(), fn("g")], "tool_choice": {"type": "allowed_tools", "allowed_tools": {
  "mode": "required", "tools": [fn("g")]}}}, {"tools": [{"name": "g"}], "tool_choice": {"type": "any"}})
t("`parallel_tool_calls: false`", {"tools": [fn()], "parallel_tool_calls": False},
  {"tool_choice": {"disable_parallel_tool_use": True}})
t("`max_completion_tokens`, `max_tokens` (the larger)", {"max_completion_tokens": 5, "max_tokens": 7},
  {"max_tokens": 7})
t("`max_completion_tokens`, `max_tokens` (the larger)", {}, {"max_tokens": 8192})
t("`temperature`", {"temperature": 0.3}, {"temperature": 0.3})
t("`temperature`", {"temperature": 1.3}, {"temperature": 1}, dropped=("temperature>1",))
t("`top_p`", {"top_p": 0.3}, {"top_p": 0.3})
t("`temperature`, `top_p` under version 2026-10-21", {"temperature": 0.3, "top_p": 0.3}, {"temperature": None,
  "top_p": None},
  dropped=("temperature", "top_p"), pair=OpenAiChatToAnthropic("2026-10-21"))
t("`stop`", {"stop": ["END", "\n"]}, {"stop_sequences": ["END"]}, dropped=("stop",))
for given, taken in {"none": {"thinking": {"type": "disabled"}}, "high": {"output_config": {"effort": "high"}}}.items():
    t("`reasoning_effort`", {"reasoning_effort": given}, taken)
t("`reasoning_effort`", {"reasoning_effort": "minimal"}, {"output_config": {"effort": "low"}},
  dropped=("reasoning_effort",))
t("`response_format` json_schema", schema(description="d", strict=False),
  {"output_config": {"format": {"type": "json_schema", "schema": S}}},
  dropped=("response_format.json_schema.name", "response_format.json_schema.description"))
t("`response_format` json_object", {"response_format": {"type": "json_object"}}, refused="response_format.type")
t("`safety_identifier`, else `user`", {"user": "u", "safety_identifier": "s"}, {"metadata": {"user_id": "s"}})
t("`safety_identifier`, else `user`", {"user": "u"}, {"metadata": {"user_id": "u"}})
t("`stream`, `stream_options.include_usage`", {"stream": True, "stream_options": {"include_usage": True}},
  {"stream": True})
for name, value in {"n": 2, "modalities": ["audio"], "audio": {"voice": "x"}}.items():
    t("`n` above 1, `modalities` other than text, `audio`", {name: value}, refused=name)
for name, value in {"seed": 1, "logprobs": True, "top_logprobs": 2, "logit_bias": {"1": 1}, "frequency_penalty": 1,
  "presence_penalty": 1,
                    "store": True, "metadata": {"a": "b"}, "service_tier": "flex", "verbosity": "low",
                      "prediction": {}, "moderation": {},
                    "prompt_cache_key": "k", "prompt_cache_retention": "24h"}.items():
    t("`seed`, `logprobs`, `top_logprobs`, `logit_bias`, penalties, `store`, `metadata`, `service_tier`, `verbosity`, "
      "`prediction`, `moderation`, `prompt_cache_*`", {name: value}, {name: None} if name != "metadata" else {},
        dropped=(name,))

t = section("Anthropic Messages → OpenAI Chat Completions", CLAUDE, CHAT)
t("`system`", {"system": "s"}, {"messages": [{"role": "system", "content": "s"}, {}]})
t("messages user, assistant, system", {"messages": [{"role": "user", "content": [text("a")]}, {"role": "assistant",
  "content": [text("b"), text("c")]},
  {"role": "system", "content": "d"}]}, {"messages": [{"role": "user", "content": "a"}, {"role": "assistant",
    "content": [text("b"), text("c")]},
  {"role": "system", "content": "d"}]})
t("`text`; its citations", user(text("a", citations=[{"type": "x"}])), {"messages": [{"content": "a"}]},
  dropped=("messages[].content[].citations",))
t("`image` base64, url", user(BLOCKED, source("image", type="url", url="https://x/y")),
  {"messages": [{"content": [image(PNG), image("https://x/y")]}]})
t("`image` base64, url", user(source("image", type="file", file_id="x")), refused="messages[0].content[0].source.type")
t("`document` base64, text", user({**PAPER, "title": "n"}, {**source("document", type="text", data="b"), "title": "n",
  "citations": {"enabled": True}}),
  {"messages": [{"content": [{"type": "file", "file": {"filename": "n", "file_data": PDF}}, text("b")]}]},
  dropped=("messages[].content[].citations", "messages[].content[].title"))
row = "`document` by URL, from blocks, stored; `search_result`"
t(row, user(source("document", type="url", url="https://x/y")), refused="messages: a document's URL")
for kind in ("content", "file"):
    t(row, user(source("document", type=kind)), refused="messages[0].content[0].source.type")
t(row, user({"type": "search_result"}), refused="messages[0].content[0].type")
t("`tool_use`", used(RESULT), {"messages": [{"tool_calls": [{"id": "t", "type": "function", "function": {"name": "f",
  "arguments": '{"a":1}'}}]}, {}]})
t("`tool_result`", used({**RESULT, "is_error": True, "content": [text("said"), BLOCKED]}, text("and")),
  {"messages": [{}, {"role": "tool", "tool_call_id": "t", "content": "Error:\nsaid"}, {"role": "user",
    "content": [image(PNG), text("and")]}]})
t("`thinking`, `redacted_thinking` in the history", {"messages": [{"role": "assistant", "content": [THOUGHT,
  {"type": "redacted_thinking", "data": "eA=="},
  text("a")]}]}, {"messages": [{"content": "a"}]}, dropped=("messages[].content[].thinking",
    "messages[].content[].redacted_thinking"))
for kind in ("server_tool_use", "mcp_tool_use", "container_upload", "compaction", "tool_addition"):
    changed = {"type": kind, "name": "x", "id": "i", "tool": {"type": "tool_reference", "name": "x"}}
    t("blocks of server tools, MCP, containers, compaction, tool changes", user(changed),
      refused="messages[0].content[0].type")
t("`tools[]`: name, description, `input_schema`, strict", {"tools": [{**TOOL, "description": "d", "strict": True,
  "input_examples": [], **MARK}]},
  {"tools": [fn(description="d", parameters=S, strict=True)]}, dropped=("tools[].input_examples", "cache_control"))
row = "typed tools (bash, text editor, web search, ...), `mcp_servers`, `container`, `context_management`"
t(row, {"tools": [{"type": "bash_20250124", "name": "bash"}]}, refused="tools[0].type")
for name in ("mcp_servers", "container", "context_management"):
    t(row, {name: [{"name": "x"}]}, refused=name)
for given, taken in {"auto": "auto", "any": "required", "none": "none"}.items():
    t("`tool_choice` auto, any, none, tool", {"tools": [TOOL], "tool_choice": {"type": given}}, {"tool_choice": taken})
t("`tool_choice` auto, any, none, tool", {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "f"}},
  {"tool_choice": fn()})
t("`disable_parallel_tool_use`", {"tools": [TOOL], "tool_choice": {"type": "auto",
  "disable_parallel_tool_use": True}}, {"parallel_tool_calls": False})
t("`max_tokens`", {"max_tokens": 7}, {"max_completion_tokens": 7})
t("`max_tokens`", {"max_tokens": 0}, refused="max_tokens 0")
t("`temperature`, `top_p`", {"temperature": 0.3, "top_p": 0.4}, {"temperature": 0.3, "top_p": 0.4})
for name, value in {"top_k": 3, "service_tier": "standard_only", "inference_geo": "eu", "speed": "fast"}.items():
    t("`top_k`, `service_tier`, `inference_geo`, `speed`", {name: value}, {name: None}, dropped=(name,))
t("`stop_sequences`", {"stop_sequences": ["a", "b"]}, {"stop": ["a", "b"]})
t("`stop_sequences`", {"stop_sequences": list("abcde")}, refused="more than four stop sequences")
t("`thinking` disabled", {"thinking": {"type": "disabled"}}, {"reasoning_effort": "none"})
t("`thinking` enabled, adaptive", {"thinking": {"type": "adaptive"}}, {"reasoning_effort": None}, dropped=("thinking",))
t("`thinking` enabled, adaptive", {"thinking": {"type": "enabled", "budget_tokens": 1024},
  "output_config": {"effort": "low"}},
  {"reasoning_effort": "low"}, dropped=("thinking.budget_tokens",))
t("`output_config.effort`, `.format`", {"output_config": {"effort": "max", "format": {"type": "json_schema",
  "schema": S}}},
  {"reasoning_effort": "max", "response_format": {"type": "json_schema", "json_schema": {"name": "answer",
    "schema": S, "strict": True}}})
t("`metadata.user_id`", {"metadata": {"user_id": "u"}}, {"safety_identifier": "u"})
t("`cache_control`", {"system": [text("a", **MARK)]}, {"messages": [{"content": "a"}, {}]}, dropped=("cache_control",))
t("the header `anthropic-beta`", {}, dropped=("anthropic-beta",), betas=(KNOWN,))
t("`stream`", {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}})
t("count_tokens", {}, refused="the operation count_tokens", operation="count_tokens")

t = section("OpenAI Responses → OpenAI Chat Completions, and → Anthropic Messages", RESPONSES, CHAT)
t("`instructions`, then system and developer messages at the beginning", {"instructions": "a", "input": [
  {"role": "developer", "content": "b"}, {"role": "user", "content": "c"}]},
  {"messages": [{"role": "system", "content": [text("a"), text("b")]}, {"role": "user", "content": "c"}]})
t("`input` as a string, messages", {"input": "a"}, {"messages": [{"role": "user", "content": "a"}]})
t("`input` as a string, messages", {"input": [{"type": "message", "id": "i", "status": "completed", "phase": "x",
  "role": "assistant", "content": "a"}]}, {"messages": [{"role": "assistant", "content": "a"}]})
t("`input_text`, `output_text`, `refusal`", {"input": [{"role": "user", "content": [{"type": "input_text",
  "text": "a"}]},
  {"role": "assistant", "content": [{"type": "output_text", "text": "b", "annotations": [{}]},
  {"type": "refusal", "refusal": "c"}]}]}, {"messages": [{"content": "a"}, {"content": [text("b"), text("c")]}]},
  dropped=("input[].content[].annotations",))
FILE = {"type": "input_file", "filename": "n", "file_data": PDF}
t("`input_image`, `input_file`", {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": PNG},
  FILE]}]},
  {"messages": [{"content": [image(PNG), {"type": "file", "file": {"filename": "n", "file_data": PDF}}]}]})
FAR = {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://x/y.pdf"}]}]}
t("`input_image`, `input_file`", FAR, {"messages": [{"content": [{"source": {"url": "https://x/y.pdf"}}]}]}, to=CLAUDE)
t("`input_image`, `input_file`", FAR, refused="a document's URL")
for kind in ("input_image", "input_file"):
    t("`input_image`, `input_file`", {"input": [{"role": "user", "content": [{"type": kind, "file_id": "x"}]}]},
      refused="input[0].content[0].file_id")
CALLED = [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
          {"type": "function_call_output", "call_id": "c", "output": "said"}]
t("`function_call`, `function_call_output`", {"input": CALLED}, {"messages": [{"tool_calls": [fn(arguments="{}")]},
  {"role": "tool", "tool_call_id": "c", "content": "said"}]})
t("`custom_tool_call` and its output", {"input": [{"type": "custom_tool_call", "call_id": "c", "name": "f",
  "input": "x"},
  {"type": "custom_tool_call_output", "call_id": "c", "output": "said"}]},
  {"messages": [{"tool_calls": [fn(arguments='{"input":"x"}')]}, {"role": "tool", "content": "said"}]})
OURS = {"input": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}],
        "encrypted_content": "anthropic:c2ln"}, {"role": "assistant", "content": "a"}]}
row = "`reasoning` with an encrypted content that came from Anthropic through Gatereeve"
t(row, OURS, {"messages": [{"content": [THOUGHT, text("a")]}]}, to=CLAUDE)
t(row, OURS, {"messages": [{"content": "a"}]}, dropped=("input[].reasoning",))
t("any other `reasoning`", {"input": [{"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}]},
  {"messages": []}, to=CLAUDE, dropped=("input[].reasoning",))
FLAT = {"type": "function", "name": "f", "parameters": S}
t("`additional_tools`", {"input": [{"type": "additional_tools", "role": "developer", "tools": [FLAT]}]},
  {"tools": [fn(parameters=S)]})
for kind in ("item_reference", "web_search_call", "mcp_call", "code_interpreter_call", "compaction"):
    t("`item_reference` and items of built-in tools", {"input": [{"type": kind, "id": "x"}]}, refused="input[0].type")
t("`tools[]` function", {"tools": [{**FLAT, "description": "d", "strict": True, "defer_loading": True, "async": True}]},
  {"tools": [fn(description="d", parameters=S, strict=True)]}, dropped=("tools[].defer_loading", "tools[].async"))
t("`tools[]` custom", {"tools": [{"type": "custom", "name": "f", "format": {"type": "grammar"}}]},
  {"tools": [fn(parameters={"properties": {"input": {"type": "string"}}, "required": ["input"]})]},
  dropped=("tools[].format",))
GROUP = {"type": "namespace", "name": "n", "description": "d", "tools": [FLAT]}
t("`tools[]` namespace", {"tools": [GROUP]}, {"tools": [fn()]}, dropped=("tools[].namespace.description",))
t("`tools[]` namespace", {"tools": [FLAT, GROUP]}, refused="name twice")
for kind in ("web_search", "file_search", "code_interpreter", "image_generation"):
    t("`tools[]` that OpenAI runs (web search, MCP, ...)", {"tools": [{"type": kind}]}, refused="tools[0].type")
t("`tools[]` that OpenAI runs (web search, MCP, ...)", {"tools": [{"type": "mcp", "server_label": "x"}]},
  refused="tools[0].type")
t("`tool_choice`, `parallel_tool_calls`", {"tools": [FLAT], "tool_choice": {"type": "function", "name": "f"},
  "parallel_tool_calls": False}, {"tool_choice": fn(), "parallel_tool_calls": False})
t("`tool_choice`, `parallel_tool_calls`", {"tools": [FLAT, {**FLAT, "name": "g"}], "tool_choice": {
  "type": "allowed_tools", "mode": "auto", "tools": [FLAT]}}, {"tools": [fn()], "tool_choice": "auto"})
t("`max_output_tokens`, `temperature`, `top_p`", {"max_output_tokens": 5, "temperature": 0.3, "top_p": 0.4},
  {"max_completion_tokens": 5, "temperature": 0.3, "top_p": 0.4})
t("`text.format` json_schema", {"text": {"format": {"type": "json_schema", "name": "n", "schema": S, "strict": True}}},
  {"response_format": {"json_schema": {"name": "n", "schema": S, "strict": True}}})
t("`text.format` json_schema", {"text": {"format": {"type": "json_object"}}}, refused="text.format.type")
for name, value in {"text": {"verbosity": "low"}, "reasoning": {"summary": "auto"}, "truncation": "auto", "store": True,
                    "service_tier": "flex", "max_tool_calls": 1, "top_logprobs": 2, "prompt_cache_key": "k",
                    "include": ["message.output_text.logprobs"]}.items():
    t("`text.verbosity`, `reasoning.summary`, `truncation: auto`, `store: true`, `service_tier`, `max_tool_calls`, "
      "`top_logprobs`, `include` (but for encrypted reasoning), `prompt_cache_*`", {name: value}, {name: None},
      dropped=({"text": "text.verbosity", "reasoning": "reasoning.summary"}.get(name, name),))
t("`reasoning.effort`", {"reasoning": {"effort": "high"}}, {"reasoning_effort": "high"})
t("`metadata`", {"metadata": {"a": "b"}}, {"metadata": None})
t("`safety_identifier`, else `user`", {"user": "u", "safety_identifier": "s"}, {"safety_identifier": "s"})
for name in ("previous_response_id", "conversation", "prompt", "background"):
    t("`previous_response_id`, `conversation`, `prompt`, `background`",
      {name: {"id": "x"} if name == "prompt" else "x"},
      refused=name)
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
