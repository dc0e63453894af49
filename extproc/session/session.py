"""One HTTP exchange as a state machine: Envoy's events in, replies and effects out.

Theory of operation. Envoy holds the request's headers until its body was answered, so the request half is at most two
steps: the headers tell who and what kind, the body is judged and replaced. The response half is one `answering.Mode`.
What may happen when is the table at the end; an event that the table does not know is a failure of ours, and a failure
is a refusal: before the response has begun an answer of our own, after that an error event that ends the stream. The
machine never ends an exchange by silence, and never says "go on" to what it does not understand.

    NEW -> (KEYS ->) BODY -> FORWARDED -> ANSWERING -> OVER
      \\_______\\________\\________\\___________\\__-> REFUSED

Nothing here reads a clock: `wall` is Unix time, `mono` a monotonic time, both in seconds.
"""

from collections.abc import Callable
from enum import Enum
from typing import Any

from extproc.errors import Uninspectable
from extproc.exchange import classify
from extproc.exchange.model import LlmCall, McpCall
from extproc.exchange.refusal import REASONS, Reason, Refusal, Rendered
from extproc.identity import token
from extproc.identity.model import Identity
from extproc.policy.runtime import Policy
from extproc.session import answering, llm, mcp, record
from extproc.session.actions import (
    Action,
    Await,
    Record,
    RequestHeadersReply,
    RequestTrailersReply,
    Respond,
    ResponseChunk,
    ResponseHeadersReply,
    ResponseTrailersReply,
)
from extproc.session.admission import arrive, too_large
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
from extproc.session.ports import Authenticator, Credentials, KeysNeeded
from extproc.session.stages import Admitted, Arrived, Judged, Limits, Local, Refused
from extproc.session.voice import Voice


class State(Enum):
    NEW = "new"
    KEYS = "keys"
    BODY = "body"
    FORWARDED = "forwarded"
    ANSWERING = "answering"
    REFUSED = "refused"
    OVER = "over"


_CLIENT = classify.DIALECTS["openai-chat"]  # the voice for what is nobody's: most SDKs read it
_MAX_ATTEMPTS = 1  # a key fetch is awaited once; the second look is final


