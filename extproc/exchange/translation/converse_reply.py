"""The reply of every pair whose upstream is Bedrock Converse: AWS event streams in, server-sent events out.

Converse gives its answers no id, and clients keep answers apart by theirs. So one is made of what was asked and what
came first: no two turns of a conversation ask the same.
"""

from hashlib import sha256

from extproc.errors import Uninspectable
from extproc.exchange import json_body
from extproc.exchange.event_answer import as_object
from extproc.exchange.eventstream import EventStreamReader, Message
from extproc.exchange.model import LlmCall
from extproc.exchange.translation import bedrock_failures, failures
from extproc.exchange.translation.assembly import Assembly, Failure, Writing
from extproc.exchange.translation.converse_reading import ConverseReading


class ConverseReply:
    """Implements `translation.contract.Reply`. `writing` knows the source; of the call only a hash is kept."""

    content_type = "text/event-stream"

    def __init__(self, call: LlmCall, writing: Writing) -> None:
        self._asked = sha256(json_body.encode(call.doc))
        self._writing = writing
        self._reader = EventStreamReader()
        self._stream: tuple[Assembly, ConverseReading] | None = None

    def document(self, status: int, body: bytes) -> bytes:
        if status >= 400:
            return self._writing.failure(failure(status, body))
        assembly = self._writing.document()
        ConverseReading(assembly, self._id(body)).document(as_object(body))
        return assembly.take()

    def feed(self, chunk: bytes) -> bytes:
        messages = self._reader.feed(chunk)
        if self._stream is None:
            if not messages:
                return b""
            assembly = self._writing.stream()
            self._stream = (assembly, ConverseReading(assembly, self._id(messages[0].raw)))
        assembly, reading = self._stream
        for message in messages:
            told = exception(message)
            if told is not None:
                reading.fail()
                assembly.fail(told)
            elif message.payload:
                reading.event(message.headers.get(":event-type", ""), as_object(message.payload))
        return assembly.take()

    def finish(self) -> bytes:
        """The rest. Never raises: a message that broke off is left out, and the stream stays unended."""
        if self._stream is None:
            return b""
        assembly, reading = self._stream
        try:
            self._reader.finish()
            reading.finish()
        except Uninspectable:
            pass
        return assembly.take()

    def _id(self, came: bytes) -> str:
        made = self._asked.copy()
        made.update(came)
        return made.hexdigest()[:24]


def failure(status: int, body: bytes) -> Failure:
    """The error that a body of this status tells, or its status alone."""
    try:
        return bedrock_failures.from_bedrock(as_object(body), status)
    except Uninspectable:
        return failures.unread(status)


def exception(message: Message) -> Failure | None:
    """What a message says went wrong; None for an event."""
    headers = message.headers
    kind = headers.get(":message-type")
    if kind == "event":
        return None
    if kind == "error":
        return Failure(500, headers.get(":error-message", failures.unread(500).message), headers.get(":error-code", ""))
    return bedrock_failures.from_exception(
        headers.get(":exception-type", ""), as_object(message.payload) if message.payload else {}
    )
