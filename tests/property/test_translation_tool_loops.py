"""Tool loops of three turns through every pair: what the upstream called comes back to it with its ids, arguments and
order, what the tools said too, and every request on the way is one that the upstream's API takes."""

import json

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.exchange.classify import DIALECTS
from extproc.exchange.translation.registry import TRANSLATIONS

CHAT, RESPONSES, CLAUDE = "openai-chat", "openai-responses", "anthropic-messages"
CONVERSE, INVOKE = "bedrock-converse", "bedrock-invoke"
PAIRS = [pair for pair in TRANSLATIONS if pair[0] in (CHAT, RESPONSES, CLAUDE) and not pair[1].startswith("azure")]
MODELS = {CONVERSE: "eu.anthropic.claude-x", "gemini": "gemini-3-pro", "vertex-gemini": "gemini-3-pro"}
SHAPE = botocore.session.get_session().get_service_model("bedrock-runtime").operation_model("Converse").input_shape
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
NAMES = ("weather", "time", "patch")
KEEPS_THINKING = {(CLAUDE, CONVERSE), (CLAUDE, INVOKE), (CLAUDE, "vertex-claude"), (RESPONSES, CLAUDE),
                  (RESPONSES, CONVERSE)}  # fmt: skip

words = st.text(st.sampled_from('aé"\\{} \n\U0001f511'), max_size=8).map("a".__add__)
inputs = st.dictionaries(words, st.none() | st.booleans() | st.integers(-5, 5) | words | st.lists(words, max_size=2),
                         max_size=3)  # fmt: skip
turns = st.fixed_dictionaries(
    {
        "text": st.just("") | words,
        "thinking": st.just("") | words,
        "calls": st.lists(st.tuples(st.sampled_from(NAMES), inputs), max_size=3),
        "results": st.lists(words, min_size=3, max_size=3),
        "failed": st.booleans(),
        "then": st.just("") | words,
    }
)
loops = st.lists(turns, min_size=3, max_size=3)


class ChatClient:
    """Keeps the conversation as the dialect's users do: what came back is appended as it is."""

    def __init__(self, question):
        self.items = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]

    def request(self):
        tools = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in NAMES]
        return {"model": "m", "messages": self.items, "tools": tools, "max_completion_tokens": 99}

    def take(self, doc):
        message = doc["choices"][0]["message"]
        kept = ("role", "content", "tool_calls")
        self.items.append({key: message[key] for key in kept if key in message})
        calls = message.get("tool_calls", [])
        return [(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]

    def answer(self, results, failed, then):
        self.items += [{"role": "tool", "tool_call_id": key, "content": said} for key, said in results]
        self.items += [{"role": "user", "content": then}] if then else []


class ResponsesClient:
    def __init__(self, question):
        self.items = [{"role": "user", "content": question}]

    def request(self):
        tools = [{"type": "function", "name": name, "parameters": SCHEMA} for name in NAMES]
        return {"model": "m", "instructions": "Be brief.", "input": self.items, "tools": tools, "max_output_tokens": 99}

    def take(self, doc):
        self.items += doc["output"]
        return [(item["call_id"], item["name"], json.loads(item["arguments"])) for item in doc["output"]
                if item["type"] == "function_call"]  # fmt: skip

    def answer(self, results, failed, then):
        self.items += [{"type": "function_call_output", "call_id": key, "output": said} for key, said in results]
        self.items += [{"role": "user", "content": then}] if then else []


class ClaudeClient:
    def __init__(self, question):
        self.items = [{"role": "user", "content": question}]

    def request(self):
        tools = [{"name": name, "input_schema": SCHEMA} for name in NAMES]
        return {"model": "m", "system": "Be brief.", "messages": self.items, "tools": tools, "max_tokens": 99,
                "thinking": {"type": "adaptive"}}  # fmt: skip

    def take(self, doc):
        self.items.append({"role": "assistant", "content": doc["content"]})
        blocks = [block for block in doc["content"] if block["type"] == "tool_use"]
        return [(block["id"], block["name"], block["input"]) for block in blocks]

    def answer(self, results, failed, then):
        blocks = [{"type": "tool_result", "tool_use_id": key, "content": said, **({"is_error": True} if failed else {})}
                  for key, said in results]  # fmt: skip
        blocks += [{"type": "text", "text": then}] if then else []
        if blocks:
            self.items.append({"role": "user", "content": blocks})


def claude_says(turn, number):
    blocks = [{"type": "thinking", "thinking": turn["thinking"], "signature": "c2ln"}] if turn["thinking"] else []
    blocks += [{"type": "text", "text": turn["text"]}] if turn["text"] else []
    blocks += [{"type": "tool_use", "id": f"toolu_{number}_{index}", "name": name, "input": value}
               for index, (name, value) in enumerate(turn["calls"])]  # fmt: skip
    return {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": "u", "content": blocks,
            "stop_reason": "tool_use" if turn["calls"] else "end_turn", "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1}}  # fmt: skip


def chat_says(turn, number):
    calls = [{"id": f"call_{number}_{index}", "type": "function",
              "function": {"name": name, "arguments": json.dumps(value)}}
             for index, (name, value) in enumerate(turn["calls"])]  # fmt: skip
    message = {"role": "assistant", "content": turn["text"] or None, "reasoning_content": turn["thinking"] or None}
    message |= {"tool_calls": calls} if calls else {}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    return {"id": f"c{number}", "object": "chat.completion", "model": "u", "choices": [choice],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}  # fmt: skip


def converse_says(turn, number):
    thought = {"reasoningText": {"text": turn["thinking"], "signature": "c2ln"}}
    blocks = [{"reasoningContent": thought}] if turn["thinking"] else []
    blocks += [{"text": turn["text"]}] if turn["text"] else []
    blocks += [{"toolUse": {"toolUseId": f"tooluse_{number}_{index}", "name": name, "input": value}}
               for index, (name, value) in enumerate(turn["calls"])]  # fmt: skip
    return {"output": {"message": {"role": "assistant", "content": blocks}},
            "stopReason": "tool_use" if turn["calls"] else "end_turn",
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}}  # fmt: skip


def gemini_says(turn, number):
    parts = [{"text": turn["thinking"], "thought": True}] if turn["thinking"] else []
    parts += [{"text": turn["text"]}] if turn["text"] else []
    for index, (name, value) in enumerate(turn["calls"]):
        named = {"id": f"g{number}_{index}"} if number else {}  # older models give no id
        parts.append({"functionCall": {**named, "name": name, "args": value}})
        if index == 0:
            parts[-1]["thoughtSignature"] = "ab+/cQ=="
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}
    return {"candidates": [candidate], "responseId": f"R{number}", "usageMetadata": {"promptTokenCount": 1}}


