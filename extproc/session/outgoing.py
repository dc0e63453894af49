"""A call as one target gets it: translated where its API is another, addressed, authenticated, cleaned of what is the
client's alone. Made once per attempt, always from the client's own call; nothing here knows what was tried before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from extproc.errors import BadRequest
from extproc.exchange import classify, json_body, openai_usage
from extproc.exchange.model import NOWHERE, LlmCall, Place
from extproc.exchange.refusal import Reason, Refusal
from extproc.exchange.translation.foreign_headers import foreign
from extproc.exchange.translation.same_body import SameBody
from extproc.policy.decision import Leg
from extproc.policy.runtime import Upstream
from extproc.session import forwarding
from extproc.session.actions import Pairs, RequestBodyReply
from extproc.session.ports import Credentials, Injected, Outgoing

NOTHING = Injected(())
_BETAS = "anthropic-beta"


@dataclass(frozen=True, slots=True)
class Asking:
    """The client's side of a call: its headers, query, what its path said, and the token that was verified."""

    headers: Mapping[str, str] = field(repr=False)
    query: str = field(repr=False)
    place: Place
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """What goes to a target. `dropped` are the fields of the client's that it cannot be told; `secret` must not come
    back."""

    reply: RequestBodyReply
    size: int
    dropped: tuple[str, ...]
    secret: bytes = field(repr=False)


def outgoing(
    call: LlmCall, leg: Leg, asking: Asking, credentials: Credentials, *, cluster: str = "", more: Pairs = ()
) -> Sent | Refusal:
    """The request for a leg's target. `cluster` stands in for the upstream's own; `more` are headers to set besides."""
    upstream, model = leg.target.provider.upstream, leg.target.model
    if leg.translation is None:
        spoken = with_usage(call, leg)
        body = classify.DIALECTS[leg.dialect].write(spoken, model)
        path = own_path(call, leg.dialect, model, asking)
        dropped: tuple[str, ...] = ()
        added: Pairs = ()
    else:
        try:
            translated = leg.translation.request(_with_betas(call, asking.headers), model)
        except BadRequest as error:
            return Refusal.of(Reason(error.reason), message=error.message, status=error.status)
        same = isinstance(leg.translation, SameBody)
        framing = call.framing if same else ""
        asks = same and with_usage(call, leg).hide_usage
        doc = openai_usage.asking(translated.doc) if asks else translated.doc
        spoken = LlmCall(leg.dialect, call.operation, model, translated.stream, doc=doc, framing=framing)
        body = json_body.encode(doc)
        path = classify.DIALECTS[leg.dialect].path(spoken, model)
        dropped, added = translated.dropped, translated.headers
    path = upstream.path + path
    injected = authenticated(upstream, path, body, credentials)
    if injected is None:
        return Refusal.of(Reason.CREDENTIAL_UNAVAILABLE)
    own = tuple(name for name, _ in injected.headers)
    remove = forwarding.stripped(asking.headers, own, asking.token)
    if leg.translation is not None:
        kept = {name for name, _ in added}
        remove += tuple(
            name
            for name in asking.headers
            if foreign(name, leg.dialect) and name not in kept and name not in own and name not in remove
        )
    sets = forwarding.pairs(upstream, path, len(body), cluster=cluster) + added + injected.headers + more
    return Sent(RequestBodyReply(body, sets, remove), len(body), dropped, injected.secret)


def own_path(call: LlmCall, dialect: str, model: str, asking: Asking) -> str:
    """The upstream's path of a call in the client's own dialect. Where the client's path or query said something of the
    call (Gemini, Azure's deployments), its query was judged with it and is the dialect's to write, too."""
    path = classify.DIALECTS[dialect].path(call, model)
    if asking.place is NOWHERE and "?" not in path:
        path += forwarding.query(asking.query, asking.token)
    return path


def authenticated(
    upstream: Upstream, path: str, body: bytes, credentials: Credentials, method: str = "POST"
) -> Injected | None:
    """What authenticates a request of this body; None if it cannot be had now."""
    source = upstream.credential
    if source is None:
        return NOTHING
    scheme = "https" if upstream.tls else "http"
    url = f"{scheme}://{upstream.authority}{path}"
    return credentials.inject(source, Outgoing(method, url, _SIGNED, body))


_SIGNED = {"content-type": "application/json"}  # what is set on every request, and by nobody on the way


def with_usage(call: LlmCall, leg: Leg) -> LlmCall:
    """The call as it asks for the usage of a stream: not at all, at a provider that refuses to be asked."""
    return replace(call, hide_usage=False) if call.hide_usage and not leg.target.provider.asks_usage else call


def slim(call: LlmCall) -> LlmCall:
    """A call without its document: a prompt of megabytes is not held while its answer streams. (`dataclasses.replace`
    costs several times as much.)"""
    return LlmCall(
        call.dialect,
        call.operation,
        call.model,
        call.stream,
        call.tools,
        call.server_tools,
        call.max_tokens,
        framing=call.framing,
        hide_usage=call.hide_usage,
    )


def _with_betas(call: LlmCall, headers: Mapping[str, str]) -> LlmCall:
    """What Anthropic's clients ask for in a header stands in the body elsewhere."""
    said = headers.get(_BETAS)
    if not said or call.dialect != "anthropic-messages":
        return call
    return replace(call, betas=tuple(name for part in said.split(",") if (name := part.strip())))
