"""What it takes to begin: the import, the first call with an empty cache, and with a full one."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

IMPORT = """
from time import perf_counter
import numpy
start = perf_counter()
import xpaccel
print(perf_counter() - start)
"""

FIRST_CALL = """
from time import perf_counter
import numpy as np
import xpaccel as xpa

@xpa.kernel
def heat(u, kappa, dt, dx):
    lap = (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]) / dx**2
    return u[1:-1, 1:-1] + dt * kappa * lap

u = np.ones((64, 64))
start = perf_counter()
heat(u, 1.0, 0.1, 1.0)
print(perf_counter() - start)
"""


def run(script: str, cache: str) -> float:
    """Run a script, a file as a user's would be, in a process of its own; give the seconds that it prints."""
    file = Path(cache, "script.py")
    file.write_text(script, encoding="utf-8")
    env = os.environ | {"XP_CACHE_DIR": str(Path(cache, "cache")), "XP_BACKEND": "numba"}
    ran = subprocess.run([sys.executable, file], env=env, stdout=subprocess.PIPE, text=True, check=True)
    return float(ran.stdout)


class Start:
    """Seconds, each in a process of its own."""

    unit = "s"
    timeout = 300
    rounds = 3

    def track_import_after_numpy(self) -> float:
        with tempfile.TemporaryDirectory() as folder:
            return statistics.median(run(IMPORT, folder) for _ in range(self.rounds))

    def track_first_call_cold_cache(self) -> float:
        times = []
        for _ in range(self.rounds):
            with tempfile.TemporaryDirectory() as folder:
                times.append(run(FIRST_CALL, folder))
        return statistics.median(times)

    def track_first_call_warm_cache(self) -> float:
        with tempfile.TemporaryDirectory() as folder:
            run(FIRST_CALL, folder)
            return statistics.median(run(FIRST_CALL, folder) for _ in range(self.rounds))
