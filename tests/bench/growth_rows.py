"""What grows with what: policy documents must cost nothing, bodies and lists a constant per byte."""

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

from extproc.serve import Worker
from extproc.session.actions import Record
from extproc.session.events import StreamClosed
from extproc.wire.decode import decode
from tests.bench import world
from tests.bench.report import Row
from tests.bench.session_rows import exchange, worker
from tests.bench.timing import best_us, interleaved_us

SECTION = "5. Growth (session step)"
_STREAMS = 2_000


def rows(folder: Path, caller: world.Caller, *, quick: bool = False) -> Iterator[Row]:
    most = 1_000 if quick else 10_000
    with worker(folder, 10, caller) as few:
        begin = time.perf_counter()
        with worker(folder, most, caller) as many:
            loaded = time.perf_counter() - begin
            messages = world.chat_exchange(caller.token)
            costs = interleaved_us({"few": exchange(few, messages), "many": exchange(many, messages)})
            note = f"{costs['few']:.0f} -> {costs['many']:.0f} µs; {most:,} load in {loaded:.1f} s"
            yield Row(SECTION, f"policy documents 10 -> {most:,}: cost per exchange", costs["many"] / costs["few"], "x",
                      budget=1.2, note=note)  # fmt: skip
        yield from _bodies(few, caller, 1 << 18 if quick else 1 << 20)
        yield from _lists(few, caller)
        yield _streams(few, caller)


def _bodies(made: Worker, caller: world.Caller, largest: int) -> Iterator[Row]:
    sizes = (1 << 10, 1 << 14, largest)
    per_kib = []
    for size in sizes:
        cost = best_us(exchange(made, world.chat_exchange(caller.token, size)), rounds=5)
        per_kib.append(cost / (size / 1024))
        yield Row(SECTION, f"request and answer of {size >> 10:,} KiB each: per exchange", cost)
    yield Row(SECTION, f"per KiB, {sizes[-1] >> 10:,} KiB against 16 KiB (1: linear)", per_kib[-1] / per_kib[1], "x",
              budget=1.2)  # fmt: skip


def _lists(made: Worker, caller: world.Caller) -> Iterator[Row]:
    per_tool = []
    for count in (10, 1_000):
        step = _listing(made, world.tools_exchange(caller.token, count))
        cost = best_us(step, rounds=5)
        per_tool.append(cost / count)
        yield Row(SECTION, f"tools/list of {count:,}, filtered and masked: per exchange", cost)
    yield Row(SECTION, "per tool, 1,000 against 10 (below 1: the fixed part spreads)", per_tool[1] / per_tool[0], "x",
              budget=1.2)  # fmt: skip


def _listing(made: Worker, messages: list[object]) -> Callable[[], object]:
    events = [*(decode(message) for message in messages), StreamClosed(clean=True)]
    wall, mono = time.time(), time.monotonic()

    def step() -> list[object]:
        session = made.open(None)
        out: list[object] = []
        for event in events:
            out += session.on(event, wall, mono)
        return out

    last = step()[-1]
    assert isinstance(last, Record)
    assert last.entry["verdict"] == "allow", last.entry
    return step


def _streams(made: Worker, caller: world.Caller) -> Row:
    """Python's memory of sessions in the middle of a masked stream, what gRPC keeps per stream not included."""
    messages = world.stream_exchange(caller.token, 5)[:-2]
    wall, mono = time.time(), time.monotonic()
    raw = [message.SerializeToString() for message in messages]
    parse = type(messages[0]).FromString
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    sessions = []
    for _ in range(_STREAMS):
        session = made.open(None)
        for data in raw:
            session.on(decode(parse(data)), wall, mono)
        sessions.append(session)
    gc.collect()
    each = (tracemalloc.get_traced_memory()[0] - before) / _STREAMS / 1024
    tracemalloc.stop()
    return Row(SECTION, f"memory per open masked stream ({_STREAMS:,} open)", each, "KiB", budget=64)
