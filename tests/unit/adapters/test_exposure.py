"""What callers have seen: remembered by all processes of a host, and never less than it was."""

import os
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from extproc.adapters import exposure
from extproc.adapters.exposure import MemoryExposure, SharedExposure
from extproc.errors import StartupError

KEY = b"corp\0ada@example.com"
NOW = 1_800_000_000.0
MAKERS = [
    pytest.param(lambda path: SharedExposure(path), id="shared"),
    pytest.param(lambda path: MemoryExposure(), id="in memory"),
]


@pytest.mark.parametrize("make", MAKERS)
def test_a_level_counts_until_it_expires_and_the_highest_of_them_counts(make: Callable, tmp_path: Path) -> None:
    memory = make(tmp_path / "seen")
    assert memory.level(KEY, NOW) == 0
    memory.touched(KEY, 3, NOW, 60)
    memory.touched(KEY, 1, NOW, 3600)
    assert memory.level(b"somebody else", NOW) == 0
    assert [memory.level(KEY, NOW + after) for after in (0, 59.9, 60, 3599, 3600)] == [3, 3, 1, 1, 0]


@pytest.mark.parametrize("make", MAKERS)
def test_seen_again_lasts_longer_and_never_shorter(make: Callable, tmp_path: Path) -> None:
    memory = make(tmp_path / "seen")
    memory.touched(KEY, 2, NOW, 100)
    memory.touched(KEY, 2, NOW, 50)
    assert memory.level(KEY, NOW + 99) == 2
    memory.touched(KEY, 2, NOW + 60, 100)
    assert memory.level(KEY, NOW + 159) == 2
    assert memory.level(KEY, NOW + 160) == 0


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(
    ("level", "ttl", "seen"),
    [
        pytest.param(0, 60, 0, id="public data is nothing to remember"),
        pytest.param(2, 0, 0, id="for no time"),
        pytest.param(9, 60, 3, id="a level above all is the highest"),
        pytest.param(2, 1e300, 2, id="for ever"),
    ],
)
def test_edges(make: Callable, tmp_path: Path, level: int, ttl: float, seen: int) -> None:
    memory = make(tmp_path / "seen")
    memory.touched(KEY, level, NOW, ttl)
    assert memory.level(KEY, NOW) == seen


def test_memory_forgets_what_has_expired() -> None:
    memory = MemoryExposure()
    for number in range(10_000):
        memory.touched(b"%d" % number, 1, NOW + number, 10)
    assert len(memory._until) < 2_000
    assert memory.level(b"9999", NOW + 10_000) == 1


def test_every_worker_sees_what_one_has_written_and_a_restart_forgets_nothing(tmp_path: Path) -> None:
    first, second = SharedExposure(tmp_path / "seen"), SharedExposure(tmp_path / "seen")
    first.touched(KEY, 2, NOW, 3600)
    second.touched(KEY, 3, NOW, 60)
    assert (first.level(KEY, NOW), second.level(KEY, NOW)) == (3, 3)
    first.close()
    second.close()
    with capture_logs() as logs:
        third = SharedExposure(tmp_path / "seen")
    assert logs == []
    assert third.level(KEY, NOW + 61) == 2


def test_the_file_is_the_user_s_alone_and_names_nobody(tmp_path: Path) -> None:
    memory = SharedExposure(tmp_path / "seen")
    memory.touched(KEY, 2, NOW, 3600)
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert b"ada" not in file.read_bytes()
    other = SharedExposure(tmp_path / "other")
    assert other._place(KEY) != memory._place(KEY)


def test_a_lane_is_free_again_when_its_process_is_gone(tmp_path: Path) -> None:
    memories = [SharedExposure(tmp_path / "seen") for _ in range(3)]
    assert [memory._lane for memory in memories] == [0, 1, 2]
    memories[1].close()
    assert SharedExposure(tmp_path / "seen")._lane == 1


def test_more_processes_than_lanes_are_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposure, "LANES", 0)
    monkeypatch.setattr(exposure, "_problem", lambda file: "")
    (tmp_path / "seen").write_bytes(bytes(exposure._SIZE))
    with pytest.raises(StartupError, match="already"):
        SharedExposure(tmp_path / "seen")


def crowd(memory: SharedExposure, count: int) -> list[bytes]:
    """Callers of one bucket."""
    keys, at = [KEY], memory._place(KEY)[0]
    number = 0
    while len(keys) < count:
        key = b"%d" % number
        if memory._place(key)[0] == at:
            keys.append(key)
        number += 1
    return keys


