"""One attempt: the judged request in, its target's request out, nothing of another attempt, and never a silence."""

import base64
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec
import pytest

from extproc.exchange.refusal import Reason
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
from extproc.session.attempt import Attempt
from extproc.session.events import RequestBody, RequestHeaders, RequestTrailers, ResponseTrailers, StreamClosed
from extproc.session.stages import Limits
from tests.unit.session.transcript import LIMITS, LOCAL, PROMPT, SECRET, WALL, Keyring, answer, body, chunk, sse

TIMEOUT = {"response.code_details": "response_timeout"}
NO_HOST = {"response.code_details": "no_healthy_upstream"}


@cache
def several() -> Policy:
    return load(Path(__file__).parent / "several.yaml")


def written(model: str, dialect: str = "openai-chat") -> str:
    targets = several().models[model].targets
    return plan.encode("gr-1", model, tuple(leg for target in targets if (leg := leg_of(target, dialect))))


def asked(
    number: str | None = "1", model: str = "both", chain: str = plan.STREAMED, end: bool = False, **more: str | None
) -> RequestHeaders:
    headers: dict[str, str] = {
        ":method": "POST",
        ":path": "/v1/chat/completions?x=1",
        ":authority": plan.HOST,
        "content-type": "application/json",
        "user-agent": "agent/1.0",
        "x-note": "n",
        plan.HEADER: written(model),
        plan.COUNT: number or "",
    }
    for name, value in more.items():
        if value is None:
            headers.pop(name.replace("_", "-"), None)
        else:
            headers[name.replace("_", "-")] = value
    if number is None:
        del headers[plan.COUNT]
    return RequestHeaders(headers, end, {plan.CHAIN_ATTRIBUTE: chain})


class Run:
    """An attempt that is fed events, each at its own moment."""

    def __init__(self, policy: Policy | str | None = "", limits: Limits = LIMITS) -> None:
        self.attempt = Attempt(several() if isinstance(policy, str) else policy, Keyring(), limits)
        self.moment = 100.0

    def __call__(self, *events: object) -> list[object]:
        """The actions of the last one."""
        actions: list[object] = []
        for event in events:
            self.moment += 0.01
            actions = self.attempt.on(event, WALL, self.moment)
            assert self.attempt.failure is None
            assert SECRET not in repr(actions)
        return actions

    def record(self, clean: bool = True) -> dict:
        (made,) = self(StreamClosed(clean))
        assert isinstance(made, Record)
        return made.entry


USED = (plan.INJECTED, base64.urlsafe_b64encode(SECRET.encode()).decode())


def only(actions: list[object], kind: type):
    (action,) = actions
    assert isinstance(action, kind)
    return action


def refused(actions: list[object], reason: Reason) -> str:
    """It is a 503 with this reason; the sentence that goes with it."""
    rendered = only(actions, Respond).rendered
    headers = dict(rendered.headers)
    assert (rendered.status, headers[plan.OUTCOME]) == (503, reason.value)
    assert rendered.body == b"{}"
    return headers[plan.MESSAGE]


# -- the request -------------------------------------------------------------------------------------------------------


def test_the_first_target_gets_the_call_in_the_clients_own_dialect():
    run = Run()
    assert run(asked()) == [RequestHeadersReply()]
    reply = only(run(body(model="both", seed=7)), RequestBodyReply)
    assert json.loads(reply.body) == {"model": "up-1", "messages": [{"role": "user", "content": PROMPT}], "seed": 7}
    sets = dict(reply.set)
    assert sets["x-gatereeve-upstream"] == several().providers["first"].upstream.cluster + plan.BREAKING
    assert sets[":authority"] == "first.example.com"
    assert sets[":path"] == "/base/v1/chat/completions?x=1"
    assert sets["authorization"] == f"Bearer {SECRET}"
    assert int(sets["content-length"]) == len(reply.body)


def test_the_second_target_gets_it_in_another_dialect_with_its_own_credential():
    run = Run()
    reply = only(run(asked("2"), body(model="both", seed=7)), RequestBodyReply)
    doc = json.loads(reply.body)
    assert doc["model"] == "up-2"
    assert doc["messages"][0]["content"][0]["text"] == PROMPT
    assert "seed" not in doc
    sets = dict(reply.set)
    assert sets["x-gatereeve-upstream"] == several().providers["second"].upstream.cluster
    assert (sets[":authority"], sets[":path"]) == ("second.example.com:8080", "/v1/messages")
    assert sets["x-api-key"] == SECRET
    assert "authorization" not in sets


