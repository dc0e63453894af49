"""What the demo LLM says, before any API has shaped it, and how it is cut into pieces."""

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """A text, or a call of one tool (`tool` set; `text` is then its arguments, JSON as written)."""

    text: str
    model: str
    tool: str = ""
    asked: int = 0  # tokens of the request, roughly

    @property
    def tokens(self) -> int:
        """Tokens of the answer, roughly: words."""
        return max(1, len(self.text.split()))


def answer(text: str, request: dict[str, Any], asked: int) -> Answer:
    """`text` word for word; with tools, `call <tool> <json>` becomes a call of that tool."""
    model = str(request.get("model", ""))
    if request.get("tools") and text.startswith("call "):
        words = text.split(None, 2)
        if len(words) > 1:
            return Answer(words[2] if len(words) > 2 else "{}", model, words[1], asked)
    return Answer(text, model, "", asked)


def text_of(content: Any) -> str:
    """The text of a message's content: a text, or parts that carry text (nested for tool results)."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (part for part in content if isinstance(part, dict))
    return "".join(
        part["text"] if isinstance(part.get("text"), str) else text_of(part.get("content")) for part in parts
    )


def pieces(text: str, cuts: random.Random, longest: int = 9) -> Iterator[str]:
    """The text cut at random character positions, so that words and secrets come apart anywhere."""
    start = 0
    while start < len(text):
        end = start + cuts.randint(1, longest)
        yield text[start:end]
        start = end


def byte_pieces(data: bytes, cuts: random.Random, longest: int = 700) -> Iterator[bytes]:
    """Bytes cut at random positions: inside events, escapes and UTF-8 sequences."""
    start = 0
    while start < len(data):
        end = start + cuts.randint(1, longest)
        yield data[start:end]
        start = end


def sse(events: Iterable[tuple[str, dict[str, Any] | str]], cuts: random.Random) -> bytes:
    """(event name or "", data) pairs as a stream. Non-ASCII text is escaped in some events and not in others, as
    providers do."""
    out = bytearray()
    for name, data in events:
        if name:
            out += f"event: {name}\n".encode()
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=cuts.random() < 0.5)
        out += f"data: {text}\n\n".encode()
    return bytes(out)
