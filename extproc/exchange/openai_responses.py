"""OpenAI Responses. See `openai_responses_answer` for what comes back.

Tools arrive in `tools`, inside namespaces, and inside input items (additional_tools, tool_search_output). What the
provider runs itself is a server tool: built-in kinds by their type, MCP servers as `mcp:<label>`, and a stored
prompt as `prompt`, because it may bring tools this gateway never sees.
"""

from typing import Any

from extproc.exchange import fields, json_body, openai_error, sse
from extproc.exchange.keys import Keys
from extproc.exchange.model import NOWHERE, Answer, JsonObject, LlmCall, Place
from extproc.exchange.openai_responses_answer import OpenAiResponsesAnswer
from extproc.exchange.refusal import Refusal, Rendered
from extproc.exchange.text import TextFilter

_TOP = fields.top("input", "prompt", "max_output_tokens")
_ITEM = Keys("type", "tools")
_TOOL = Keys("type", "name", "server_label", "tools", "model")


class OpenAiResponses:
    """Implements `exchange.model.Dialect`."""

    name = "openai-responses"

    def read(self, operation: str, doc: JsonObject, place: Place = NOWHERE) -> LlmCall:  # noqa: ARG002  (the Protocol's)
        fields.check(doc, _TOP)
        names: list[str] = []
        served: list[str] = []
        _tools(doc, "tools", names, served)
        items = doc.get("input")
        if type(items) is list:
            for position, item in enumerate(items):
                if type(item) is not dict:
                    continue
                _ITEM.check(item, f"input[{position}]")
                # the tools listed by an MCP server are history, not an offer
                if "tools" in item and item.get("type") != "mcp_list_tools":
                    _tools(item, f"input[{position}].tools", names, served)
        if doc.get("prompt") is not None:
            served.append("prompt")
        return LlmCall(
            dialect=self.name,
            operation=operation,
            model=fields.model(doc),
            stream=fields.flag(doc, "stream"),
            tools=tuple(names),
            server_tools=tuple(served),
            max_tokens=fields.number(doc, "max_output_tokens"),
            doc=doc,
        )

    def write(self, call: LlmCall, model: str) -> bytes:
        return json_body.encode({**call.doc, "model": model})

    def path(self, call: LlmCall, model: str) -> str:  # noqa: ARG002  (the Protocol's signature)
        return "/v1/responses"

    def models(self, names: tuple[str, ...]) -> bytes:
        return openai_error.models(names)

    def model(self, name: str) -> bytes:
        return json_body.encode(openai_error.model(name))

    def refusal(self, refusal: Refusal) -> Rendered:
        return openai_error.render(refusal)

    def error_event(self, refusal: Refusal) -> bytes:
        """An `error` event, whose nested `error` makes the Python SDK raise, and a failed response after it, for
        clients that only know the life cycle (Codex). The numbers start again: the stream is over anyway."""
        error = openai_error.error(refusal)
        event = {
            "type": "error",
            "code": error["code"],
            "message": error["message"],
            "param": None,
            "sequence_number": 0,
            "error": error,
        }
        failed = {
            "type": "response.failed",
            "sequence_number": 1,
            "response": {
                "id": refusal.id,
                "object": "response",
                "status": "failed",
                "error": {"code": error["code"], "message": error["message"]},
                "output": [],
            },
        }
        return b"".join([sse.encode(str(doc["type"]), json_body.encode(doc)) for doc in (event, failed)])

    def answer(self, call: LlmCall, mask: TextFilter | None) -> Answer:  # noqa: ARG002  (the Protocol's signature)
        return OpenAiResponsesAnswer(mask)


def _tools(holder: JsonObject, where: str, names: list[str], served: list[str]) -> None:
    """The entries of `holder["tools"]`, namespaces included. Recursion is bounded by the depth of a body."""
    for position, tool in enumerate(fields.objects(holder, "tools", where)):
        here = f"{where}[{position}]"
        _TOOL.check(tool, here)
        kind: Any = fields.name(tool, here, "type")
        if kind in ("function", "custom"):
            names.append(fields.name(tool, here))
        elif kind == "namespace":
            _tools(tool, f"{here}.tools", names, served)
        elif kind == "mcp":
            served.append("mcp:" + fields.name(tool, here, "server_label"))
        else:
            served.append(fields.served(tool, kind, here))


DIALECT = OpenAiResponses()
