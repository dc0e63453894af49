"""What the exchange room costs per event and per document, without the masker itself.

The filter does nothing, so the figures are framing, decoding, walking and encoding only. Microseconds, best of five.
Run: python tests/bench/bench_exchange.py
"""

import sys
import timeit
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from extproc.exchange import json_body
from extproc.exchange.classify import DIALECTS, classify
from extproc.exchange.json_text import JsonTextStream
from extproc.exchange.model import LlmCall

CALL = LlmCall("", "chat", "m")  # of which readers want nothing here


class Nothing:
    """A TextFilter and TextStream that let everything through."""

    def text(self, text, before=""):
        return text

    def stream(self, before=""):
        return self

    def feed(self, text):
        return text

    def flush(self):
        return ""


def sse(doc, name=""):
    head = b"event: " + name.encode() + b"\n" if name else b""
    return head + b"data: " + json_body.encode(doc) + b"\n\n"


CHAT = sse(
    {"id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "object": "chat.completion.chunk", "created": 1741569952,
     "model": "gpt-5-mini-2026-01-01", "service_tier": "default", "system_fingerprint": "fp_44709d6fcb",
     "choices": [{"index": 0, "delta": {"content": " gateway"}, "logprobs": None, "finish_reason": None}],
     "usage": None, "obfuscation": "aB3dE"}
)  # fmt: skip
TOOL = sse(
    {"id": "chatcmpl-B9", "object": "chat.completion.chunk", "created": 1741569952, "model": "gpt-5-mini",
     "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": ' "some words'}}]},
                  "logprobs": None, "finish_reason": None}]}
)  # fmt: skip
CLAUDE = sse(
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " gateway"}},
    "content_block_delta",
)
RESPONSES = sse(
    {"type": "response.output_text.delta", "sequence_number": 4, "item_id": "msg_67c9fdcf37fc8190ba82116e33fb28c5",
     "output_index": 0, "content_index": 0, "delta": " gateway", "logprobs": [], "obfuscation": "aB3dE"},
    "response.output_text.delta",
)  # fmt: skip
DOCUMENT = json_body.encode(
    {"id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT", "object": "chat.completion", "created": 1741569952,
     "model": "gpt-5-mini-2026-01-01",
     "choices": [{"index": 0, "message": {"role": "assistant", "content": "A sentence of some length. " * 20,
                  "refusal": None, "annotations": []}, "logprobs": None, "finish_reason": "stop"}],
     "usage": {"prompt_tokens": 19, "completion_tokens": 100, "total_tokens": 119,
               "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
               "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0}}, "service_tier": "default"}
)  # fmt: skip
REQUEST = json_body.encode(
    {"model": "gpt-5-mini", "stream": True, "messages": [{"role": "user", "content": "A sentence. " * 70}],
     "tools": [{"type": "function", "function": {"name": "run", "parameters": {}}}]}
)  # fmt: skip


def measure(label, call, budget=None, number=20_000):
    call()
    best = min(timeit.repeat(call, number=number, repeat=5)) / number * 1e6
    print(f"{label:<44}{best:8.2f} us" + (f"   budget {budget}" if budget else ""))


def main():
    for name, event in (("openai-chat", CHAT), ("anthropic-messages", CLAUDE), ("openai-responses", RESPONSES)):
        masked, plain = DIALECTS[name].answer(CALL, Nothing()), DIALECTS[name].answer(CALL, None)
        measure(f"{name}: masked event", lambda a=masked, e=event: a.feed(e), 8 if name == "openai-chat" else None)
        measure(f"{name}: event without a mask", lambda a=plain, e=event: a.feed(e))
    tool = DIALECTS["openai-chat"].answer(CALL, Nothing())
    measure("openai-chat: masked tool-call event", lambda: tool.feed(TOOL))
    chat = DIALECTS["openai-chat"]
    measure(f"document of {len(DOCUMENT)} bytes", lambda: chat.answer(CALL, Nothing()).document(DOCUMENT), 25)
    measure(f"document of {len(DOCUMENT)} bytes, no mask", lambda: chat.answer(CALL, None).document(DOCUMENT))
    measure(f"request of {len(REQUEST)} bytes: decode and read", lambda: chat.read("chat", json_body.decode(REQUEST)))
    call = chat.read("chat", json_body.decode(REQUEST))
    measure(f"request of {len(REQUEST)} bytes: write", lambda: chat.write(call, "gpt-5-mini-2026-01-01"))
    measure("classify", lambda: classify("POST", "/v1/chat/completions", {}))
    text = '{"path":"/a/b","text":"' + "words and more words " * 40 + '","n":[1,2,3]}'
    stream = JsonTextStream(Nothing())
    measure(f"JSON text of {len(text)} characters", lambda: stream.feed(text) + stream.flush())


if __name__ == "__main__":
    main()
