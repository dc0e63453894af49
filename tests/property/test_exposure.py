"""The shared memory of exposure against a dict: never lower; and higher only by less than a second, or in a bucket
that is full."""

import tempfile
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.adapters import exposure
from extproc.adapters.exposure import SharedExposure

START = 1_800_000_000.0
STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),  # the worker
        st.integers(0, 30),  # the caller
        st.integers(0, 3),  # the level
        st.one_of(st.just(0.0), st.floats(0, 200)),  # seconds that pass before
        st.floats(0, 300),  # seconds it counts for
        st.booleans(),  # whether the worker is started anew
    ),
    max_size=60,
)


class Model:
    def __init__(self) -> None:
        self.until: dict[tuple[int, int], float] = {}

    def touched(self, caller: int, level: int, wall: float, ttl: float) -> None:
        self.until[caller, level] = max(self.until.get((caller, level), 0), wall + ttl)

    def level(self, caller: int, wall: float) -> int:
        return max((level for level in (1, 2, 3) if self.until.get((caller, level), 0) > wall), default=0)


def play(steps: list[tuple[int, int, int, float, float, bool]], buckets: int, *, exact: bool) -> None:
    size = exposure._PAGE + buckets * exposure._BUCKET
    with patch.multiple(exposure, BUCKETS=buckets, _SIZE=size), tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "seen")
        workers = [SharedExposure(path) for _ in range(3)]
        model, wall = Model(), START
        for worker, caller, level, passed, ttl, anew in steps:
            wall += passed
            if anew:
                workers[worker].close()
                workers[worker] = SharedExposure(path)
            workers[worker].touched(b"%d" % caller, level, wall, ttl)
            model.touched(caller, level, wall, ttl)
            for reader, asked in ((0, caller), (1, caller), (2, (caller + 1) % 31)):
                found = workers[reader].level(b"%d" % asked, wall)
                assert found >= model.level(asked, wall)
                if exact:
                    assert found <= model.level(asked, wall - 1)
        for asked in range(31):
            assert workers[0].level(b"%d" % asked, wall) >= model.level(asked, wall)
        for worker in workers:
            worker.close()


@settings(deadline=None, max_examples=60)
@given(STEPS)
def test_with_room_it_is_a_dict(steps: list[tuple[int, int, int, float, float, bool]]) -> None:
    play(steps, 256, exact=True)


@settings(deadline=None, max_examples=60)
@given(STEPS)
def test_without_room_it_is_never_lower(steps: list[tuple[int, int, int, float, float, bool]]) -> None:
    lane = 2 * 16  # two places
    with patch.multiple(exposure, WAYS=2, _LANE=lane, _BUCKET=exposure.LANES * (exposure._FLOOR + lane)):
        play(steps, 1, exact=False)
