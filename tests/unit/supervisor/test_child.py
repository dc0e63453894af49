"""A child ends when it is told, when it will not, and when we die without a word."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from extproc.supervisor.child import Child, python_environment

STUBBORN = "import signal, sys; signal.signal(15, signal.SIG_IGN); print('on', flush=True); signal.pause()"
MEEK = "import signal; print('on', flush=True); signal.pause()"


async def start(code):
    child = await Child.start("child", [sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert await child.process.stdout.readline() == b"on\n"
    return child


async def test_sigterm_ends_a_meek_child():
    child = await start(MEEK)
    await child.stop(10.0)
    assert child.process.returncode == -signal.SIGTERM


async def test_a_child_that_ignores_sigterm_is_killed_after_the_grace():
    child = await start(STUBBORN)
    await child.stop(0.05)
    assert child.process.returncode == -signal.SIGKILL


async def test_stopping_twice_and_signalling_the_dead_is_harmless():
    child = await start(MEEK)
    await child.stop(10.0)
    await child.stop(10.0)
    child.signal(signal.SIGHUP)
    child.kill()
    assert not child.running


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_sigkill_of_the_parent_ends_its_children():
    parent_code = textwrap.dedent(
        f"""
        import asyncio, sys
        from extproc.supervisor.child import Child
        async def main():
            await Child.start("child", [sys.executable, "-c", {STUBBORN!r}])
            await asyncio.Event().wait()
        asyncio.run(main())
        """
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", parent_code], stdout=subprocess.PIPE, env=python_environment(), cwd=Path("/")
    )
    assert parent.stdout.readline() == b"on\n"
    os.kill(parent.pid, signal.SIGKILL)
    # The child holds the pipe's other end: end of file means that it is gone too.
    assert parent.stdout.read() == b""
    parent.wait()
    parent.stdout.close()
