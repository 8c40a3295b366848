"""How the benchmarks measure: medians of rounds in which the sides take turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter
from typing import Any


def seconds(call: Callable[[], Any], calls: int = 1) -> float:
    """Time a call: the mean of `calls` in a row."""
    start = perf_counter()
    for _ in range(calls):
        call()
    return (perf_counter() - start) / calls


def ratio(slow: Callable[[], Any], fast: Callable[[], Any], rounds: int = 7, calls: int = 1) -> float:
    """How many times faster `fast` is than `slow`, from the medians of interleaved rounds.

    Both are called once before, so that neither pays for compiling or for touching its memory first.
    """
    slow()
    fast()
    times = [(seconds(slow, calls), seconds(fast, calls)) for _ in range(rounds)]
    return statistics.median(pair[0] for pair in times) / statistics.median(pair[1] for pair in times)
