"""Answers of Bedrock InvokeModel for Claude: Anthropic's events, each in base64 in a message of its own.

A message's padding (`p`, which hides how long the text is from whoever counts bytes) passes if it is what AWS pads
with and nothing else.
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error

from extproc.errors import Uninspectable
from extproc.exchange import frame_answer
from extproc.exchange.claude_answer import ClaudeAnswer
from extproc.exchange.event_answer import as_object
from extproc.exchange.eventstream import Message
from extproc.exchange.frame_answer import FrameAnswer
from extproc.exchange.json_body import encode
from extproc.exchange.leaves import Leaves
from extproc.exchange.model import JsonObject
from extproc.exchange.text import TextFilter

_CHUNK = "chunk"
_PADDING = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class BedrockInvokeAnswer(ClaudeAnswer[Message], FrameAnswer):
    """Implements `exchange.model.Answer`."""

    def __init__(self, mask: TextFilter | None) -> None:
        super().__init__(mask)
        self._padding = ""

    def inside(self, event: Message) -> bytes | None:
        try:
            return unwrap(event.payload)[0] if event.payload else None
        except Uninspectable:
            return None

    def mask_payload(self, leaves: Leaves, name: str, payload: bytes) -> bytes:
        if name != _CHUNK:
            return super().mask_payload(leaves, name, payload)
        data, self._padding = unwrap(payload)
        if not data:
            return frame_answer.event(_CHUNK, {"bytes": ""})
        doc = as_object(data)
        self.observe(doc)
        return self.mask_event(leaves, "", doc)

    def encode(self, name: str, doc: JsonObject) -> bytes:  # noqa: ARG002  (it is in the event)
        return frame_answer.event(_CHUNK, wrap(doc, self._padding))


def wrap(doc: JsonObject, padding: str = "") -> JsonObject:
    """The payload of a chunk."""
    payload = {"bytes": b64encode(encode(doc)).decode("ascii")}
    if padding:
        payload["p"] = padding
    return payload


def unwrap(payload: bytes) -> tuple[bytes, str]:
    """What a chunk carries, and its padding. Raises `Uninspectable`."""
    outer = as_object(payload)
    data, padding = outer.get("bytes", ""), outer.get("p")
    if type(data) is not str:
        raise Uninspectable("A chunk of the answer carries no bytes.")
    try:
        inner = b64decode(data, validate=True)
    except (Base64Error, ValueError):
        raise Uninspectable("A chunk of the answer is not base64.") from None
    return inner, padding if type(padding) is str and _PADDING.startswith(padding) else ""
