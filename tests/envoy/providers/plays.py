"""What a fake provider is asked, whatever its API, and what it does then.

The user's text orders it, so that unchanged SDKs can: `do: tool`, `do: error 429` and so on. Without an order the
answer says the text back. The three turns of a loop follow from the history alone; nothing is remembered.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

INPUT, CACHED, OUTPUT, REASONING = 20, 4, 9, 3
"""Tokens that every answer reports: CACHED of INPUT were read from a cache, REASONING of OUTPUT were thought."""

THOUGHT = "Hm, wait: yes."
SIGNATURE = "c2lnbmVkIGJ5IHRoZSBmYWtl"
TOOL = "lookup"
TURNS = 3
"""Calls of a loop before its answer."""


@dataclass
class Image:
    media_type: str
    data: bytes


@dataclass
class Ask:
    """`calls` and `results` are those since the user's last text, results in the order of the calls they answer."""

    model: str
    stream: bool = False
    system: str = ""
    text: str = ""
    images: list[Image] = field(default_factory=list)
    calls: int = 0
    results: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)  # signatures of the thinking shown again since then
    tools: list[str] = field(default_factory=list)
    schema: dict[str, Any] | None = None
    usage: bool = True  # whether a stream is to tell usage
    operation: str = "chat"


@dataclass
class Text:
    text: str


@dataclass
class Thought:
    text: str
    signature: str = SIGNATURE


@dataclass
class Call:
    id: str
    name: str
    input: dict[str, Any]


@dataclass
class Play:
    """`ending`: "" completes; "reset" ends the connection before the first byte, "break" in the middle, "drop" there
    when told to; "hang" says nothing, and "slow" nothing from the middle on, until the caller goes. `status`: an error
    instead."""

    parts: list[Text | Thought | Call] = field(default_factory=list)
    ending: str = ""
    status: int = 0

    @property
    def calls(self) -> list[Call]:
        return [part for part in self.parts if isinstance(part, Call)]

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def thought(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Thought))


def said(text: str) -> str:
    """The plain answer to `text`."""
    return f'You said “{text}”, and the fake is glad to hear it: ünïcödé \\ "quoted"\n.'


def pictured(media_type: str, data: bytes) -> str:
    """The answer to `do: see` with this image."""
    return f"{media_type} {hashlib.sha256(data).hexdigest()[:16]}"


def arguments(turn: int) -> dict[str, Any]:
    """What the tool is called with: everything that careless copying of JSON spoils."""
    return {"key": f'Köln "{turn}"\n', "n": turn, "deep": {"list": [1, 2.5, None, True], "empty": {}}}


def plan(ask: Ask, provider: str) -> Play:
    """What the provider of this name does about it. `do: spare gemini+vertex 503`: all others fail so."""
    order, _, more = ask.text.partition("do: ")[2].partition(" ")
    if order == "error":
        return Play(status=int(more.split()[0]))
    if order == "spare":
        spared, how = more.split()[:2]
        if provider not in spared.split("+"):
            return Play(status=int(how)) if how.isdigit() else Play([Text("To be continued, but how?")], ending=how)
    if order in ("break", "hang", "slow"):
        return Play([Text("This begins well and goes on for a while, "), Text("but it does not end.")], ending=order)
    if order in _CALLING:
        calling = _CALLING[order](ask)
        signed = f", after {'.'.join(ask.thoughts)}" if order == "think-tool" else ""
        return calling or Play([Text(f"Found: {' | '.join(ask.results)}{signed}")])
    return Play([Thought(THOUGHT), Text(said(ask.text))] if order == "think" else [Text(_speech(order, ask))])


def _speech(order: str, ask: Ask) -> str:
    if order == "json":
        keys = sorted((ask.schema or {}).get("properties", {}))
        return json.dumps(dict.fromkeys(keys, "Köln"), ensure_ascii=False)
    if order == "see":
        return ", ".join(pictured(image.media_type, image.data) for image in ask.images) or "nothing"
    if order == "obey":
        return f"I was told: {ask.system}"
    return said(ask.text)


def _call(turn: int) -> Call:
    return Call(f"call_{turn}_x", TOOL, arguments(turn))


_CALLING: dict[str, Callable[[Ask], Play | None]] = {
    "tool": lambda ask: None if ask.results else Play([Text("Let me look."), _call(1)]),
    "tools": lambda ask: None if ask.results else Play([_call(1), _call(2)]),
    "loop": lambda ask: None if ask.calls >= TURNS else Play([_call(ask.calls + 1)]),
    "think-tool": lambda ask: None if ask.results else Play([Thought(THOUGHT), _call(1)]),
}
"""What orders that want tools called do, or None to answer."""


def pieces(text: str, size: int = 7) -> list[str]:
    """A text as a stream says it."""
    return [text[i : i + size] for i in range(0, len(text), size)]