def test_what_is_ours_alone_goes_no_further():
    run = Run()
    more = {"x-gatereeve-mine": "1", "authorization": "Bearer x", "cookie": "a", "openai-project": "p"}
    reply = only(run(asked("2", **more), body(model="both")), RequestBodyReply)
    assert {plan.HEADER, *more} <= set(reply.remove)


def test_an_attempt_tells_envoy_how_long_its_target_may_be_silent():
    run = Run()
    reply = only(run(asked(), body(model="both")), RequestBodyReply)
    assert dict(reply.set)["x-envoy-upstream-rq-per-try-timeout-ms"] == "2000"


def test_the_last_target_is_behind_no_circuit_breaker():
    for number, model in (("2", "both"), ("2", "keyless-first")):
        reply = only(Run()(asked(number, model), body(model=model)), RequestBodyReply)
        assert plan.BREAKING not in dict(reply.set)["x-gatereeve-upstream"]


def test_a_provider_that_serves_a_model_alone_is_behind_no_circuit_breaker():
    """Envoy has none for it: there is nobody else to turn to."""
    reply = only(Run()(asked("1", "twice"), body(model="twice")), RequestBodyReply)
    upstream = several().providers["first"].upstream
    assert dict(reply.set)["x-gatereeve-upstream"] == upstream.cluster


def test_every_circuit_breaker_that_is_asked_for_exists():
    shared = {upstream.cluster for upstream in several().shared_upstreams}
    for name, model in several().models.items():
        for number in range(1, len(model.targets) + 1):
            actions = Run()(asked(str(number), name), body(model=name))
            if isinstance(actions[0], RequestBodyReply):
                cluster = dict(actions[0].set)["x-gatereeve-upstream"]
                assert not cluster.endswith(plan.BREAKING) or cluster.removesuffix(plan.BREAKING) in shared


# -- what makes it another target's turn -------------------------------------------------------------------------------


def test_a_target_without_its_credential_is_a_503():
    run = Run()
    refused(run(asked("1", "keyless-first"), body(model="keyless-first")), Reason.CREDENTIAL_UNAVAILABLE)
    entry = run.record()
    assert (entry["outcome"], entry["reason"]) == ("refused", "credential-unavailable")
    assert (entry["upstream"], entry["bytes"]) == ("LLMProvider/keyless", {"request_upstream": 0})


def test_a_call_that_cannot_be_translated_is_a_503_that_says_why():
    run = Run()
    plans = plan.encode("gr-1", "both", (leg_of(several().models["both"].targets[1], "openai-chat"),) * 2)
    message = refused(run(asked("2", x_gatereeve_plan=plans), body(model="both", n=3)), Reason.UNTRANSLATABLE)
    assert message.isascii()
    assert "n" in message


def test_a_call_that_another_target_could_take_does_not_end_as_one_that_cannot_be_said():
    """The first target failed, or this one's turn had not come. SDKs give up on a 400 and try again after a 502."""
    run = Run()
    refused(run(asked("2"), body(model="both", n=3)), Reason.UPSTREAM_FAILED)
    assert run.record()["reason"] == "untranslatable"


@pytest.mark.parametrize(
    ("model", "number", "change"),
    [
        pytest.param("shady-too", "1", lambda policy: policy, id="its provider is no longer approved"),
        pytest.param("both", "1", lambda policy: replace(policy, models={}), id="its Model is gone"),
        pytest.param(
            "both", "1",
            lambda p: replace(p, models={"both": replace(p.models["both"], targets=p.models["both"].targets[1:])}),
            id="it is gone from its Model",
        ),
        pytest.param("both", "2", lambda p: _speaking(p, "openai-chat"), id="it speaks another dialect now"),
        pytest.param("both", "2", lambda p: _speaking(p, "ollama-nothing"), id="it cannot be spoken to any more"),
    ],
)  # fmt: skip
def test_a_plan_older_than_the_policy_is_refused_and_the_next_may_try(model: str, number: str, change):
    run = Run(change(several()))
    refused(run(asked(number, model), body(model=model)), Reason.UPSTREAM_FAILED)
    assert run.record()["outcome"] == "refused"


def _speaking(policy: Policy, dialect: str) -> Policy:
    both = policy.models["both"]
    first, second = both.targets
    changed = replace(second, provider=replace(second.provider, dialects=(dialect,)))
    return replace(policy, models={"both": replace(both, targets=(first, changed))})


