"""A request as every dialect means it: what a reader makes of the client's body and a writer puts into the upstream's.

It holds what at least two dialects can say. What only the client's can say has been dropped by name, or refused, by
the reader; what the upstream's cannot say is dropped or refused by the writer, through the same `loss`.
"""

from dataclasses import dataclass, field
from typing import Literal

from extproc.errors import BadRequest
from extproc.exchange import json_body
from extproc.exchange.fields import refuse
from extproc.exchange.model import JsonObject
from extproc.exchange.translation.loss import Loss


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """Either base64 `data` with its media type, or a `url`."""

    media_type: str = ""
    data: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A document, as `Image`."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call the model made. `input`: an object, or the text of one as it was written."""

    id: str
    name: str
    input: JsonObject | str


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool said: texts, images and files only."""

    id: str
    content: tuple["Block", ...]
    error: bool = False


@dataclass(frozen=True, slots=True)
class Thought:
    """Reasoning that may be shown to the same model again. `sealed`: encrypted, in place of text."""

    text: str = ""
    signature: str = ""
    sealed: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Everything up to here may be cached."""

    ttl: str = ""


Block = Text | Image | File | Call | Result | Thought | Mark


@dataclass(slots=True)
class Turn:
    """One message. Role "system" is an instruction in the middle; those at the beginning are `Conversation.system`."""

    role: Literal["user", "assistant", "system"]
    blocks: list[Block]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the client runs. `cached`: a Mark's ttl ("" for the usual one) after it, None for no mark."""

    name: str
    description: str | None = None
    schema: JsonObject | None = None
    strict: bool | None = None
    cached: str | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """Structured output by a JSON schema."""

    schema: JsonObject
    name: str = ""
    description: str = ""
    strict: bool | None = None


@dataclass(slots=True)
class Conversation:
    """A whole request; None and empty are "the client did not say".

    `choice`: "auto", "none", "required" or "named" (then `chosen`). `limit`: output tokens at most, reasoning
    included. `effort`: "none", "minimal", "low", "medium", "high", "xhigh", "max". `thinking`: "off", "on"
    (then perhaps `budget` tokens).
    """

    loss: Loss
    stream: bool = False
    system: list[Block] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    choice: str = ""
    chosen: str = ""
    parallel: bool | None = None
    limit: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] = field(default_factory=list)
    effort: str = ""
    thinking: str = ""
    budget: int | None = None
    format: Format | None = None
    user: str = ""


def input_text(call: Call) -> str:
    """A call's input as JSON text."""
    given = call.input
    return given if isinstance(given, str) else json_body.encode(given).decode("utf-8")


def input_object(call: Call, where: str) -> JsonObject:
    """A call's input as an object; an empty text is an empty one. Raises `BadRequest` for any other text."""
    given = call.input
    if not isinstance(given, str):
        return given
    if not given or given.isspace():
        return {}
    try:
        return json_body.decode(given.encode("utf-8"))
    except (BadRequest, UnicodeEncodeError):
        refuse(where, "the text of a JSON object")