class Session:
    """Feed it `on(event, wall, mono)`; carry out what it returns, in order. `id` finds the audit record."""

    __slots__ = (
        "_admitted",
        "_arrived",
        "_auth",
        "_body",
        "_call",
        "_credentials",
        "_decision",
        "_identity",
        "_judged",
        "_limits",
        "_mode",
        "_policy",
        "_received",
        "_refusal",
        "_state",
        "_status",
        "_times",
        "_token",
        "_voice",
        "_wall",
        "failure",
        "id",
    )

    def __init__(
        self, id: str, policy: Policy | None, authenticator: Authenticator, credentials: Credentials, limits: Limits
    ) -> None:
        self.id = id
        self.failure: BaseException | None = None  # what went wrong in us, for the log; never shown
        self._policy = policy
        self._auth = authenticator
        self._credentials = credentials
        self._limits = limits
        self._state = State.NEW
        self._voice: Voice = _CLIENT
        self._arrived: Arrived | None = None
        self._identity: Identity | None = None
        self._call: LlmCall | McpCall | None = None
        self._decision: Any = None
        self._judged: Judged | None = None
        self._refusal: Refusal | None = None
        self._mode: answering.Mode | None = None
        self._token = ""
        self._status = 0
        self._received = [0, 0]  # bytes of the request's and the answer's body, as they arrived
        self._times: dict[str, float] = {}
        self._wall = 0.0

    def on(self, event: Event, wall: float, mono: float) -> list[Action]:
        """The actions an event leads to. Never raises."""
        handler = _TABLE.get((self._state, type(event)))
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
        if self._state in (State.REFUSED, State.OVER):
            return []
        return self._refuse(Refusal.of(Reason.INTERNAL_ERROR), self._voice, mono)

    # -- the request ---------------------------------------------------------------------------------------------------

    def _request_headers(self, event: RequestHeaders, wall: float, mono: float) -> list[Action]:
        self._wall = wall
        self._times["start"] = mono
        policy = self._policy
        if policy is None:
            path = event.headers.get(":path", "").partition("?")[0]
            return self._refuse(Refusal.of(Reason.NOT_READY), classify.refusal_dialect(path, event.headers), mono)
        arrived = arrive(event, policy, self._limits)
        if isinstance(arrived, Refused):
            return self._refused(arrived, mono)
        self._arrived = arrived
        self._voice = arrived.voice
        found = token.extract(event.headers)
        if isinstance(found, Refusal):
            return self._refuse(found, arrived.voice, mono)
        self._token = found
        return self._authenticate(policy, arrived, wall, mono, final=False)

    def _authenticate(self, policy: Policy, arrived: Arrived, wall: float, mono: float, *, final: bool) -> list[Action]:
        who = self._auth.authenticate(self._token, policy, wall, final=final)
        if isinstance(who, KeysNeeded):
            self._state = State.KEYS
            return [Await(who.fetch)]
        self._token = ""
        if isinstance(who, Refusal):
            return self._refuse(who, arrived.voice, mono)
        self._identity = who
        self._times["identified"] = mono
        admitted = self._admitted = Admitted(arrived, who)
        if arrived.has_body:
            self._state = State.BODY
            return [RequestHeadersReply()]
        if arrived.route.plane == "mcp":
            return self._decided(mcp.judge(admitted, None, policy, self._credentials, self._limits), mono)
        return self._answer_here(llm.models(admitted, policy), mono)

    def _keys_fetched(self, event: EffectDone, wall: float, mono: float) -> list[Action]:
        assert self._policy is not None
        assert self._arrived is not None
        self._times["keys"] = mono
        return self._authenticate(self._policy, self._arrived, wall, mono, final=True)

    def _request_body(self, event: RequestBody, wall: float, mono: float) -> list[Action]:
        if not event.end_of_stream:
            return self.fail(mono)  # BUFFERED means one piece: anything else would be judged in part
        self._received[0] = len(event.body)
        self._times["body"] = mono
        policy = self._policy
        assert policy is not None
        admitted: Admitted = self._admitted
        plane = mcp if admitted.arrived.route.plane == "mcp" else llm
        return self._decided(plane.judge(admitted, event.body, policy, self._credentials, self._limits), mono)

    def _decided(self, outcome: Judged | Refused, mono: float) -> list[Action]:
        if isinstance(outcome, Refused):
            return self._refused(outcome, mono)
        self._judged = outcome
        self._call = outcome.call
        self._decision = outcome.decision
        self._voice = outcome.voice
        self._state = State.FORWARDED
        self._times["forwarded"] = mono
        return [outcome.reply]

    def _answer_here(self, outcome: Local | Refused, mono: float) -> list[Action]:
        if isinstance(outcome, Refused):
            return self._refused(outcome, mono)
        self._call = outcome.call
        self._decision = outcome.decision
        self._state = State.OVER
        self._status = outcome.rendered.status
        self._times["end"] = mono
        rendered = outcome.rendered
        own = (*rendered.headers, ("x-gatereeve-id", self.id))
        return [Respond(Rendered(rendered.status, own, rendered.body), "gatereeve")]

    # -- the answer ----------------------------------------------------------------------------------------------------

    def _early_response(self, event: ResponseHeaders, wall: float, mono: float) -> list[Action]:
        """Envoy answered by itself while we waited for the body: too large, too slow, or cut off."""
        status = event.headers.get(":status", "")
        if status == "413":
            return self._refuse(too_large(self._limits), self._voice, mono)
        if status == "408":
            refusal = Refusal.of(Reason.BODY_MISSING, message="The request's body did not arrive in time.", status=408)
            return self._refuse(refusal, self._voice, mono)
        return self.fail(mono)

    def _response_headers(self, event: ResponseHeaders, wall: float, mono: float) -> list[Action]:
        self._times["response"] = mono
        details = event.attributes.get("response.code_details", "via_upstream")
        if details != "via_upstream":  # no upstream said this: Envoy could not reach one
            return self._refuse(_upstream_failed(event.headers, details), self._voice, mono)
        self._status = int(event.headers.get(":status", "0"))
        judged = self._judged
        assert judged is not None
        self._mode = answering.choose(judged, event, self._limits, self.id)
        self._state = State.OVER if event.end_of_stream else State.ANSWERING
        if event.end_of_stream:
            self._times["end"] = mono
        return self._mode.begin()

    def _response_body(self, event: ResponseBody, wall: float, mono: float) -> list[Action]:
        mode = self._mode
        assert mode is not None
        if self._received[1] == 0:
            self._times["first_byte"] = mono
        self._received[1] += len(event.body)
        actions = mode.chunk(event.body, event.end_of_stream)
        if event.end_of_stream:
            self._state = State.OVER
            self._times["end"] = mono
        return actions

    def _response_trailers(self, event: ResponseTrailers, wall: float, mono: float) -> list[Action]:
        assert self._mode is not None
        actions = self._mode.trailers()
        self._state = State.OVER
        self._times["end"] = mono
        return actions

    def _unreadable(self, error: Uninspectable, mono: float) -> list[Action]:
        message = f"The upstream's answer could not be inspected, so it was not passed on: {error.message}."
        return self._refuse(Refusal.of(Reason.ANSWER_UNREADABLE, message=message), self._voice, mono)

    def _foreign_headers(self, event: ResponseHeaders, wall: float, mono: float) -> list[Action]:
        """An answer to a request we never saw: Envoy's own (a malformed request), since nothing was routed yet."""
        self._wall = wall
        self._status = int(event.headers.get(":status", "0"))
        self._state = State.OVER if event.end_of_stream else State.NEW
        return [ResponseHeadersReply()]

    def _foreign_body(self, event: ResponseBody, wall: float, mono: float) -> list[Action]:
        return [ResponseChunk(event.body, event.end_of_stream)]

    # -- the end -------------------------------------------------------------------------------------------------------

    def _refused(self, refused: Refused, mono: float) -> list[Action]:
        if refused.call is not None:
            self._call = refused.call
        if refused.decision is not None:
            self._decision = refused.decision
        return self._refuse(refused.refusal, refused.voice, mono)

    def _refuse(self, refusal: Refusal, voice: Voice, mono: float) -> list[Action]:
        began = self._mode is not None and self._mode.began
        self._state = State.REFUSED
        self._token = ""
        self._times.setdefault("start", mono)
        self._times["end"] = mono
        headers = refusal.headers
        if refusal.status == 401 and not any(name == "www-authenticate" for name, _ in headers):
            headers = (
                *headers,
                ("www-authenticate", f'Bearer error="invalid_token", error_description="{refusal.reason}"'),
            )
        named = Refusal(refusal.reason, refusal.status, refusal.message, self.id, headers)
        self._refusal = named
        if began:
            last = voice.error_event(named) if isinstance(self._mode, answering.Streaming) else b""
            return [ResponseChunk(last, True)]
        rendered = voice.refusal(named)
        self._status = rendered.status
        own = (*rendered.headers, ("x-gatereeve-id", self.id))
        return [Respond(Rendered(rendered.status, own, rendered.body), f"gatereeve_{refusal.reason.value}")]

    def _nothing(self, event: Event, wall: float, mono: float) -> list[Action]:
        """Envoy may still send what was on its way; it is answered where Envoy waits for an answer, with nothing."""
        return []

    def _late_trailers(self, event: Event, wall: float, mono: float) -> list[Action]:
        return [RequestTrailersReply()] if type(event) is RequestTrailers else [ResponseTrailersReply()]

    def _closed(self, event: StreamClosed, wall: float, mono: float) -> list[Action]:
        if "start" not in self._times:
            return []  # nothing was ever asked
        aborted = self._state not in (State.OVER, State.REFUSED)
        self._state = State.OVER
        return [Record(self._entry(aborted, mono))]

    def _entry(self, aborted: bool, mono: float) -> dict[str, Any]:
        policy = self._policy
        entry = record.build(
            id=self.id,
            wall=self._wall,
            policy=policy.version if policy is not None else "",
            arrived=self._arrived,
            identity=self._identity,
            call=self._call,
            decision=self._decision,
            refusal=self._refusal,
            status=self._status,
        )
        mode, judged = self._mode, self._judged
        answer = mode.answer if mode is not None else None
        mask = judged.mask if judged is not None else None
        notes = (*(mode.notes if mode is not None else ()), *(answer.notes if answer is not None else ()))
        entry["aborted"] = aborted
        entry["obligations"] = _done(judged, mode)
        entry["guards_not_applied"] = [note for note in notes if note in _NOT_APPLIED]
        entry["notes"] = [note for note in notes if note not in _NOT_APPLIED]
        entry["masked"] = dict(mask.counts) if mask is not None else {}
        if answer is not None:
            entry["usage"] = _usage(answer.usage)
            entry["answer_model"] = answer.model
            entry["finish_reasons"] = list(answer.finish_reasons)
        entry["bytes"] = {
            "request": self._received[0],
            "request_upstream": judged.sent if judged is not None else 0,
            "response_upstream": self._received[1],
            "response": mode.sent if mode is not None else 0,
        }
        entry["ms"] = self._durations(mono)
        return entry

    def _durations(self, mono: float) -> dict[str, float]:
        """Milliseconds of each phase: who (identity), body (its arrival), judge, upstream, answer, and all of it."""
        at = self._times
        start, end = at["start"], at.get("end", mono)
        out = {"total": _ms(start, end)}
        for name, first, last in _PHASES:
            if first in at and last in at:
                out[name] = _ms(at[first], at[last])
        return out


