"""What the demo MCP server offers: three tools, a prompt, a resource. One answer holds text that must be masked."""

from typing import Any

NOTE = "Remember: the quarterly report is due on Friday."
# A well-known test card number, an address in a reserved domain, a key that opens nothing.
CUSTOMER = (
    "Customer 42: Jane Example, card 4111 1111 1111 1111, e-mail jane.example@example.com, "
    "API key AKIAIOSFODNN7EXAMPLE. Prefers letters."
)
INSTRUCTIONS = "A demonstration server. read_note is harmless, find_customer is sensitive, delete_note destroys."

TOOLS: list[dict[str, Any]] = [
    {
        "name": "read_note",
        "title": "Read a note",
        "description": "Returns the note with this name.",
        "inputSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    },
    {
        "name": "find_customer",
        "title": "Find a customer",
        "description": "Returns what is known about a customer.",
        "inputSchema": {"type": "object", "properties": {"id": {"type": "integer"}}},
        "outputSchema": {"type": "object", "properties": {"customer": {"type": "string"}}, "required": ["customer"]},
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    },
    {
        "name": "delete_note",
        "title": "Delete a note",
        "description": "Deletes the note with this name. It cannot be undone.",
        "inputSchema": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        "annotations": {"readOnlyHint": False, "destructiveHint": True, "openWorldHint": False},
    },
]
PROMPTS = [{"name": "summarise", "description": "Asks for a summary.", "arguments": [{"name": "text"}]}]
RESOURCES = [{"uri": "note://today", "name": "today", "description": "Today's note.", "mimeType": "text/plain"}]


class Unknown(Exception):
    """A name that is not offered. The text is the JSON-RPC error message; `code` its code."""

    def __init__(self, message: str, code: int = -32602) -> None:
        super().__init__(message)
        self.code = code


def call_tool(params: dict[str, Any]) -> dict[str, Any]:
    """The result of tools/call. An unknown tool is a result with isError, as the usual Python servers answer."""
    name = params.get("name")
    if name == "read_note":
        return {"content": [{"type": "text", "text": NOTE}], "isError": False}
    if name == "find_customer":
        structured = {"customer": CUSTOMER}
        return {"content": [{"type": "text", "text": CUSTOMER}], "structuredContent": structured, "isError": False}
    if name == "delete_note":
        return {"content": [{"type": "text", "text": "The note is gone."}], "isError": False}
    return {"content": [{"type": "text", "text": f"Unknown tool: {name}"}], "isError": True}


def get_prompt(params: dict[str, Any]) -> dict[str, Any]:
    """The result of prompts/get. Raises Unknown."""
    if params.get("name") != "summarise":
        raise Unknown("Unknown prompt")
    arguments = params.get("arguments")
    text = str(arguments.get("text", "")) if isinstance(arguments, dict) else ""
    content = {"type": "text", "text": f"Summarise this in one sentence: {text}"}
    return {"description": "Asks for a summary.", "messages": [{"role": "user", "content": content}]}


def read_resource(params: dict[str, Any]) -> dict[str, Any]:
    """The result of resources/read. Raises Unknown."""
    if params.get("uri") != "note://today":
        raise Unknown("Resource not found")
    return {"contents": [{"uri": "note://today", "mimeType": "text/plain", "text": f"{NOTE} {CUSTOMER}"}]}
