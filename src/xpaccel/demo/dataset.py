"""The flood as a Zarr store that opens in xarray: CF names and units, written snapshot by snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xpaccel.demo.terrain import Terrain

SUFFIXES = (".zarr",)
CHUNK = 512


class Writer:
    """A store that grows by a snapshot at a time, so that no more than one is held in memory.

    Parameters
    ----------
    path : Path
        Where; nothing may be there.
    terrain : Terrain
        The grid.
    times : list of float
        The times of the snapshots in seconds.
    dtype : str
        Of the fields.
    attributes : mapping
        What was simulated, for the store's own attributes.
    """

    def __init__(
        self, path: Path, terrain: Terrain, times: list[float], dtype: str, attributes: Mapping[str, Any]
    ) -> None:
        import zarr

        self._root = zarr.create_group(
            path, zarr_format=3, attributes={"Conventions": "CF-1.11", "title": "Flood simulation", **attributes}
        )
        self._dtype = dtype
        n, m = terrain.z.shape
        north = (n - 1 - np.arange(n)) * terrain.dy
        east = np.arange(m) * terrain.dx
        self._axis("x", east, "distance eastward of cell centres from the westernmost", "X", "projection_x_coordinate")
        self._axis(
            "y", north, "distance northward of cell centres from the southernmost", "Y", "projection_y_coordinate"
        )
        self._axis("x_face", (np.arange(m + 1) - 0.5) * terrain.dx, "distance eastward of the faces of cells", "X")
        self._axis("y_face", (n - 0.5 - np.arange(n + 1)) * terrain.dy, "distance northward of the faces of cells", "Y")
        self._put("time", np.asarray(times), ("time",), "s", "time since the rain began", axis="T")
        places = {"coordinates": "lon lat"} if terrain.west is not None else {}
        if terrain.west is not None and terrain.south is not None:
            lon = terrain.west + terrain.lon_step * np.arange(m)
            lat = terrain.south + terrain.lat_step * (n - 1 - np.arange(n))
            self._put("lon", lon, ("x",), "degrees_east", "longitude", standard_name="longitude")
            self._put("lat", lat, ("y",), "degrees_north", "latitude", standard_name="latitude")
        self._put(
            "elevation", terrain.z.astype(dtype), ("y", "x"), "m", "elevation of the ground",
            standard_name="surface_altitude", **places,
        )  # fmt: skip
        self._depth = self._make("depth", (len(times), n, m), ("time", "y", "x"), "m", "depth of the water", **places)
        self._written = 0

    def add(self, depth: npt.NDArray[Any]) -> None:
        """Write the next snapshot: depths in metres, shape (n, m)."""
        self._depth[self._written] = depth
        self._written += 1

    def finish(self, discharge_x: npt.NDArray[Any], discharge_y: npt.NDArray[Any]) -> None:
        """Write the discharges at the end, shapes (n, m + 1) and (n + 1, m), in m2/s."""
        at_the_end = "discharge per unit width at the end of the simulation, positive"
        self._put("discharge_x", discharge_x, ("y", "x_face"), "m2 s-1", f"{at_the_end} eastward")
        self._put("discharge_y", discharge_y, ("y_face", "x"), "m2 s-1", f"{at_the_end} southward")

    def _axis(
        self, name: str, values: npt.NDArray[Any], long_name: str, axis: str, standard_name: str | None = None
    ) -> None:
        more = {"axis": axis} if standard_name is None else {"axis": axis, "standard_name": standard_name}
        self._put(name, values, (name,), "m", long_name, **more)

    def _put(
        self, name: str, values: npt.NDArray[Any], dims: tuple[str, ...], units: str, long_name: str, **more: str
    ) -> None:
        array = self._make(name, values.shape, dims, units, long_name, dtype=str(values.dtype), **more)
        array[...] = values

    def _make(
        self,
        name: str,
        shape: tuple[int, ...],
        dims: tuple[str, ...],
        units: str,
        long_name: str,
        *,
        dtype: str | None = None,
        **more: str,
    ) -> Any:
        chunks = tuple(
            1 if dim == "time" and len(dims) > 1 else min(size, CHUNK) if len(dims) > 1 else size
            for dim, size in zip(dims, shape, strict=True)
        )
        return self._root.create_array(
            name,
            shape=shape,
            dtype=dtype or self._dtype,
            chunks=chunks,
            dimension_names=dims,
            attributes={"units": units, "long_name": long_name, **more},
        )
