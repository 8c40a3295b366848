"""`xpaccel demo`: reads the options, refuses what cannot work before anything runs, and shows the results.

Everything heavy is imported when it is needed: ``xpaccel --help`` lists this command, too.
"""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xpaccel.errors import UserError

if TYPE_CHECKING:
    from xpaccel.demo.simulation import Outcome, Setup

EDGES, DTYPES = ("open", "closed"), ("float64", "float32")
DEFAULT_BACKENDS = ("numpy", "numba")
MAP, ZARR, FILM = "--png", "--out", "--animate"
STATUS_INTERRUPTED, STATUS_TERMINATED = 130, 143
MM_PER_HOUR = 1e-3 / 3600
ARRAYS = 16  # about so many of the terrain's size are alive at once


def demo(
    dem: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Elevations in metres: .npy, .npz, netCDF (.nc) or Zarr (.zarr). "
            "Default: the Jacksboro fault, which comes with matplotlib.",
        ),
    ] = None,
    variable: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which variable of FILE, if it has several of two dimensions.")
    ] = None,
    spacing: Annotated[
        float | None,
        typer.Option(metavar="METRES", help="Distance of cells, if FILE has no coordinates or wrong ones."),
    ] = None,
    refine: Annotated[int, typer.Option(metavar="K", help="Divide each cell in K x K, bilinearly.")] = 1,
    rain: Annotated[float, typer.Option(metavar="MM/H", help="Rain, in millimetres an hour.")] = 20.0,
    hours: Annotated[float, typer.Option(metavar="HOURS", help="How long it rains and is simulated.")] = 2.0,
    edges: Annotated[str, typer.Option(metavar="open|closed", help="Whether water runs out over the edges.")] = "open",
    manning: Annotated[float, typer.Option(metavar="N", help="Friction of the ground, in s/m^(1/3).")] = 0.03,
    backend: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Where to run; repeat it to compare. Default: numpy and numba.", show_default=False
        ),
    ] = None,
    dtype: Annotated[str, typer.Option(metavar="float64|float32", help="Precision of the fields.")] = "float64",
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR.zarr", help="Write depth over time, elevation and discharge for xarray."),
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png", help="Where to write the map. Default: flood.png, or flood-2.png... if that exists."
        ),
    ] = None,
    animate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an animated map: .gif, or .mp4 (needs ffmpeg).")
    ] = None,
    frames: Annotated[int, typer.Option(metavar="N", help="Snapshots in --out and --animate.")] = 48,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing but errors.")] = False,
) -> None:
    """Simulate a flood over real terrain, side by side on several backends.

    Rain falls on the terrain and runs off by the local-inertial shallow-water equations; the kernels are those
    of examples/flood.py. It ends with a table of what each backend did, the water balance, and a map.
    A backend that would take much longer than the fastest runs the first steps alone, and the table says so.

    For example:

    xpaccel demo

    xpaccel demo --refine 4 --hours 1 --animate flood.gif

    xpaccel demo --dem valley.nc --rain 50 --backend numba --out flood.zarr

    xpaccel demo --dem heights.npy --spacing 25 --edges closed --quiet
    """
    _check_numbers(refine=refine, rain=rain, hours=hours, manning=manning, frames=frames)
    _check_choice("--edges", edges, EDGES)
    _check_choice("--dtype", dtype, DTYPES)
    names = _check_backends(backend or DEFAULT_BACKENDS)
    _check_packages(dem, out, animate)
    paths = _check_outputs(png, out, animate)

    from xpaccel.demo import terrain as terrains
    from xpaccel.demo.simulation import Setup

    terrain = terrains.load(dem, variable=variable, spacing=spacing)
    _check_memory(terrain.z.shape, refine, dtype)
    terrain = terrain.refine(refine)
    setup = Setup(terrain, rain * MM_PER_HOUR, hours * 3600, manning, edges, dtype, frames)
    options = {
        "dem": terrain.name if dem is None else str(dem),
        "refine": refine,
        "rain_mm_per_hour": rain,
        "hours": hours,
        "manning": manning,
        "edges": edges,
        "dtype": dtype,
    }
    with _interruptible():
        _run(setup, names, paths, rain, options, quiet)


