"""An attempt against every order of events: it never raises, never leaves Envoy waiting, never gives a byte of an
answer twice nor one it was not given, asks one target only, and records exactly once."""

import json
from functools import cache
from pathlib import Path

from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from extproc.policy.load import load
from extproc.policy.routing import leg_of
from extproc.policy.runtime import Policy
from extproc.session import plan
from extproc.session.actions import (
    Record,
    RequestBodyReply,
    RequestHeadersReply,
    RequestTrailersReply,
    Respond,
    ResponseChunk,
    ResponseHeadersReply,
    ResponseTrailersReply,
)
from extproc.session.attempt import Attempt, State
from extproc.session.events import (
    EffectDone,
    RequestBody,
    RequestHeaders,
    RequestTrailers,
    ResponseBody,
    ResponseHeaders,
    ResponseTrailers,
    StreamClosed,
)
from extproc.session.stages import Limits
from tests.unit.session import transcript
from tests.unit.session.transcript import LOCAL, PROMPT, SECRET, WALL, Keyring, answer, body, sse

FOLDER = Path(transcript.__file__).parent
HOLDS = 200  # bytes of an answer that are held
MODELS = ("both", "keyless-first", "twice", "shady-too", "gone")


@cache
def several() -> Policy:
    return load(FOLDER / "several.yaml")


def written(model: str) -> str:
    known = several().models.get(model)
    legs = [leg for target in (known.targets if known else ()) if (leg := leg_of(target, "openai-chat"))]
    return plan.encode("gr-1", model, tuple(legs))


def asked(model: str, number: str, chain: str, plan_value: str | None = None) -> RequestHeaders:
    headers = {
        ":method": "POST",
        ":path": "/v1/chat/completions",
        "content-type": "application/json",
        plan.HEADER: written(model) if plan_value is None else plan_value,
        plan.COUNT: number,
    }
    return RequestHeaders(headers, False, {plan.CHAIN_ATTRIBUTE: chain})


ASKED = [
    *(asked(model, number, chain) for model in MODELS for number in "12" for chain in (plan.STREAMED, plan.WHOLE)),
    asked("both", "3", plan.WHOLE),
    asked("both", "", plan.WHOLE),
    asked("both", "1", plan.WHOLE, ""),
    asked("both", "1", plan.WHOLE, "bm9uZQ=="),
    RequestHeaders({}, False, {}),
    RequestHeaders(asked("both", "1", plan.WHOLE).headers, True, {}),
]
BODIES = [
    *(body(model=model, stream=stream) for model in MODELS for stream in (False, True)),
    body(model="both", n=3),
    body(b"{"),
    body(b""),
    RequestBody(body(model="both").body, False),
]
ANSWERS = [
    answer(),
    sse(),
    answer(429),
    answer(503),
    answer(204, None, end=True),
    answer("abc", None),
    answer(503, details=LOCAL),
    answer(503, details=LOCAL, end=True),
    answer(details={}),
    answer(503, x_gatereeve_outcome="served", x_gatereeve_message="lie", x_envoy_overloaded="true"),
]
PIECES = [b"", b"a", b"piece of an answer ", b"x" * 150, b"y" * 600]
ANYTHING = [
    *ASKED[:4],
    *BODIES[:2],
    *ANSWERS,
    *(ResponseBody(piece, end) for piece in PIECES for end in (False, True)),
    RequestTrailers({}),
    ResponseTrailers({}),
    ResponseTrailers({"x-note": "t"}),
    EffectDone(None),
    StreamClosed(clean=True),
    StreamClosed(clean=False),
]
ONE_REPLY = {
    RequestHeaders: (RequestHeadersReply, Respond),
    RequestBody: (RequestBodyReply, Respond),
    RequestTrailers: (RequestTrailersReply, Respond, ResponseChunk),
}


