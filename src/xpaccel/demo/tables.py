"""The end of a run, for a terminal: speeds and water, a row for each backend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from xpaccel.demo.bandwidth import Bandwidth
from xpaccel.demo.runs import Run
from xpaccel.demo.traffic import bytes_of_a_step

REFERENCE = "numpy"


def speeds(runs: Sequence[Run], shape: tuple[int, int], copy: Bandwidth, threads: int) -> Table:
    """Lay out how fast each backend was, and how far it is from NumPy."""
    reference = next((run for run in runs if run.backend == REFERENCE), None)
    traffic, cells = bytes_of_a_step(*shape), shape[0] * shape[1]
    table = Table(title="Speed", title_justify="left", title_style="bold", caption_justify="left")
    table.add_column("target", no_wrap=True)
    for name in ("time a step", "cells a second", "GB/s", "of copy", "speed-up", "largest difference"):
        table.add_column(name, justify="right")
    for run in runs:
        rate = traffic / run.step
        table.add_row(
            run.backend,
            duration(run.step),
            f"{cells / run.step / 1e6:.3g} M",
            f"{rate / 1e9:.3g}",
            f"{rate / copy.rate:.0%}",
            f"{reference.step / run.step:.1f} x" if reference else "-",
            f"{np.abs(run.h - reference.h).max():.1e} m" if reference else "-",
        )
    workers = f"{copy.threads} thread{'s' if copy.threads != 1 else ''}"
    fits = " The arrays of this grid fit the caches, which are faster." if cells * 64 < CACHED else ""
    table.caption = (
        f"Medians of {runs[0].steps} steps on {shape[0]} x {shape[1]} cells, float64; compilation apart. "
        f"numpy runs on 1 thread, others on {threads}. GB/s: a step moves {traffic / cells:.0f} bytes a cell at the "
        f"least. of copy: of the {copy.rate / 1e9:.3g} GB/s at which {workers} copy memory here.{fits} "
        + ("Speed-up and difference in depth are to numpy." if reference else "numpy did not run, to compare with.")
    )
    return table


CACHED = 32 << 20
"""Bytes that the last cache of a common machine holds."""


def water(runs: Sequence[Run]) -> Table:
    """Lay out where the rain has gone."""
    table = Table(title="Water", title_justify="left", title_style="bold")
    table.add_column("target", no_wrap=True)
    for name in ("rain in, m³", "ran off, m³", "stored, m³", "relative error", "deepest, m"):
        table.add_column(name, justify="right")
    for run in runs:
        balance = run.balance
        volumes = (f"{volume:,.0f}" for volume in (balance.rained, balance.left, balance.stored))
        table.add_row(run.backend, *volumes, f"{balance.error:+.1e}", f"{run.h.max():.3f}")
    return table


def duration(seconds: float) -> str:
    """Write a time with three figures in a fitting unit.

    >>> duration(0.0123), duration(4.2e-4)
    ('12.3 ms', '420 us')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