def _run(
    setup: Setup, names: tuple[str, ...], paths: dict[str, Path], rain: float, options: dict[str, Any], quiet: bool
) -> None:
    from rich.console import Console

    from xpaccel.demo import bandwidth, dataset, example, picture, simulation, table
    from xpaccel.demo.animation import Film
    from xpaccel.demo.outputs import atomically, writing
    from xpaccel.demo.progress import reporting
    from xpaccel.report import sizes

    console = Console(quiet=quiet)
    terrain = setup.terrain
    console.print(
        table.summary(
            terrain.name,
            terrain.z.shape,
            terrain.dx,
            terrain.dy,
            {"rain": f"{rain:g} mm/h for {picture.clock(setup.seconds)}", "edges": setup.edges, "in": setup.dtype},
        )
    )
    with atomically(paths) as parts, reporting(quiet) as report:
        report.stage("copy")
        copy = bandwidth.copy_bandwidth()
        estimates = {}
        for name in names:
            report.stage(f"compile {name}" if name != simulation.REFERENCE else name)
            estimates[name] = simulation.warm_up(setup, name)
        film = Film() if FILM in paths else None
        leader = min(names, key=estimates.__getitem__)
        writer = None
        if ZARR in paths:
            attributes = {**options, "backend": leader, "source": f"xpaccel {_version()}"}
            with writing(ZARR, paths[ZARR]):
                writer = dataset.Writer(parts[ZARR], terrain, setup.times(), setup.dtype, attributes)

        def keep(flood: Any) -> None:
            if film is not None:
                film.add(flood.h, flood.time)
            if writer is not None:
                with writing(ZARR, paths[ZARR]):
                    writer.add(flood.h)

        outcome = simulation.simulate(
            setup,
            names,
            leader=leader,
            estimates=estimates,
            watch=lambda name, steps, most, flood: report.flood(name, steps, most, flood, setup.seconds),
            keep=keep,
        )
        flood = outcome.flood
        if writer is not None:
            with writing(ZARR, paths[ZARR]):
                writer.finish(flood.qx, flood.qy)
        report.stage("map")
        darkest = picture.deepest(flood.h)
        with writing(MAP, paths[MAP]):
            sheet = picture.Map(terrain, darkest, rain)
            sheet.show(flood.h, flood.time)
            sheet.save(parts[MAP])
        if film is not None:
            report.stage("animation", 1.0)
            with writing(FILM, paths[FILM]):
                film.write(parts[FILM], terrain, darkest, rain, done=report.count)
    cell_bytes = example.load().BYTES_PER_CELL * (1.0 if setup.dtype == "float64" else 0.5)
    console.print(table.performance(outcome, cell_bytes, copy))
    console.print(table.water(_balance(outcome)))
    for option, path in paths.items():
        kind = {MAP: "map", ZARR: "data", FILM: "animation"}[option]
        console.print(f"{kind} in {path} ({sizes.show(_size(path))})", highlight=False, soft_wrap=True)


def _balance(outcome: Outcome) -> Any:
    return next(run.balance for run in outcome.runs if run.backend == outcome.leader)


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _version() -> str:
    from xpaccel import __version__

    return __version__


# -- what is refused before anything runs


def _check_numbers(*, refine: int, rain: float, hours: float, manning: float, frames: int) -> None:
    if refine < 1:
        raise UserError(f"--refine {refine}: a cell is divided in at least 1 x 1")
    if not (math.isfinite(rain) and rain >= 0):
        raise UserError(f"--rain {rain:g}: rain must be a number of mm/h, 0 or more")
    if not (math.isfinite(hours) and hours > 0):
        raise UserError(f"--hours {hours:g}: the time must be a number of hours above 0")
    if not (math.isfinite(manning) and manning > 0):
        raise UserError(f"--manning {manning:g}: friction must be above 0, as 0.03 for grass")
    if frames < 1:
        raise UserError(f"--frames {frames}: there must be at least 1 snapshot, the last")


def _check_choice(option: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise UserError(f"{option} {given}: there is {' and '.join(allowed)}")


def _check_memory(shape: tuple[int, ...], refine: int, dtype: str) -> None:
    from xpaccel.report import sizes

    rows, columns = (size * refine for size in shape)
    needed = rows * columns * ARRAYS * (8 if dtype == "float64" else 4)
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > there:
        raise UserError(
            f"{rows} x {columns} cells need about {sizes.show(needed)} of memory, "
            f"this machine has {sizes.show(there)}: take a smaller --refine"
        )


def _check_backends(names: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    from xpaccel import backends

    for k, name in enumerate(names):
        if name not in backends.names():
            raise UserError(f"--backend {name}: unknown, there are {', '.join(backends.names())}")
        if name in names[:k]:
            raise UserError(f"--backend {name} is given twice: once is enough")
        reason = backends.why_unavailable(name)
        if reason is not None:
            raise UserError(f"--backend {name} is not available: {' '.join(reason.split())}")
    return tuple(names)


def _check_packages(dem: Path | None, out: Path | None, animate: Path | None) -> None:
    needed = ["matplotlib"]
    suffix = "" if dem is None else dem.suffix.lower()
    needed += ["netCDF4", "xarray"] if suffix.startswith(".nc") else ["zarr", "xarray"] if suffix == ".zarr" else []
    needed += [] if out is None else ["zarr"]
    needed += ["PIL"] if animate is not None and animate.suffix.lower() == ".gif" else []
    missing = sorted({name for name in needed if find_spec(name) is None})
    if missing:
        raise UserError(f'this needs {" and ".join(missing)}: pip install "xpaccel[demo]"')


def _check_outputs(png: Path | None, out: Path | None, animate: Path | None) -> dict[str, Path]:
    from xpaccel.demo import animation, dataset, outputs, picture

    suffixes = {MAP: picture.SUFFIXES, ZARR: dataset.SUFFIXES, FILM: animation.SUFFIXES}
    given = {option: path for option, path in {MAP: png, ZARR: out, FILM: animate}.items() if path is not None}
    outputs.check_distinct(given)
    for option, path in given.items():
        outputs.check(option, path, suffixes[option])
    if animate is not None:
        animation.check(animate)
    if png is None:
        given[MAP] = outputs.free_name("flood", ".png", Path())
    return given


@contextmanager
def _interruptible() -> Iterator[None]:
    """Leave by an exception where the process is interrupted or terminated, so that all is cleaned up."""

    def terminate(number: int, frame: object) -> None:
        raise typer.Exit(STATUS_TERMINATED)

    try:
        before = signal.signal(signal.SIGTERM, terminate)
    except ValueError:  # not the main thread: signals are somebody else's
        before = None
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("xpaccel: interrupted", err=True)
        raise typer.Exit(STATUS_INTERRUPTED) from None
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
