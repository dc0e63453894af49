"""What makes a conversation the same one: how it began. Knows no policy, keeps nothing.

APIs without server-side state send the whole conversation each time, so its beginning stays while its end grows, and it
is the beginning that providers cache.
"""

import json
from typing import Any

from extproc.exchange.model import LlmCall

_INSTRUCTIONS = ("system", "instructions", "systemInstruction", "system_instruction")
_TURNS = ("messages", "input", "contents", "prompt")
_MOST = 4096  # characters of each part: longer ones that begin alike share what a provider caches of them

_MOST_TURNS = 64  # before a user's first


def opening(call: LlmCall) -> bytes:
    """Bytes that are the same for every call of a conversation: the key the client caches by, if it names one; else its
    instructions and the messages up to the first that is a user's."""
    doc = call.doc
    named = doc.get("prompt_cache_key")
    if isinstance(named, str) and named:
        return named[:_MOST].encode("utf-8", "replace")
    parts: list[Any] = [doc[name] for name in _INSTRUCTIONS if name in doc]
    for name in _TURNS:
        turns = doc.get(name)
        if isinstance(turns, str):
            parts.append(turns[:_MOST])
        elif isinstance(turns, list):
            for turn in turns[:_MOST_TURNS]:
                parts.append(turn)
                # What are no turns (tokens, texts to embed) are no conversation: there may be a million of them.
                if not isinstance(turn, dict) or turn.get("role", "user") == "user":
                    break
    return b"\0".join(json.dumps(part)[:_MOST].encode() for part in parts)
