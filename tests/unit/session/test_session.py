"""The state machine: every state with every event, what is recorded, and what is done with an event out of order."""

import json

import pytest

from extproc.exchange.model import LlmCall
from extproc.session import record
from extproc.session.actions import (
    Record,
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
    RequestTrailers,
    ResponseBody,
    ResponseTrailers,
    StreamClosed,
)
from extproc.session.session import State
from tests.unit.session.transcript import (
    CARD,
    CLOSED,
    ID,
    LOCAL,
    TOKEN,
    Playbook,
    allowed,
    answer,
    anthropic,
    begins,
    body,
    chat,
    chunk,
    completion,
    delta,
    forwards,
    gives,
    mcp,
    messages,
    openai,
    over,
    records,
    refuses,
    request,
    rpc_error,
    session,
    sse,
    waits,
)

# -- every state, every event ------------------------------------------------------------------------------------------


def _new() -> Playbook:
    return Playbook()


def _keys() -> Playbook:
    playbook = Playbook()
    assert playbook >> chat("keys") << waits
    return playbook


def _body() -> Playbook:
    playbook = Playbook()
    assert playbook >> chat() << RequestHeadersReply()
    return playbook


def _holding() -> Playbook:
    """Answering, and nothing has been given to the client yet."""
    playbook = allowed()
    assert playbook >> answer()
    return playbook


def _streaming() -> Playbook:
    playbook = allowed()
    assert playbook >> sse() << begins() >> chunk(delta("Hi, "), False) << gives(end=False, has="Hi, ")
    return playbook


def _over() -> Playbook:
    playbook = _streaming()
    assert playbook >> chunk("data: [DONE]\n\n") << gives(end=True, has="[DONE]")
    return playbook


def _refused() -> Playbook:
    playbook = Playbook()
    assert playbook >> chat("expired") << refuses(401, "token-expired")
    return playbook


def _closed() -> Playbook:
    playbook = _over()
    assert playbook >> CLOSED << records(verdict="allow")
    return playbook


STATES = {
    "new": (_new, State.NEW),
    "keys": (_keys, State.KEYS),
    "body": (_body, State.BODY),
    "forwarded": (allowed, State.FORWARDED),
    "holding": (_holding, State.ANSWERING),
    "streaming": (_streaming, State.ANSWERING),
    "over": (_over, State.OVER),
    "refused": (_refused, State.REFUSED),
    "closed": (_closed, State.CLOSED),
}
EVENTS = {
    "request headers": chat(),
    "request body": body(),
    "a part of a request body": RequestBody(b"{", False),
    "request trailers": RequestTrailers({}),
    "response headers": answer(),
    "response body": chunk(b"{}"),
    "response trailers": ResponseTrailers({}),
    "effect done": EffectDone(None),
    "stream closed": StreamClosed(clean=False),
}
_DENIED = [refuses(500, "internal-error")]
_RECORDED = [records()]
_IN_PART = [refuses(400, "body-shape")]
_BROKEN = [gives(end=True, has="internal-error")]
# What is right. Everything else, in a state that has not ended, is refused; in one that has, it is met with nothing.
RIGHT = {
    ("new", "request headers"): [RequestHeadersReply()],
    ("keys", "effect done"): [RequestHeadersReply()],
    ("body", "request body"): [forwards()],
    ("body", "a part of a request body"): _IN_PART,
    ("forwarded", "request trailers"): [RequestTrailersReply()],
    ("forwarded", "response headers"): [],
    ("holding", "response body"): [begins(length=2), gives("{}", end=True)],
    ("holding", "response trailers"): [begins(), ResponseTrailersReply()],
    ("streaming", "response body"): [gives(end=True)],
    ("streaming", "response trailers"): [ResponseTrailersReply()],
    ("new", "stream closed"): [],
    ("closed", "stream closed"): [],
}


