"""One simulation on several backends, timed side by side.

The fastest backend runs to the end and makes the outputs. Another one that would take longer than `PATIENCE`
(NumPy on a refined terrain takes an hour) runs the first steps alone: enough to time it and to compare depths at
the same step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

import xpaccel as xpa
from xpaccel.demo import example
from xpaccel.demo.terrain import Terrain
from xpaccel.errors import XpaccelError

REFERENCE = "numpy"
PATIENCE = 20.0  # seconds
WARM_UP = 4  # steps; the first compiles

Watch = Callable[[str, int, int | None, Any], None]
"""Told after each step: the backend, the steps that it ran, the most that it runs (None: to the end), the flood."""


@dataclass(frozen=True)
class Setup:
    """What is simulated.

    Attributes
    ----------
    terrain : Terrain
        The elevations.
    rain : float
        Metres a second, everywhere, all the time.
    seconds : float
        How long.
    manning : float
        Friction, in s / m^(1/3).
    edges : str
        ``"open"`` (water runs out) or ``"closed"``.
    dtype : str
        ``"float64"`` or ``"float32"``.
    frames : int
        Snapshots, evenly spaced in time. The steps meet them, whether they are kept or not, so that a
        simulation does not depend on the outputs that were asked for.
    """

    terrain: Terrain
    rain: float
    seconds: float
    manning: float
    edges: str
    dtype: str
    frames: int

    def start(self) -> Any:
        """Give the flood at rest, dry, for the backend that is active."""
        terrain = self.terrain
        z = np.ascontiguousarray(terrain.z, self.dtype)
        return example.load().Flood(z, terrain.dx, terrain.dy, rain=self.rain, manning=self.manning, edges=self.edges)

    def times(self) -> list[float]:
        """Give the times of the snapshots in seconds."""
        return [self.seconds * k / self.frames for k in range(1, self.frames + 1)]


@dataclass(frozen=True)
class Balance:
    """Where the water went, in cubic metres."""

    rained: float
    left: float
    stored: float

    @property
    def error(self) -> float:
        """Water gained or lost without reason, as a part of what rained."""
        missing = abs(self.rained - self.left - self.stored)
        return missing / self.rained if self.rained else missing


@dataclass(frozen=True)
class Run:
    """What one backend did.

    Attributes
    ----------
    backend : str
        Its name.
    steps : int
        The steps that it ran.
    complete : bool
        Whether these are all.
    step_seconds : float
        The median of the times of its steps.
    compared : ndarray
        The depths in metres at the step at which backends are compared.
    balance : Balance
        The water at its last step.
    """

    backend: str
    steps: int
    complete: bool
    step_seconds: float
    compared: npt.NDArray[Any]
    balance: Balance


@dataclass(frozen=True)
class Outcome:
    """All runs, in the order asked for, and the flood of the one that went to the end.

    Attributes
    ----------
    runs : tuple of Run
        One a backend.
    leader : str
        The backend that made the outputs.
    compared_at : int
        The step at which depths are compared.
    flood : Flood
        The leader's last state.
    """

    runs: tuple[Run, ...]
    leader: str
    compared_at: int
    flood: Any

    def run(self, backend: str) -> Run | None:
        """Give the run of a backend, None where it was not asked for."""
        return next((run for run in self.runs if run.backend == backend), None)


def warm_up(setup: Setup, backend: str) -> float:
    """Let a backend compile, on a flood that is thrown away.

    Returns
    -------
    float
        About how many seconds a step takes.
    """
    seconds = []
    with xpa.backend(backend):
        flood = setup.start()
        for _ in range(WARM_UP):
            began = perf_counter()
            flood.step(setup.seconds)
            seconds.append(perf_counter() - began)
    return min(seconds)


def simulate(
    setup: Setup,
    backends: Sequence[str],
    *,
    leader: str,
    estimates: dict[str, float],
    watch: Watch,
    keep: Callable[[Any], None],
    patience: float = PATIENCE,
) -> Outcome:
    """Run the simulation on each backend.

    Parameters
    ----------
    setup : Setup
        What to simulate.
    backends : sequence of str
        Where; all must be available.
    leader : str
        The backend that runs to the end in any case: the fastest.
    estimates : dict of str to float
        Seconds a step, from `warm_up`.
    watch : callable
        Told after each step.
    keep : callable
        Given the leader's flood at each snapshot.
    patience : float
        Seconds for a backend that is not the leader.

    Raises
    ------
    XpaccelError
        Where a depth is not finite.
    """
    most = {name: max(WARM_UP, int(patience / estimates[name])) for name in backends if name != leader}
    mark = min(most.values(), default=0)
    run, flood = _run(setup, leader, None, mark, watch, keep)
    runs = {leader: run}
    for name in most:
        runs[name], _ = _run(setup, name, most[name], mark, watch, None)
    return Outcome(tuple(runs[name] for name in backends), leader, min(mark, run.steps), flood)


def _run(
    setup: Setup, backend: str, most: int | None, mark: int, watch: Watch, keep: Callable[[Any], None] | None
) -> tuple[Run, Any]:
    """Run on one backend, at most so many steps; take the depths after step `mark`."""
    marked: npt.NDArray[Any] | None = None
    seconds: list[float] = []
    complete = True
    with xpa.backend(backend):
        flood = setup.start()
        for until in setup.times():
            while flood.time < until and (complete := most is None or len(seconds) < most):
                began = perf_counter()
                flood.step(until)
                seconds.append(perf_counter() - began)
                if len(seconds) == mark:
                    marked = np.array(flood.h)
                watch(backend, len(seconds), most, flood)
            if not complete:
                break
            if keep is not None:
                keep(flood)
        if not np.isfinite(flood.h).all():
            raise XpaccelError(f"the flood became unstable on {backend}: a depth is not finite")
        balance = Balance(flood.rained, flood.left, flood.stored())
    compared = np.array(flood.h) if marked is None else marked
    return Run(backend, len(seconds), complete, median(seconds), compared, balance), flood
