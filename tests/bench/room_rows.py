"""The rooms' own figures, measured by their own scripts beside this file and shown as rows."""

from collections.abc import Iterator

from tests.bench import bench_exchange, bench_identity, bench_masking, bench_mcp, bench_policy
from tests.bench.report import Row

SECTION = "6. The rooms alone"
_LESS_OFTEN = 10  # the scripts measure for themselves thoroughly; among all the others a tenth of it is enough


def rows() -> Iterator[Row]:
    for name, value in bench_masking.figures().items():
        yield Row(SECTION, f"masking: {name}", value)
    yield from _exchange()
    for name, value, target in bench_mcp.rows():
        yield Row(SECTION, f"mcp: {name}", value, budget=target)
    for name, value in {**bench_identity.tokens(), **bench_identity.beside()}.items():
        yield Row(SECTION, f"identity and adapters: {name}", value)
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