def _expected(state: str, event: str) -> list[object]:
    if (state, event) in RIGHT:
        return list(RIGHT[state, event])
    if event == "stream closed":
        return list(_RECORDED)
    if state in ("over", "refused", "closed"):
        return []
    return list(_BROKEN if state == "streaming" else _DENIED)


@pytest.mark.parametrize("event", EVENTS, ids=lambda name: f"meets {name}")
@pytest.mark.parametrize("state", STATES, ids=lambda name: f"a session that is {name}")
def test_every_state_answers_every_event(state: str, event: str) -> None:
    make, value = STATES[state]
    playbook = make()
    assert playbook.session.state is value
    playbook >> EVENTS[event]
    for expected in _expected(state, event):
        playbook << expected
    assert playbook
    if RIGHT.get((state, event), _IN_PART) is _IN_PART and state not in ("over", "refused", "closed"):
        assert playbook.session.state in (State.REFUSED, State.CLOSED)


@pytest.mark.promise("decisions.audit")
@pytest.mark.parametrize("state", [name for name in STATES if name not in ("new", "closed")])
def test_a_stream_that_closes_is_recorded_once_however_far_it_came(state: str) -> None:
    playbook = STATES[state][0]()
    entry = over(playbook)
    assert entry["aborted"] is (state not in ("over", "refused"))
    assert playbook >> CLOSED >> CLOSED
    assert entry["ms"]["total"] >= 0


# -- no policy, bugs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "shape"),
    [
        pytest.param(chat(), openai, id="to OpenAI clients"),
        pytest.param(messages(), anthropic, id="to Anthropic clients"),
        pytest.param(mcp(), rpc_error, id="to MCP clients"),
    ],
)
def test_without_a_policy_everything_is_refused(headers: object, shape: object) -> None:
    playbook = Playbook(session(policy=None))
    assert (
        playbook
        >> headers
        << refuses(503, "not-ready", shape=shape)
        >> CLOSED
        << records(verdict="deny", reason="not-ready", policy="", status=503)
    )


def test_a_bug_while_judging_refuses_and_is_kept_for_the_log() -> None:
    playbook = Playbook()
    assert playbook >> chat("bug") << refuses(500, "internal-error") >> CLOSED << records(reason="internal-error")
    assert isinstance(playbook.session.failure, RuntimeError)


def test_a_bug_while_answering_ends_the_stream_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    playbook = _streaming()
    monkeypatch.setattr(type(playbook.session._mode), "chunk", lambda *_: 1 / 0)
    assert playbook >> chunk(delta(CARD), False) << gives(end=True, has="internal-error", lacks="4111")
    assert playbook >> chunk(delta("more")) >> CLOSED << records(verdict="deny", reason="internal-error")


def test_a_voice_that_fails_still_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    class Mute:
        def refusal(self, refusal: object) -> object:
            raise RuntimeError

        def error_event(self, refusal: object) -> bytes:
            raise RuntimeError

    playbook = _body()
    playbook.session._voice = Mute()
    (action,) = playbook.session.fail(0.0)
    assert isinstance(action, Respond)
    assert action.rendered.status == 500
    assert b"refused" in action.rendered.body
    playbook = _streaming()
    playbook.session._voice = Mute()
    assert playbook.session.fail(0.0) == [ResponseChunk(b"", True)]


def test_a_record_that_cannot_be_built_is_made_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "_what", lambda *_: 1 / 0)
    playbook = _over()
    entry = over(playbook)
    assert (entry["id"], entry["verdict"], entry["status"]) == (ID, "allow", 200)
    assert isinstance(playbook.session.failure, ZeroDivisionError)


# -- keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.promise("identity.keys")
def test_a_call_goes_on_when_its_keys_have_come() -> None:
    playbook = Playbook()
    assert playbook >> chat("keys") << waits >> EffectDone(None) << RequestHeadersReply() >> body() << forwards()
    assert [final for _, final in playbook.session._ports.authenticator.seen] == [False, True]
    assert over(playbook)["ms"]["keys"] == 10.0


