"""Times on the device, of several things in turn, so that what else happens there slows all of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import cupy
from gpu.facts import is_standin

ROUNDS = 9
#: What a measurement takes at least [s]; events tell time to half a microsecond.
LEAST = 0.02
MOST_REPEATS = 1000


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one call: the median of all rounds, the least and the most."""

    median: float
    least: float
    most: float


def measure(calls: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, dict[str, float] | None]:
    """Return the `Times` of each call as a dict; None on the stand-in, whose times mean nothing.

    Parameters
    ----------
    calls
        What puts work on the current stream, by name.
    rounds
        How often each is measured.
    """
    repeats = {name: _repeats(call) for name, call in calls.items()}
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            found[name].append(_seconds(call, repeats[name]))
    return {name: taken(seconds) for name, seconds in found.items()}


def taken(seconds: list[float]) -> dict[str, float] | None:
    """Return several times of one thing as a dict; None on the stand-in."""
    if is_standin():
        return None
    return asdict(Times(statistics.median(seconds), min(seconds), max(seconds)))


def _repeats(call: Callable[[], object]) -> int:
    """Return how often to call it for one measurement; the first call compiles, and is not timed."""
    call()
    if is_standin():
        return 1
    return max(1, min(MOST_REPEATS, round(LEAST / max(_seconds(call, 2), 1e-9))))


def _seconds(call: Callable[[], object], repeats: int) -> float:
    first, last = cupy.cuda.Event(), cupy.cuda.Event()
    first.record()
    for _ in range(repeats):
        call()
    last.record()
    last.synchronize()
    return float(cupy.cuda.get_elapsed_time(first, last)) * 1e-3 / repeats
