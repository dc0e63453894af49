"""A call with several targets, as the gateway's own session has it: what it keeps while attempts run, and how it reads
the answer of the one that served."""

import json
from base64 import urlsafe_b64encode
from functools import cache
from pathlib import Path

import pytest

from extproc.policy.load import load
from extproc.policy.runtime import Policy
from extproc.session import plan
from extproc.session.actions import RequestBodyReply, Respond, ResponseChunk, ResponseHeadersReply
from extproc.session.attempt import Attempt
from extproc.session.events import RequestBody, RequestHeaders, ResponseBody, ResponseHeaders
from extproc.session.session import Session
from tests.unit.session.transcript import CARD, LIMITS, WALL, Keyring, body, request, session

OTHERS = "token-of-another-worker-0123456789"
MASKS = """
---
apiVersion: gatereeve.dev/v1alpha1
kind: MaskProfile
metadata: {name: all}
spec: {rules: ["*"]}
---
apiVersion: gatereeve.dev/v1alpha1
kind: AgentPolicy
metadata: {name: careful}
spec: {subjects: [{groups: [careful]}], models: {allow: ["*"]}, masking: all}
"""


@cache
def several() -> Policy:
    return load(Path(__file__).parent / "several.yaml")


@pytest.fixture(scope="module")
def masking(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    path = tmp_path_factory.mktemp("policy") / "policy.yaml"
    path.write_text((Path(__file__).parent / "several.yaml").read_text() + MASKS)
    return load(path)


def served(number: int, kind: str = "application/json", **more: str) -> ResponseHeaders:
    headers = {":status": "200", "content-type": kind, plan.OUTCOME: plan.SERVED}
    headers |= {name.replace("_", "-"): value for name, value in more.items()}
    return ResponseHeaders(
        headers, False, {"response.code_details": "via_upstream", plan.ATTEMPTS_ATTRIBUTE: str(number)}
    )


def run(made: Session, *events: object) -> list[object]:
    actions: list[object] = []
    for event in events:
        actions += made.on(event, WALL, 100.0)
        assert made.failure is None
    return actions


def written(actions: list[object]) -> str:
    return b"".join(action.body for action in actions if isinstance(action, ResponseChunk)).decode()


def message(*texts: str) -> bytes:
    blocks = [{"type": "text", "text": text} for text in texts]
    return json.dumps(
        {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": blocks,
         "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}
    ).encode()  # fmt: skip


def events(*texts: str) -> bytes:
    """A stream in which each text is a content block of its own."""
    start = {**json.loads(message()), "stop_reason": None}
    said: list[dict[str, object]] = [{"type": "message_start", "message": start}]
    for place, text in enumerate(texts):
        block = {"index": place}
        said += [
            {"type": "content_block_start", **block, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", **block, "delta": {"type": "text_delta", "text": text}},
            {"type": "content_block_stop", **block},
        ]
    said += [
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"},
    ]
    return b"".join(b"event: %s\ndata: %s\n\n" % (str(e["type"]).encode(), json.dumps(e).encode()) for e in said)


# -- the credential ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 2])
def test_the_credential_of_an_attempt_is_hidden_whichever_worker_injected_it(number: int):
    """Each worker fetches tokens of its own: what the session would inject is not what the attempt did."""
    made = session(policy=several)
    run(made, request("/v1/chat/completions"), body(model="both"))
    used = urlsafe_b64encode(OTHERS.encode()).decode()
    said = message(f"you are {OTHERS}") if number == 2 else json.dumps({"error": OTHERS}).encode()
    actions = run(made, served(number, x_gatereeve_injected=used), ResponseBody(said, True))
    assert "[masked:credential]" in written(actions)
    assert OTHERS not in repr([(a.set, a.remove) for a in actions if isinstance(a, ResponseHeadersReply)])
    assert OTHERS not in written(actions)


def test_the_credential_of_an_attempt_does_not_reach_the_client():
    made = session(policy=several)
    run(made, request("/v1/chat/completions"), body(model="both"))
    used = urlsafe_b64encode(OTHERS.encode()).decode()
    (reply,) = run(made, served(1, x_gatereeve_injected=used))
    assert isinstance(reply, ResponseHeadersReply)
    assert plan.INJECTED in reply.remove


def test_what_is_no_credential_of_an_attempt_is_refused():
    made = session(policy=several)
    made.on(request("/v1/chat/completions"), WALL, 100.0)
    made.on(body(model="both"), WALL, 100.0)
    (answer,) = made.on(served(1, x_gatereeve_injected="%%"), WALL, 100.0)
    assert isinstance(answer, Respond)
    assert answer.rendered.status == 500


# -- what waits --------------------------------------------------------------------------------------------------------


LARGE = "x" * 5_000


def test_neither_half_keeps_the_prompt_while_it_waits_for_an_answer():
    made = session(policy=several)
    messages = [{"role": "user", "content": LARGE}]
    actions = run(made, request("/v1/chat/completions"), body(model="both", messages=messages))
    reply = actions[-1]
    assert isinstance(reply, RequestBodyReply)
    assert reply.body is not None
    judged = made._judged  # what it holds is the point
    assert judged is not None
    cells = [cell.cell_contents for cell in judged.served.__closure__ or ()]
    assert not [cell for cell in cells if isinstance(cell, bytes) and LARGE.encode() in cell]

    attempt = Attempt(several(), Keyring(), LIMITS)
    headers = {":method": "POST", ":path": "/v1/chat/completions", plan.COUNT: "1", **dict(reply.set)}
    attempt.on(RequestHeaders(headers, False, {plan.CHAIN_ATTRIBUTE: plan.STREAMED}), WALL, 100.0)
    (sent,) = attempt.on(RequestBody(reply.body, True), WALL, 100.0)
    assert isinstance(sent, RequestBodyReply)
    kept = [getattr(attempt, name) for name in Attempt.__slots__]
    assert not [value for value in kept if getattr(value, "reply", None) is not None], "the body and the credential"


# -- masking -----------------------------------------------------------------------------------------------------------

HALVES = (f"card {CARD[:10]}", f"{CARD[10:]} end")


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        pytest.param("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}, id="chat"),
        pytest.param("/v1/responses", {"input": "hi"}, id="responses"),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_what_a_translation_joins_is_masked_as_the_client_reads_it(
    masking: Policy, path: str, asked: dict[str, object], stream: bool
):
    """Neither of two content blocks holds a card, and the one string that a client of another API gets does."""
    made = session(policy=masking)
    run(made, request(path, group="careful"), body({"model": "both", "stream": stream, **asked}))
    said = events(*HALVES) if stream else message(*HALVES)
    kind = "text/event-stream" if stream else "application/json"
    whole = written(run(made, served(2, kind), ResponseBody(said, True)))
    assert "end" in whole
    assert CARD[10:] not in whole, "the second half"


def test_masking_twice_changes_nothing_else(masking: Policy):
    made = session(policy=masking)
    run(made, request("/v1/chat/completions", group="careful"), body(model="both"))
    text = f"mail joe@example.com, {CARD}, and 12 words of prose"
    whole = written(run(made, served(2), ResponseBody(message(text), True)))
    said = json.loads(whole)["choices"][0]["message"]["content"]
    assert said == "mail [masked:email], [masked:card], and 12 words of prose"


def test_an_empty_success_is_no_answer_in_another_api():
    made = session(policy=several)
    run(made, request("/v1/chat/completions"), body(model="both"))
    event = served(2)
    (answer,) = run(made, ResponseHeaders(event.headers, True, event.attributes))
    assert isinstance(answer, Respond)
    assert (answer.rendered.status, b"answer-unreadable" in answer.rendered.body) == (502, True)
