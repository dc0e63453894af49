"""When a token is used, when it is asked for anew, and what is told when it cannot be had."""

from itertools import pairwise

import pytest
import structlog

from extproc.adapters.tokens import LONGEST_WAIT, MARGIN, Pace, Token, WarmToken
from extproc.errors import CredentialUnavailable, StartupError
from extproc.session.ports import Outgoing

REQUEST = Outgoing("POST", "https://h/", {}, b"")


class Cloud:
    """Gives numbered tokens, or raises."""

    def __init__(self):
        self.asked = 0
        self.error = None
        self.lifetime = 3600.0
        self.value = "a-token-{}"

    def __call__(self):
        self.asked += 1
        if self.error is not None:
            raise self.error
        return Token(self.value.format(self.asked), self.lifetime)


@pytest.fixture
def cloud():
    return Cloud()


@pytest.fixture
def warm(cloud, clock):
    return WarmToken("p", cloud, clock, lambda: 0.0)


def bearer(warm):
    found = warm.inject(REQUEST)
    return found and dict(found.headers)["authorization"].removeprefix("Bearer ")


def test_before_the_first_exchange_there_is_none(warm, clock):
    assert (bearer(warm), warm.ready, warm.problem) == (None, False, "not asked for yet")
    assert warm.due(clock.now)


def test_a_token_is_asked_for_ahead_of_its_end_and_used_until_the_new_one_comes(warm, cloud, clock):
    warm.load()
    assert (bearer(warm), warm.ready, warm.problem) == ("a-token-1", True, "")
    clock.now += 3299
    assert not warm.due(clock.now)
    clock.now += 1
    assert warm.due(clock.now)
    assert (bearer(warm), cloud.asked) == ("a-token-1", 1), "looking at it never asks"
    warm.load()
    assert (bearer(warm), warm.due(clock.now)) == ("a-token-2", False)


def test_when_an_exchange_fails_the_last_token_is_used_until_it_expires_and_not_longer(warm, cloud, clock):
    warm.load()
    cloud.error = CredentialUnavailable("the endpoint answered with status 503")
    clock.now += 3400
    warm.load()
    assert (bearer(warm), warm.ready, warm.problem) == ("a-token-1", True, "the endpoint answered with status 503")
    clock.now += 3600 - 3400 - MARGIN - 0.001
    assert warm.ready
    clock.now += 0.001
    assert (bearer(warm), warm.ready, warm.problem) == (None, False, "the endpoint answered with status 503")
    cloud.error = None
    warm.load()
    assert (bearer(warm), warm.ready, warm.problem) == ("a-token-3", True, "")


def test_a_token_that_nobody_renewed_in_time_is_not_used(warm, clock):
    warm.load()
    clock.now += 3600
    assert (bearer(warm), warm.ready, warm.problem) == (None, False, "it has expired")


def test_a_token_that_ended_while_the_machine_slept_is_not_used_and_asked_for_at_once(cloud, clock):
    wall = [1_800_000_000.0]
    warm = WarmToken("p", cloud, clock, lambda: 0.0, lambda: wall[0])
    warm.load()
    wall[0] += 3600  # the monotonic clock stood still
    assert (bearer(warm), warm.ready, warm.due(clock.now)) == (None, False, True)
    cloud.error = CredentialUnavailable("it is not there")
    warm.load()
    assert not warm.due(clock.now), "what fails is not asked for again at once"
    cloud.error = None
    warm.load()
    assert bearer(warm) == "a-token-3"


def test_its_life_begins_when_it_was_asked_for_and_not_when_the_answer_came(cloud, clock):
    def slow():
        clock.now += 30
        return cloud()

    warm = WarmToken("p", slow, clock, lambda: 0.0)
    asked = clock.now
    warm.load()
    clock.now = asked + 3600 - MARGIN - 1
    assert warm.ready
    clock.now += 1
    assert not warm.ready


@pytest.mark.parametrize("left", [299.0, 60.0, 12.0])
def test_an_old_token_from_a_cache_is_asked_for_again_at_half_of_its_life(warm, cloud, clock, left):
    cloud.lifetime = left
    warm.load()
    assert warm.ready
    assert not warm.due(clock.now + left / 2 - 0.1)
    assert warm.due(clock.now + left / 2)


@pytest.mark.parametrize("lifetime", [MARGIN, 0.0, -5.0, float("nan"), float("inf")])
def test_a_token_without_a_life_to_speak_of_is_none(warm, cloud, lifetime):
    cloud.lifetime = lifetime
    warm.load()
    assert (bearer(warm), warm.problem) == (None, "the token given had expired already")


@pytest.mark.parametrize("value", ["", "a b", "a\r\nx-admin: 1", "ä", "x" * 20_000, "a\x7f"])
def test_what_no_header_may_carry_is_no_token(warm, cloud, value):
    cloud.value = value
    warm.load()
    assert (bearer(warm), warm.problem) == (None, "the token given is not one")


def test_the_token_is_the_secret_of_the_answer(warm):
    warm.load()
    assert warm.inject(REQUEST).secret == b"a-token-1"
    assert warm.inject(REQUEST) is warm.inject(REQUEST)


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (CredentialUnavailable("it is not there"), "it is not there"),
        (StartupError("install gatereeve[gcp]"), "install gatereeve[gcp]"),
        (ValueError("leak"), "the token cannot be fetched (ValueError)"),
        (KeyError("leak"), "the token cannot be fetched (KeyError)"),
    ],
)
def test_whatever_goes_wrong_is_a_problem_said_once_and_never_quoted(warm, cloud, error, problem):
    cloud.error = error
    with structlog.testing.capture_logs() as logs:
        warm.load()
        warm.load()
    assert (warm.problem, len(logs), logs[0]["problem"]) == (problem, 1, problem)
    assert "leak" not in str(logs)


def test_no_token_is_in_a_repr_or_a_log(warm, cloud):
    cloud.error = CredentialUnavailable("x")
    with structlog.testing.capture_logs() as logs:
        warm.load()
        cloud.error = None
        warm.load()
    assert [entry["event"] for entry in logs] == ["token unavailable", "token fetched"]
    assert "a-token" not in str(logs) + repr(warm) + repr(warm._held) + repr(Token("a-token", 1.0))


@pytest.mark.parametrize("chance", [0.0, 0.999])
def test_attempts_that_fail_come_ever_later_within_a_bound_and_not_all_together(chance):
    pace, now, waits = Pace(lambda: chance), 0.0, []
    for _ in range(12):
        pace.failed(now)
        wait = next(w for w in (step / 100 for step in range(100 * 61)) if pace.due(now + w))
        waits.append(wait)
        now += wait
    assert all(after >= before - 0.02 for before, after in pairwise(waits))
    assert waits[0] == pytest.approx((1 + chance) / 2, abs=0.02)
    assert waits[-1] == pytest.approx(LONGEST_WAIT * (1 + chance) / 2, abs=0.1)
    pace.succeeded(now, 100.0, 20.0)
    assert (pace.due(now + 79.9), pace.due(now + 100.0)) == (False, True)
    pace.failed(now)
    assert pace.due(now + 1.0), "after a success it begins anew"