def test_a_policy_that_only_changed_elsewhere_serves_an_old_plan():
    policy = replace(several(), version="newer")
    assert isinstance(Run(policy)(asked("2"), body(model="both"))[0], RequestBodyReply)


def test_without_a_policy_there_is_no_target():
    run = Run(None)
    refused(run(asked(), body(model="both")), Reason.INTERNAL_ERROR)
    assert run.record()["policy"] == ""


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(asked(x_gatereeve_plan=None), id="no plan"),
        pytest.param(asked(x_gatereeve_plan="x"), id="no plan that can be read"),
        pytest.param(asked(None), id="no number"),
        pytest.param(asked("0"), id="number 0"),
        pytest.param(asked("3"), id="a number beyond the plan"),
        pytest.param(asked("1, 2"), id="two numbers"),
        pytest.param(asked(end=True), id="no body"),
        pytest.param(
            RequestHeaders({":method": "POST", ":path": "/admin"}, False, {plan.CHAIN_ATTRIBUTE: plan.WHOLE}),
            id="no path of an API",
        ),
    ],
)
def test_what_no_gateways_session_would_send_is_refused(event: RequestHeaders):
    run = Run()
    refused(run(event), Reason.INTERNAL_ERROR)
    assert run(body(model="both")) == []
    assert run.record()["outcome"] == "refused"


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(body(b"{"), id="a body that is no JSON"),
        pytest.param(body({"messages": []}), id="a body without a model"),
        pytest.param(RequestBody(b"{}", False), id="a part of a body"),
    ],
)
def test_a_body_that_was_never_judged_is_refused(event: RequestBody):
    refused(Run()(asked(), event), Reason.INTERNAL_ERROR)


# -- the answer --------------------------------------------------------------------------------------------------------


def test_an_answer_says_that_its_target_gave_it():
    run = Run()
    reply = only(run(asked("2"), body(model="both", seed=1), answer()), ResponseHeadersReply)
    assert reply == ResponseHeadersReply(((plan.OUTCOME, "served"), (plan.DROPPED, "seed"), USED), ())
    entry = run.record()
    assert (entry["outcome"], entry["status"], entry["dropped"]) == ("served", 200, ["seed"])


def test_an_answer_cannot_speak_in_our_name_nor_in_envoys():
    """With `x-envoy-overloaded`, a provider behind an Envoy of its own would keep ours from asking the next one."""
    forged = {"x_gatereeve_outcome": "not-ready", "x_gatereeve_message": "m", "x_gatereeve_dropped": "d",
              "x_gatereeve_model": "m", "x_gatereeve_injected": "m",
              "x_envoy_overloaded": "true", "x_envoy_ratelimited": "true"}  # fmt: skip
    reply = only(Run()(asked(), body(model="both"), answer(503, **forged)), ResponseHeadersReply)
    assert reply.set == ((plan.OUTCOME, "served"), USED)
    names = {name.replace("_", "-") for name in forged}
    assert set(reply.remove) == names - {plan.OUTCOME, plan.INJECTED}


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        pytest.param(answer(), "served", id="a success"),
        pytest.param(answer(400), "served", id="an error of the client's"),
        pytest.param(answer(429), "status-429", id="throttled"),
        pytest.param(answer(500), "status-5xx", id="failed"),
        pytest.param(answer(529), "status-5xx", id="overloaded"),
        pytest.param(answer(503, details=LOCAL), "connect", id="not reached"),
        pytest.param(answer(503, details=NO_HOST), "connect", id="its circuit is broken"),
        pytest.param(answer(504, details=TIMEOUT), "timeout", id="no first byte in time"),
    ],
)
def test_the_record_tells_what_came_of_it(event, outcome: str):
    run = Run()
    actions = run(asked(), body(model="both"), event)
    spoke = event.attributes["response.code_details"] == "via_upstream"
    assert dict(actions[0].set)[plan.OUTCOME] == ("served" if spoke else "upstream-failed")
    entry = run.record()
    assert (entry["outcome"], entry["id"], entry["exchange"]) == (outcome, "gr-1.1", "gr-1")
    assert entry["operation"] == "attempt"
    assert entry["ms"]["upstream"] == 10.0
    assert PROMPT not in json.dumps(entry)


def test_an_answer_to_what_was_never_sent_is_refused():
    refused(Run()(asked(), answer()), Reason.INTERNAL_ERROR)


