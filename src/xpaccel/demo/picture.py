"""The map: depth of water over shaded relief. Drawn on Agg alone, so that no screen is needed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xpaccel.demo.terrain import Axis, Floats, Terrain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure

SHALLOWEST = 0.05
"""Water less deep than this [m] is left out of the map: in the rain, all ground is wet."""

NICE = (1, 2, 5)
INK, PAPER, SOFT = "#1d2a35", "#fbfaf7", "#5d6b76"
GROUND = ("#cfd6c2", "#dcdcc4", "#e9e1cb", "#f1e9da", "#f8f4ee")
WATER = ("#a9ddea", "#5fb9dc", "#2b8cc4", "#1660a6", "#123c80", "#150f4a")


@dataclass(frozen=True)
class Labels:
    """What stands above and below the map."""

    title: str
    subtitle: str
    footer: str


class Map:
    """A figure of the terrain whose water can be changed, which is what an animation does.

    Parameters
    ----------
    terrain
        What is flooded.
    greatest
        The greatest depth [m] that the colours must reach.
    labels
        What stands above and below.
    width
        Of the figure, in pixels.
    """

    def __init__(self, terrain: Terrain, greatest: float, labels: Labels, width: int = 1700) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._flip = (slice(None, None, -1 if terrain.y.step > 0 else 1), slice(None, None, _sign(terrain.x.step)))
        z = terrain.z[self._flip]
        n, m = z.shape
        east, north = m * terrain.dx, n * terrain.dy
        inches, left, right, bottom, top = 11.0, 0.85, 1.45, 0.8, 0.95
        across = inches - left - right
        along = min(max(across * north / east, 3.0), 14.0)
        height = along + bottom + top
        self.figure: Figure = Figure(figsize=(inches, height), dpi=width / inches, facecolor=PAPER)
        self._canvas = FigureCanvasAgg(self.figure)
        axes = self.figure.add_axes((left / inches, bottom / height, across / inches, along / height))
        extent = (0.0, east / 1000, 0.0, north / 1000)
        axes.imshow(_relief(z, terrain.dx, terrain.dy), extent=extent, interpolation="bilinear", aspect="equal")
        norm = scale(greatest)
        colours = _water()
        self._water = axes.imshow(
            np.full((2, 2), np.nan), extent=extent, norm=norm, cmap=colours, interpolation="nearest", aspect="equal"
        )
        _frame(axes, terrain, east / 1000, north / 1000)
        _scale_bar(axes, east / 1000, north / 1000)
        _north(axes)
        bar = self.figure.add_axes(
            ((inches - right + 0.22) / inches, (bottom + 0.12 * along) / height, 0.2 / inches, 0.76 * along / height)
        )
        _legend(self.figure, bar, norm, colours)
        self.figure.text(
            left / inches, 1 - 0.36 / height, labels.title, fontsize=17, fontweight="bold", color=INK, va="center"
        )
        self.figure.text(left / inches, 1 - 0.7 / height, labels.subtitle, fontsize=10.5, color=SOFT, va="center")
        self.figure.text(left / inches, 0.2 / height, labels.footer, fontsize=8.5, color=SOFT, va="center")
        self._time = self.figure.text(
            1 - right / inches, 1 - 0.36 / height, "", fontsize=17, color=INK, ha="right", va="center"
        )

    def show(self, h: Floats, seconds: float) -> None:
        """Put water of depth `h` [m] on the map, as it is `seconds` after the rain began."""
        depth = h[self._flip]
        self._water.set_data(np.ma.masked_less(depth, SHALLOWEST))
        self._water.set_alpha(_alpha(depth))
        self._time.set_text(clock(seconds))

    def pixels(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Return the drawn figure, (height, width, 3)."""
        self._canvas.draw()  # type: ignore[no-untyped-call]
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]

    def save(self, path: Path) -> None:
        """Write the figure to a file."""
        self.figure.savefig(path, facecolor=PAPER)


def clock(seconds: float) -> str:
    """Write a time as hours and minutes, or as seconds where it is short.

    >>> clock(5400.0), clock(71.6)
    ('1 h 30 min', '72 s')
    """
    if seconds < 600:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"


def scale(greatest: float) -> Normalize:
    """Give the scale of depths: logarithmic where they span more than a factor of 20."""
    from matplotlib.colors import LogNorm, Normalize

    top = max(greatest, 2 * SHALLOWEST)
    if top > 20 * SHALLOWEST:
        return LogNorm(SHALLOWEST, top)
    return Normalize(SHALLOWEST, top)


