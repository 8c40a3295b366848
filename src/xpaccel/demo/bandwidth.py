"""The yardstick of a machine: how fast it copies memory that does not fit its caches."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

BYTES = 128 << 20
"""Size of the array that is copied: several times the caches of a common machine."""

ROUNDS = 6


@dataclass(frozen=True)
class Bandwidth:
    """What was measured.

    Attributes
    ----------
    rate
        Bytes a second, each byte counted when it is read and when it is written.
    threads
        How many threads copied.
    """

    rate: float
    threads: int


def measure(threads: int, size: int = BYTES, rounds: int = ROUNDS) -> Bandwidth:
    """Copy an array, a piece to each thread, and take the best of several rounds.

    Parameters
    ----------
    threads
        How many threads copy: those that kernels run on.
    size
        Bytes to copy.
    rounds
        How often; the first is thrown away, in it memory is handed out.
    """
    source = np.ones(size // 8)
    target = np.empty_like(source)
    pieces = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    best = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for turn in range(rounds + 1):
            start = time.perf_counter()
            for _ in pool.map(lambda piece: np.copyto(*piece), pieces):
                pass
            if turn:
                best = min(best, time.perf_counter() - start)
    return Bandwidth(2 * source.nbytes / best, threads)
