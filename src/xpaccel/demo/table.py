"""The end of the demo in words: what each backend did, and where the water went."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from xpaccel.demo import bandwidth
from xpaccel.demo.simulation import REFERENCE, Balance, Outcome, Run


@dataclass(frozen=True)
class Row:
    """One backend's figures.

    Attributes
    ----------
    run : Run
        What it did.
    cells_per_second : float
        Cells times steps in a second.
    bytes_per_second : float
        The least memory traffic that the steps need, over their time.
    share : float
        That, as a part of the copy bandwidth.
    speed_up : float or None
        Against NumPy; None where NumPy was not run.
    difference : float or None
        The largest difference of a depth from NumPy's in metres, at the same step.
    """

    run: Run
    cells_per_second: float
    bytes_per_second: float
    share: float
    speed_up: float | None
    difference: float | None


def rows(outcome: Outcome, cell_bytes: float, copy: float) -> Iterator[Row]:
    """Work out the figures of each backend.

    Parameters
    ----------
    outcome : Outcome
        The runs.
    cell_bytes : float
        Bytes that a step must at least move for each cell.
    copy : float
        Copy bandwidth in bytes a second.
    """
    reference = outcome.run(REFERENCE)
    for run in outcome.runs:
        rate = run.compared.size / run.step_seconds
        speed_up = difference = None
        if reference is not None:
            speed_up = reference.step_seconds / run.step_seconds
            difference = float(np.abs(run.compared - reference.compared).max())
        yield Row(run, rate, rate * cell_bytes, rate * cell_bytes / copy, speed_up, difference)


def performance(outcome: Outcome, cell_bytes: float, copy: float) -> Table:
    """Lay out the figures, with notes on what was measured."""
    total = next(run.steps for run in outcome.runs if run.backend == outcome.leader)
    found = list(rows(outcome, cell_bytes, copy))
    table = Table(
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        caption_justify="left",
        caption=_notes(outcome, cell_bytes, copy),
    )
    for name in ("target", "steps", "time a step", "cells/s", "GB/s", "of copy", "speed-up", "off NumPy"):
        table.add_column(name, justify="left" if name == "target" else "right", no_wrap=True)
    best = min(row.run.step_seconds for row in found)
    for row in found:
        run = row.run
        table.add_row(
            run.backend,
            str(run.steps) if run.complete else f"{run.steps} of {total}",
            duration(run.step_seconds),
            f"{row.cells_per_second / 1e6:.1f} M",
            f"{row.bytes_per_second / 1e9:.2f}",
            f"{100 * row.share:.0f} %",
            "-" if row.speed_up is None else f"{row.speed_up:.1f} x",
            _difference(row),
            style="bold" if run.step_seconds == best and len(found) > 1 else "",
        )
    return table


def _difference(row: Row) -> str:
    if row.difference is None:
        return "-"
    return "reference" if row.run.backend == REFERENCE else f"{row.difference:.1e} m"


def _notes(outcome: Outcome, cell_bytes: float, copy: float) -> Text:
    notes = [
        "time a step: median, compilation not counted",
        f"GB/s: the {cell_bytes:g} bytes a cell that a step must move, in that time",
        f"copy: {copy / 1e9:.1f} GB/s, measured now by {bandwidth.METHOD}; a cache can beat it",
    ]
    if len(outcome.runs) > 1 and outcome.run(REFERENCE) is not None:
        notes.append(f"off NumPy: the largest difference of a depth after {outcome.compared_at} steps")
    cut = [run.backend for run in outcome.runs if not run.complete]
    if cut:
        notes.append(f"{' and '.join(cut)}: too slow to run to the end, timed on the first steps")
    return Text("\n".join(notes), style="dim not italic")


def water(balance: Balance) -> Table:
    """Lay out where the water went."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    for name, volume in (("rain in", balance.rained), ("outflow", balance.left), ("stored", balance.stored)):
        part = f"{100 * volume / balance.rained:.2f} %" if balance.rained else ""
        table.add_row(name, f"{volume:,.0f} m³", part)
    table.add_row("relative error", f"{balance.error:.1e}", "(rain in - outflow - stored) / rain in")
    return table


def summary(name: str, shape: tuple[int, ...], dx: float, dy: float, words: dict[str, Any]) -> Text:
    """Say in a line what is simulated."""
    cells = f"{shape[1]} x {shape[0]} cells of {dx:.3g} m x {dy:.3g} m"
    return Text.assemble((name, "bold"), f": {cells}\n", ", ".join(f"{key} {value}" for key, value in words.items()))


def duration(seconds: float) -> str:
    """Write a time with three figures."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size or unit == "us":
            return f"{seconds / size:.3g} {unit}"
    raise AssertionError(seconds)


def distance(metres: float) -> str:
    """Write a distance with three figures or so."""
    return f"{metres:.3g} m" if metres < 1000 else f"{metres / 1000:.3g} km"
