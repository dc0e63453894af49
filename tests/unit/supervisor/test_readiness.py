"""Readiness is one worker that serves behind a live Envoy; everything else is detail."""

import pytest

from extproc.supervisor.readiness import readiness
from extproc.supervisor.workers import WorkerState


def worker(index=0, *, alive=True, serving=True, problems=()):
    policy = {"version": "v1", "problems": list(problems)}
    return WorkerState(index, 100 + index, alive, 0, {"event": "x", "pid": 9, "serving": serving, "policy": policy})


@pytest.mark.parametrize(
    ("workers", "envoy", "expected"),
    [
        pytest.param([worker()], True, True, id="a worker and Envoy"),
        pytest.param([worker()], None, True, id="a worker, Envoy is not ours"),
        pytest.param([worker()], False, False, id="a worker without Envoy"),
        pytest.param([worker(), worker(1, alive=False)], True, True, id="one of two workers"),
        pytest.param([worker(alive=False)], True, False, id="a dead worker that said it serves"),
        pytest.param([worker(serving=False)], True, False, id="a worker that drains"),
        pytest.param([WorkerState(0)], True, False, id="a worker that has not reported"),
        pytest.param([], True, False, id="no worker"),
    ],
)
def test_ready(workers, envoy, expected):
    assert readiness(workers, envoy)[0] is expected


def test_a_bad_policy_is_shown_once_and_does_not_make_the_gateway_unready():
    ready, detail = readiness([worker(problems=["a.yaml:1: bad"]), worker(1, problems=["a.yaml:1: bad"])], True)
    assert ready
    assert detail["policy_problems"] == ["a.yaml:1: bad"]
    assert [w["pid"] for w in detail["workers"]] == [100, 101]
