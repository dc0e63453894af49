"""Workers are kept running, told to reload, and ended; one that cannot start is not tried for ever."""

import asyncio
import os
import signal
import sys

import pytest

from extproc.errors import StartupError
from extproc.serve import WorkerSettings
from extproc.supervisor import workers as room
from extproc.supervisor.workers import Workers

# Stands in for the worker process: it speaks the same protocol to the supervisor (JSON lines to `status_fd`).
SCRIPT = """#!{python}
import json, os, signal, sys
settings = json.loads(sys.argv[3])
def say(event):
    os.write(settings["status_fd"], json.dumps({{"event": event, "serving": True}}).encode() + b"\\n")
signal.signal(signal.SIGHUP, lambda *_: say("policy"))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
{body}
"""
GOOD = "say('ready')\nwhile True: signal.pause()"
BAD = "sys.exit(1)"
GARBAGE = "os.write(settings['status_fd'], b'no json\\n')\nwhile True: signal.pause()"


@pytest.fixture
def worker_of(tmp_path, monkeypatch):
    def make(body, count=2):
        script = tmp_path / "python"
        script.write_text(SCRIPT.format(python=sys.executable, body=body))
        script.chmod(0o700)
        monkeypatch.setattr(room.sys, "executable", str(script))
        monkeypatch.setattr(room, "_BACKOFF", (0.0, 0.0, 0.0))
        settings = [WorkerSettings(address=f"unix:{tmp_path}/w{i}.sock", policy="p", index=i) for i in range(count)]
        return Workers(settings, str(tmp_path), ended.append)

    ended = []
    make.ended = ended
    return make


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def running(workers, then):
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(workers.run())
        await workers.ready(10)
        await then()
        await workers.stop(5)
        await keeping


async def test_a_worker_killed_is_started_again(worker_of):
    workers = worker_of(GOOD)

    async def kill_one():
        victim = workers.states[0].pid
        os.kill(victim, signal.SIGKILL)
        await until(lambda: workers.states[0].alive and workers.states[0].pid != victim)
        assert workers.states[0].restarts == 1
        assert worker_of.ended == [victim]
        assert workers.states[1].restarts == 0

    await running(workers, kill_one)
    assert not any(state.alive for state in workers.states)


async def test_every_worker_is_told_to_reload(worker_of):
    workers = worker_of(GOOD)

    async def reload():
        workers.reload()
        await until(lambda: all(state.detail.get("event") == "policy" for state in workers.states))

    await running(workers, reload)


async def test_a_dead_workers_socket_does_not_stop_the_next(worker_of, tmp_path):
    (tmp_path / "w0.sock").write_text("left behind")
    workers = worker_of(GOOD)

    async def nothing():
        assert not (tmp_path / "w0.sock").exists()

    await running(workers, nothing)


async def test_a_worker_that_never_starts_is_given_up_with_its_exit_code(worker_of):
    workers = worker_of(BAD, count=1)
    with pytest.raises(BaseExceptionGroup) as error:
        await asyncio.wait_for(workers.run(), 10)
    (found,) = error.value.exceptions
    assert isinstance(found, StartupError)
    assert "exit code 1" in str(found)


async def test_an_unreadable_report_is_no_readiness(worker_of):
    workers = worker_of(GARBAGE, count=1)
    async with asyncio.TaskGroup() as group:
        group.create_task(workers.run())
        await until(lambda: workers.states[0].alive)
        with pytest.raises(StartupError, match="were not ready"):
            await workers.ready(0.3)
        workers.kill()
