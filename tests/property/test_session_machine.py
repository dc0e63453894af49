"""A session against every order of events: it never raises, never leaves Envoy waiting, never says anything after its
last word, forwards nothing that was not allowed, and shows no secret in pieces."""

import json

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from extproc.session.actions import (
    Await,
    Record,
    RequestBodyReply,
    RequestHeadersReply,
    RequestTrailersReply,
    Respond,
    ResponseChunk,
    ResponseHeadersReply,
    ResponseTrailersReply,
)
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
from extproc.session.session import State
from tests.unit.session import transcript
from tests.unit.session.transcript import CANARY, CARD, START, WALL

GROUPS = ["engineering", "bare", "nobody", "keys", "late", "never", "expired", "bug", None]
MASKED_GROUPS = ("engineering", "keys")
MODELS = ["gpt-4", "claude-sonnet", "secret-model", "orphan", "no-such"]
DIGITS = CARD.replace(" ", "")
HEADERS = [
    transcript.chat,
    transcript.messages,
    transcript.mcp,
    lambda group: transcript.request("/v1/models", "GET", group=group, end=True),
    lambda group: transcript.mcp(group, "GET"),
    lambda group: transcript.mcp(group, "DELETE"),
    lambda group: transcript.request("/nowhere", group=group),
    lambda group: transcript.chat(group, content_type="text/plain"),
    lambda group: transcript.chat(group, content_encoding="gzip"),
]
BODIES = [
    *(transcript.body(model=model, stream=True) for model in MODELS),
    transcript.tool("read_note"),
    transcript.tool("delete_note"),
    transcript.rpc("tools/list"),
    transcript.body(b"{"),
    transcript.body(b""),
    RequestBody(transcript.body().body, False),
]
ANSWERS = [
    transcript.answer(),
    transcript.sse(),
    transcript.sse(400),
    transcript.answer(500, "text/plain"),
    transcript.answer(200, "text/html"),
    transcript.answer(200, "image/png"),
    transcript.answer(content_encoding="gzip"),
    transcript.answer(204, None, end=True),
    transcript.answer(307, None, location="/x"),
    transcript.answer("abc", None),
    transcript.answer(503, details=transcript.LOCAL),
    transcript.answer(413, details=transcript.LOCAL),
    transcript.answer(details={}),
]
STREAM = (
    "".join(transcript.delta(piece) for piece in ("My card: ", "4111 11", "11 1111 1111", ", and ", DIGITS, ". "))
    + "data: [DONE]\n\n"
).encode()
ANTHROPIC = "".join(
    f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
    for event in (
        {"type": "message_start", "message": {"id": "m", "content": [], "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
            for piece in ("My card: ", "4111 11", "11 1111 1111", ", and ", DIGITS, ". ")
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_stop"},
    )
).encode()
PAYLOADS = [
    STREAM,
    ANTHROPIC,
    json.dumps(transcript.completion(f"it is {CARD}.")).encode(),
    f'data: {{"jsonrpc":"2.0","id":7,"result":{{"content":[{{"type":"text","text":"{CARD}"}}]}}}}\n\n'.encode(),
    b"plain " + CARD.encode(),
    b"\xff\xfe\x00",
]
PLANS = [
    (transcript.chat, transcript.body(stream=True)),
    (transcript.messages, transcript.body(model="claude-sonnet", stream=True)),
    (transcript.mcp, transcript.tool("read_note")),
    (transcript.mcp, transcript.tool("delete_note")),
    (transcript.chat, RequestBody(transcript.body().body, False)),
    (transcript.chat, transcript.body(model="secret-model")),
]
ANYTHING = [
    *(head("engineering") for head in HEADERS[:4]),
    *BODIES[:2],
    *ANSWERS,
    *(ResponseBody(payload, end) for payload in PAYLOADS for end in (False, True)),
    RequestTrailers({}),
    ResponseTrailers({}),
    ResponseTrailers({"x-note": CARD}),
    EffectDone(None),
    StreamClosed(clean=True),
]
# Which Envoy message each reply may answer; a response body may have any number of answers.
ONE_REPLY = {
    RequestHeaders: (RequestHeadersReply, Respond, Await),
    RequestBody: (RequestBodyReply, Respond),
    RequestTrailers: (RequestTrailersReply, Respond),
}


class SessionMachine(RuleBasedStateMachine):
    """Envoy, gone mad."""

    def __init__(self) -> None:
        super().__init__()
        self.session = transcript.session()
        self.moment = START
        self.group: str | None = ""
        self.sent: list[object] = []  # every reply, in order
        self.records: list[Record] = []
        self.waited = False
        self.silenced = False  # the client has had the last word
        self.given = b""
        self.begun = False  # the client's response has begun
        self.payload = b""
        self.said = False  # the request's headers

    def feed(self, event: object) -> list[object]:
        before = self.session.state
        ended = before in (State.REFUSED, State.OVER, State.CLOSED)
        self.moment += 0.001
        actions = self.session.on(event, WALL, self.moment)
        note(f"{before.name}: {event} -> {actions}")
        quiet = [action for action in actions if not isinstance(action, Record)]  # its fields are looked at below
        assert CANARY not in repr((event, quiet, self.session))
        if type(event) in ONE_REPLY:
            assert len(actions) == (0 if ended else 1)
            if before is State.ANSWERING and actions:
                assert isinstance(actions[0], Respond | ResponseChunk)
            elif actions:
                assert isinstance(actions[0], ONE_REPLY[type(event)])
        if type(event) is RequestBody and not event.end_of_stream:
            assert not any(isinstance(action, RequestBodyReply) for action in actions), "judged in part"
        if type(event) is ResponseHeaders and before is not State.FORWARDED and event.attributes != transcript.LOCAL:
            assert not any(isinstance(action, ResponseHeadersReply) for action in actions), "nobody asked for it"
        if type(event) is ResponseTrailers and before is State.ANSWERING:
            assert isinstance(actions[-1], ResponseTrailersReply | Respond | ResponseChunk)
        for action in actions:
            self._take(action)
        return actions

    def _take(self, action: object) -> None:
        assert not self.records, "something came after the record"
        if isinstance(action, Record):
            self.records.append(action)
            # Arguments of tools are what their audit is for, and stand in this field alone.
            entry = {name: value for name, value in action.entry.items() if name != "arguments"}
            assert CANARY not in json.dumps(entry)
            return
        assert not self.silenced, "something came after the last word"
        if isinstance(action, Await):
            assert not self.waited, "keys are waited for once"
            self.waited = True
            return
        self.sent.append(action)
        if isinstance(action, Respond):
            assert not self.begun, "an answer of our own after the upstream's had begun"
            assert CANARY.encode() not in action.rendered.body
            assert DIGITS not in action.rendered.body.decode().replace(" ", "")
            self.silenced = True
        elif isinstance(action, ResponseHeadersReply):
            assert not self.begun
            self.begun = True
        elif isinstance(action, ResponseChunk):
            assert self.begun, "a body before its headers"
            assert action.body or action.end_of_stream
            self.given += action.body
            self.silenced = action.end_of_stream
        elif isinstance(action, ResponseTrailersReply):
            self.silenced = True

    @initialize(depth=st.integers(0, 3), plan=st.sampled_from(PLANS), group=st.sampled_from(["engineering", "bare"]))
    def begin(self, depth: int, plan: tuple[object, RequestBody], group: str) -> None:
        """Most runs begin as exchanges begin, so that the deep states are reached."""
        head, said = plan
        if depth > 0:
            self.headers(head, group)
        if depth > 1:
            self.feed(said)
        if depth > 2:
            self.answer(
                transcript.sse(), {transcript.chat: STREAM, transcript.messages: ANTHROPIC}.get(head, PAYLOADS[3])
            )

    def headers(self, head: object, group: str | None) -> None:
        if not self.said:
            self.group = group
        self.said = True
        self.feed(head(group))

    def answer(self, head: ResponseHeaders, payload: bytes) -> None:
        self.payload = payload
        self.feed(head)

    def effect(self, result: object) -> None:
        self.feed(EffectDone(result))

    @rule(data=st.data())
    def what_is_next(self, data: st.DataObject) -> None:
        """The step that Envoy would take."""
        state = self.session.state
        if state is State.NEW:
            self.headers(data.draw(st.sampled_from(HEADERS)), data.draw(st.sampled_from(GROUPS)))
        elif state is State.KEYS:
            self.effect(data.draw(st.sampled_from([None, OSError("no route")])))
        elif state is State.BODY:
            self.feed(data.draw(st.sampled_from(BODIES)))
        elif state is State.FORWARDED:
            self.answer(data.draw(st.sampled_from(ANSWERS)), data.draw(st.sampled_from(PAYLOADS)))
        else:
            self.parts(data.draw(st.lists(st.integers(1, 60), max_size=20)), data.draw(st.integers(0, 3)) == 0)

    @precondition(lambda self: self.session.state is State.ANSWERING)
    @rule(cuts=st.lists(st.integers(1, 200), max_size=20), end=st.booleans())
    def parts(self, cuts: list[int], end: bool) -> None:
        for cut in cuts:
            piece, self.payload = self.payload[:cut], self.payload[cut:]
            self.feed(ResponseBody(piece, False))
        if end:
            piece, self.payload = self.payload, b""
            self.feed(ResponseBody(piece, True))

    @rule(event=st.sampled_from(ANYTHING))
    def what_is_not(self, event: object) -> None:
        """Anything at all, in any state."""
        if isinstance(event, RequestHeaders) and self.session.state is State.NEW:  # later nobody reads who asks
            self.said, self.group = True, "engineering"
        self.feed(event)

    @precondition(lambda self: self.session.state is not State.NEW)
    @rule(dice=st.integers(0, 4), clean=st.booleans())
    def close(self, dice: int, clean: bool) -> None:
        if dice:
            return
        self.feed(StreamClosed(clean))
        assert self.session.state is State.CLOSED
        assert len(self.records) == (1 if self.sent else len(self.records))

    @rule()
    @precondition(lambda self: self.session.state in (State.FORWARDED, State.ANSWERING))
    def unknown(self) -> None:
        if len(self.payload) % 4 == 0:
            for action in self.session.fail(self.moment):
                self._take(action)

    @invariant()
    def nothing_is_forwarded_that_was_denied(self) -> None:
        went_on = [
            action
            for action in self.sent
            if isinstance(action, RequestBodyReply) or (isinstance(action, RequestHeadersReply) and action.set)
        ]
        assert len(went_on) <= 1
        if went_on:
            assert self.group in ("engineering", "bare", "keys")
            (reply,) = went_on
            if isinstance(reply, RequestBodyReply):
                doc = json.loads(reply.body or b"")
                assert doc.get("model", "demo-large") in ("demo-large", "demo-sonnet")
                assert doc.get("params", {}).get("name", "read_note") == "read_note"
            assert not any(transcript.TOKEN in value for _, value in reply.set)

    @invariant()
    def no_secret_is_shown_in_pieces(self) -> None:
        if self.group in MASKED_GROUPS and State.NEW is not self.session.state:
            arrived = self.session._arrived
            shown = _text(self.given, arrived.route.dialect if arrived is not None else "")
            assert CARD not in shown
            assert DIGITS not in shown.replace(" ", "")


def _text(given: bytes, dialect: str) -> str:
    """The raw answer, and what a client of this dialect joins from its deltas."""
    joined = ""
    for line in given.split(b"\n"):
        if line.startswith(b"data: {"):
            try:
                doc = json.loads(line[6:])
            except ValueError:
                continue
            if dialect == "openai-chat":
                for choice in doc.get("choices", ()):
                    joined += choice.get("delta", {}).get("content") or ""
            elif dialect == "anthropic-messages" and doc.get("type") == "content_block_delta":
                joined += doc["delta"].get("text", "")
    return given.decode("utf-8", "replace") + "\n\x00\n" + joined


SessionMachine.TestCase.settings = settings(
    max_examples=400, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.promise("operation.fail-closed")
@pytest.mark.promise("masking.stream")
class TestSessionMachine(SessionMachine.TestCase):
    """See the module."""
