"""How a worker asks to be scheduled."""

import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="Linux only")
def test_a_workers_threads_do_not_interrupt_its_event_loop():
    program = (
        "import os, threading\nfrom extproc.serve import _batch\n_batch()\nfound = []\n"
        "thread = threading.Thread(target=lambda: found.append(os.sched_getscheduler(threading.get_native_id())))\n"
        "thread.start(); thread.join(); print(os.sched_getscheduler(0), *found)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.split() == [str(os.SCHED_BATCH)] * 2
