"""The map of water depth over shaded relief, and frames of it for the animation."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xpaccel.demo.table import distance
from xpaccel.demo.terrain import Terrain

SUFFIXES = (".png",)
SHALLOW = 1e-3
"""Metres; water that is no deeper is not drawn."""

# Lightness falls steadily from one to the next, so that depth reads without a look at the colour bar.
_WATER = ("#c9ecf6", "#8fd0ea", "#4fa9d8", "#2478b8", "#114b91", "#0a2763", "#06103a")
_LAND = ("#a3b18a", "#bfc498", "#d8cfa3", "#d9c19a", "#c9a988", "#e4d8ca")
_INK, _PAPER = "#22303a", "#fbfaf7"
_LENGTHS = (1.0, 2.0, 5.0)


class Map:
    """A figure of the terrain on which water depths are laid.

    Parameters
    ----------
    terrain : Terrain
        The grid.
    deepest : float
        The depth in metres that gets the darkest blue.
    rain : float
        mm/h, for the title.
    height : float
        Of the figure in inches.
    dpi : int
        Pixels to an inch.
    """

    def __init__(self, terrain: Terrain, deepest: float, rain: float, *, height: float = 8.0, dpi: int = 150) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._terrain, self._rain = terrain, rain
        n, m = terrain.z.shape
        self._width, self._height = m * terrain.dx, n * terrain.dy
        # The map fills a box as high as the figure allows and up to twice as wide, in inches.
        scale = min((height - 1.25) / self._height, 2 * (height - 1.25) / self._width)
        map_width, map_height = max(scale * self._width, 0.5), max(scale * self._height, 0.5)
        height = max(map_height, 2.0) + 1.25  # the colour bar needs some
        width = max(map_width + 1.75, 6.2)  # and so does the subtitle
        top = height - 0.9
        small = min(9.5, 1.35 * width)
        figure = Figure(figsize=(width, height), dpi=dpi, facecolor=_PAPER)
        self._canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
        axes = figure.add_axes((0.35 / width, (top - map_height) / height, map_width / width, map_height / height))
        extent = (0.0, self._width, 0.0, self._height)
        axes.imshow(relief(terrain), extent=extent, interpolation="antialiased")
        axes.set(xticks=[], yticks=[], aspect="auto")
        for spine in axes.spines.values():
            spine.set(color=_INK, linewidth=0.8)
        colours, norm = _colours(deepest)
        self._water = axes.imshow(
            np.zeros((2, 2)), extent=extent, cmap=colours, norm=norm, interpolation="antialiased",
            interpolation_stage="data",
        )  # fmt: skip
        _scale_bar(axes, self._width, self._height, map_width, map_height)
        _north_arrow(axes, map_width, map_height)
        self._title = figure.text(0.35 / width, 1 - 0.42 / height, "", size=16, weight="bold", color=_INK, va="center")
        self._subtitle = figure.text(
            0.35 / width, 1 - 0.71 / height, "", size=small, color=_INK, alpha=0.8, va="center"
        )
        bar = figure.add_axes(((map_width + 0.63) / width, 0.35 / height, 0.2 / width, (top - 0.35) / height))
        _colour_bar(bar, colours, norm)
        self._figure = figure

    def show(self, depth: npt.NDArray[Any], seconds: float) -> None:
        """Lay depths in metres over the relief; the array may be coarser than the terrain.

        Parameters
        ----------
        depth : ndarray, shape (rows, columns)
            Row 0 is the north.
        seconds : float
            Since the rain began.
        """
        terrain = self._terrain
        self._water.set_data(depth)
        self._title.set_text(f"Water depth after {clock(seconds)} of rain")
        n, m = terrain.z.shape
        cells = f"{m} × {n} cells of {terrain.dx:.3g} m × {terrain.dy:.3g} m"
        self._subtitle.set_text(f"{_shortened(terrain.name)}  ·  {self._rain:g} mm/h  ·  {cells}")

    def save(self, path: Path) -> None:
        """Write the figure as PNG."""
        self._canvas.print_png(str(path), metadata={"Software": "xpaccel"})

    def pixels(self) -> npt.NDArray[np.uint8]:
        """Draw the figure as an array of shape (rows, columns, 3), with even sizes, as videos need them."""
        self._canvas.draw()
        rgba = np.asarray(self._canvas.buffer_rgba())
        rows, columns = rgba.shape[0] // 2 * 2, rgba.shape[1] // 2 * 2
        return np.ascontiguousarray(rgba[:rows, :columns, :3])


def relief(terrain: Terrain) -> npt.NDArray[np.float64]:
    """Shade the terrain: quiet colours by height, light from the north-west; shape (n, m, 3)."""
    from matplotlib.colors import LightSource, LinearSegmentedColormap

    z = terrain.z
    low, high = np.percentile(z, (1, 99))
    height = np.clip((z - low) / max(high - low, 1e-9), 0, 1)
    land = LinearSegmentedColormap.from_list("land", _LAND)(height)[..., :3]
    slope_y, slope_x = np.gradient(z, terrain.dy, terrain.dx)
    typical = float(np.percentile(np.hypot(slope_x, slope_y), 90))
    exaggeration = min(0.9 / typical, 20.0) if typical > 0 else 1.0  # steep slopes look steep on any terrain
    light = LightSource(azdeg=315, altdeg=45)
    shade = light.hillshade(z, vert_exag=exaggeration, dx=terrain.dx, dy=terrain.dy)
    blended: npt.NDArray[np.float64] = light.blend_soft_light(land, (0.04 + 0.86 * shade)[..., None])
    return np.clip(blended, 0, 1)


def deepest(depth: npt.NDArray[Any]) -> float:
    """Give the depth in metres for the end of the scale: a round one that hardly any cell is beyond."""
    high = max(float(np.quantile(depth, 0.9995)), 10 * SHALLOW)
    power = 10.0 ** math.floor(math.log10(high))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= high * 0.999)


def clock(seconds: float) -> str:
    """Write a time as hours and minutes."""
    minutes = round(seconds / 60)
    if minutes == 0:
        return f"{seconds:.3g} s"
    hours, rest = divmod(minutes, 60)
    return " ".join(part for part in (f"{hours} h" * bool(hours), f"{rest} min" * bool(rest)) if part)


def depth_label(metres: float) -> str:
    """Write a depth in the unit that one would say it in."""
    for unit, size in (("m", 1.0), ("cm", 0.01), ("mm", 0.001)):
        if metres >= size * 0.999:
            return f"{metres / size:g} {unit}"
    return f"{metres:g} m"


def _shortened(name: str, most: int = 40) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _colours(deepest: float) -> tuple[Any, Any]:
    """Blues that become opaque as the water becomes deeper, on a logarithmic scale."""
    from matplotlib.colors import LinearSegmentedColormap, ListedColormap, LogNorm

    colours = LinearSegmentedColormap.from_list("water", _WATER)(np.linspace(0, 1, 256))
    depth = SHALLOW * (deepest / SHALLOW) ** np.linspace(0, 1, 256)
    opaque = 0.1  # metres
    ramp = np.clip(np.log(depth / SHALLOW) / math.log(opaque / SHALLOW), 0, 1)
    colours[:, 3] = 0.97 * ramp**1.6
    return ListedColormap(colours).with_extremes(under=(0, 0, 0, 0), bad=(0, 0, 0, 0)), LogNorm(SHALLOW, deepest)


def _colour_bar(axes: Any, colours: Any, norm: Any) -> None:
    steps = np.geomspace(norm.vmin, norm.vmax, 256)[::-1, None]
    axes.set_facecolor(_LAND[2])
    axes.imshow(steps, cmap=colours, norm=norm, aspect="auto", extent=(0, 1, 0, 1))
    decades = range(math.floor(math.log10(norm.vmin)), math.ceil(math.log10(norm.vmax)) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in _LENGTHS]
    ticks = [tick for tick in ticks if norm.vmin * 0.999 <= tick <= norm.vmax * 1.001]
    axes.set_yticks([math.log(tick / norm.vmin) / math.log(norm.vmax / norm.vmin) for tick in ticks])
    axes.set_yticklabels([depth_label(tick) for tick in ticks])
    axes.yaxis.tick_right()
    axes.set_xticks([])
    axes.tick_params(axis="y", labelsize=9, color=_INK, labelcolor=_INK, length=3)
    for spine in axes.spines.values():
        spine.set(color=_INK, linewidth=0.8)


def _outlined() -> list[Any]:
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=3, foreground=_PAPER, alpha=0.85)]


def _scale_bar(axes: Any, width: float, height: float, inches_wide: float, inches_high: float) -> None:
    """Draw a bar of a round length, a quarter of the map at most where that is long enough to read."""
    from matplotlib.patches import Rectangle

    longest = width * max(0.25, min(0.8, 1 / inches_wide))
    power = 10.0 ** math.floor(math.log10(longest))
    length = max(step * power for step in _LENGTHS if step * power <= longest)
    left, bottom, thick = 0.2 * width / inches_wide, 0.22 * height / inches_high, 0.055 * height / inches_high
    for k, colour in enumerate((_INK, _PAPER)):
        start = left + k * length / 2
        axes.add_patch(Rectangle((start, bottom), length / 2, thick, facecolor=colour, edgecolor=_INK, linewidth=0.8))
    roomy = length / width * inches_wide > 0.9
    for part, text in ((0.0, "0"), (0.5, _number(length / 2)), (1.0, distance(length))):
        if roomy or part == 1:
            axes.text(
                left + part * length, bottom + 1.8 * thick, text, size=9, color=_INK, va="bottom",
                ha="center" if roomy else "right", path_effects=_outlined(),
            )  # fmt: skip


def _number(metres: float) -> str:
    """Write a distance on the way to twice as much, in the unit that this has."""
    return f"{metres / 1000:g}" if 2 * metres >= 1000 else f"{metres:g}"


def _north_arrow(axes: Any, inches_wide: float, inches_high: float) -> None:
    x = 1 - 0.3 / inches_wide
    axes.annotate(
        "N", xy=(x, 1 - 0.15 / inches_high), xytext=(x, 1 - 0.65 / inches_high), xycoords="axes fraction", size=12,
        weight="bold", color=_INK, ha="center", va="center", path_effects=_outlined(),
        arrowprops={"arrowstyle": "-|>,head_width=0.35,head_length=0.7", "color": _INK, "linewidth": 1.6},
    )  # fmt: skip