class AttemptMachine(RuleBasedStateMachine):
    """Envoy, gone mad."""

    def __init__(self) -> None:
        super().__init__()
        self.attempt = Attempt(several(), Keyring(), Limits(request=10_000, answer=HOLDS))
        self.moment = 100.0
        self.records: list[Record] = []
        self.sent: list[RequestBodyReply] = []
        self.fed = b""  # of the answer, while it was one that is held
        self.given = b""
        self.begun = False
        self.over = False
        self.whole = False

    @property
    def state(self) -> State:
        return self.attempt._state

    def feed(self, event: object) -> list[object]:
        before = self.state
        ended = before in (State.OVER, State.CLOSED)
        if isinstance(event, ResponseBody) and before is State.HOLDING:
            self.fed += event.body
        self.moment += 0.001
        actions = self.attempt.on(event, WALL, self.moment)
        note(f"{before.name}: {event} -> {actions}")
        assert SECRET not in repr((event, actions, self.attempt))
        assert PROMPT not in repr((event, actions, self.attempt))
        if type(event) in ONE_REPLY:
            assert len(actions) == (0 if ended else 1)
            assert all(isinstance(action, ONE_REPLY[type(event)]) or ended for action in actions) or self.begun
        if isinstance(event, ResponseHeaders) and not ended and actions == []:
            assert self.state is State.HOLDING, "the answer's headers were met with silence"
        if isinstance(event, ResponseBody) and event.end_of_stream and not ended:
            assert actions, "the end was met with silence"
        if isinstance(event, ResponseTrailers) and not ended:
            assert isinstance(actions[-1], ResponseTrailersReply | Respond | ResponseChunk)
        if isinstance(event, ResponseHeaders) and before is not State.FORWARDED and event.attributes != LOCAL:
            assert not any(isinstance(action, ResponseHeadersReply) for action in actions), "nobody asked for it"
        for action in actions:
            self._take(action)
        return actions

    def _take(self, action: object) -> None:
        assert not self.records, "something came after the record"
        if isinstance(action, Record):
            self.records.append(action)
            assert SECRET not in json.dumps(action.entry)
            assert PROMPT not in json.dumps(action.entry)
            return
        assert not self.over, "something came after the last word"
        if isinstance(action, RequestBodyReply):
            self.sent.append(action)
        elif isinstance(action, Respond):
            assert not self.begun, "a refusal after the answer had begun"
            assert action.rendered.status == 503
            assert dict(action.rendered.headers)[plan.OUTCOME] != plan.SERVED
            self.over = True
        elif isinstance(action, ResponseHeadersReply):
            assert not self.begun
            self.begun = True
            says = dict(action.set)[plan.OUTCOME]
            assert says in (plan.SERVED, "upstream-failed")
        elif isinstance(action, ResponseChunk):
            assert self.begun, "a body before its headers"
            self.given += action.body
            self.over = action.end_of_stream
        elif isinstance(action, ResponseTrailersReply):
            self.over = True

    @initialize(
        depth=st.integers(0, 3), chain=st.sampled_from([plan.STREAMED, plan.WHOLE]), number=st.sampled_from("12")
    )
    def begin(self, depth: int, chain: str, number: str) -> None:
        """Most runs begin as attempts begin, so that the deep states are reached."""
        if depth > 0:
            self.feed(asked("both", number, chain))
        if depth > 1:
            self.feed(body(model="both"))
        if depth > 2:
            self.feed(answer())

    @rule(data=st.data())
    def what_is_next(self, data: st.DataObject) -> None:
        """The step that Envoy would take."""
        state = self.state
        if state is State.NEW:
            self.feed(data.draw(st.sampled_from(ASKED)))
        elif state is State.BODY:
            self.feed(data.draw(st.sampled_from(BODIES)))
        elif state is State.FORWARDED:
            self.feed(data.draw(st.sampled_from(ANSWERS)))
        else:
            self.feed(ResponseBody(data.draw(st.sampled_from(PIECES)), data.draw(st.integers(0, 3)) == 0))

    @rule(event=st.sampled_from(ANYTHING))
    def what_is_not(self, event: object) -> None:
        """Anything at all, in any state."""
        self.feed(event)

    @precondition(lambda self: self.state is not State.NEW)
    @rule(dice=st.integers(0, 4), clean=st.booleans())
    def close(self, dice: int, clean: bool) -> None:
        if dice:
            return
        had = len(self.records)
        actions = self.feed(StreamClosed(clean))
        assert self.state is State.CLOSED
        assert len(actions) + had <= 1

    @rule(dice=st.integers(0, 5))
    @precondition(lambda self: self.state in (State.BODY, State.FORWARDED, State.HOLDING))
    def unknown(self, dice: int) -> None:
        if dice == 0:
            for action in self.attempt.fail(self.moment):
                self._take(action)
            assert self.state is State.OVER

    @invariant()
    def one_target_is_asked_once(self) -> None:
        assert len(self.sent) <= 1
        for reply in self.sent:
            doc = json.loads(reply.body or b"")
            assert doc["model"] in ("up-1", "up-2", "up-1b")
            cluster = dict(reply.set)["x-gatereeve-upstream"].removesuffix(plan.BREAKING)
            assert cluster in {upstream.cluster for upstream in several().upstreams}

    @invariant()
    def no_byte_is_given_twice_or_made_up(self) -> None:
        assert self.fed.startswith(self.given)

    @invariant()
    def nothing_ends_in_silence(self) -> None:
        assert self.attempt.failure is None
        if self.state is State.HOLDING and not self.begun:
            assert self.given == b""
            assert len(self.fed) <= HOLDS, "held beyond its limit"


AttemptMachine.TestCase.settings = settings(
    max_examples=400, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


class TestAttemptMachine(AttemptMachine.TestCase):
    """See the module."""
