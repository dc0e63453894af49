"""One attempt of a call that has several targets: the client's judged request in, its target's request out.

Runs on the listeners inside Envoy (`session.plan` tells how it is known that it does). It decides nothing about the
caller, whom the gateway's session has judged, and looks into no answer but for its headers: masking and translating
back are that session's. Every refusal here is a 503, because another target may do better; the reason goes along for
the case that none does.

    NEW -> BODY -> FORWARDED -> (HOLDING ->) OVER -> CLOSED
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Any, ClassVar
from urllib.parse import quote

from extproc.errors import BadRequest
from extproc.exchange import classify, json_body
from extproc.exchange.classify import Route
from extproc.exchange.model import LlmCall
from extproc.exchange.refusal import Reason, Refusal, Rendered
from extproc.policy.decision import Leg
from extproc.policy.routing import leg_of
from extproc.policy.runtime import Model, Policy
from extproc.session import plan
from extproc.session.actions import (
    Action,
    Record,
    RequestHeadersReply,
    RequestTrailersReply,
    Respond,
    ResponseChunk,
    ResponseHeadersReply,
    ResponseTrailersReply,
)
from extproc.session.answering import status_of
from extproc.session.events import (
    Event,
    RequestBody,
    RequestHeaders,
    RequestTrailers,
    ResponseBody,
    ResponseHeaders,
    ResponseTrailers,
    StreamClosed,
)
from extproc.session.forwarding import OWN_PREFIX
from extproc.session.outgoing import Asking, Sent, outgoing
from extproc.session.ports import Credentials
from extproc.session.stages import Limits

_CHUNK = 1 << 20
_UPSTREAM = "via_upstream"
_FORGED = (OWN_PREFIX, "x-envoy-")
# The next call will be judged by the policy that took the target away, so it is worth another one.
_CHANGED = "The gateway's policy changed during the call. Try again."


class State(Enum):
    NEW = "new"
    BODY = "body"
    FORWARDED = "forwarded"
    HOLDING = "holding"
    OVER = "over"
    CLOSED = "closed"


class Attempt:
    """Driven as `session.Session` is, and answers to the same names."""

    __slots__ = (
        "_asking",
        "_credentials",
        "_dropped",
        "_held",
        "_leg",
        "_limits",
        "_number",
        "_outcome",
        "_plan",
        "_policy",
        "_reason",
        "_reply",
        "_room",
        "_route",
        "_secret",
        "_sent",
        "_state",
        "_status",
        "_times",
        "_wall",
        "_whole",
        "failure",
    )

    def __init__(self, policy: Policy | None, credentials: Credentials, limits: Limits) -> None:
        self.failure: Exception | None = None
        self._policy = policy
        self._credentials = credentials
        self._limits = limits
        self._state = State.NEW
        self._plan: plan.Plan | None = None
        self._number = 0
        self._route: Route | None = None
        self._asking: Asking | None = None
        self._leg: Leg | None = None
        self._sent = -1  # bytes; below 0 as long as nothing was. What was sent is not kept: an answer may take hours
        self._dropped: tuple[str, ...] = ()
        self._secret = b""
        self._reply: ResponseHeadersReply | None = None
        self._held: list[bytes] = []
        self._room = limits.answer
        self._whole = False
        self._outcome = "aborted"
        self._reason = ""
        self._status = 0
        self._times: dict[str, float] = {}
        self._wall = 0.0

    @property
    def id(self) -> str:
        return f"{self._plan.id}.{self._number}" if self._plan is not None else ""

    def on(self, event: Event, wall: float, mono: float) -> list[Action]:
        """The actions an event leads to. Never raises."""
        handler = self._table.get((self._state, type(event)))
        if handler is None:
            return self.fail(mono)
        try:
            return handler(self, event, wall, mono)
        except Exception as error:  # noqa: BLE001  # the machine's own boundary: a bug must refuse, not pass
            self.failure = error
            return self.fail(mono)

    def fail(self, mono: float) -> list[Action]:
        """Refuse for a reason of ours."""
        if self._state in (State.OVER, State.CLOSED):
            return []
        return self._refuse(Refusal.of(Reason.INTERNAL_ERROR), mono)

    # -- the request ---------------------------------------------------------------------------------------------------

    def _request_headers(self, event: RequestHeaders, wall: float, mono: float) -> list[Action]:
        self._wall = wall
        self._times["start"] = mono
        headers = event.headers
        self._whole = event.attributes.get(plan.CHAIN_ATTRIBUTE) == plan.WHOLE
        found = self._plan = plan.decode(headers.get(plan.HEADER, ""))
        self._number = plan.number(headers.get(plan.COUNT, ""))
        path = headers.get(":path", "")
        route = classify.classify(headers.get(":method", ""), path, headers)
        if found is None or isinstance(route, Refusal) or event.end_of_stream:
            return self.fail(mono)
        if not 0 < self._number <= len(found.targets):
            return self.fail(mono)
        self._route = route
        self._asking = Asking(headers, path.partition("?")[2], route.place)
        self._state = State.BODY
        return [RequestHeadersReply()]

    def _request_body(self, event: RequestBody, wall: float, mono: float) -> list[Action]:
        asking, route, policy = self._asking, self._route, self._policy
        if asking is None or route is None or policy is None or not event.end_of_stream:
            return self.fail(mono)
        self._asking = None
        model = policy.models.get(self._plan.model) if self._plan is not None else None
        leg = self._leg = self._target(model, route) if model is not None else None
        if model is None or leg is None:
            return self._refuse(Refusal.of(Reason.UPSTREAM_FAILED, message=_CHANGED), mono)
        try:
            call = classify.DIALECTS[route.dialect].read(route.operation, json_body.decode(event.body), route.place)
        except BadRequest:  # it was judged: what cannot be read now is a fault of ours
            return self.fail(mono)
        sent = self._adapted(call, model, leg, asking)
        if isinstance(sent, Refusal):
            if sent.reason is Reason.UNTRANSLATABLE and self._asked_before(call, model, route):
                # Whoever could take the call failed, and may not the next time. "It cannot be said" would be final.
                return self._refuse(sent, mono, Refusal.of(Reason.UPSTREAM_FAILED))
            return self._refuse(sent, mono)
        self._sent, self._dropped, self._secret = sent.size, sent.dropped, sent.secret
        self._state = State.FORWARDED
        self._times["forwarded"] = mono
        return [sent.reply]

    def _asked_before(self, call: LlmCall, model: Model, route: Route) -> bool:
        """Whether the call can be said to a target whose turn was before this one's."""
        assert self._plan is not None
        for number in range(1, self._number):
            leg = self._target(model, route, number)
            if leg is None or leg.translation is None:
                return True
            try:
                leg.translation.request(call, leg.target.model)
            except BadRequest:
                continue
            return True
        return False

    def _target(self, model: Model, route: Route, number: int = 0) -> Leg | None:
        """The target of this attempt (or of `number`), if the policy (which may be newer than the plan) still has it,
        and if it still answers in the dialect in which the gateway's session will read it."""
        assert self._plan is not None
        provider, name, dialect = self._plan.targets[(number or self._number) - 1]
        for target in model.targets:
            if target.provider.name == provider and target.model == name and target.provider.approved:
                leg = leg_of(target, route.dialect)
                return leg if leg is not None and leg.dialect == dialect else None
        return None

    def _adapted(self, call: LlmCall, model: Model, leg: Leg, asking: Asking) -> Sent | Refusal:
        assert self._plan is not None
        provider = leg.target.provider
        cluster = provider.upstream.cluster
        # A provider that keeps failing is passed over for a while, where another one serves the Model as well; the last
        # target is tried in any case.
        if self._number < len(self._plan.targets) and any(t.provider.name != provider.name for t in model.targets):
            cluster += plan.BREAKING
        wait = plan.first_byte(model.failover)
        return outgoing(call, leg, asking, self._credentials, cluster=cluster, more=wait)

    # -- the answer ----------------------------------------------------------------------------------------------------

    def _response_headers(self, event: ResponseHeaders, wall: float, mono: float) -> list[Action]:
        self._times["response"] = mono
        details = event.attributes.get("response.code_details", _UPSTREAM)
        self._status = status_of(event.headers)
        spoke = details == _UPSTREAM
        if spoke and self._sent < 0:
            return self.fail(mono)  # an answer to what nobody sent
        self._outcome = _outcome(self._status, "" if spoke else details)
        sets = [(plan.OUTCOME, plan.SERVED if spoke else Reason.UPSTREAM_FAILED.value)]
        if spoke and self._dropped:
            sets.append((plan.DROPPED, ", ".join(self._dropped)))
        if spoke and self._secret:
            sets.append((plan.INJECTED, urlsafe_b64encode(self._secret).decode()))
        said = {name for name, _ in sets}
        # An upstream that writes headers of ours would speak in our name, and one that writes Envoy's would tell ours
        # not to try the next target (`x-envoy-overloaded`).
        remove = tuple(name for name in event.headers if name.startswith(_FORGED) and name not in said)
        reply = ResponseHeadersReply(tuple(sets), remove)
        if event.end_of_stream:
            self._over(mono)
            return [reply]
        self._reply = reply
        if not self._whole:
            self._over(mono)
            return [reply]
        self._state = State.HOLDING
        return []

    def _response_body(self, event: ResponseBody, wall: float, mono: float) -> list[Action]:
        """Held until it is complete; one that is too large to be held passes from there on."""
        self._held.append(event.body)
        self._room -= len(event.body)
        if not event.end_of_stream and self._room >= 0:
            return []
        actions = self._release(end=event.end_of_stream)
        if event.end_of_stream:
            self._over(mono)
        return actions

    def _response_trailers(self, event: ResponseTrailers, wall: float, mono: float) -> list[Action]:
        actions = self._release(end=False)
        self._over(mono)
        return [*actions, ResponseTrailersReply(tuple(event.headers))]

    def _release(self, *, end: bool) -> list[Action]:
        body = b"".join(self._held)
        self._held.clear()
        actions: list[Action] = [self._reply] if self._reply is not None else []
        self._reply = None
        size = len(body)
        pieces = [body[at : at + _CHUNK] for at in range(0, size, _CHUNK)] or ([b""] if end else [])
        actions += [ResponseChunk(piece, end and place == len(pieces) - 1) for place, piece in enumerate(pieces)]
        return actions

    # -- the end -------------------------------------------------------------------------------------------------------

    def _refuse(self, refusal: Refusal, mono: float, told: Refusal | None = None) -> list[Action]:
        """`refusal` is why, for the record; `told` is what the call ends with if no other target takes it."""
        told = told or refusal
        begun = self._state is State.HOLDING and self._reply is None
        self._over(mono)
        self._outcome = "refused"
        self._reason = refusal.reason.value
        if begun:
            return [ResponseChunk(b"", True)]
        self._status = 503
        headers = (
            ("content-type", "application/json"),
            (plan.OUTCOME, told.reason.value),
            (plan.MESSAGE, quote(told.message)),
        )
        return [Respond(Rendered(503, headers, b"{}"), f"gatereeve_{refusal.reason.value}")]

    def _over(self, mono: float) -> None:
        self._state = State.OVER
        self._asking = None
        self._secret = b""
        self._held.clear()
        self._times.setdefault("start", mono)
        self._times["end"] = mono

    def _request_trailers(self, event: RequestTrailers, wall: float, mono: float) -> list[Action]:
        return [RequestTrailersReply()]

    def _nothing(self, event: Event, wall: float, mono: float) -> list[Action]:
        return []

    def _closed(self, event: StreamClosed, wall: float, mono: float) -> list[Action]:
        if self._state is not State.OVER:
            self._outcome = "aborted"
            self._times.setdefault("end", mono)
        self._state = State.CLOSED
        if "start" not in self._times:
            return []
        return [Record(self._record(wall))]

    def _record(self, wall: float) -> dict[str, Any]:
        """Which provider was given the call, and what came of it. Who called and what was decided stands in the record
        of the exchange."""
        leg, at = self._leg, self._times
        moment = datetime.fromtimestamp(self._wall or wall, UTC).isoformat(timespec="milliseconds")
        ms = {"total": _ms(at["start"], at["end"])}
        if "forwarded" in at and "response" in at:
            ms["upstream"] = _ms(at["forwarded"], at["response"])
        return {
            "ts": moment,
            "id": self.id,
            "exchange": self._plan.id if self._plan is not None else "",
            "policy": self._policy.version if self._policy is not None else "",
            "plane": "llm",
            "dialect": self._route.dialect if self._route is not None else "",
            "operation": "attempt",
            "model": self._plan.model if self._plan is not None else "",
            "upstream": leg.target.provider.upstream.name if leg is not None else "",
            "upstream_model": leg.target.model if leg is not None else "",
            "upstream_dialect": leg.dialect if leg is not None else "",
            "outcome": self._outcome,
            "reason": self._reason,
            "status": self._status,
            "dropped": list(self._dropped),
            "bytes": {"request_upstream": max(self._sent, 0)},
            "ms": ms,
        }

    # What may happen when. An event that is not here is answered by `fail`.
    _table: ClassVar[dict[tuple[State, type], Callable[["Attempt", Any, float, float], list[Action]]]] = {
        (State.NEW, RequestHeaders): _request_headers,
        (State.BODY, RequestBody): _request_body,
        (State.BODY, ResponseHeaders): _response_headers,  # Envoy's own: the body did not come
        (State.FORWARDED, RequestTrailers): _request_trailers,
        (State.FORWARDED, ResponseHeaders): _response_headers,
        (State.HOLDING, ResponseBody): _response_body,
        (State.HOLDING, ResponseTrailers): _response_trailers,
        (State.OVER, RequestBody): _nothing,
        (State.OVER, RequestTrailers): _nothing,
        (State.OVER, ResponseHeaders): _nothing,
        (State.OVER, ResponseBody): _nothing,
        (State.OVER, ResponseTrailers): _nothing,
        (State.CLOSED, StreamClosed): _nothing,
        **dict.fromkeys([(state, StreamClosed) for state in list(State)[:-1]], _closed),
    }


def _outcome(status: int, details: str) -> str:
    """What came of asking the target, from a closed list (docs/audit.md). `details` are Envoy's, if it answered."""
    if details:
        return "timeout" if "timeout" in details or status == 504 else "connect"
    if status == 429:
        return "status-429"
    return "status-5xx" if status >= 500 else "served"


def _ms(first: float, last: float) -> float:
    return round((last - first) * 1000, 3)
