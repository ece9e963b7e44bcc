"""What trees of processes use."""

from __future__ import annotations

import subprocess
import sys
import time

from crond.cli.trees import Trees


def test_a_tree_and_its_children() -> None:
    """Children count with their parent; a busy one shows its processor; a stranger has no figures."""
    busy = "import os\npid = os.fork()\nprint('up', flush=True)\nwhile True: pid or os.getpid()\nx = 1"
    idle = "import time; print('up', flush=True); time.sleep(60)"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for code in (busy, idle)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        pids = [process.pid for process in processes]
        trees = Trees()
        trees.look(pids)
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            time.sleep(0.05)  # what is measured is time itself
        found = trees.look([*pids, 2**22 - 1])
        assert set(found) == set(pids)
        assert (found[pids[0]].processes, found[pids[1]].processes) == (2, 1)
        assert found[pids[0]].cpu > 0.2 > found[pids[1]].cpu
        assert found[pids[0]].memory > 1_000_000
    finally:
        import psutil

        for process in processes:
            for child in psutil.Process(process.pid).children():
                child.kill()
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()
