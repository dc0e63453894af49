"""What /readyz says: ready or not, and the detail that tells an operator why."""

from typing import Any

from extproc.supervisor.workers import WorkerState


def readiness(states: list[WorkerState], envoy_live: bool | None) -> tuple[bool, dict[str, Any]]:
    """Ready when at least one worker serves and Envoy (if it is ours; None if not) is up. A policy that failed to
    reload does not make the gateway unready, since the last good one serves; it is named here and in `/metrics`."""
    workers = [
        {"index": state.index, "pid": state.pid, "alive": state.alive, "restarts": state.restarts, **_shown(state)}
        for state in states
    ]
    serving = any(state.alive and state.detail.get("serving") for state in states)
    problems = sorted({p for state in states for p in state.detail.get("policy", {}).get("problems", ())})
    detail: dict[str, Any] = {"workers": workers, "policy_problems": problems}
    if envoy_live is not None:
        detail["envoy"] = "live" if envoy_live else "not live"
    return serving and envoy_live is not False, detail


def _shown(state: WorkerState) -> dict[str, Any]:
    return {key: value for key, value in state.detail.items() if key not in ("event", "worker", "pid")}
