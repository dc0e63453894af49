"""The rooms' own figures, measured by their own scripts beside this file and shown as rows.

Alone, those scripts look at the wall clock; here they get the thread's CPU clock, because a machine that does other
things as well would otherwise double them.
"""

import time
import timeit
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import ModuleType, SimpleNamespace

from tests.bench import (
    bench_arguments,
    bench_exchange,
    bench_identity,
    bench_masking,
    bench_mcp,
    bench_policy,
    bench_screening,
    bench_translation,
)
from tests.bench.report import Row

SECTION = "6. The rooms alone"
_LESS_OFTEN = 10  # the scripts measure for themselves thoroughly; among all the others a tenth of it is enough


def rows() -> Iterator[Row]:
    with _cpu_clock(bench_masking, bench_exchange, bench_identity, bench_policy, bench_screening):
        yield from _measured()


@contextmanager
def _cpu_clock(*scripts: ModuleType) -> Iterator[None]:
    """While it lasts, the scripts' `time` and `timeit` measure CPU time."""
    clock = SimpleNamespace(**{**vars(time), "perf_counter": time.thread_time})
    stopwatch = SimpleNamespace(repeat=partial(timeit.repeat, timer=time.thread_time))
    before = [(script, name, value) for script in scripts for name, value in vars(script).items()
              if value is time or value is timeit]  # fmt: skip
    for script, name, value in before:
        setattr(script, name, clock if value is time else stopwatch)
    try:
        yield
    finally:
        for script, name, value in before:
            setattr(script, name, value)


def _measured() -> Iterator[Row]:
    for name, value in bench_masking.figures().items():
        yield Row(SECTION, f"masking: {name}", value)
    yield from _exchange()
    for name, value, target in bench_translation.rows():
        yield Row(SECTION, f"translation: {name}", value, budget=target)
    for name, value, target in bench_mcp.rows():
        yield Row(SECTION, f"mcp: {name}", value, budget=target)
    for name, value, target in bench_arguments.rows():
        yield Row(SECTION, f"arguments: {name}", value, budget=target)
    for name, value in {**bench_identity.tokens(), **bench_identity.beside()}.items():
        yield Row(SECTION, f"identity and adapters: {name}", value)
    for name, value, target in bench_screening.rows():
        yield Row(SECTION, f"screening: {name}", value, budget=target)
    for name, value, target in bench_policy.rows():
        yield Row(SECTION, f"policy: {name}", value, budget=target)


def _exchange() -> Iterator[Row]:
    """That script prints as it measures: its `measure` is replaced by one that keeps."""
    found: list[Row] = []
    printing = bench_exchange.measure

    def measure(label: str, call, budget: float | None = None, number: int = 20_000) -> None:
        call()
        best = min(bench_exchange.timeit.repeat(call, number=number // _LESS_OFTEN, repeat=5))
        found.append(Row(SECTION, f"exchange: {label}", best / (number // _LESS_OFTEN) * 1e6, budget=budget))

    bench_exchange.measure = measure
    try:
        bench_exchange.main()
    finally:
        bench_exchange.measure = printing
    yield from found
