"""How fast this machine copies memory: the yardstick for kernels that only move data."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import numpy as np

from xpaccel.backends import threads

METHOD = "numpy.copyto on all threads"
BYTES = 1 << 27
REPEATS = 5


def copy_bandwidth(size: int = BYTES, repeats: int = REPEATS) -> float:
    """Measure how fast all threads together copy from memory to memory.

    Each thread copies its part with `numpy.copyto`, which releases Python's lock. It is NumPy's copy, not
    one of xpaccel's, so that the yardstick does not depend on what it measures.

    Parameters
    ----------
    size : int
        Bytes of the source; well above the processor's caches, or the caches are measured.
    repeats : int
        The best of so many copies counts: whatever disturbs a copy makes it slower, never faster.

    Returns
    -------
    float
        Bytes read and written in a second.
    """
    count = threads.count()
    source, target = (np.ones(max(size // 8, count)) for _ in range(2))
    pieces = list(zip(np.array_split(target, count), np.array_split(source, count), strict=True))
    seconds = []
    with ThreadPoolExecutor(count) as pool:
        for _ in range(repeats):
            began = perf_counter()
            list(pool.map(lambda piece: np.copyto(*piece), pieces))
            seconds.append(perf_counter() - began)
    return 2 * source.nbytes / min(seconds)
