"""Anthropic Messages served by Bedrock InvokeModel: nearly the same body, another envelope.

The model and whether to stream move into the path, the API's version into the body. Answers pass as they are; streams
are taken out of AWS's frames event by event. What only Anthropic's own platform runs is refused.
"""

from base64 import b64encode

from extproc.errors import Uninspectable
from extproc.exchange import json_body, sse
from extproc.exchange.bedrock_invoke_answer import unwrap
from extproc.exchange.event_answer import as_object, count
from extproc.exchange.eventstream import EventStreamReader, Message
from extproc.exchange.model import JsonObject, LlmCall
from extproc.exchange.translation import anthropic_betas
from extproc.exchange.translation.anthropic_assembly import failure_body
from extproc.exchange.translation.contract import Reply, Translated
from extproc.exchange.translation.converse_reply import exception, failure
from extproc.exchange.translation.loss import Loss, untranslatable

VERSION = "bedrock-2023-05-31"
_PATH = ("model", "stream")
_REFUSED = {
    "mcp_servers": "Connect to MCP servers yourself.",
    "container": "It names something on another provider.",
}
NOT_ELSEWHERE = frozenset({"service_tier", "inference_geo", "speed"})
"""How Anthropic runs it, which other platforms cannot obey."""

_METRICS = b"amazon-bedrock-invocationMetrics"


class AnthropicToBedrockInvoke:
    """Implements `translation.contract.Translation`."""

    source = "anthropic-messages"
    target = "bedrock-invoke"

    def request(self, call: LlmCall, model: str) -> Translated:
        loss = Loss({})
        refuse_what_anthropic_runs(call.doc)
        if call.server_tools:
            untranslatable("tools that Anthropic runs", "Declare the tool yourself.")
        _no_urls(call.doc.get("messages"))
        body: JsonObject = {"anthropic_version": VERSION}
        for name, value in call.doc.items():
            if name in NOT_ELSEWHERE and value is not None:
                loss.drop(name)
            elif name not in _PATH and name not in NOT_ELSEWHERE:
                body[name] = value
        betas = anthropic_betas.taken(call.betas, loss)
        if betas:
            own = body.get("anthropic_beta")
            body["anthropic_beta"] = [*own, *betas] if type(own) is list else betas
        if call.operation == "count_tokens":
            body.setdefault("max_tokens", 1)  # the body must be one that could be run
            body = {"input": {"invokeModel": {"body": b64encode(json_body.encode(body)).decode("ascii")}}}
        return Translated(body, model, call.stream, loss.names)

    def answer(self, call: LlmCall) -> Reply:
        return InvokeReply(call.operation)


class InvokeReply:
    """Implements `translation.contract.Reply`."""

    content_type = "text/event-stream"

    def __init__(self, operation: str) -> None:
        self._counting = operation == "count_tokens"
        self._reader = EventStreamReader()
        self._failed = False

    def document(self, status: int, body: bytes) -> bytes:
        if status >= 400:
            return failure_body(failure(status, body))
        if not self._counting:
            return body
        counted = count(as_object(body), "inputTokens")
        if counted is None:
            raise Uninspectable("The answer counts nothing.")
        return json_body.encode({"input_tokens": counted})

    def feed(self, chunk: bytes) -> bytes:
        return b"".join([self._event(message) for message in self._reader.feed(chunk)])

    def finish(self) -> bytes:
        """Nothing waits. A stream without its message_stop stays visibly unfinished."""
        return b""

    def _event(self, message: Message) -> bytes:
        """One of Anthropic's events, without its frame. After an exception nothing follows that could be taken for the
        end of an answer."""
        if self._failed:
            return b""
        failed = exception(message)
        if failed is not None:
            self._failed = True
            return sse.encode("error", failure_body(failed))
        if message.headers.get(":event-type") != "chunk":
            return b""
        data, _ = unwrap(message.payload)
        if not data:
            return b""
        doc = as_object(data)
        if _METRICS in data:
            doc.pop(_METRICS.decode("ascii"), None)
            data = json_body.encode(doc)
        kind = doc.get("type")
        return sse.encode(kind if type(kind) is str else "", data)


def refuse_what_anthropic_runs(doc: JsonObject) -> None:
    """Fields that name what only Anthropic's own platform has."""
    for name, hint in _REFUSED.items():
        if doc.get(name):
            untranslatable(name, hint)


def _no_urls(node: object) -> None:
    """Refuses images and documents by their URL, wherever they stand: Bedrock fetches nothing. Recursion is bounded by
    the depth of a body."""
    if type(node) is list:
        for item in node:
            _no_urls(item)
    elif type(node) is dict:
        source = node.get("source")
        if node.get("type") in ("image", "document") and type(source) is dict and source.get("type") in ("url", "file"):
            untranslatable("an image or a document that is not sent along", "Send the data itself.")
        _no_urls(node.get("content"))
        _no_urls(source.get("content") if type(source) is dict else None)


TRANSLATION = AnthropicToBedrockInvoke()
