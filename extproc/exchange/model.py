"""What an exchange is about, once it is understood: frozen values that policy reads."""

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from extproc.exchange.refusal import Refusal, Rendered
from extproc.exchange.text import TextFilter

# A JSON object as msgspec decodes it: insertion-ordered, last duplicate key wins, integers of any size.
JsonObject = dict[str, Any]

Plane = Literal["llm", "mcp"]


@dataclass(frozen=True, slots=True)
class Place:
    """What the path said of a call, in APIs that say it there (Gemini, Vertex, Bedrock, Azure's deployments).

    `framing` tells apart ways of streaming that only the path or query asks for: "" is the dialect's own, "array" a
    JSON array in pieces.
    """

    model: str = ""
    stream: bool = False
    framing: str = ""


NOWHERE = Place()


@dataclass(frozen=True, slots=True)
class LlmCall:
    """One call to an LLM API, as far as policy needs to know it.

    `operation` follows the OpenTelemetry GenAI names plus two of ours: "chat", "count_tokens", "list_models".
    `doc` is the decoded body. It is what will be re-encoded and sent, so that the body that was judged is the body
    that is sent; only the dialect may edit it.
    """

    dialect: str
    operation: str
    model: str
    stream: bool = False
    tools: tuple[str, ...] = ()
    server_tools: tuple[str, ...] = ()
    max_tokens: int | None = None
    doc: JsonObject = field(default_factory=dict, repr=False)
    framing: str = ""  # see `Place`
    betas: tuple[
        str, ...
    ] = ()  # the client's `anthropic-beta` header, each value by itself; only Anthropic's API has it
    hide_usage: bool = False  # see `openai_usage`


@dataclass(frozen=True, slots=True)
class McpCall:
    """One JSON-RPC message from an MCP client (or a body-less GET/DELETE, where `method` is "").

    `kind`: "request" (has id and method), "notification", "response" (a reply to a server's request), "stream"
    (GET), "close" (DELETE). `name` is what the method is about: tool name, prompt name, resource URI, task id.
    `era`: "handshake" or "modern" (2026-07-28).
    """

    server: str
    kind: str
    method: str
    name: str = ""
    id: Any = None
    era: str = "handshake"
    version: str = ""
    arguments: JsonObject = field(default_factory=dict, repr=False)
    doc: JsonObject = field(default_factory=dict, repr=False)
    recorded: str = field(default="", repr=False)  # the arguments as the audit tells them: masked, cut


@dataclass(slots=True)
class Usage:
    """Tokens as the provider counted them; None where it did not say. `input_tokens` includes cached ones."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class Answer(Protocol):
    """Reads one upstream answer, masks it, and remembers what the audit wants to know.

    Used in one of two ways. Whole: `document(body)`. Streamed: `feed(chunk)` any number of times, then `finish()`
    exactly once (clean end, trailers or abort alike), whose result holds every tail that was held back. What cannot
    be read raises `Uninspectable`: the session then ends the answer with `Dialect.error_event`.
    """

    framing: str  # the content type of its streams
    usage: Usage
    model: str  # the model the upstream says it used, "" if unknown
    finish_reasons: tuple[str, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Guards that changed or could not inspect something, e.g. "logprobs-dropped"."""
        ...

    def document(self, body: bytes) -> bytes: ...

    def feed(self, chunk: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class Dialect(Protocol):
    """One LLM wire format. Implementations are stateless singletons, one per file."""

    name: str

    def read(self, operation: str, doc: JsonObject, place: Place = NOWHERE) -> LlmCall:
        """Decoded body, and what the path said, to call. Raises `BadRequest` (reason body-shape) naming the field that
        is wrong."""
        ...

    def write(self, call: LlmCall, model: str) -> bytes:
        """The body to send upstream: the judged document with the upstream's model name."""
        ...

    def path(self, call: LlmCall, model: str) -> str:
        """Where the upstream takes this call, for example "/v1/messages"; without scheme, host and base path."""
        ...

    def models(self, names: tuple[str, ...]) -> bytes:
        """The body of GET /v1/models that lists exactly `names`."""
        ...

    def model(self, name: str) -> bytes:
        """The body of GET /v1/models/{name}."""
        ...

    def refusal(self, refusal: Refusal) -> Rendered:
        """The refusal as this API's SDKs expect an error."""
        ...

    def error_event(self, refusal: Refusal) -> bytes:
        """Bytes that end a stream which has already begun, as this API ends a failed stream."""
        ...

    def answer(self, call: LlmCall, mask: TextFilter | None) -> Answer:
        """A reader for the answer to `call`. Without a mask, bytes pass unchanged and only usage is read."""
        ...