def test_a_full_bucket_raises_everybody_in_it_and_lowers_nobody(tmp_path: Path) -> None:
    memory = SharedExposure(tmp_path / "seen")
    *keys, late, innocent = crowd(memory, exposure.WAYS + 2)
    for key in keys:
        memory.touched(key, 1, NOW, 3600)
    assert memory.level(innocent, NOW) == 0
    memory.touched(late, 2, NOW, 100)
    assert [memory.level(key, NOW) for key in (*keys, late, innocent)] == [2] * (exposure.WAYS + 2)
    assert [memory.level(key, NOW + 100) for key in (*keys, late, innocent)] == [1] * exposure.WAYS + [0, 0]
    assert (
        memory.level(next(b"x%d" % n for n in range(99) if memory._place(b"x%d" % n)[0] != memory._place(KEY)[0]), NOW)
        == 0
    )


def test_the_place_of_an_expired_entry_is_taken_again(tmp_path: Path) -> None:
    memory = SharedExposure(tmp_path / "seen")
    *keys, late, innocent = crowd(memory, exposure.WAYS + 2)
    for key in keys:
        memory.touched(key, 1, NOW, 10)
    memory.touched(late, 2, NOW + 100, 3600)
    assert memory.level(late, NOW + 100) == 2
    assert memory.level(innocent, NOW + 100) == 0


@pytest.mark.parametrize("byte", range(8))
def test_an_expiry_that_is_half_written_counts(tmp_path: Path, byte: int) -> None:
    memory = SharedExposure(tmp_path / "seen")
    memory.touched(KEY, 2, NOW - 5_000, 3600)
    assert memory.level(KEY, NOW) == 0
    bucket, plain = memory._place(KEY)
    at = memory._map.find((plain | 2).to_bytes(8, sys.byteorder), bucket) + 8 * exposure.WAYS
    memory._map[at + byte] ^= 0x55
    assert memory.level(KEY, NOW) == 2
    memory.touched(KEY, 2, NOW, 10)
    assert memory.level(KEY, NOW + 10) == 0


def foreign(path: Path) -> None:
    path.write_bytes(b"something else")
    path.chmod(0o600)


def damaged(path: Path) -> None:
    SharedExposure(path).close()
    with path.open("r+b") as file:
        file.seek(40)
        file.write(b"??")


def cut(path: Path) -> None:
    SharedExposure(path).close()
    os.truncate(path, exposure._SIZE - 4096)


def readable(path: Path) -> None:
    SharedExposure(path).close()
    path.chmod(0o644)


def link(path: Path) -> None:
    SharedExposure(path.with_name("elsewhere")).close()
    path.symlink_to(path.with_name("elsewhere"))


def pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize("spoil", [foreign, damaged, cut, readable, link, pipe], ids=lambda spoil: spoil.__name__)
def test_a_file_that_is_not_ours_gives_way_loudly(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "seen"
    spoil(path)
    with capture_logs() as logs:
        memory = SharedExposure(path)
    assert [(log["event"], log["log_level"]) for log in logs] == [("exposures forgotten", "error")]
    memory.touched(KEY, 2, NOW, 60)
    assert SharedExposure(path).level(KEY, NOW) == 2
    assert path.stat().st_size == exposure._SIZE


@pytest.mark.parametrize("path", ["missing/seen", "/proc/seen"])
def test_a_folder_that_cannot_be_written_stops_the_start(path: str, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="must be writable"):
        SharedExposure(tmp_path / path)


WRITER = """
    import sys
    from extproc.adapters.exposure import SharedExposure
    memory, number = SharedExposure(sys.argv[1]), int(sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
    for round in range(300):
        for caller in range(40):
            memory.touched(b"%d" % caller, 1 + (caller + number + round) % 3, 1000.0 + round, 100.0 + 50 * number)
            wanted = 1 + (caller + number + round) % 3
            if memory.level(b"%d" % caller, 1000.0 + round) < wanted:
                sys.exit("lower than it was written")
    print("done", flush=True)
    sys.stdin.readline()
"""


def test_processes_that_write_the_same_callers_at_once_lose_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path / "seen")]
    workers = [
        subprocess.Popen([*command, str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd())
        for n in range(4)
    ]
    try:
        for word in ("ready", "done"):
            for worker in workers:
                while (line := worker.stdout.readline().strip()) != word:
                    assert line, "a worker stopped"
            for worker in workers if word == "ready" else ():
                worker.stdin.write("\n")
                worker.stdin.flush()
        workers[0].kill()  # with its lane
        memory = SharedExposure(tmp_path / "seen")
        last = {}
        for number in range(4):
            for round_ in range(300):
                for caller in range(40):
                    entry = caller, 1 + (caller + number + round_) % 3
                    last[entry] = max(last.get(entry, 0), 1100 + round_ + 50 * number)
        for wall in range(1000, 1600, 7):
            for caller in range(40):
                expected = max((level for level in (1, 2, 3) if last[caller, level] > wall), default=0)
                assert memory.level(b"%d" % caller, wall) == expected
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
