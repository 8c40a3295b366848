"""The whole of a demo: run each backend, keep what is asked for, draw it, and publish all files at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np

from xpaccel.demo import animation, output, picture, runs
from xpaccel.demo.archive import Archive
from xpaccel.demo.plan import Plan
from xpaccel.demo.recorder import Keep, Recorder, coarse
from xpaccel.demo.terrain import Floats, Terrain

REFRESH = 0.1
"""How often the progress is told [s]: more often would be seen in the timing."""


class Progress(Protocol):
    """Who wants to know how far the work is."""

    def begin(self, what: str, total: float) -> Callable[[float], None]:
        """Announce a piece of work; what is returned is told how much of it is done."""


def simulate(plan: Plan, progress: Progress) -> list[runs.Run]:
    """Do what was planned.

    Either all files are there when this returns, or none is: they get their names at the very end.

    Returns
    -------
    list of Run
        In the order of the plan's backends.

    Raises
    ------
    xpaccel.UserError
        If a file cannot be written.
    """
    with ExitStack() as files:
        last = plan.backends[-1]
        keep: list[Keep] = []
        frames: list[tuple[float, Floats]] = []
        small, reduce = coarse(plan.terrain)
        if plan.archive:
            keep.append(files.enter_context(_archive(plan.archive, plan)))
        if plan.animation:
            keep.append(lambda seconds, h: frames.append((seconds, reduce(h))))
        recorder = Recorder(plan.storm.seconds, plan.frames, tuple(keep))
        done = [
            _run(name, plan, progress, recorder if keep and k == len(plan.backends) - 1 else None)
            for k, name in enumerate(plan.backends)
        ]
        if plan.picture:
            temporary = files.enter_context(output.new(plan.picture))
            advance = progress.begin("map", 1)
            with output.writing(plan.picture):
                _draw(temporary, plan, done[-1])
            advance(1)
        if plan.animation:
            temporary = files.enter_context(output.new(plan.animation))
            _animate(temporary, plan, small, frames, last, progress)
    return done


def _run(name: str, plan: Plan, progress: Progress, recorder: Recorder | None) -> runs.Run:
    advance = progress.begin(name, plan.storm.seconds)
    told = time.monotonic()

    def watch(seconds: float, h: Floats) -> None:
        nonlocal told
        if recorder:
            recorder.see(seconds, h)
        now = time.monotonic()
        if now - told > REFRESH:
            advance(seconds)
            told = now

    if recorder:
        recorder.start(np.zeros(plan.terrain.z.shape))
    run = runs.run(name, plan.terrain, plan.storm, watch)
    advance(plan.storm.seconds)
    return run


@contextmanager
def _archive(path: Path, plan: Plan) -> Iterator[Keep]:
    """Give what adds depths to the archive; the archive is complete when the block ends."""
    with output.new(path) as temporary:
        with output.writing(path), output.unbroken():
            archive = Archive(temporary, plan.terrain, plan.storm, plan.backends[-1])

        def keep(seconds: float, h: Floats) -> None:
            with output.writing(path), output.unbroken():
                archive.append(seconds, h)

        yield keep
        with output.writing(path), output.unbroken():
            archive.finish()


def _draw(path: Path, plan: Plan, run: runs.Run) -> None:
    chart = picture.Map(plan.terrain, float(run.h.max()), _labels(plan, float(run.h.max()), run.backend))
    chart.show(run.h, plan.storm.seconds)
    chart.save(path)


def _animate(
    path: Path, plan: Plan, small: Terrain, frames: list[tuple[float, Floats]], backend: str, progress: Progress
) -> None:
    assert plan.animation is not None
    advance = progress.begin("animation", len(frames))
    drawn = 0

    def one_more() -> None:
        nonlocal drawn
        drawn += 1
        advance(drawn)

    labels = _labels(plan, max(float(h.max()) for _, h in frames), backend)
    with output.writing(plan.animation):
        animation.write(path, small, frames, labels, one_more)


def _labels(plan: Plan, deepest: float, backend: str) -> picture.Labels:
    terrain, storm = plan.terrain, plan.storm
    n, m = terrain.z.shape
    size = f"{terrain.dx:.3g} × {terrain.dy:.3g} m" if terrain.dx != terrain.dy else f"{terrain.dx:.3g} m"
    edges = "open" if storm.open_edges else "closed"
    return picture.Labels(
        title=f"Flood: {terrain.name}",
        subtitle=f"{storm.rain * 3.6e6:g} mm of rain an hour for {picture.clock(storm.seconds)} · "
        f"{n} × {m} cells of {size} · deepest water {deepest:.2g} m",
        footer="Local-inertial shallow water (Bates et al. 2010, de Almeida et al. 2012), Manning "
        f"n = {storm.manning:g} s/m$^{{1/3}}$, {edges} edges. Computed with xpaccel, backend {backend}.",
    )