_NOT_APPLIED = frozenset({"answer-not-read", "binary-not-inspected"})
_PHASES = (
    ("keys", "start", "keys"),
    ("body", "identified", "body"),
    ("upstream", "forwarded", "response"),
    ("first_byte", "forwarded", "first_byte"),
    ("answer", "response", "end"),
)


def _ms(first: float, last: float) -> float:
    return round((last - first) * 1000, 3)


def _usage(usage: Any) -> dict[str, int]:
    return {name: value for name in usage.__slots__ if (value := getattr(usage, name)) is not None}


def _done(judged: Judged | None, mode: answering.Mode | None) -> list[str]:
    """The obligations that were carried out, by name."""
    if judged is None:
        return []
    done = judged.decision.obligations
    out = ["route"]
    if done.upstream is not None and done.upstream.credential is not None:
        out.append("credential")
    if done.model:
        out.append("model")
    if done.masking is not None and mode is not None and mode.answer is not None:
        out.append(f"mask {done.masking.name}")
    return out


def _upstream_failed(headers: dict[str, str], details: str) -> Refusal:
    status = int(headers.get(":status", "502"))
    explained = REASONS[Reason.UPSTREAM_FAILED]
    timed_out = "timeout" in details or status == 504
    message = "The upstream did not answer in time. Try again." if timed_out else explained.message
    return Refusal.of(Reason.UPSTREAM_FAILED, message=message, status=504 if timed_out else explained.status)


