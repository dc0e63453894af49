"""The plan in a header: what is written is read, and nothing else is one."""

import base64
import json
from functools import cache
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.policy.load import load
from extproc.policy.routing import leg_of
from extproc.policy.runtime import Failover, Policy
from extproc.session import plan


@cache
def several() -> Policy:
    return load(Path(__file__).parent / "several.yaml")


def legs(model: str = "both"):
    return tuple(leg for target in several().models[model].targets if (leg := leg_of(target, "openai-chat")))


def header(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


def test_what_is_encoded_is_decoded():
    read = plan.decode(plan.encode("gr-1", "both", legs()))
    assert read == plan.Plan(
        "gr-1", "both", (("first", "up-1", "openai-chat"), ("second", "up-2", "anthropic-messages"))
    )


def test_a_plan_holds_names_and_no_credential():
    said = base64.urlsafe_b64decode(plan.encode("gr-1", "both", legs())).decode()
    assert "KEY" not in said
    assert "example.com" not in said


def test_a_plan_is_one_header_value_whatever_a_model_is_called():
    written = msgspec.json.encode(plan.Plan("gr-1", "ü\r\nx-evil: 1", (("p", "模型", "openai-chat"),)))
    value = base64.urlsafe_b64encode(written).decode()
    assert value.isascii()
    assert value.isprintable()
    assert plan.decode(value) is not None


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="nothing"),
        pytest.param("%%%", id="no base64"),
        pytest.param("é", id="not ASCII"),
        pytest.param("a", id="a broken length"),
        pytest.param(header("text"), id="a text"),
        pytest.param(header({"id": "x", "model": "m", "targets": []}), id="an object"),
        pytest.param(header(["x"]), id="too few members"),
        pytest.param(header(["x", "m", "t"]), id="targets that are a text"),
        pytest.param(header(["x", "m", [["p", "m"]]]), id="a target without a dialect"),
        pytest.param(header(["x", "m", [["p", 1, "openai-chat"]]]), id="a number for a name"),
        pytest.param(header([None, "m", []]), id="no id"),
        pytest.param(header([1, "m", []]), id="a number for an id"),
        pytest.param(base64.urlsafe_b64encode(b'["x","m",[["\xff","m","d"]]]').decode(), id="no UTF-8"),
        pytest.param(header(["x", "m" * 40_000, []]), id="too long"),
        pytest.param(base64.urlsafe_b64encode(b"[" * 20_000).decode(), id="too deep"),
        pytest.param(header(["x", "m", []]) + ", " + header(["y", "m", []]), id="two headers, joined"),
    ],
)
def test_what_is_no_plan_is_none(value: str):
    assert plan.decode(value) is None


@given(st.text() | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_decoding_never_raises(value: str):
    read = plan.decode(value)
    assert read is None or isinstance(read, plan.Plan)


@given(st.text(), st.text(), st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=8))
def test_every_plan_of_eight_targets_survives(id: str, model: str, targets: list[tuple[str, str, str]]):
    made = plan.Plan(id, model, tuple(targets))
    try:
        value = base64.urlsafe_b64encode(msgspec.json.encode(made)).decode()
    except UnicodeEncodeError:
        return
    assert plan.decode(value) == made


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("1", 1), ("8", 8), ("10", 10), ("", 0), ("0", 0), ("-1", 0), ("+1", 0), ("1.0", 0), ("1, 2", 0),
        ("１", 0), ("²", 0), (" 1", 0), ("100", 0), ("1e1", 0), ("x", 0),
    ],
)  # fmt: skip
def test_the_number_of_an_attempt(value: str, number: int):
    assert plan.number(value) == number


def test_envoy_tries_once_per_further_target_and_waits_longer_than_the_attempt_does():
    said = dict(plan.retries(legs(), Failover(3, 2.0, (429, 408))))
    assert said == {
        "x-envoy-retry-on": "5xx,reset,connect-failure,retriable-status-codes",
        "x-envoy-retriable-status-codes": "429,408",
        "x-envoy-max-retries": "1",
        "x-envoy-upstream-rq-per-try-timeout-ms": "2250",
    }
    assert plan.first_byte(Failover(3, 2.0)) == (("x-envoy-upstream-rq-per-try-timeout-ms", "2000"),)


def test_without_a_limit_for_the_first_byte_envoy_is_told_none():
    assert plan.first_byte(Failover()) == ()
    assert plan.first_byte(Failover(), 1.0) == ()


def test_only_the_listeners_inside_have_attempts():
    assert plan.is_attempt({plan.CHAIN_ATTRIBUTE: "gatereeve_attempts"})
    assert plan.is_attempt({plan.CHAIN_ATTRIBUTE: "gatereeve_attempts_whole"})
    for chain in ("", "gateway", "gatereeve_attempts_", "GATEREEVE_ATTEMPTS", "gatereeve"):
        assert not plan.is_attempt({plan.CHAIN_ATTRIBUTE: chain})
    assert not plan.is_attempt({})
    assert not plan.is_attempt({"x-gatereeve-plan": "gatereeve_attempts"})
