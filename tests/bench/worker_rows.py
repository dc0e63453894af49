"""The real worker process against the canned echo, both driven over a Unix socket by the same client playing Envoy.

CPU is of the processor process only, all its threads. The two take turns, round by round, and the ratio is the median
of the rounds' ratios: whatever else the machine does hits both.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import msgspec

from tests.bench import processes, world
from tests.bench.processes import Process
from tests.bench.report import Row
from tests.bench.session_rows import STREAM

SECTION = "2. Worker process against a canned grpcio echo (gRPC over a Unix socket, 16 exchanges at a time)"


def rows(folder: Path, caller: world.Caller, *, quick: bool = False) -> Iterator[Row]:
    with ExitStack() as stack:
        policy = world.write_policy(folder / "policy", 1_000, caller)
        made, socket = processes.worker(folder, policy)
        stack.enter_context(made)
        yardstick = stack.enter_context(processes.python("echo", "tests.bench.echo", f"unix:{folder / 'echo.sock'}"))
        driver = stack.enter_context(processes.python("driver", "tests.bench.driver", commanded=True))
        made.wait_for(socket)
        yardstick.wait_for(folder / "echo.sock")
        pair = {"echo": (yardstick, folder / "echo.sock"), "governed": (made, socket)}

        chat = _exchange(folder / "chat.bin", world.chat_exchange(caller.token))
        cpu = _compare(driver, pair, chat, 400 if quick else 1_500, 3 if quick else 7)
        yield Row(SECTION, "canned grpcio aio + uvloop echo, CPU per exchange", median(cpu["echo"]))
        yield Row(SECTION, "governed chat, two secrets masked, CPU per exchange", median(cpu["governed"]), budget=150,
                  note="design's figure, to be met by the lean server")  # fmt: skip
        yield Row(SECTION, "governed / echo, two secrets masked", _ratio(cpu), "x", budget=1.5)
        plain = _exchange(folder / "plain.bin", world.chat_exchange(caller.token, secrets=""))
        cpu = _compare(driver, pair, plain, 400 if quick else 1_500, 3 if quick else 7)
        yield Row(SECTION, "governed chat, nothing to mask, CPU per exchange", median(cpu["governed"]))
        yield Row(SECTION, "governed / echo, nothing to mask", _ratio(cpu), "x", budget=1.5)
        yield Row(SECTION, "worker's memory after this", made.memory() / 1e6, "MB")

        events = 100
        stream = _exchange(folder / "stream.bin", world.stream_exchange(caller.token, events))
        cpu = _compare(driver, pair, stream, 40 if quick else 120, 3 if quick else 5)
        short = _exchange(folder / "short.bin", world.stream_exchange(caller.token, 0))
        base = _compare(driver, pair, short, 200 if quick else 600, 3)
        echo, governed = ((median(cpu[n]) - median(base[n])) / events for n in ("echo", "governed"))
        yield Row(STREAM, "gRPC: echo, CPU per event", echo, note="100 events per stream")
        yield Row(STREAM, "gRPC: governed and masked, CPU per event", governed)
        yield Row(STREAM, "gRPC: governed - echo, CPU per event", governed - echo, budget=20)


def _ratio(cpu: dict[str, list[float]]) -> float:
    return median(g / e for g, e in zip(cpu["governed"], cpu["echo"], strict=True))


def _exchange(path: Path, messages: list[object]) -> Path:
    path.write_bytes(msgspec.msgpack.encode([message.SerializeToString() for message in messages]))
    return path


def _compare(driver: Process, pair: dict[str, tuple[Process, Path]], exchange: Path, count: int,
             rounds: int) -> dict[str, list[float]]:  # fmt: skip
    """µs of CPU per exchange of each side, one figure a round; the first round warms and is not counted."""
    figures: dict[str, list[float]] = {name: [] for name in pair}
    answers: dict[str, float] = {}
    for number in range(rounds + 1):
        for name, (process, socket) in pair.items():
            before = process.cpu()
            result = driver.ask(address=f"unix:{socket}", exchange=str(exchange), count=count, streams=16)
            answers[name] = result["answers"]
            if number:
                figures[name].append((process.cpu() - before) / count * 1e6)
    if min(answers.values()) < 2:  # a refusal is one answer: that would be another race
        raise RuntimeError(f"an exchange was not answered in full: {answers}")
    return figures