@pytest.mark.parametrize(
    ("group", "status", "reason"),
    [
        pytest.param("late", 401, "token-expired", id="because of what the keys tell"),
        pytest.param("never", 503, "keys-unavailable", id="rather than wait a second time"),
    ],
)
def test_a_call_is_refused_after_waiting_for_keys(group: str, status: int, reason: str) -> None:
    playbook = Playbook()
    assert playbook >> chat(group) << waits >> EffectDone(OSError("no route")) << refuses(status, reason)
    assert over(playbook)["verdict"] == "deny"


def test_a_client_that_leaves_while_keys_are_fetched_is_recorded_as_gone() -> None:
    playbook = _keys()
    assert playbook >> StreamClosed(clean=False) << records(aborted=True, verdict="none") >> EffectDone(None)
    assert playbook.session._token == ""


# -- answers that Envoy gives by itself --------------------------------------------------------------------------------


@pytest.mark.promise("bad-input.upgrade")
@pytest.mark.parametrize(
    ("status", "details", "reason"),
    [
        pytest.param(426, "upgrade_failed", "upgrade-refused", id="an upgrade that Envoy refused"),
        pytest.param(400, "path_normalization_failed", "route-unknown", id="a path that Envoy refused"),
        pytest.param(413, "request_payload_too_large", "body-too-large", id="a body that Envoy refused"),
    ],
)
def test_envoys_own_answer_passes_and_is_recorded(status: int, details: str, reason: str) -> None:
    playbook = Playbook()
    assert playbook >> answer(status, details={"response.code_details": details}) << ResponseHeadersReply()
    assert playbook >> chunk(b'{"error":1}', True) << ResponseChunk(b'{"error":1}', True)
    assert playbook >> CLOSED << records(verdict="deny", reason=reason, status=status, aborted=False)


@pytest.mark.parametrize("details", [{"response.code_details": "via_upstream"}, {}], ids=["said", "not denied"])
def test_an_upstreams_answer_to_a_request_that_nobody_judged_is_refused(details: dict[str, str]) -> None:
    assert Playbook() >> answer(details=details) << refuses(500, "internal-error")
    playbook = _body()
    assert playbook >> answer(details=details) << refuses(500, "internal-error")


def test_an_answer_without_headers_is_refused() -> None:
    assert Playbook() >> chunk(b"anything") << refuses(500, "internal-error")
    assert Playbook() >> ResponseTrailers({}) << refuses(500, "internal-error")


@pytest.mark.promise("bad-input.size")
@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        pytest.param(413, "body-too-large", "10000 bytes", id="too large"),
        pytest.param(408, "body-missing", "in time", id="too slow"),
        pytest.param(400, "body-missing", "whole", id="cut off"),
    ],
)
def test_a_body_that_does_not_come_is_refused_in_the_dialect(status: int, reason: str, words: str) -> None:
    playbook = Playbook()
    assert playbook >> messages() << RequestHeadersReply()
    assert playbook >> answer(status, details=LOCAL) << refuses(status, reason, shape=anthropic)
    assert words in playbook.actions[-1].rendered.body.decode()
    assert playbook >> chunk(b"Envoy's own words") >> CLOSED << records(reason=reason, status=status)


@pytest.mark.parametrize(
    ("status", "details", "expected"),
    [
        pytest.param(503, LOCAL["response.code_details"], 502, id="refuses connections"),
        pytest.param(503, "cluster_not_found", 502, id="does not exist"),
        pytest.param(504, "upstream_response_timeout", 504, id="is too slow"),
        pytest.param("", "strange", 502, id="fails strangely"),
    ],
)
def test_an_upstream_that_fails_is_no_denial(status: int, details: str, expected: int) -> None:
    playbook = allowed()
    failed = answer(status, details={"response.code_details": details})
    assert playbook >> failed << refuses(expected, "upstream-failed", shape=openai)
    assert (
        playbook
        >> chunk(b"Envoy's own words")
        >> CLOSED
        << records(verdict="allow", reason="upstream-failed", status=expected)
    )