def claude_heard(doc):
    """The history of a request as turns of (calls, results), once it is known to be one that the API takes."""
    messages = doc["messages"]
    assert [message["role"] for message in messages] == [("user", "assistant")[at % 2] for at in range(len(messages))]
    found = []
    for at, message in enumerate(messages):
        blocks = message["content"]
        blocks = [{"type": "text", "text": blocks}] if isinstance(blocks, str) else blocks
        assert blocks
        kinds = [block["type"] for block in blocks]
        results = [block for block in blocks if block["type"] == "tool_result"]
        assert kinds[: len(results)] == ["tool_result"] * len(results)
        calls = [(block["id"], block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
        if at:
            before = messages[at - 1]["content"]
            asked = [block["id"] for block in before if isinstance(block, dict) and block["type"] == "tool_use"]
            assert sorted(asked) == sorted(block["tool_use_id"] for block in results)
        thoughts = [(block["thinking"], block["signature"]) for block in blocks if block["type"] == "thinking"]
        assert not thoughts or kinds[0] == "thinking"
        found.append((calls, [(block["tool_use_id"], plain(block["content"])) for block in results], thoughts))
    assert {tool["name"] for tool in doc["tools"]} == set(NAMES)
    return found


def plain(content):
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def converse_heard(doc):
    report = ParamValidator().validate({**doc, "modelId": "m"}, SHAPE)
    assert not report.has_errors(), report.generate_report()
    assert {tool["toolSpec"]["name"] for tool in doc["toolConfig"]["tools"]} == set(NAMES)
    messages = []
    for message in doc["messages"]:
        blocks = []
        for block in message["content"]:
            ((kind, inner),) = block.items()
            if kind == "toolUse":
                inner = {"type": "tool_use", "id": inner["toolUseId"], "name": inner["name"], "input": inner["input"]}
            elif kind == "toolResult":
                inner = {"type": "tool_result", "tool_use_id": inner["toolUseId"], "content": inner["content"]}
            elif kind == "reasoningContent":
                told = inner["reasoningText"]
                inner = {"type": "thinking", "thinking": told["text"], "signature": told["signature"]}
            else:
                inner = {"type": "text", "text": inner}
            blocks.append(inner)
        messages.append({"role": message["role"], "content": blocks})
    return claude_heard({"messages": messages, "tools": [{"name": name} for name in NAMES]})


def chat_heard(doc):
    found, asked = [], []
    for message in doc["messages"]:
        if message["role"] == "tool":
            assert message["tool_call_id"] in asked  # directly after the calls, each once
            asked.remove(message["tool_call_id"])
            found[-1][1].append((message["tool_call_id"], plain(message["content"])))
            continue
        assert not asked
        assert message.get("content") or message.get("tool_calls")
        calls = [(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
                 for call in message.get("tool_calls", [])]  # fmt: skip
        asked = [key for key, _, _ in calls]
        found.append((calls, [], []))
    assert not asked
    return found


def gemini_heard(doc):
    contents = doc["contents"]
    assert [content["role"] for content in contents] == [("user", "model")[at % 2] for at in range(len(contents))]
    found, asked = [], []
    for content in contents:
        kinds = [next(key for key in part if key != "thoughtSignature") for part in content["parts"]]
        results = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
        assert kinds[: len(results)] == ["functionResponse"] * len(results)
        assert sorted(result["name"] for result in results) == sorted(asked)
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        asked = [call["name"] for call in calls]
        first = [part for part in content["parts"] if "functionCall" in part][:1]
        assert all(part["thoughtSignature"] == "ab+/cQ==" for part in first)
        said = [(result.get("id"), next(iter(result["response"].values()))) for result in results]
        found.append(([(call.get("id"), call["name"], call["args"]) for call in calls], said, []))
    return found


CLIENTS = {CHAT: ChatClient, RESPONSES: ResponsesClient, CLAUDE: ClaudeClient}
UPSTREAMS = {
    CLAUDE: (claude_says, claude_heard), INVOKE: (claude_says, claude_heard), CHAT: (chat_says, chat_heard),
    "vertex-claude": (claude_says, claude_heard), CONVERSE: (converse_says, converse_heard),
    "gemini": (gemini_says, gemini_heard), "vertex-gemini": (gemini_says, gemini_heard),
}  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS, ids="-to-".join)
@settings(max_examples=60, deadline=None)
@given(loops)
@pytest.mark.promise("translation.tools")
def test_a_tool_loop_of_three_turns(pair, loop):
    source, target = pair
    client = CLIENTS[source]("What now?")
    says, heard = UPSTREAMS[target]
    translation = TRANSLATIONS[pair]
    called, answered, thought = [], [], []
    for number, turn in enumerate(loop):
        if target in (INVOKE, "vertex-claude") and not turn["calls"]:
            turn = {**turn, "text": turn["text"] or "a"}  # an empty message is the client's own, in its own API
        if turn["calls"]:
            turn = {**turn, "then": turn["then"] if source != RESPONSES else ""}
        elif not turn["then"]:
            turn = {**turn, "then": "Go on."}
        call = DIALECTS[source].read("chat", json.loads(json.dumps(client.request())))
        request = translation.request(call, MODELS.get(target, "u"))
        history = heard(json.loads(json.dumps(request.doc)))
        assert [calls for calls, _, _ in history if calls] == called
        assert [[error_free(said) for said in results] for _, results, _ in history if results] == answered
        assert [one for _, _, thoughts in history for one in thoughts] == (thought if pair in KEEPS_THINKING else [])
        upstream = says(turn, number)
        told = json.loads(translation.answer(call).document(200, json.dumps(upstream).encode()))
        calls = client.take(told)
        assert [(name, given) for _, name, given in calls] == list(turn["calls"])
        results = [(key, said) for (key, _, _), said in zip(calls, turn["results"], strict=False)]
        client.answer(results, turn["failed"], turn["then"])
        ids = upstream_ids(target, number, len(calls))
        if calls:
            called.append([(key, name, value) for key, (name, value) in zip(ids, turn["calls"], strict=True)])
            answered.append([(key, said) for key, (_, said) in zip(ids, results, strict=True)])
        thought += [(turn["thinking"], "c2ln")] if turn["thinking"] else []


def upstream_ids(target, number, count):
    """What the upstream itself called its calls: it must never see another name for them."""
    if "gemini" in target:
        return [f"g{number}_{index}" if number else None for index in range(count)]
    prefix = {CHAT: "call", CONVERSE: "tooluse"}.get(target, "toolu")
    return [f"{prefix}_{number}_{index}" for index in range(count)]


def error_free(said):
    """In OpenAI's API a failed tool can only say so in words."""
    key, text = said
    return key, text.removeprefix("Error:\n")
