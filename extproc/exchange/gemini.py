"""Gemini's generateContent, streamGenerateContent and countTokens. See `gemini_answer` for what comes back.

The path names model and method, so a body that names another model is overruled. Google reads every field in camelCase
and in snake_case, and so does this: a tool spelled `function_declarations` is a tool. What Google runs itself (search,
code, its own MCP client) is a server tool by the name of its field; a cached content is one too, because it may bring
tools and instructions that this gateway never sees.

The Gemini API and Vertex AI speak it at different paths, which makes them two dialects of one class.
"""

from urllib.parse import quote

from extproc.exchange import fields, gemini_error, json_body, sse
from extproc.exchange.gemini_answer import GeminiAnswer
from extproc.exchange.keys import Keys
from extproc.exchange.model import NOWHERE, Answer, JsonObject, LlmCall, Place
from extproc.exchange.refusal import Refusal, Rendered
from extproc.exchange.text import TextFilter

_CLIENT_TOOLS = frozenset({"computer_use"})  # the model asks, the client acts
_TOP = fields.top(
    "generationConfig",
    "generation_config",
    "cachedContent",
    "cached_content",
    "generateContentRequest",
    "generate_content_request",
)
_CONFIG = Keys("maxOutputTokens", "max_output_tokens")
_TOOL = Keys("functionDeclarations", "function_declarations", "mcpServers", "mcp_servers")
_NAMED = Keys("name")
_NESTED = ("generateContentRequest", "generate_content_request")


class Gemini:
    """Implements `exchange.model.Dialect`. `prefix` is what stands before /models/ upstream."""

    def __init__(self, name: str, prefix: str) -> None:
        self.name = name
        self._prefix = prefix

    def read(self, operation: str, doc: JsonObject, place: Place = NOWHERE) -> LlmCall:
        names: list[str] = []
        served: list[str] = []
        limit: int | None = None
        for body in (doc, *(_object(doc, key) for key in _NESTED)):
            fields.check(body, _TOP)
            _tools(body, names, served)
            for key in ("generationConfig", "generation_config"):
                _CONFIG.check(_object(body, key), key)
                found = fields.number(_object(body, key), "maxOutputTokens", "max_output_tokens")
                limit = limit if found is None else max(found, limit or 0)
        if not place.model or len(place.model) > fields.MAX_MODEL:
            fields.refuse("model", f"a string of 1 to {fields.MAX_MODEL} characters in the path")
        return LlmCall(
            dialect=self.name,
            operation=operation,
            model=place.model,
            stream=place.stream,
            tools=tuple(names),
            server_tools=tuple(served),
            max_tokens=limit,
            doc=doc,
            framing=place.framing,
        )

    def write(self, call: LlmCall, model: str) -> bytes:
        """The judged document; wherever it names a model, it names the upstream's."""
        doc = {key: value for key, value in call.doc.items() if key != "model"}
        for key in _NESTED:
            if type(doc.get(key)) is dict:
                doc[key] = {**doc[key], "model": f"models/{model}"}
        return json_body.encode(doc)

    def path(self, call: LlmCall, model: str) -> str:
        """With its own query where the call streams: without `alt` Google answers with a JSON array in pieces."""
        method = "generateContent"
        if call.operation == "count_tokens":
            method = "countTokens"
        elif call.stream:
            method = "streamGenerateContent" if call.framing == "array" else "streamGenerateContent?alt=sse"
        return f"{self._prefix}/models/{quote(model, safe='')}:{method}"

    def models(self, names: tuple[str, ...]) -> bytes:
        return gemini_error.models(names)

    def model(self, name: str) -> bytes:
        return json_body.encode(gemini_error.model(name))

    def refusal(self, refusal: Refusal) -> Rendered:
        return gemini_error.render(refusal)

    def error_event(self, refusal: Refusal) -> bytes:
        """One data line with the error, which Google's SDKs raise."""
        return sse.encode("", json_body.encode({"error": gemini_error.error(refusal)}))

    def answer(self, call: LlmCall, mask: TextFilter | None) -> Answer:  # noqa: ARG002  (the Protocol's signature)
        return GeminiAnswer(mask)


def _object(doc: JsonObject, key: str) -> JsonObject:
    """An optional object; null is absent."""
    value = doc.get(key)
    if value is None:
        return {}
    if type(value) is not dict:
        fields.refuse(key, "an object")
    return value


def _tools(doc: JsonObject, names: list[str], served: list[str]) -> None:
    """Names of the tools the client runs, and fields of those that Google runs."""
    for position, tool in enumerate(fields.objects(doc, "tools")):
        _TOOL.check(tool, f"tools[{position}]")
        for key, value in tool.items():
            if value is None:
                continue
            kind = _snake(key)
            where = f"tools[{position}].{kind}"
            if kind == "function_declarations":
                entries = fields.objects(tool, key, where)
                names += [_name(entry, f"{where}[{index}]") for index, entry in enumerate(entries)]
            elif kind == "mcp_servers":
                entries = fields.objects(tool, key, where)
                served += ["mcp:" + _name(entry, f"{where}[{index}]") for index, entry in enumerate(entries)]
            else:
                (names if kind in _CLIENT_TOOLS else served).append(kind)
    if doc.get("cachedContent") is not None or doc.get("cached_content") is not None:
        served.append("cached_content")


def _name(entry: JsonObject, where: str) -> str:
    _NAMED.check(entry, where)
    return fields.name(entry, where)


def _snake(name: str) -> str:
    """`googleSearch` as `google_search`: both spellings are one field to Google."""
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


DIALECT = Gemini("gemini", "/v1beta")
VERTEX = Gemini("vertex-gemini", "/publishers/google")
