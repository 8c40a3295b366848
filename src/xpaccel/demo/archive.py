"""The simulation as a Zarr store that opens in xarray, written one time after the other (CF conventions)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from xpaccel import __version__
from xpaccel.demo.runs import Storm
from xpaccel.demo.terrain import Floats, Terrain

CHUNK = 512


class Archive:
    """Terrain and storm, and depths as they come.

    Parameters
    ----------
    path
        A folder that is not there yet.
    terrain, storm
        What is simulated.
    backend
        Which one computes the depths.
    """

    def __init__(self, path: Path, terrain: Terrain, storm: Storm, backend: str) -> None:
        import zarr

        self._group = zarr.open_group(path, mode="w-", zarr_format=3)
        self._group.attrs.update(_about(terrain, storm, backend))
        rows, columns = ("lat", "lon") if terrain.geographic else ("y", "x")
        n, m = terrain.z.shape
        chunks = (min(n, CHUNK), min(m, CHUNK))
        self._constant(rows, terrain.y.values, (rows,), _axis(terrain.geographic, "y"))
        self._constant(columns, terrain.x.values, (columns,), _axis(terrain.geographic, "x"))
        about = {"units": "m", "standard_name": "surface_altitude", "long_name": "elevation of the ground"}
        self._constant("elevation", terrain.z, (rows, columns), about, chunks)
        self._times = self._growing("time", (), ("time",), (512,), _TIME)
        self._depths = self._growing("depth", (n, m), ("time", rows, columns), (1, *chunks), _DEPTH)

    def append(self, seconds: float, h: Floats) -> None:
        """Add the depth [m] at a time [s]."""
        count = self._times.shape[0]
        self._depths.resize((count + 1, *h.shape))
        self._depths[count] = h
        self._times.resize((count + 1,))
        self._times[count] = seconds

    def finish(self) -> None:
        """Gather the metadata in one place, where xarray looks for them first."""
        import zarr

        with warnings.catch_warnings():
            # xarray writes its stores so too; zarr warns that the format's specification has yet to follow.
            warnings.filterwarnings("ignore", message="Consolidated metadata")
            zarr.consolidate_metadata(self._group.store)

    def _constant(
        self, name: str, values: Floats, dims: tuple[str, ...], attrs: dict[str, Any], chunks: Any = "auto"
    ) -> None:
        self._group.create_array(name, data=values, chunks=chunks, dimension_names=dims, attributes=attrs)

    def _growing(
        self,
        name: str,
        shape: tuple[int, ...],
        dims: tuple[str, ...],
        chunks: tuple[int, ...],
        attrs: dict[str, Any],
    ) -> Any:
        return self._group.create_array(
            name,
            shape=(0, *shape),
            dtype="float64",
            chunks=chunks,
            dimension_names=dims,
            attributes=attrs,
            fill_value=np.nan,
        )


# "s" and not "seconds": xarray would make time differences of these, and rounds to nanoseconds.
_TIME = {"units": "s", "long_name": "time since the rain began", "axis": "T"}
_DEPTH = {"units": "m", "long_name": "depth of water on the ground", "cell_methods": "time: point"}


def _axis(geographic: bool, axis: str) -> dict[str, str]:
    if geographic:
        what, direction = ("longitude", "east") if axis == "x" else ("latitude", "north")
        return {"units": f"degrees_{direction}", "standard_name": what, "axis": axis.upper()}
    return {"units": "m", "standard_name": f"projection_{axis}_coordinate", "axis": axis.upper()}


def _about(terrain: Terrain, storm: Storm, backend: str) -> dict[str, Any]:
    return {
        "Conventions": "CF-1.11",
        "title": f"Flood on {terrain.name}",
        "source": f"xpaccel {__version__}, backend {backend}: local-inertial shallow-water scheme",
        "references": "Bates, Horritt and Fewtrell 2010, doi:10.1016/j.jhydrol.2010.03.027; "
        "de Almeida, Bates, Freer and Souvignet 2012, doi:10.1029/2011WR011570",
        "rain_mm_per_h": storm.rain * 3.6e6,
        "manning_s_m-1/3": storm.manning,
        "edges": "open" if storm.open_edges else "closed",
        "column_spacing_m": terrain.dx,
        "row_spacing_m": terrain.dy,
    }
