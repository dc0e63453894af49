"""What is known of an exchange after each phase. Each phase gets the last one's frozen value and makes the next.

Arrived --(identity)--> Admitted --(body, policy)--> Judged --> answered
     \\________________________\\______________________\\___--> Refused
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from extproc.exchange.classify import Route
from extproc.exchange.model import Answer, LlmCall, McpCall
from extproc.exchange.refusal import Refusal, Rendered
from extproc.exchange.text import TextFilter
from extproc.identity.model import Identity
from extproc.policy.decision import Decision
from extproc.policy.runtime import McpServer
from extproc.session.actions import RequestBodyReply, RequestHeadersReply
from extproc.session.voice import Voice


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes. `request` is Envoy's own cap too; `answer` bounds what is held to be masked whole."""

    request: int = 16 * 1024 * 1024
    answer: int = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Arrived:
    """The request's headers, understood. `headers` is what the client sent; it never goes into a record whole."""

    method: str
    path: str
    query: str
    source: str
    headers: Mapping[str, str] = field(repr=False)
    route: Route
    voice: Voice
    server: McpServer | None
    has_body: bool


@dataclass(frozen=True, slots=True)
class Admitted:
    arrived: Arrived
    identity: Identity


@dataclass(frozen=True, slots=True)
class Judged:
    """An allowed call: what Envoy is told, and how its answer will be read.

    `must_read`: the answer may only pass if it could be inspected. `read` makes the reader; `mask` counts.
    """

    call: LlmCall | McpCall
    decision: Decision
    voice: Voice
    reply: RequestBodyReply | RequestHeadersReply
    read: Callable[[], Answer]
    mask: TextFilter | None
    must_read: bool
    sent: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that does not go on. `decision` is None when it never came to policy."""

    refusal: Refusal
    voice: Voice
    call: LlmCall | McpCall | None = None
    decision: Decision | None = None


@dataclass(frozen=True, slots=True)
class Local:
    """A call the gateway answers itself (the list of models)."""

    rendered: Rendered
    call: LlmCall
    decision: Decision


def facts(arrived: Arrived) -> dict[str, Any]:
    """What conditions may read of the request. Credentials are not part of it."""
    headers = arrived.headers
    return {
        "path": arrived.path,
        "source": arrived.source,
        "headers": {name: value for name, value in headers.items() if name not in _SECRET and name[:1] != ":"},
    }


_SECRET = frozenset({"authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"})
