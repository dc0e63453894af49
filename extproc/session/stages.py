"""What is known of an exchange after each phase. Each phase gets the last one's frozen value and makes the next.

Arrived --(identity)--> Admitted --(body, policy)--> Judged --> answered
     \\________________________\\______________________\\___--> Refused

An answer may stream for hours: what outlives the request phase (`Arrived`, `Judged`) holds neither the client's headers
nor a body.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from extproc.exchange.classify import Route
from extproc.exchange.model import Answer, LlmCall, McpCall
from extproc.exchange.refusal import Refusal, Rendered
from extproc.exchange.text import TextFilter
from extproc.exchange.translation.contract import Reply
from extproc.identity.model import Identity
from extproc.policy.decision import Decision, Leg
from extproc.policy.runtime import McpServer
from extproc.session.actions import RequestBodyReply, RequestHeadersReply
from extproc.session.tool_watch import ToolWatch
from extproc.session.voice import Voice


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes. `request` is Envoy's own cap too; `answer` bounds what is held to be masked whole."""

    request: int = 16 * 1024 * 1024
    answer: int = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Arrived:
    """The request's headers, understood. `agent` is what the client calls itself, cut to what is safe to record."""

    method: str
    path: str
    query: str = field(repr=False)  # may hold a credential
    source: str
    agent: str
    route: Route
    voice: Voice
    server: McpServer | None
    has_body: bool
    provider: str = ""  # whose host was asked for, by its name in the catalogue
    document: str = ""  # URL of the document about the MCP server as a protected resource, "" if it is none


@dataclass(frozen=True, slots=True)
class Admitted:
    """`headers` is what the client sent, credentials included; it never goes into a record whole. `token` is the one
    that was verified: it is nobody's but ours."""

    arrived: Arrived
    identity: Identity
    headers: Mapping[str, str] = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Judged:
    """An allowed call, and how its answer will be read. `call` is without its document.

    `must_read`: the answer may only pass if it could be inspected. `strict`: a success is JSON or SSE, nothing else is
    an answer to this call. `read` makes the reader; `mask` counts. `sent` is the size of the body that went on, and
    `secret` the credential that went with it (b"": none).

    LLM calls: `leg` is the target, `reply` writes its answer in the client's dialect (None: it is), `dropped` are the
    fields it was not told. With several targets, `served` makes the value for the one that answered, told by its number
    from 1 and the credential it was given; what this value says is then about the first.
    """

    call: LlmCall | McpCall
    decision: Decision
    voice: Voice
    read: Callable[[], Answer]
    mask: TextFilter | None
    must_read: bool
    strict: bool
    sent: int
    secret: bytes = field(default=b"", repr=False)
    watch: ToolWatch | None = None
    leg: Leg | None = None
    reply: Reply | None = None
    dropped: tuple[str, ...] = ()
    served: Callable[[int, bytes], "Judged | None"] | None = None
    session: Callable[[str], str] | None = None  # makes an MCP session's id the caller's own
    attempts: int = 0  # how many targets were tried, 0 if there was one only
    rejected: Callable[[], Refusal] | None = None  # what it means that the upstream says 401; None: what it says


@dataclass(frozen=True, slots=True)
class Forward:
    """What Envoy is told about an allowed call. `reply` holds prompt and credential: nobody keeps it."""

    judged: Judged
    reply: RequestBodyReply | RequestHeadersReply


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that does not go on. `decision` is None when it never came to policy."""

    refusal: Refusal
    voice: Voice
    call: LlmCall | McpCall | None = None
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An allowed call that needs something first: run `effect`, and give its result to `resume`."""

    effect: Callable[[], Awaitable[Any]]
    resume: Callable[[Any], Forward | Refused]
    voice: Voice
    call: McpCall
    decision: Decision


@dataclass(frozen=True, slots=True)
class Local:
    """What the gateway answers itself: the list of models, or, to anybody and so undecided, what is public."""

    rendered: Rendered
    call: LlmCall | None = None
    decision: Decision | None = None


def key_of(who: Identity) -> bytes:
    """The caller, as what is remembered of it or bound to it is told apart."""
    return f"{who.issuer}\0{who.subject}".encode("utf-8", "replace")


class RequestFacts(Mapping[str, Any]):
    """What conditions may read of the request: `path`, `source`, `provider`, `size` and `headers`, without credentials;
    and the exchange's `id`. Each is made when it is asked for, because most decisions ask for none."""

    __slots__ = ("_admitted", "_id", "_size")

    def __init__(self, admitted: Admitted, size: int = 0, id: str = "") -> None:
        self._admitted = admitted
        self._size = size
        self._id = id

    def __getitem__(self, name: str) -> Any:
        if name == "headers":
            sent = self._admitted.headers.items()
            return {name: value for name, value in sent if name not in _SECRET and name[:1] != ":"}
        if name == "size":
            return self._size
        if name == "id":
            return self._id
        if name in _FACTS:
            return getattr(self._admitted.arrived, name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_FACTS)

    def __len__(self) -> int:
        return len(_FACTS)


_FACTS = ("path", "source", "headers", "size", "id", "provider")


_SECRET = frozenset({"authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"})
