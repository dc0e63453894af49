"""Bedrock InvokeModel, with and without response stream, for Claude. See `bedrock_invoke_answer` for what comes back.

The body is the model's own business, so only bodies that can be read are served: Claude's, which say so by
`anthropic_version`. Any other model on Bedrock is reached over Converse.
"""

from extproc.exchange import bedrock_error, bedrock_path, fields, json_body
from extproc.exchange.bedrock_invoke_answer import BedrockInvokeAnswer
from extproc.exchange.claude_tools import ClaudeTools
from extproc.exchange.model import NOWHERE, Answer, JsonObject, LlmCall, Place
from extproc.exchange.refusal import Refusal, Rendered
from extproc.exchange.text import TextFilter

_TOP = fields.top("messages", "mcp_servers", "max_tokens", "anthropic_version")


class BedrockInvoke:
    """Implements `exchange.model.Dialect`."""

    name = "bedrock-invoke"

    def read(self, operation: str, doc: JsonObject, place: Place = NOWHERE) -> LlmCall:
        fields.check(doc, _TOP)
        version = doc.get("anthropic_version")
        if type(version) is not str or not version:
            fields.refuse("anthropic_version", "a version: this gateway reads Claude's bodies here, others in Converse")
        for key in ("model", "stream"):
            if doc.get(key) is not None:
                fields.refuse(key, "left to the path")
        found = ClaudeTools()
        found.document(doc)
        return LlmCall(
            dialect=self.name,
            operation=operation,
            model=fields.model({"model": place.model}),
            stream=place.stream,
            tools=tuple(found.names),
            server_tools=tuple(found.served),
            max_tokens=fields.number(doc, "max_tokens"),
            doc=doc,
        )

    def write(self, call: LlmCall, model: str) -> bytes:  # noqa: ARG002  (it stands in the path)
        return json_body.encode(call.doc)

    def path(self, call: LlmCall, model: str) -> str:
        if call.operation == "count_tokens":  # only as what another dialect is translated to
            return bedrock_path.encode(model, "count-tokens")
        return bedrock_path.encode(model, "invoke-with-response-stream" if call.stream else "invoke")

    def models(self, names: tuple[str, ...]) -> bytes:
        return bedrock_error.models(names)

    def model(self, name: str) -> bytes:
        return bedrock_error.model(name)

    def refusal(self, refusal: Refusal) -> Rendered:
        return bedrock_error.render(refusal)

    def error_event(self, refusal: Refusal) -> bytes:
        return bedrock_error.event(refusal)

    def answer(self, call: LlmCall, mask: TextFilter | None) -> Answer:  # noqa: ARG002  (the Protocol's signature)
        return BedrockInvokeAnswer(mask)


DIALECT = BedrockInvoke()
