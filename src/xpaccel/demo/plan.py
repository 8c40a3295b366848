"""What the user asked for, checked before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from xpaccel import backends
from xpaccel.demo import animation, dem, output
from xpaccel.demo.runs import Storm
from xpaccel.demo.terrain import NARROWEST, WIDEST, Terrain, refine
from xpaccel.errors import UserError

DEFAULT_BACKENDS = ("numpy", "numba")
DEFAULT_MAP = Path("flood.png")

MOST_RAIN, MOST_HOURS, MOST_MANNING = 10_000.0, 100_000.0, 10.0
"""What is beyond these is a slip of the unit. The wettest hour on record had some 300 mm of rain."""

ARRAYS = 14
"""How many arrays of the grid's size are alive at once, at the most: eight of the scheme, what NumPy makes
for a formula, and the result of a backend before."""


@dataclass(frozen=True)
class Plan:
    """A run of the demo.

    Attributes
    ----------
    terrain, storm
        What is simulated.
    backends
        On which backends, one after the other. Pictures and files show the last.
    archive, picture, animation
        Files to make; None for none.
    frames
        How many times the archive and the animation show.
    """

    terrain: Terrain
    storm: Storm
    backends: tuple[str, ...]
    archive: Path | None
    picture: Path | None
    animation: Path | None
    frames: int


def make(
    *,
    dem_file: Path | None,
    variable: str | None,
    spacing: float | None,
    factor: int,
    rain: float,
    hours: float,
    manning: float,
    open_edges: bool,
    names: Sequence[str],
    archive: Path | None,
    picture: Path | None,
    animate: Path | None,
    frames: int,
) -> Plan:
    """Check everything that was asked for, cheap things first.

    Raises
    ------
    xpaccel.UserError
        At the first thing that cannot be done.
    """
    storm = Storm(
        _number("--rain", rain, "mm/h", MOST_RAIN, zero=True) * 1e-3 / 3600,
        _number("--hours", hours, "hours", MOST_HOURS) * 3600,
        _number("--manning", manning, "s/m^(1/3)", MOST_MANNING),
        open_edges,
    )
    if spacing is not None:
        _number("--spacing", spacing, "metres", WIDEST, least=NARROWEST)
    if factor < 1:
        raise UserError(f"--refine {factor}: a cell is cut into K x K cells, and K is at least 1")
    if frames < 1:
        raise UserError(f"--frames {frames}: at least 1 is needed")
    chosen = _backends(names)
    _installed(archive)
    archive = archive and output.check(archive, "--out", (".zarr",))
    animate = animate and output.check(animate, "--animate", animation.SUFFIXES)
    if animate:
        animation.check(animate)
    given = picture is not None
    picture = output.check(picture or output.free_name(DEFAULT_MAP), "--png" if given else "the map", (".png",))
    terrain = dem.load(dem_file, variable, spacing)
    _fits_memory(terrain.z.size * factor**2, factor)
    return Plan(refine(terrain, factor), storm, chosen, archive, picture, animate, frames)


def _number(option: str, value: float, unit: str, most: float, *, least: float = 0.0, zero: bool = False) -> float:
    low = f"at least {least:g}" if least or zero else "more than 0"
    if not least <= value <= most or (value == 0 and not zero):  # NaN is in no range
        raise UserError(f"{option} {value:g}: {low} and at most {most:g} {unit} are possible")
    return value


def _backends(names: Sequence[str]) -> tuple[str, ...]:
    chosen = tuple(names) or DEFAULT_BACKENDS
    for name in chosen:
        if name not in backends.names():
            raise UserError(f"unknown backend {name!r}; there are: {', '.join(backends.names())}")
        reason = backends.why_unavailable(name)
        if reason is not None:
            hint = "" if names else "; --backend numpy runs without it"
            raise UserError(f"backend {name!r} is not available: {reason}{hint}")
    twice = next((name for name in chosen if chosen.count(name) > 1), None)
    if twice:
        raise UserError(f"--backend {twice} is given twice: once is enough")
    return chosen


def _installed(archive: Path | None) -> None:
    for module, wanted in (("matplotlib", True), ("zarr", archive is not None)):
        if wanted and find_spec(module) is None:
            raise UserError(f'the demo needs {module}: pip install "xpaccel[demo]"')


def _fits_memory(cells: int, factor: int) -> None:
    needed, there = cells * 8 * ARRAYS, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > 0.9 * there:
        raise UserError(
            f"--refine {factor} makes {cells:.3g} cells, which need {needed / 1e9:.0f} GB: "
            f"this machine has {there / 1e9:.0f} GB"
        )
