"""Anthropic Messages and its token counting. See `anthropic_answer` for what comes back.

Tools hide in five places: `tools`, `mcp_servers`, the tool additions inside messages, the tool changes that a
compaction block carries, and types whose date says nothing about what they do. A typed tool is known by its type
without the date, never by the name the client gave it.
"""

from typing import Any

from extproc.exchange import fields, json_body, sse
from extproc.exchange.anthropic_answer import AnthropicAnswer
from extproc.exchange.keys import Keys
from extproc.exchange.model import Answer, JsonObject, LlmCall
from extproc.exchange.refusal import Refusal, Rendered
from extproc.exchange.text import TextFilter

_ERRORS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}
_CLIENT_TOOLS = frozenset({"bash", "text_editor", "memory", "computer", "computer_toolset", "browser_toolset"})
_TOP = fields.top("messages", "mcp_servers", "max_tokens")
_TOOL = Keys("type", "name", "mcp_server_name", "server_name", "definition", "model")
_MESSAGE = Keys("content")
_BLOCK = Keys("type", "tool", "tool_changes")
_EPOCH = "1970-01-01T00:00:00Z"


class AnthropicMessages:
    """Implements `exchange.model.Dialect`."""

    name = "anthropic-messages"

    def read(self, operation: str, doc: JsonObject) -> LlmCall:
        fields.check(doc, _TOP)
        found = _Tools()
        for position, tool in enumerate(fields.objects(doc, "tools")):
            found.definition(tool, f"tools[{position}]")
        for position, server in enumerate(fields.objects(doc, "mcp_servers")):
            found.server(server, f"mcp_servers[{position}]", "name")
        for position, message in enumerate(fields.objects(doc, "messages")):
            found.message(message, f"messages[{position}]")
        return LlmCall(
            dialect=self.name,
            operation=operation,
            model=fields.model(doc),
            stream=fields.flag(doc, "stream"),
            tools=tuple(found.names),
            server_tools=tuple(found.served),
            max_tokens=fields.number(doc, "max_tokens"),
            doc=doc,
        )

    def write(self, call: LlmCall, model: str) -> bytes:
        return json_body.encode({**call.doc, "model": model})

    def models(self, names: tuple[str, ...]) -> bytes:
        first, last = (names[0], names[-1]) if names else (None, None)
        data = [_model(name) for name in names]
        return json_body.encode({"data": data, "has_more": False, "first_id": first, "last_id": last})

    def model(self, name: str) -> bytes:
        return json_body.encode(_model(name))

    def refusal(self, refusal: Refusal) -> Rendered:
        headers = [("content-type", "application/json")]
        if refusal.status < 500 and refusal.status != 429:
            headers.append(("x-should-retry", "false"))
        if refusal.id:
            headers.append(("request-id", refusal.id))
        return Rendered(refusal.status, (*headers, *refusal.headers), json_body.encode(_error(refusal)))

    def error_event(self, refusal: Refusal) -> bytes:
        return sse.encode("error", json_body.encode(_error(refusal)))

    def answer(self, call: LlmCall, mask: TextFilter | None) -> Answer:  # noqa: ARG002  (the Protocol's signature)
        return AnthropicAnswer(mask)


class _Tools:
    """Collects tool names (run by the client) and server tools (run by Anthropic)."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.served: list[str] = []

    def definition(self, tool: JsonObject, where: str) -> None:
        """An entry of `tools`, wherever it stands."""
        _TOOL.check(tool, where)
        kind = tool.get("type")
        if kind is None or kind == "custom":
            self.names.append(fields.name(tool, where))
            return
        family = _family(fields.name(tool, where, "type"))
        if family == "mcp_toolset":
            self.server(tool, where, "mcp_server_name")
        elif family in _CLIENT_TOOLS:
            self.names.append(family)
        else:
            self.served.append(fields.served(tool, family, where))

    def server(self, entry: Any, where: str, key: str) -> None:
        """An MCP server that Anthropic calls itself."""
        served = "mcp:" + fields.name(entry, where, key)
        _TOOL.check(entry, where)
        if served not in self.served:
            self.served.append(served)

    def message(self, message: JsonObject, where: str) -> None:
        """Tool changes in one message, whatever its role: the API decides which roles may carry them."""
        _MESSAGE.check(message, where)
        content = message.get("content")
        if type(content) is not list:
            return
        for block in content:
            if type(block) is not dict:
                continue
            _BLOCK.check(block, f"{where}.content")
            kind = block.get("type")
            if kind == "tool_addition":
                self.change(block.get("tool"), f"{where}.content.tool_addition")
            elif kind == "compaction":
                for change in fields.objects(block, "tool_changes", f"{where}.content.tool_changes"):
                    _BLOCK.check(change, f"{where}.content.tool_changes")
                    self.change(change.get("tool", change), f"{where}.content.tool_changes")

    def change(self, tool: Any, where: str) -> None:
        """What a tool addition adds: a reference to something declared, or a definition of its own."""
        kind = fields.name(tool, where, "type")
        _TOOL.check(tool, where)
        if kind == "tool_definition":
            definition = tool.get("definition")
            if type(definition) is not dict:
                fields.refuse(f"{where}.definition", "an object")
            self.definition(definition, where)
        elif kind == "tool_reference":
            self.names.append(fields.name(tool, where))
        elif kind in ("mcp_tool_reference", "mcp_toolset_reference"):
            self.server(tool, where, "server_name")
        else:
            fields.refuse(f"{where}.type", "a kind of tool this gateway knows")


def _family(kind: str) -> str:
    """A tool's type without its date: `web_search_20260318` is `web_search`."""
    head, _, date = kind.rpartition("_")
    return head if head and len(date) == 8 and date.isascii() and date.isdigit() else kind


def _model(name: str) -> JsonObject:
    return {"type": "model", "id": name, "display_name": name, "created_at": _EPOCH, "lifecycle": "active"}


def _error(refusal: Refusal) -> JsonObject:
    kind = _ERRORS.get(refusal.status, "api_error" if refusal.status >= 500 else "invalid_request_error")
    error = {"type": kind, "message": refusal.text}
    return {"type": "error", "error": error, "request_id": refusal.id or None}


DIALECT = AnthropicMessages()
