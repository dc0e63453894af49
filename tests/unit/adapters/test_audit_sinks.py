import json
import os
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from extproc.adapters.audit_lines import json_line, text_line
from extproc.adapters.audit_sinks import FileSink, StreamSink


def lines(*paths):
    return [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]


def test_the_file_is_the_owners_only(tmp_path):
    old = os.umask(0)
    try:
        sink = FileSink(tmp_path / "audit.jsonl")
    finally:
        os.umask(old)
    sink.write([{"n": 1}])
    sink.close()
    assert stat.S_IMODE((tmp_path / "audit.jsonl").stat().st_mode) == 0o600
    assert lines(tmp_path / "audit.jsonl") == [{"n": 1}]


def test_a_link_planted_at_the_path_is_not_followed(tmp_path):
    (tmp_path / "audit.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        FileSink(tmp_path / "audit.jsonl")


def test_it_rotates_by_size_and_keeps_so_many_backups(tmp_path):
    sink = FileSink(tmp_path / "a", max_bytes=100, backups=2)
    for n in range(60):
        sink.write([{"n": n}])
    sink.close()
    kept = [tmp_path / name for name in ("a.2", "a.1", "a")]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "a.1", "a.2", "a.lock"]
    assert all(p.stat().st_size <= 100 for p in kept)
    numbers = [e["n"] for e in lines(*kept)]
    assert numbers == list(range(numbers[0], 60))


def test_one_batch_larger_than_the_file_is_split_and_loses_nothing(tmp_path):
    sink = FileSink(tmp_path / "a", max_bytes=1000, backups=50)
    sink.write([{"n": n} for n in range(500)])
    sink.close()
    files = sorted((p for p in tmp_path.iterdir() if p.suffix != ".lock"), key=lambda p: -int(p.suffix[1:] or 0))
    assert [e["n"] for e in lines(*files)] == list(range(500))


def test_without_backups_the_old_lines_go(tmp_path):
    sink = FileSink(tmp_path / "a", max_bytes=20, backups=0)
    for n in range(10):
        sink.write([{"n": n}])
    sink.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "a.lock"]
    assert lines(tmp_path / "a")[-1] == {"n": 9}


def test_a_file_moved_away_by_someone_else_is_opened_anew(tmp_path):
    sink = FileSink(tmp_path / "a")
    sink.write([{"n": 1}])
    (tmp_path / "a").rename(tmp_path / "moved")
    sink.write([{"n": 2}])
    sink.close()
    assert lines(tmp_path / "moved", tmp_path / "a") == [{"n": 1}, {"n": 2}]


def test_a_failed_write_leaves_no_half_line(tmp_path, monkeypatch):
    sink = FileSink(tmp_path / "a")
    sink.write([{"n": 1}])
    real = os.write
    calls = []

    def half(fd, data):
        calls.append(1)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return real(fd, bytes(data)[:3])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="space"):
        sink.write([{"n": 2}])
    monkeypatch.setattr(os, "write", real)
    sink.write([{"n": 3}])
    sink.close()
    assert lines(tmp_path / "a") == [{"n": 1}, {"n": 3}]


# Worker processes, as programs of their own: a fork of a test process that has threads is undefined.
FILE_WORKER = """
import sys, pathlib
from extproc.adapters.audit_sinks import FileSink
sink = FileSink(pathlib.Path(sys.argv[1]), max_bytes=1_000, backups=200)
#READY
for n in range(300):
    sink.write([{"who": int(sys.argv[2]), "n": n, "pad": "x" * 50}])
sink.close()
"""
PIPE_WORKER = """
import sys, pathlib
from extproc.adapters.audit_sinks import StreamSink
sink = StreamSink(1, lock=pathlib.Path(sys.argv[1]))
#READY
for n in range(60):
    sink.write([{"who": sys.argv[2], "n": n, "pad": sys.argv[2] * (9000 if n % 3 else 10)} for _ in range(2)])
sink.close()
"""


# Each says that it is ready and begins when all are, or the first would be done before the second had begun.
READY = "import os; os.write(2, b'r'); os.read(0, 1)\n"


@contextmanager
def workers(script, path, stdout=None):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    (gate, opener), (listener, ready) = os.pipe(), os.pipe()
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script.replace("#READY\n", READY), str(path), str(who)],
            env=env, stdin=gate, stdout=stdout, stderr=ready,
        )
        for who in range(3)
    ]  # fmt: skip
    os.close(gate)
    os.close(ready)
    with os.fdopen(listener, "rb", buffering=0) as said:
        assert b"".join(said.read(1) for _ in running) == b"rrr"
        os.close(opener)
        yield
        assert [worker.wait(60) for worker in running] == [0, 0, 0]


def test_several_processes_share_a_rotated_file_and_tear_and_lose_nothing(tmp_path):
    with workers(FILE_WORKER, tmp_path / "a"):
        pass
    found = lines(*(p for p in tmp_path.iterdir() if p.suffix != ".lock"))
    assert sorted((e["who"], e["n"]) for e in found) == [(who, n) for who in range(3) for n in range(300)]


def test_several_processes_share_a_pipe_and_long_lines_stay_whole(tmp_path):
    out, into = os.pipe()
    with workers(PIPE_WORKER, tmp_path / "lock", into):
        os.close(into)
        with os.fdopen(out, "rb") as pipe:
            found = [json.loads(line) for line in pipe]
    assert len(found) == 3 * 60 * 2
    assert all(set(e["pad"]) == {e["who"]} for e in found)


def test_a_nonblocking_descriptor_is_waited_for(tmp_path):
    out, into = os.pipe()
    os.set_blocking(into, False)
    entries = [{"n": n, "pad": "x" * 1000} for n in range(300)]
    sink = StreamSink(into)
    thread = threading.Thread(target=lambda: (sink.write(entries), os.close(into)))
    thread.start()
    with os.fdopen(out, "rb") as pipe:
        assert pipe.read() == b"".join(map(json_line, entries))
    thread.join(10)


def test_a_reader_that_is_gone_is_an_os_error(tmp_path):
    out, into = os.pipe()
    os.close(out)
    with pytest.raises(BrokenPipeError):
        StreamSink(into).write([{"n": 1}])
    os.close(into)


def test_text_lines_go_to_the_stream_when_asked_for():
    out, into = os.pipe()
    StreamSink(into, text_line).write([{"verdict": "deny"}])
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        assert b" deny " in pipe.read()
