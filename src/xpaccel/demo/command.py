"""``xpaccel demo``: the options, and what a terminal shows. Heavy packages are imported when it runs."""

from __future__ import annotations

import enum
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from xpaccel.demo.plan import Plan
    from xpaccel.demo.runs import Run

INTERRUPTED = 130
TERMINATED = 143
"""The exit status after Ctrl-C: 128 and the number of the signal, as shells have it."""

NARROWEST = 108
"""Columns that the tables need; where the output is no terminal, they get them."""


class Edges(enum.StrEnum):
    """What happens at the edges of the grid."""

    OPEN = "open"
    CLOSED = "closed"


def demo(
    dem: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Elevations in metres: .npy, .npz, netCDF (.nc) or Zarr (.zarr). "
            "Without it, the Jacksboro fault in Tennessee, which comes with matplotlib.",
        ),
    ] = None,
    variable: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which array of the file, where it holds several grids.")
    ] = None,
    spacing: Annotated[
        float | None,
        typer.Option(metavar="METRES", help="Distance between cells, where the file does not say it."),
    ] = None,
    refine: Annotated[int, typer.Option(metavar="K", help="Cut each cell into K x K, with bilinear elevations.")] = 1,
    rain: Annotated[float, typer.Option(metavar="MM/H", help="Rain, in millimetres an hour.")] = 40.0,
    hours: Annotated[float, typer.Option(metavar="HOURS", help="How long it rains.")] = 2.0,
    manning: Annotated[float, typer.Option(metavar="N", help="Manning's roughness of the ground.")] = 0.03,
    edges: Annotated[Edges, typer.Option(help="May water leave over the edges, or are they walls?")] = Edges.OPEN,
    backend: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Run on this target; repeat it to compare.", show_default="numpy, numba"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.zarr", help="Write depths as Zarr; it opens in xarray.")
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="Where the map goes.",
            show_default="flood.png in this folder, or flood-2.png, ... where that exists",
        ),
    ] = None,
    animate: Annotated[
        Path | None, typer.Option(metavar="FILE.gif|FILE.mp4", help="Write a moving map; MP4 needs ffmpeg.")
    ] = None,
    frames: Annotated[
        int, typer.Option(metavar="N", help="How many times --out and --animate show, after the first.")
    ] = 24,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    r"""Flood real terrain: rain runs off by the shallow-water kernels of examples/flood.py.

    Each backend simulates the same storm. At the end there is a table of their speeds, the water balance, and a
    map of the depth of water over shaded relief. No file is replaced, and none is left half written.

    \b
    xpaccel demo
    xpaccel demo --refine 4 --hours 0.5
    xpaccel demo --backend numba --rain 80 --animate storm.gif --out storm.zarr
    xpaccel demo --dem valley.nc --variable dem --edges closed
    xpaccel demo --dem valley.npy --spacing 10 --png valley.png
    """
    before = signal.getsignal(signal.SIGTERM)
    try:
        signal.signal(signal.SIGTERM, _terminate)
        from xpaccel.demo import plan as plans
        from xpaccel.demo import simulation

        plan = plans.make(
            dem_file=dem,
            variable=variable,
            spacing=spacing,
            factor=refine,
            rain=rain,
            hours=hours,
            manning=manning,
            open_edges=edges is Edges.OPEN,
            names=backend or (),
            archive=out,
            picture=png,
            animate=animate,
            frames=frames,
        )
        if quiet:
            simulation.simulate(plan, Silent())
            return
        with _bars() as bars:
            runs = simulation.simulate(plan, Bars(bars))
        _report(plan, runs)
    except KeyboardInterrupt:
        typer.echo("xpaccel: interrupted; no file was written", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except Terminated:
        typer.echo("xpaccel: terminated; no file was written", err=True)
        raise typer.Exit(TERMINATED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


class Terminated(BaseException):
    """SIGTERM came: a batch system or `timeout` wants the end, and no half-written file is to stay."""


def _terminate(number: int, frame: object) -> None:
    raise Terminated


class Silent:
    """Tells nobody."""

    def begin(self, what: str, total: float) -> Callable[[float], None]:
        """Announce a piece of work."""
        return lambda done: None


class Bars:
    """Tells a terminal, with a bar for each piece of work."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def begin(self, what: str, total: float) -> Callable[[float], None]:
        """Announce a piece of work."""
        task = self._progress.add_task(what, total=total)
        return lambda done: self._progress.update(task, completed=done)


def _bars() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description:<9}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("ran"),
        TimeElapsedColumn(),
        TextColumn("to go"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,  # into a file, a bar is noise
    )


def _report(plan: Plan, runs: list[Run]) -> None:
    from rich.console import Console

    from xpaccel.backends.cpu import threads
    from xpaccel.demo import bandwidth, tables

    count = threads.count()
    n, m = plan.terrain.z.shape
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=NARROWEST)
    console.print(tables.speeds(runs, (n, m), bandwidth.measure(count), count))
    console.print()
    console.print(tables.water(runs))
    console.print()
    for what, path in (("map", plan.picture), ("animation", plan.animation), ("depths", plan.archive)):
        if path:
            console.print(f"{what}: {path}", soft_wrap=True, markup=False)