def test_envoys_own_answer_for_a_body_that_did_not_come_passes():
    reply = only(Run()(asked(), answer(408, details=TIMEOUT)), ResponseHeadersReply)
    assert dict(reply.set)[plan.OUTCOME] == "upstream-failed"


def test_a_streamed_answer_begins_at_once_and_is_not_touched():
    run = Run()
    assert isinstance(run(asked(), body(model="both", stream=True), sse())[0], ResponseHeadersReply)
    assert run(chunk("data", False), chunk("", True)) == []


def test_a_whole_answer_begins_when_it_is_complete():
    run = Run()
    assert run(asked(chain=plan.WHOLE), body(model="both"), answer()) == []
    assert run(chunk("{", False)) == []
    headers, last = run(chunk("}", True))
    assert headers.set == ((plan.OUTCOME, "served"), USED)
    assert last == ResponseChunk(b"{}", True)
    assert run.record()["outcome"] == "served"


def test_a_whole_answer_that_breaks_off_has_not_begun():
    run = Run()
    assert run(asked(chain=plan.WHOLE), body(model="both"), answer(), chunk("{", False)) == []
    assert run.record(clean=False)["outcome"] == "aborted"


def test_a_whole_answer_with_trailers_is_complete_too():
    run = Run()
    run(asked(chain=plan.WHOLE), body(model="both"), answer(), chunk("{}", False))
    headers, piece, trailers = run(ResponseTrailers({"x-t": "1"}))
    assert isinstance(headers, ResponseHeadersReply)
    assert piece == ResponseChunk(b"{}", False)
    assert trailers == ResponseTrailersReply(("x-t",))


def test_a_whole_answer_that_is_too_large_to_hold_passes_from_there_on():
    run = Run(limits=Limits(request=10_000, answer=10))
    assert run(asked(chain=plan.WHOLE), body(model="both"), answer(), chunk("0123456789", False)) == []
    headers, piece = run(chunk("a", False))
    assert isinstance(headers, ResponseHeadersReply)
    assert piece == ResponseChunk(b"0123456789a", False)
    assert run(chunk("b", False)) == [ResponseChunk(b"b", False)]
    assert run(chunk("c", True)) == [ResponseChunk(b"c", True)]


def test_a_large_answer_leaves_in_messages_that_envoy_takes():
    run = Run(limits=Limits(request=10_000, answer=5 << 20))
    headers, *pieces = run(
        asked(chain=plan.WHOLE), body(model="both"), answer(), chunk("x" * (2 << 20), False), chunk("y", True)
    )
    assert isinstance(headers, ResponseHeadersReply)
    assert [len(piece.body) for piece in pieces] == [1 << 20, 1 << 20, 1]
    assert [piece.end_of_stream for piece in pieces] == [False, False, True]


def test_an_answer_of_headers_only_is_over():
    run = Run()
    assert isinstance(run(asked(chain=plan.WHOLE), body(model="both"), answer(204, end=True))[0], ResponseHeadersReply)


# -- the end -----------------------------------------------------------------------------------------------------------


def test_an_attempt_that_is_given_up_says_so():
    run = Run()
    run(asked(), body(model="both"))
    entry = run.record(clean=False)
    assert (entry["outcome"], entry["status"], entry["upstream"]) == ("aborted", 0, "LLMProvider/first")


def test_nothing_was_asked_so_there_is_nothing_to_record():
    assert Run()(StreamClosed(clean=True)) == []


def test_trailers_of_a_request_are_answered():
    run = Run()
    assert run(asked(), body(model="both"), RequestTrailers({})) == [RequestTrailersReply()]


def test_a_bug_is_a_503_and_remembered_for_the_log():
    class Broken(Keyring):
        def inject(self, source, request):
            raise RuntimeError(SECRET)

    attempt = Attempt(several(), Broken(), LIMITS)
    attempt.on(asked(), WALL, 1.0)
    refused(attempt.on(body(model="both"), WALL, 2.0), Reason.INTERNAL_ERROR)
    assert isinstance(attempt.failure, RuntimeError)


def test_a_plan_forged_with_another_models_targets_finds_none():
    """Were one ever believed, it could still name nothing but what the Model has."""
    forged = msgspec.json.encode(plan.Plan("gr-1", "both", (("shady", "up-s", "openai-chat"),)))
    value = base64.urlsafe_b64encode(forged).decode()
    refused(Run()(asked(x_gatereeve_plan=value), body(model="both")), Reason.UPSTREAM_FAILED)
