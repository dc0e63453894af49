"""One HTTP exchange as a state machine: Envoy's events in, replies and effects out.

Theory of operation. Envoy holds the request's headers until its body was answered, so the request half is at most two
steps: the headers tell who and what kind, the body is judged and replaced. The response half is one `answering.Mode`.
What may happen when is the table at the end; an event that the table does not know is a failure of ours, and a failure
is a refusal: before the response has begun an answer of our own, after that an error event that ends the stream. The
machine never ends an exchange by silence, and never says "go on" to what it does not understand.

    NEW -> (KEYS ->) BODY -> (TOKEN ->) FORWARDED -> ANSWERING -> OVER -> CLOSED
      \\_______\\________\\________\\__________\\___________\\__-> REFUSED _/

Nothing here reads a clock: `wall` is Unix time, `mono` a monotonic time, both in seconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum
from typing import Any, ClassVar

from extproc.errors import Uninspectable
from extproc.exchange import classify
from extproc.exchange.model import LlmCall, McpCall
from extproc.exchange.refusal import REASONS, Reason, Refusal, Rendered
from extproc.identity import token
from extproc.identity.model import ISSUERS_OWN, Identity
from extproc.policy.decision import Decision
from extproc.policy.runtime import Policy
from extproc.session import admission, answering, llm, mcp, plan, protected_resource, record
from extproc.session.actions import (
    Action,
    Await,
    Record,
    RequestHeadersReply,
    RequestTrailersReply,
    Respond,
    ResponseChunk,
    ResponseTrailersReply,
)
from extproc.session.events import (
    EffectDone,
    Event,
    RequestBody,
    RequestHeaders,
    RequestTrailers,
    ResponseBody,
    ResponseHeaders,
    ResponseTrailers,
    StreamClosed,
)
from extproc.session.ports import KeysNeeded, Ports
from extproc.session.stages import Admitted, Arrived, Forward, Judged, Limits, Local, Refused, Waiting
from extproc.session.voice import Voice, last_event, render


class State(Enum):
    NEW = "new"
    KEYS = "keys"
    BODY = "body"
    TOKEN = "token"  # noqa: S105  (a state, not a token)
    FORWARDED = "forwarded"
    ANSWERING = "answering"
    REFUSED = "refused"
    OVER = "over"
    CLOSED = "closed"


_ENDED = (State.REFUSED, State.OVER, State.CLOSED)
_CLIENT = classify.DIALECTS["openai-chat"]  # the voice for what is nobody's: most SDKs read it
_UPSTREAM = "via_upstream"  # Envoy's word for an answer that is not its own
_TRAILERS = "The body came in parts or with trailers. Send it whole, without trailers."
_NO_HEADERS: Mapping[str, str] = {}


class Session:
    """Feed it `on(event, wall, mono)`; carry out what it returns, in order. `id` finds the audit record."""

    __slots__ = (
        "_arrived",
        "_call",
        "_decision",
        "_headers",
        "_identity",
        "_judged",
        "_limits",
        "_mode",
        "_policy",
        "_ports",
        "_received",
        "_refusal",
        "_state",
        "_status",
        "_times",
        "_token",
        "_voice",
        "_waiting",
        "_wall",
        "failure",
        "id",
    )

    def __init__(self, id: str, policy: Policy | None, ports: Ports, limits: Limits) -> None:
        self.id = id
        self.failure: Exception | None = None  # what went wrong in us, for the log; never shown
        self._policy = policy
        self._ports = ports
        self._limits = limits
        self._state = State.NEW
        self._voice: Voice = _CLIENT
        self._headers = _NO_HEADERS
        self._arrived: Arrived | None = None
        self._identity: Identity | None = None
        self._call: LlmCall | McpCall | None = None
        self._decision: Decision | None = None
        self._judged: Judged | None = None
        self._waiting: Waiting | None = None
        self._refusal: Refusal | None = None
        self._mode: answering.Mode | None = None
        self._token = ""
        self._status = 0
        self._received = [0, 0]  # bytes of the request's and the answer's body, as they arrived
        self._times: dict[str, float] = {}
        self._wall = 0.0

    @property
    def state(self) -> State:
        return self._state

    def on(self, event: Event, wall: float, mono: float) -> list[Action]:
        """The actions an event leads to. Never raises."""
        handler = self._table.get((self._state, type(event)))
        if handler is None:
            return self.fail(mono)
        try:
            return handler(self, event, wall, mono)
        except Uninspectable as error:
            return self._unreadable(error, mono)
        except Exception as error:  # noqa: BLE001  # the machine's own boundary: a bug must refuse, not pass
            self.failure = error
            return self.fail(mono)

    def fail(self, mono: float) -> list[Action]:
        """Refuse for a reason of ours: an event out of order, an unknown message, a bug."""
        if self._state in _ENDED:
            return []
        return self._refuse(Refusal.of(Reason.INTERNAL_ERROR), self._voice, mono)

    # -- the request ---------------------------------------------------------------------------------------------------

    def _request_headers(self, event: RequestHeaders, wall: float, mono: float) -> list[Action]:
        self._wall = wall
        self._times["start"] = mono
        policy = self._policy
        if policy is None:
            path = event.headers.get(":path", "").partition("?")[0]
            return self._refuse(Refusal.of(Reason.NOT_READY), admission.early_voice(path, event.headers), mono)
        arrived = admission.arrive(event, policy)
        if isinstance(arrived, Refused):
            return self._refused(arrived, mono)
        self._arrived = arrived
        self._voice = arrived.voice
        if protected_resource.asked(arrived):
            return self._answer_here(protected_resource.answer(arrived, event.headers, policy), mono)
        found = token.extract(event.headers)
        if isinstance(found, Refusal):
            return self._refuse(found, arrived.voice, mono)
        self._token = found
        self._headers = event.headers
        return self._authenticate(policy, arrived, wall, mono, final=False)

    def _authenticate(self, policy: Policy, arrived: Arrived, wall: float, mono: float, *, final: bool) -> list[Action]:
        audience = arrived.server.audience if arrived.server is not None else ISSUERS_OWN
        who = self._ports.authenticator.authenticate(self._token, policy, wall, final=final, audience=audience)
        if isinstance(who, KeysNeeded):
            if final:  # waiting a second time could go on for ever
                return self._refuse(Refusal.of(Reason.KEYS_UNAVAILABLE), arrived.voice, mono)
            self._state = State.KEYS
            return [Await(who.fetch)]
        if isinstance(who, Refusal):
            return self._refuse(who, arrived.voice, mono)
        self._identity = who
        self._times["identified"] = mono
        refusal = admission.unreadable(arrived, self._headers, self._limits)
        if refusal is not None:
            return self._refuse(refusal, arrived.voice, mono)
        if arrived.has_body:
            self._state = State.BODY
            return [RequestHeadersReply()]
        admitted = Admitted(arrived, who, self._headers, self._token)
        if arrived.route.plane == "mcp":
            outcome = mcp.judge(admitted, None, policy, self._ports, self._limits, self.id, wall)
            return self._decided(outcome, mono)
        return self._answer_here(llm.models(admitted, policy), mono)

    def _keys_fetched(self, event: EffectDone, wall: float, mono: float) -> list[Action]:
        assert self._policy is not None
        assert self._arrived is not None
        self._times["keys"] = mono
        return self._authenticate(self._policy, self._arrived, wall, mono, final=True)

    def _request_body(self, event: RequestBody, wall: float, mono: float) -> list[Action]:
        if not event.end_of_stream:
            # BUFFERED means one piece, and Envoy says it is not the last when trailers follow. To pass them on unread
            # would be to pass what nobody judged; no API that we govern has any.
            return self._refuse(Refusal.of(Reason.BODY_SHAPE, message=_TRAILERS), self._voice, mono)
        self._received[0] = len(event.body)
        self._times["body"] = mono
        policy, arrived, who = self._policy, self._arrived, self._identity
        assert policy is not None
        assert arrived is not None
        assert who is not None
        admitted = Admitted(arrived, who, self._headers, self._token)
        plane = mcp if arrived.route.plane == "mcp" else llm
        outcome = plane.judge(admitted, event.body, policy, self._ports, self._limits, self.id, wall)
        return self._decided(outcome, mono)

    def _decided(self, outcome: Forward | Refused | Waiting, mono: float) -> list[Action]:
        if isinstance(outcome, Waiting):
            self._state = State.TOKEN
            self._waiting, self._voice = outcome, outcome.voice
            self._call, self._decision = outcome.call, outcome.decision
            return [Await(outcome.effect)]
        if isinstance(outcome, Refused):
            return self._refused(outcome, mono)
        judged = self._judged = outcome.judged
        self._call = judged.call
        self._decision = judged.decision
        self._voice = judged.voice
        self._headers = _NO_HEADERS
        self._token = ""
        self._state = State.FORWARDED
        self._times["forwarded"] = mono
        return [outcome.reply]

    def _token_fetched(self, event: EffectDone, wall: float, mono: float) -> list[Action]:
        waiting, self._waiting = self._waiting, None
        assert waiting is not None
        self._times["token"] = mono
        return self._decided(waiting.resume(event.result), mono)

    def _answer_here(self, outcome: Local | Refused, mono: float) -> list[Action]:
        if isinstance(outcome, Refused):
            return self._refused(outcome, mono)
        self._call = outcome.call
        self._decision = outcome.decision
        self._status = outcome.rendered.status
        self._over(mono)
        return [Respond(self._signed(outcome.rendered), "gatereeve")]

    # -- the answer ----------------------------------------------------------------------------------------------------

    def _early_response(self, event: ResponseHeaders, wall: float, mono: float) -> list[Action]:
        """Envoy answered by itself while we waited for the body: too large, too slow, or cut off."""
        if event.attributes.get("response.code_details", _UPSTREAM) == _UPSTREAM:
            return self.fail(mono)  # an answer to a request that nobody allowed
        status = answering.status_of(event.headers)
        if status == 413:
            return self._refuse(admission.too_large(self._limits), self._voice, mono)
        message = "The request's body did not arrive whole."
        if status == 408:
            message = "The request's body did not arrive in time."
        refusal = Refusal.of(Reason.BODY_MISSING, message=message, status=status if 400 <= status < 500 else 0)
        return self._refuse(refusal, self._voice, mono)

    def _response_headers(self, event: ResponseHeaders, wall: float, mono: float) -> list[Action]:
        self._times["response"] = mono
        details = event.attributes.get("response.code_details", _UPSTREAM)
        if self._judged is not None and self._judged.served is not None:
            self._served(event)
        if details != _UPSTREAM:  # no upstream said this: Envoy could not reach one
            return self._refuse(_upstream_failed(event.headers, details), self._voice, mono)
        self._status = answering.status_of(event.headers)
        judged = self._judged
        assert judged is not None
        if judged.rejected is not None and self._status == 401:
            return self._refuse(judged.rejected(), self._voice, mono)
        if judged.attempts:
            refusal = llm.failed(event.headers)
            if refusal is not None:
                return self._refuse(refusal, self._voice, mono)
        return self._begin(answering.choose(judged, event, self._limits, self.id), event, mono)

    def _served(self, event: ResponseHeaders) -> None:
        """Of several targets, one has answered: from here on the exchange is about that one."""
        judged = self._judged
        assert judged is not None
        assert judged.served is not None
        number = plan.number(event.attributes.get(plan.ATTEMPTS_ATTRIBUTE, ""))
        made = judged.served(number, plan.injected(event.headers))
        if made is None:
            raise ValueError
        self._judged = replace(made, dropped=plan.dropped(event.headers))

    def _foreign_headers(self, event: ResponseHeaders, wall: float, mono: float) -> list[Action]:
        """An answer to a request we never saw. Envoy's own (it refused a malformed request by itself) passes; an
        upstream's would be one that nobody judged."""
        self._wall = wall
        self._times["start"] = mono
        details = event.attributes.get("response.code_details", _UPSTREAM)
        if details == _UPSTREAM:
            return self.fail(mono)
        status = self._status = answering.status_of(event.headers)
        self._refusal = Refusal.of(_FOREIGN.get(status, Reason.ROUTE_UNKNOWN), self.id, status=status)
        return self._begin(answering.Bodiless((), (), b""), event, mono)

    def _begin(self, mode: answering.Mode, event: ResponseHeaders, mono: float) -> list[Action]:
        self._mode = mode
        self._state = State.ANSWERING
        actions = mode.begin()
        if event.end_of_stream:
            self._over(mono)
        return actions

    def _response_body(self, event: ResponseBody, wall: float, mono: float) -> list[Action]:
        mode = self._mode
        assert mode is not None
        if self._received[1] == 0:
            self._times["first_byte"] = mono
        self._received[1] += len(event.body)
        actions = mode.chunk(event.body, event.end_of_stream)
        if event.end_of_stream:
            self._over(mono)
        return actions

    def _response_trailers(self, event: ResponseTrailers, wall: float, mono: float) -> list[Action]:
        mode = self._mode
        assert mode is not None
        names = tuple(event.headers)
        try:
            actions = mode.trailers(names)
        except Uninspectable as error:
            actions = self._unreadable(error, mono)
            if mode.began:  # Envoy waits for an answer to the trailers, and they end the stream
                last = b"".join(action.body for action in actions if isinstance(action, ResponseChunk))
                return [ResponseChunk(last, False), ResponseTrailersReply(names)]
            return actions
        self._over(mono)
        return actions

    def _unreadable(self, error: Uninspectable, mono: float) -> list[Action]:
        reason = Reason(error.reason)
        message = error.message
        if reason is Reason.ANSWER_UNREADABLE:
            message = f"{REASONS[reason].message} {message}"
        return self._refuse(Refusal.of(reason, message=message), self._voice, mono)

    # -- the end -------------------------------------------------------------------------------------------------------

    def _refused(self, refused: Refused, mono: float) -> list[Action]:
        self._call = refused.call or self._call
        self._decision = refused.decision or self._decision
        return self._refuse(refused.refusal, refused.voice, mono)

    def _refuse(self, refusal: Refusal, voice: Voice, mono: float) -> list[Action]:
        self._over(mono)
        self._state = State.REFUSED
        headers = refusal.headers
        if refusal.status == 401 and not any(name == "www-authenticate" for name, _ in headers):
            headers = (*headers, ("www-authenticate", protected_resource.challenge(refusal, self._arrived)))
        named = self._refusal = Refusal(refusal.reason, refusal.status, refusal.message, self.id, headers)
        mode = self._mode
        if mode is not None and mode.began:
            last = last_event(voice, named) if isinstance(mode, answering.Streaming) else b""
            mode.sent += len(last)
            return [ResponseChunk(last, True)]
        rendered = render(voice, named)
        self._status = rendered.status
        return [Respond(self._signed(rendered), f"gatereeve_{refusal.reason.value}")]

    def _over(self, mono: float) -> None:
        self._state = State.OVER
        self._token = ""
        self._headers = _NO_HEADERS
        self._waiting = None
        self._times.setdefault("start", mono)
        self._times["end"] = mono

    def _signed(self, rendered: Rendered) -> Rendered:
        return Rendered(rendered.status, (*rendered.headers, ("x-gatereeve-id", self.id)), rendered.body)

    def _request_trailers(self, event: RequestTrailers, wall: float, mono: float) -> list[Action]:
        return [RequestTrailersReply()]

    def _nothing(self, event: Event, wall: float, mono: float) -> list[Action]:
        """What was still on its way when the exchange was settled. Envoy waits for no answer to it."""
        return []

    def _closed(self, event: StreamClosed, wall: float, mono: float) -> list[Action]:
        before, self._state = self._state, State.CLOSED
        if "start" not in self._times:
            return []  # nothing was ever asked
        self._token = ""
        self._headers = _NO_HEADERS
        self._waiting = None
        self._times.setdefault("end", mono)
        policy = self._policy
        ended = record.Ended(
            self.id,
            self._wall or wall,
            policy.version if policy is not None else "",
            self._status,
            before not in _ENDED,
            self._arrived,
            self._identity,
            self._call,
            self._decision,
            self._refusal,
            self._judged,
            self._mode,
            (self._received[0], self._received[1]),
            self._times,
        )
        try:
            return [Record(record.build(ended))]
        except Exception as error:  # noqa: BLE001  # an exchange that cannot be described was there all the same
            self.failure = error
            return [Record(record.minimal(ended))]

    # What may happen when. An event that is not here is answered by `fail`.
    _table: ClassVar[dict[tuple[State, type], Callable[["Session", Any, float, float], list[Action]]]] = {
        (State.NEW, RequestHeaders): _request_headers,
        (State.NEW, ResponseHeaders): _foreign_headers,
        (State.KEYS, EffectDone): _keys_fetched,
        (State.TOKEN, EffectDone): _token_fetched,
        (State.BODY, RequestBody): _request_body,
        (State.BODY, ResponseHeaders): _early_response,
        (State.FORWARDED, RequestTrailers): _request_trailers,
        (State.FORWARDED, ResponseHeaders): _response_headers,
        (State.ANSWERING, ResponseBody): _response_body,
        (State.ANSWERING, ResponseTrailers): _response_trailers,
        (State.OVER, ResponseBody): _nothing,
        (State.OVER, ResponseTrailers): _nothing,
        (State.REFUSED, RequestBody): _nothing,
        (State.REFUSED, RequestTrailers): _nothing,
        (State.REFUSED, ResponseHeaders): _nothing,
        (State.REFUSED, ResponseBody): _nothing,
        (State.REFUSED, ResponseTrailers): _nothing,
        (State.REFUSED, EffectDone): _nothing,
        (State.CLOSED, StreamClosed): _nothing,
        **dict.fromkeys([(state, StreamClosed) for state in list(State)[:-1]], _closed),
    }


# Why Envoy refused a request by itself, as far as the status tells; others had no path that could be served.
_FOREIGN = {413: Reason.BODY_TOO_LARGE, 426: Reason.UPGRADE_REFUSED}


def _upstream_failed(headers: Mapping[str, str], details: str) -> Refusal:
    explained = REASONS[Reason.UPSTREAM_FAILED]
    timed_out = "timeout" in details or answering.status_of(headers) == 504
    message = "The upstream did not answer in time. Try again." if timed_out else explained.message
    return Refusal.of(Reason.UPSTREAM_FAILED, message=message, status=504 if timed_out else explained.status)
