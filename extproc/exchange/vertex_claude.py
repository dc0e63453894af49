"""Claude on Vertex AI: Anthropic's bodies at Google's paths (rawPredict, streamRawPredict).

The path names the model, but for counting tokens, where the body does. Vertex answers with Anthropic's events and
errors, or with Google's errors; both have their text under `error`.
"""

from urllib.parse import quote

from extproc.exchange import fields, json_body
from extproc.exchange.anthropic_messages import AnthropicMessages
from extproc.exchange.claude_tools import ClaudeTools
from extproc.exchange.model import NOWHERE, JsonObject, LlmCall, Place

_TOP = fields.top("messages", "mcp_servers", "max_tokens", "anthropic_version")


class VertexClaude(AnthropicMessages):
    """Implements `exchange.model.Dialect`. What Anthropic's SDK shows is said as Anthropic says it."""

    name = "vertex-claude"

    def read(self, operation: str, doc: JsonObject, place: Place = NOWHERE) -> LlmCall:
        fields.check(doc, _TOP)
        if operation != "count_tokens":
            fields.name(doc, "the body", "anthropic_version")
            if fields.flag(doc, "stream") and not place.stream:
                fields.refuse("stream", "left to the path")
        found = ClaudeTools()
        found.document(doc)
        return LlmCall(
            dialect=self.name,
            operation=operation,
            model=place.model or fields.model(doc),
            stream=place.stream,
            tools=tuple(found.names),
            server_tools=tuple(found.served),
            max_tokens=fields.number(doc, "max_tokens"),
            doc=doc,
        )

    def write(self, call: LlmCall, model: str) -> bytes:
        doc = {key: value for key, value in call.doc.items() if key != "model"}
        if call.operation == "count_tokens":
            doc["model"] = model
        return json_body.encode(doc)

    def path(self, call: LlmCall, model: str) -> str:
        if call.operation == "count_tokens":
            return "/publishers/anthropic/models/count-tokens:rawPredict"
        method = "streamRawPredict" if call.stream else "rawPredict"
        return f"/publishers/anthropic/models/{quote(model, safe='')}:{method}"


DIALECT = VertexClaude()
