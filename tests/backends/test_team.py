"""Threads that wait in machine code: every piece is run once, asleep or awake, forked or shared."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import xpaccel as xpa
from xpaccel.backends.cpu import threads

pytestmark = pytest.mark.numba


@pytest.fixture
def _many(monkeypatch):
    monkeypatch.setattr(threads, "count", lambda: 5)
    monkeypatch.setattr("xpaccel.backends.cpu.launch.GRAIN", 1e-9)


@pytest.mark.usefixtures("_many")
@pytest.mark.parametrize("rows", [1, 2, 4, 5, 6, 23, 1000])
def test_every_row_is_run_once(rows):
    @xpa.kernel
    def count(u):
        u += 1.0

    u = np.zeros((rows, 3))
    with xpa.backend("numba"):
        for _ in range(200):
            count(u)
    np.testing.assert_array_equal(u, 200.0)


@pytest.mark.usefixtures("_many")
def test_threads_that_fell_asleep_are_woken():
    @xpa.kernel
    def count(u):
        u += 1.0

    u = np.zeros((40, 3))
    with xpa.backend("numba"):
        for _ in range(5):
            count(u)
            time.sleep(0.02)  # far longer than they spin
    np.testing.assert_array_equal(u, 5.0)


@pytest.mark.usefixtures("_many")
def test_several_callers_have_teams_of_their_own():
    @xpa.kernel
    def count(u):
        u += 1.0

    arrays = [np.zeros((30, 4)) for _ in range(6)]

    def work(u):
        with xpa.backend("numba"):
            for _ in range(300):
                count(u)

    crowd = [threading.Thread(target=work, args=(u,)) for u in arrays]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    for u in arrays:
        np.testing.assert_array_equal(u, 300.0)


PROGRAM = """
import os, sys
import numpy as np
import xpaccel as xpa
from xpaccel.backends.cpu import launch, threads
threads.set_count(3)
launch.GRAIN = 1e-9
xpa.set_backend("numba")

@xpa.kernel
def count(u):
    u += 1.0

u = np.zeros((30, 4))
count(u)
child = os.fork()
if child == 0:
    count(u)
    os._exit(0 if (u == 2.0).all() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
count(u)
assert (u == 2.0).all()
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_has_threads_and_the_process_ends():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
