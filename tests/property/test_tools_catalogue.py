"""Workers that learn, look and write in any order agree in the end: on the newest definition, and on how many there
were."""

import asyncio
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.adapters.tool_catalogue import ToolCatalogue

LEARN = st.tuples(st.just("learn"), st.integers(0, 2), st.sampled_from("abc"), st.integers(0, 3))
POLL = st.tuples(st.just("poll"), st.sets(st.integers(0, 2), min_size=1), st.none(), st.none())
START_ANEW = st.tuples(st.just("anew"), st.integers(0, 2), st.none(), st.none())


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


async def play(steps: list[Any], folder: Path) -> None:
    clock, newest, seen = Clock(), {}, defaultdict(set)

    def start() -> ToolCatalogue:
        return ToolCatalogue(lambda: ("crm",), folder, clock)

    async def settle() -> None:
        for _ in range(3):
            for worker in workers:
                await worker.poll()

    workers = [start() for _ in range(3)]
    for step, who, name, number in steps:
        if step == "learn":
            tool = {"name": name, "title": str(number)}
            workers[who].learn("crm", [tool])
            newest[name] = tool
            seen[name].add(number)
        elif step == "poll":
            await asyncio.gather(*(workers[number].poll() for number in who))
        else:
            await settle()  # a worker that dies before it wrote forgets: that is not claimed otherwise
            workers[who] = start()
    await settle()
    for worker in workers:
        for name in "abc":
            assert worker.definition("crm", name) == newest.get(name)
            assert worker.variants("crm", name) == len(seen[name])
    (before,) = {path.stat().st_ino for path in folder.iterdir()} or {0}
    await settle()
    assert before in {path.stat().st_ino for path in folder.iterdir()} or not before


@settings(max_examples=40)
@given(st.lists(st.one_of(LEARN, POLL, START_ANEW), max_size=25))
def test_all_agree_in_the_end_and_then_nobody_writes(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(steps, Path(folder)))
