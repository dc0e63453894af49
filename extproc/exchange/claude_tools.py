"""The tools in a request to Claude, wherever they hide: in `tools`, in `mcp_servers`, in tool additions inside
messages, and in the tool changes that a compaction block carries.

A typed tool is known by its type without the date, which says nothing about what it does, and never by the name the
client gave it.
"""

from typing import Any

from extproc.exchange import fields
from extproc.exchange.keys import Keys
from extproc.exchange.model import JsonObject

_CLIENT_TOOLS = frozenset({"bash", "text_editor", "memory", "computer", "computer_toolset", "browser_toolset"})
_TOP = Keys("tools", "mcp_servers", "messages")
_TOOL = Keys("type", "name", "mcp_server_name", "server_name", "definition", "model")
_MESSAGE = Keys("content")
_BLOCK = Keys("type", "tool", "tool_changes")


class ClaudeTools:
    """Collects tool names (run by the client) and server tools (run by the provider)."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.served: list[str] = []

    def document(self, doc: JsonObject, where: str = "") -> None:
        """A whole body. `where` is what to put before the names of its fields."""
        _TOP.check(doc, where.removesuffix("."))
        for position, tool in enumerate(fields.objects(doc, "tools", f"{where}tools")):
            self.definition(tool, f"{where}tools[{position}]")
        for position, server in enumerate(fields.objects(doc, "mcp_servers", f"{where}mcp_servers")):
            self.server(server, f"{where}mcp_servers[{position}]", "name")
        for position, message in enumerate(fields.objects(doc, "messages", f"{where}messages")):
            self.message(message, f"{where}messages[{position}]")

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