def ticks(low: float, high: float) -> Sequence[float]:
    """Give round numbers 1, 2, 5 times powers of ten, from `low` to `high`.

    >>> ticks(0.05, 3.0)
    [0.05, 0.1, 0.2, 0.5, 1.0, 2.0]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [float(f"{nice}e{power}") for power in powers for nice in NICE]
    return [value for value in found if low * 0.999 <= value <= high * 1.001]


def round_length(length: float) -> float:
    """Give the greatest 1, 2 or 5 times a power of ten that is not longer."""
    power = math.floor(math.log10(length))
    return max(float(f"{nice}e{power}") for nice in NICE if float(f"{nice}e{power}") <= length)


def _sign(number: float) -> int:
    return 1 if number >= 0 else -1


def _relief(z: Floats, dx: float, dy: float) -> Floats:
    """Shade the terrain, lit from two sides so that no valley is black, in the colours of dry ground."""
    from matplotlib.colors import LightSource, LinearSegmentedColormap

    low, high = np.percentile(z, (1, 99))
    steepness = float(np.percentile(np.hypot(*np.gradient(z, dy, dx)), 90))
    exaggerate = 0.9 / max(steepness, 1e-6)
    main = LightSource(315, 42).hillshade(z, vert_exag=min(exaggerate, 50.0), dx=dx, dy=dy)
    side = LightSource(20, 55).hillshade(z, vert_exag=min(exaggerate, 50.0), dx=dx, dy=dy)
    shade = 0.75 * main + 0.25 * side
    height = np.clip((z - low) / max(high - low, 1e-9), 0, 1)
    ground = LinearSegmentedColormap.from_list("ground", GROUND)(height)[..., :3]
    lit = 0.3 + 0.76 * shade[..., None]
    relief: Floats = np.clip(ground * lit, 0, 1)
    return relief


def _water() -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("water", WATER)
    return colours.with_extremes(bad=(0, 0, 0, 0))


def _alpha(depth: Floats) -> Floats:
    """Let shallow water be glassy, and water of half a metre cover the ground."""
    return np.clip(0.35 + 0.65 * np.sqrt(np.clip(depth, 0, None) / 0.5), 0, 0.97)


def _frame(axes: Axes, terrain: Terrain, east: float, north: float) -> None:
    axes.set_xlim(0, east)
    axes.set_ylim(0, north)
    for spine in axes.spines.values():
        spine.set_color(INK)
        spine.set_linewidth(0.8)
    axes.tick_params(colors=SOFT, labelsize=9, length=4, width=0.7)
    if terrain.geographic:
        _degrees(axes, terrain.x, east, horizontal=True)
        _degrees(axes, terrain.y, north, horizontal=False)
    else:
        axes.set_xlabel("Distance to the east [km]", color=SOFT, fontsize=10)
        axes.set_ylabel("Distance to the north [km]", color=SOFT, fontsize=10)


def _degrees(axes: Axes, axis: Axis, length: float, *, horizontal: bool) -> None:
    """Name round degrees along an edge that is drawn in kilometres."""
    first, last = float(axis.values.min()), float(axis.values.max())
    step = abs(axis.step)
    low, high = first - 0.5 * step, last + 0.5 * step
    spacing = round_length((high - low) / 3)
    digits = max(0, -math.floor(math.log10(spacing) + 1e-9))
    values = spacing * np.arange(math.ceil(low / spacing), math.floor(high / spacing) + 1)
    places = (values - low) / (high - low) * length
    signs = "EW" if horizontal else "NS"
    names = [f"{abs(value):.{digits}f}° {signs[int(value < 0)]}" for value in values]
    if horizontal:
        axes.set_xticks(places, names)
    else:
        axes.set_yticks(places, names, rotation=90, va="center")


def _scale_bar(axes: Axes, east: float, north: float) -> None:
    from matplotlib.patches import Rectangle

    length = round_length(0.28 * east)
    x, y, thick = 0.035 * east, 0.035 * north, 0.009 * north
    name = f"{length:g} km" if length >= 1 else f"{length * 1000:g} m"
    pad = 0.016 * east
    axes.add_patch(
        Rectangle((x - pad, y - pad), length + 2 * pad, thick + 0.045 * north + pad, fc=PAPER, ec="none", alpha=0.82)
    )
    for k in range(4):
        axes.add_patch(
            Rectangle((x + k * length / 4, y), length / 4, thick, fc=INK if k % 2 == 0 else PAPER, ec=INK, lw=0.8)
        )
    axes.text(x + length / 2, y + thick + 0.009 * north, name, ha="center", va="bottom", fontsize=10.5, color=INK)


def _north(axes: Axes) -> None:
    axes.annotate(
        "N",
        xy=(0.955, 0.975),
        xytext=(0.955, 0.885),
        xycoords="axes fraction",
        ha="center",
        va="center",
        fontsize=13,
        fontweight="bold",
        color=INK,
        arrowprops={"arrowstyle": "-|>,head_width=0.45,head_length=0.8", "color": INK, "lw": 2.2, "shrinkA": 0},
        bbox={"boxstyle": "circle,pad=0.18", "fc": PAPER, "ec": "none", "alpha": 0.82},
    )


def _legend(figure: Figure, place: Axes, norm: Normalize, colours: Colormap) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    logarithmic = isinstance(norm, LogNorm)
    assert norm.vmin is not None
    assert norm.vmax is not None
    bar = figure.colorbar(ScalarMappable(norm, colours), cax=place)
    bar.outline.set_linewidth(0.7)
    bar.outline.set_edgecolor(INK)
    marks = list(ticks(norm.vmin, norm.vmax))
    if not logarithmic:
        marks = [float(value) for value in np.linspace(norm.vmin, norm.vmax, 6)]
    bar.set_ticks(marks, labels=[f"{mark:g}" if logarithmic else f"{mark:.2f}" for mark in marks])
    bar.ax.minorticks_off()
    bar.ax.tick_params(labelsize=10, colors=INK, length=4, width=0.7)
    bar.ax.set_title("depth\nof water\n[m]", fontsize=10.5, color=INK, pad=10, loc="left")
    what = "logarithmic" if logarithmic else "linear"
    note = f"{what} scale;\nbelow {SHALLOWEST:g} m\nnot shown"
    bar.ax.text(0, -0.035, note, transform=bar.ax.transAxes, fontsize=8.5, color=SOFT, va="top")
