"""What each member of an MCP message is, as far as masking cares: text, or something that must survive as it is.

Members that are not listed are text, keys included: a table that forgets a field masks it, never lets it by. Where a
position is free-form (structuredContent, tool input, log data, error data) nothing in it is exempt, whatever its name.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final


class Part(IntEnum):
    """How one member's value is treated. The member's own name is kept in every case."""

    TEXT = 0  # everything inside is masked, keys and numbers too
    TOKEN = 1  # an opaque token that its owner gets back: id, cursor, task id; a secret in it is no less a secret
    NUMBER = 2  # a number of the protocol's own: a limit, a size, a progress; if implausibly large it is text
    WORD = 3  # one of the protocol's own words; anything else is text
    NAME = 4  # an identifier (tool, prompt, argument); anything that does not look like one is text
    BINARY = 5  # base64: masked if it holds text, passed and noted if not; what is no base64 is text
    MAP = 6  # identifiers to text
    SCHEMAS = 7  # property names to JSON Schemas
    REQUESTS = 8  # identifiers to requests (inputRequests)
    BLOCKS = 9  # content blocks, whose `type` says what their data is
    TIME = 10  # an ISO 8601 time stamp; anything else is text
    STATE = 11  # a token too; but a signed one (JWT, JWE) passes and is noted, because a masked one is refused later


Shape = Mapping[str, Any]  # member name to Part or to the Shape of an object, or of each object in an array

# fmt: off
WORDS: Final = frozenset((
    "2.0", "text", "image", "audio", "resource", "resource_link", "tool_use", "tool_result", "ref/prompt",
    "ref/resource", "user", "assistant",
    "complete", "input_required", "task", "public", "private", "accept", "decline", "cancel", "form", "url", "auto",
    "required", "none",
    "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency",
    "working", "submitted", "completed", "failed", "cancelled", "optional", "forbidden", "light", "dark",
    "string", "number", "integer", "boolean", "object", "array", "null",
    "date-time", "date", "time", "email", "uri", "uri-reference", "uuid", "hostname", "ipv4", "ipv6", "regex",
    "text/plain", "text/html", "text/markdown", "text/csv", "application/json", "application/pdf",
    "application/octet-stream",
    "image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml", "audio/wav", "audio/mpeg",
    "ping", "sampling/createMessage", "elicitation/create", "roots/list",
    "notifications/message", "notifications/progress", "notifications/cancelled", "notifications/tasks",
    "notifications/tasks/status", "notifications/tools/list_changed", "notifications/prompts/list_changed",
    "notifications/resources/list_changed", "notifications/resources/updated", "notifications/elicitation/complete",
    "notifications/subscriptions/acknowledged",
    "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28",
))
# fmt: on

_T, _K, _N = Part.TEXT, Part.TOKEN, Part.NUMBER

META: Final[Shape] = {
    "io.modelcontextprotocol/protocolVersion": Part.WORD,
    "io.modelcontextprotocol/subscriptionId": _K,
    "io.modelcontextprotocol/logLevel": Part.WORD,
    "io.modelcontextprotocol/clientCapabilities": Part.MAP,
    "io.modelcontextprotocol/clientInfo": Part.MAP,
    "io.modelcontextprotocol/serverInfo": Part.MAP,
    "io.modelcontextprotocol/related-task": {"taskId": _K},
    "progressToken": _K,
    "traceparent": _T,
    "tracestate": _T,
    "baggage": _T,
}
_ICONS: Final[Shape] = {"src": _T, "mimeType": Part.WORD, "sizes": _T, "theme": Part.WORD}
_ANNOTATIONS: Final[Shape] = {
    "audience": Part.WORD,
    "priority": _N,
    "lastModified": Part.TIME,
    "title": _T,
    "readOnlyHint": _T,
    "destructiveHint": _T,
    "idempotentHint": _T,
    "openWorldHint": _T,
}
_COMMON: Final[Shape] = {
    "title": _T,
    "description": _T,
    "icons": _ICONS,
    "annotations": _ANNOTATIONS,
    "_meta": META,
}

# fmt: off
_SCHEMA_NUMBERS = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems",
    "maxItems", "minProperties", "maxProperties", "minContains", "maxContains",
)
_SCHEMA_TEXTS = (
    "title", "description", "$comment", "default", "examples", "enum", "enumNames", "const", "required", "pattern",
    "$schema", "$id", "$ref", "$anchor", "$dynamicRef", "$dynamicAnchor", "x-mcp-header", "uniqueItems", "readOnly",
    "writeOnly", "deprecated", "dependentRequired", "contentEncoding", "contentMediaType",
)
_SCHEMA_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_SUBSCHEMAS = (
    "items", "prefixItems", "contains", "additionalProperties", "unevaluatedProperties", "unevaluatedItems",
    "propertyNames", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "contentSchema",
)
# fmt: on
SCHEMA: Final[dict[str, Any]] = {
    **dict.fromkeys(_SCHEMA_NUMBERS, _N),
    **dict.fromkeys(_SCHEMA_TEXTS, _T),
    **dict.fromkeys(_SCHEMA_MAPS, Part.SCHEMAS),
    "type": Part.WORD,
    "format": Part.WORD,
}
SCHEMA.update(dict.fromkeys(_SUBSCHEMAS, SCHEMA))  # schemas within schemas: the table holds itself

_TOOL: Final[Shape] = {
    **_COMMON,
    "name": Part.NAME,
    "inputSchema": SCHEMA,
    "outputSchema": SCHEMA,
    "execution": {"taskSupport": Part.WORD},
}
_PROMPT: Final[Shape] = {
    **_COMMON,
    "name": Part.NAME,
    "arguments": {"name": Part.NAME, "title": _T, "description": _T, "required": _T},
}
_RESOURCE: Final[Shape] = {
    **_COMMON,
    "uri": _T,
    "uriTemplate": _T,
    "name": _T,
    "mimeType": Part.WORD,
    "size": _N,
}
_CONTENTS: Final[Shape] = {"uri": _T, "mimeType": Part.WORD, "text": _T, "blob": Part.BINARY, "_meta": META}

BLOCK: Final[Shape] = {
    **_RESOURCE,
    "type": Part.WORD,
    "text": _T,
    "data": _T,
    "resource": _CONTENTS,
    # inside sampling messages
    "id": _K,
    "toolUseId": _K,
    "input": _T,
    "content": Part.BLOCKS,
    "structuredContent": _T,
    "isError": _T,
}
MEDIA_BLOCK: Final[Shape] = {**BLOCK, "data": Part.BINARY}
TOOL_USE_BLOCK: Final[Shape] = {**BLOCK, "name": Part.NAME}
BLOCK_SHAPES: Final[Mapping[Any, Shape]] = {
    "image": MEDIA_BLOCK,
    "audio": MEDIA_BLOCK,
    "tool_use": TOOL_USE_BLOCK,
}

_MESSAGE: Final[Shape] = {"role": Part.WORD, "content": Part.BLOCKS, "_meta": META}
_TASK: Final[dict[str, Any]] = {
    "taskId": _K,
    "status": Part.WORD,
    "statusMessage": _T,
    "createdAt": Part.TIME,
    "lastUpdatedAt": Part.TIME,
    "ttl": _N,
    "ttlMs": _N,
    "pollInterval": _N,
    "pollIntervalMs": _N,
}
_ERROR: Final[Shape] = {"code": _N, "message": _T, "data": _T}

RESULT: Final[dict[str, Any]] = {
    **_TASK,
    "_meta": META,
    "resultType": Part.WORD,
    "nextCursor": _K,
    "cacheScope": Part.WORD,
    "requestState": Part.STATE,
    "inputRequests": Part.REQUESTS,
    "content": Part.BLOCKS,
    "structuredContent": _T,
    "isError": _T,
    "tools": _TOOL,
    "prompts": _PROMPT,
    "resources": _RESOURCE,
    "resourceTemplates": _RESOURCE,
    "contents": _CONTENTS,
    "messages": _MESSAGE,
    "description": _T,
    "completion": {"values": _T, "total": _N, "hasMore": _T},
    "protocolVersion": Part.WORD,
    "supportedVersions": Part.WORD,
    "capabilities": Part.MAP,
    "serverInfo": Part.MAP,
    "instructions": _T,
    "task": _TASK,
    "tasks": _TASK,
    "error": _ERROR,
}
RESULT["result"] = RESULT  # tasks/get brings the tool's own result with it

PARAMS: Final[Shape] = {
    **_TASK,
    "_meta": META,
    "progressToken": _K,
    "progress": _N,
    "total": _N,
    "message": _T,
    "requestId": _K,
    "reason": _T,
    "level": Part.WORD,
    "logger": _T,
    "data": _T,
    "uri": _T,
    "messages": _MESSAGE,
    "systemPrompt": _T,
    "modelPreferences": Part.MAP,
    "includeContext": _T,
    "temperature": _N,
    "maxTokens": _N,
    "stopSequences": _T,
    "metadata": _T,
    "tools": _TOOL,
    "toolChoice": {"mode": Part.WORD},
    "mode": Part.WORD,
    "requestedSchema": SCHEMA,
    "url": _T,
    "elicitationId": _K,
    "notifications": Part.MAP,
    "task": _TASK,
    "result": RESULT,
    "error": _ERROR,
    "inputRequests": Part.REQUESTS,
}

REQUEST: Final[Shape] = {"method": Part.WORD, "params": PARAMS}

RPC: Final[Shape] = {
    "jsonrpc": Part.WORD,
    "id": _K,
    "method": Part.WORD,
    "params": PARAMS,
    "result": RESULT,
    "error": _ERROR,
}