# -- records -----------------------------------------------------------------------------------------------------------


@pytest.mark.promise("decisions.audit")
def test_the_record_of_an_allowed_call_says_who_what_why_and_what_it_cost() -> None:
    playbook = allowed()
    assert playbook >> answer() >> chunk(completion(f"it is {CARD}")) << begins(length="any") << gives(end=True)
    entry = over(playbook)
    assert entry["subject"] == "user-1"
    assert entry["source"] == "192.0.2.7:4711"
    assert entry["user_agent"] == "agent/1.0"
    assert (entry["model"], entry["upstream"], entry["upstream_model"]) == ("gpt-4", "LLMProvider/demo", "demo-large")
    assert (entry["verdict"], entry["reason"], entry["mode"]) == ("allow", "allowed", "enforce")
    assert entry["rule"].startswith("AgentPolicy/engineering (house.yaml:")
    assert entry["obligations"] == ["route", "credential", "model", "mask pii"]
    assert entry["masked"] == {"card": 1}
    assert entry["usage"] == {"input_tokens": 5, "output_tokens": 7}
    assert entry["cost"] == {"amount": 0.000066, "currency": "EUR"}
    assert entry["finish_reasons"] == ["stop"]
    assert entry["answer_model"] == "demo-large-1"
    assert entry["bytes"]["request"] > 0
    assert entry["bytes"]["response"] == len(playbook.given)
    assert entry["ms"] == {"total": 30.0, "body": 10.0, "upstream": 10.0, "first_byte": 20.0, "answer": 10.0}
    assert entry["ts"] == "2027-01-15T08:00:00.000+00:00"
    json.dumps(entry)


@pytest.mark.promise("decisions.observe")
def test_a_caller_whom_policies_only_observe_is_allowed_and_the_record_says_so() -> None:
    playbook = allowed(chat("watched"))
    entry = over(playbook)
    assert (entry["verdict"], entry["reason"], entry["mode"]) == ("allow", "observed", "observe")
    assert entry["observed"].startswith("deny model-not-allowed AgentPolicy/watched")


def test_the_agent_is_recorded_only_as_far_as_it_is_a_name() -> None:
    for said, kept in (("a" * 500, "a" * 64), ("", ""), ("caf\u00e9/1", ""), ("x/1\x7f", "")):
        assert over(allowed(chat(user_agent=said)))["user_agent"] == kept


def test_a_stream_that_waits_for_its_answer_holds_neither_prompt_nor_token() -> None:
    playbook = allowed()
    inside = playbook.session
    assert inside._headers == {}
    assert inside._token == ""
    assert isinstance(inside._call, LlmCall)
    assert inside._call.doc == {}
    spoken = inside._judged.read.args[0]
    assert isinstance(spoken, LlmCall)
    assert spoken.doc == {}
    assert TOKEN not in str(inside._arrived)


def test_records_are_not_made_for_streams_on_which_nothing_was_asked() -> None:
    playbook = Playbook()
    assert playbook >> CLOSED
    assert not [action for action in playbook.actions if isinstance(action, Record)]


def test_a_duplicated_end_gives_the_client_nothing_twice() -> None:
    playbook = _over()
    before = playbook.given
    assert playbook >> chunk(b"") >> chunk(delta("again")) >> ResponseTrailers({}) >> ResponseBody(b"x", False)
    assert playbook.given == before


def test_upgrade_and_connect_are_refused_with_what_would_do() -> None:
    connect = request("", "CONNECT")
    del connect.headers[":path"]
    assert Playbook() >> connect << refuses(426, "upgrade-refused", upgrade="HTTP/1.1")
    assert Playbook() >> mcp(upgrade="websocket") << refuses(426, "upgrade-refused", shape=rpc_error)
