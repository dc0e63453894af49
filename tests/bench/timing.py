"""How a short step is timed: CPU time of this thread, best of several rounds, so that a neighbour disturbs little."""

import gc
import time
from collections.abc import Callable


def best_us(step: Callable[[], object], rounds: int = 9, seconds: float = 0.06) -> float:
    """Microseconds of CPU per call of `step`. The collector runs as in production."""
    step()
    begin = time.perf_counter()
    step()
    times = max(1, int(seconds / max(time.perf_counter() - begin, 1e-7)))
    gc.collect()
    best = float("inf")
    for _ in range(rounds):
        start = time.thread_time_ns()
        for _ in range(times):
            step()
        best = min(best, (time.thread_time_ns() - start) / times / 1000)
    return best


def interleaved_us(steps: dict[str, Callable[[], object]], rounds: int = 9, seconds: float = 0.06) -> dict[str, float]:
    """The same for several steps, one round of each in turn, for when their ratio matters."""
    best = dict.fromkeys(steps, float("inf"))
    for _ in range(rounds):
        for name, step in steps.items():
            best[name] = min(best[name], best_us(step, 1, seconds))
    return best
