"""Progress on the terminal: how far the simulation is in its own time, and how long it still takes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from xpaccel.demo.picture import clock

INTERVAL = 0.1  # seconds between looks at the flood: drawing must not slow down what is timed


class _Simulated(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(str(task.fields.get("note", "")), style="cyan")


class Reporter:
    """Shows one bar for each stage; does nothing where it is told to be quiet or there is no terminal.

    Parameters
    ----------
    progress : Progress or None
        Where to show it.
    """

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._task: Any = None
        self._stage = ""
        self._next = 0.0

    def stage(self, name: str, total: float | None = None) -> None:
        """Begin a stage; without a total the bar just moves."""
        if self._progress is not None:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(name, total=total, note="")
        self._stage = name

    def flood(self, backend: str, steps: int, most: int | None, flood: Any, seconds: float) -> None:
        """Show a step of a simulation of `seconds`, of which a backend may run `most` steps alone."""
        if self._progress is None:
            return
        if self._stage != backend:
            self.stage(backend, 1.0)
        now = perf_counter()
        if now < self._next:
            return
        self._next = now + INTERVAL
        part = flood.time / seconds if most is None else max(flood.time / seconds, steps / most)
        note = f"{clock(flood.time)} of {clock(seconds)}, step {steps}"
        self._progress.update(self._task, completed=part, note=note)

    def count(self, done: int, total: int) -> None:
        """Show how many of some things are done."""
        if self._progress is not None:
            self._progress.update(self._task, completed=done, total=total, note=f"{done} of {total}")


@contextmanager
def reporting(quiet: bool) -> Iterator[Reporter]:
    """Give a reporter for a ``with`` block, on standard error if that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield Reporter(None)
        return
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        _Simulated(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Reporter(progress)