_Handler = Callable[[Session, Any, float, float], list[Action]]

# What may happen when. An event that is not here is answered by `Session.fail`.
_TABLE: dict[tuple[State, type], _Handler] = {
    (State.NEW, RequestHeaders): Session._request_headers,
    (State.NEW, ResponseHeaders): Session._foreign_headers,
    (State.NEW, ResponseBody): Session._foreign_body,
    (State.NEW, ResponseTrailers): Session._late_trailers,
    (State.KEYS, EffectDone): Session._keys_fetched,
    (State.BODY, RequestBody): Session._request_body,
    (State.BODY, ResponseHeaders): Session._early_response,
    (State.FORWARDED, RequestTrailers): Session._late_trailers,
    (State.FORWARDED, ResponseHeaders): Session._response_headers,
    (State.ANSWERING, ResponseBody): Session._response_body,
    (State.ANSWERING, ResponseTrailers): Session._response_trailers,
    (State.OVER, ResponseBody): Session._nothing,
    (State.OVER, ResponseTrailers): Session._late_trailers,
    (State.REFUSED, RequestBody): Session._nothing,
    (State.REFUSED, RequestTrailers): Session._nothing,
    (State.REFUSED, ResponseHeaders): Session._nothing,
    (State.REFUSED, ResponseBody): Session._nothing,
    (State.REFUSED, ResponseTrailers): Session._nothing,
    (State.REFUSED, EffectDone): Session._nothing,
    **{(state, StreamClosed): Session._closed for state in State},
}
