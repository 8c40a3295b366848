"""Elevation models: reading them, putting them north up, finding the size of a cell, refining them."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xpaccel.errors import UserError

SUFFIXES = (".npy", ".npz", ".nc", ".nc4", ".zarr")
SAMPLE = "jacksboro_fault_dem.npz"

#: Metres of a degree of latitude, and of a degree of longitude at the equator, on the WGS 84 ellipsoid.
_MAJOR, _SQUARE = 6378137.0, 0.00669437999014
#: No flood is simulated on cells this small (1 cm), but elevation models in degrees have such spacings.
_SURELY_DEGREES = 0.01
#: Lower than any land and higher than any mountain: a mark for cells without data.
_NO_DATA = (-9999.0, 9000.0)

_X_NAMES, _Y_NAMES = ("x", "easting", "projection_x_coordinate"), ("y", "northing", "projection_y_coordinate")
_LON_NAMES, _LAT_NAMES = ("lon", "longitude"), ("lat", "latitude")
_METRES = {"": 1.0, "m": 1.0, "metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0, "km": 1000.0}


@dataclass(frozen=True)
class Terrain:
    """Elevations on a regular grid.

    Attributes
    ----------
    name : str
        What to call it.
    z : ndarray, shape (n, m), float64
        Elevation in metres; row 0 is the north, column 0 the west.
    dx, dy : float
        Metres from cell to cell along a row, and from row to row.
    west, south : float or None
        Longitude and latitude in degrees of the centre of the south-western cell, if known.
    lon_step, lat_step : float
        Degrees from cell to cell, where `west` is known.
    """

    name: str
    z: npt.NDArray[np.float64]
    dx: float
    dy: float
    west: float | None = None
    south: float | None = None
    lon_step: float = 0.0
    lat_step: float = 0.0

    def refine(self, factor: int) -> Terrain:
        """Divide each cell in ``factor * factor``, with elevations interpolated bilinearly.

        Outside the outermost cell centres the elevation stays what it is there.
        """
        if factor == 1:
            return self
        z = _stretch(_stretch(self.z, factor).T, factor).T
        outward = (factor - 1) / (2 * factor)  # from an old centre to the outermost of its new ones
        return replace(
            self,
            z=np.ascontiguousarray(z),
            dx=self.dx / factor,
            dy=self.dy / factor,
            west=None if self.west is None else self.west - outward * self.lon_step,
            south=None if self.south is None else self.south - outward * self.lat_step,
            lon_step=self.lon_step / factor,
            lat_step=self.lat_step / factor,
        )


def _stretch(z: npt.NDArray[np.float64], factor: int) -> npt.NDArray[np.float64]:
    """Interpolate linearly along axis 0, to the centres of cells divided by `factor`."""
    n = len(z)
    place = np.clip((np.arange(n * factor) + 0.5) / factor - 0.5, 0, n - 1)
    below = np.minimum(place.astype(np.intp), n - 2)
    part = (place - below)[:, None]
    stretched: npt.NDArray[np.float64] = z[below] * (1 - part) + z[below + 1] * part
    return stretched


@dataclass(frozen=True)
class _Axis:
    """A coordinate along one axis: values at the cells, and what they are measured in."""

    values: npt.NDArray[np.floating[Any]]
    unit: str  # "degrees", "metres", or "" where the file does not say


@dataclass(frozen=True)
class _Raw:
    """What a file has: an array, and coordinates where there are some."""

    z: npt.NDArray[Any]
    y: _Axis | None = None
    x: _Axis | None = None


def load(path: Path | None, *, variable: str | None = None, spacing: float | None = None) -> Terrain:
    """Read an elevation model.

    Parameters
    ----------
    path : Path or None
        A ``.npy``, ``.npz``, netCDF (``.nc``) or Zarr (``.zarr``) file; None for the sample that comes with
        matplotlib, the Jacksboro fault in Tennessee. Coordinates are ``x`` and ``y``, or ``lon`` and
        ``lat``; in ``.npz`` also the scalars ``dx`` and ``dy`` with ``xmin`` and ``ymax``. What is measured in
        degrees is made metres at the middle latitude. Without coordinates row 0 is the north.
    variable : str, optional
        The name of the elevation, where the file has several two-dimensional variables.
    spacing : float, optional
        Metres from cell to cell; it overrides what the file says.

    Raises
    ------
    UserError
        Where there is no usable elevation model.
    """
    if spacing is not None and not (math.isfinite(spacing) and spacing > 0):
        raise UserError(f"--spacing {spacing:g}: the distance of two cells must be above 0 metres")
    if path is None:
        raw, name = _sample(variable), "Jacksboro fault, Tennessee"
    else:
        raw, name = _read(path, variable), path.name
    return _terrain(name, raw, spacing)


def _sample(variable: str | None) -> _Raw:
    from matplotlib import cbook

    sample: Any = cbook.get_sample_data(SAMPLE)
    with sample as found:
        return _raw_of_arrays(SAMPLE, {key: found[key] for key in found}, variable)


def _read(path: Path, variable: str | None) -> _Raw:
    if not path.exists():
        raise UserError(f"--dem {path}: there is no such file")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"--dem {path}: its name must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    try:
        if suffix in (".npy", ".npz"):
            return _read_numpy(path, variable)
        return _read_xarray(path, variable)
    except (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"--dem {path} cannot be read: {reason}") from error


def _read_numpy(path: Path, variable: str | None) -> _Raw:
    with path.open("rb") as file:  # np.load would leave a damaged file open
        found: Any = np.load(file, allow_pickle=False)
        if not isinstance(found, np.ndarray):
            return _raw_of_arrays(path.name, {key: found[key] for key in found}, variable)
    if variable is not None:
        raise UserError(f"--variable {variable}: a .npy file has one array without a name, leave it out")
    return _Raw(found)


def _raw_of_arrays(name: str, arrays: Mapping[str, npt.NDArray[Any]], variable: str | None) -> _Raw:
    z = arrays[_choose(name, {key: array.ndim for key, array in arrays.items()}, variable)]
    if z.ndim != 2:
        return _Raw(z)
    lower = {key.lower(): array for key, array in arrays.items()}
    axes = []
    for names, degrees, low, step, size in (
        (_Y_NAMES, _LAT_NAMES, "ymin", "dy", z.shape[0]),
        (_X_NAMES, _LON_NAMES, "xmin", "dx", z.shape[1]),
    ):
        found = next((lower[key] for key in (*names, *degrees) if key in lower), None)
        if found is not None:
            unit = "degrees" if any(key in lower for key in degrees) else ""
            axes.append(_Axis(np.asarray(found, float), unit))
        elif step in lower and lower[step].ndim == 0:
            distance = abs(float(lower[step]))
            edge = float(lower[low]) if low in lower else 0.0
            values = edge + distance * (np.arange(size) + 0.5)
            if step == "dy":  # row 0 is the north, and some files (the sample) call its edge `ymin`
                edge = min(edge, float(lower["ymax"])) if "ymax" in lower else edge
                values = (edge + distance * (np.arange(size) + 0.5))[::-1]
            axes.append(_Axis(values, ""))
        else:
            return _Raw(z)
    return _Raw(z, *axes)


def _choose(file: str, dimensions: Mapping[str, int], variable: str | None) -> str:
    """Give the name of the elevation among the variables of a file."""
    flat = [key for key, count in dimensions.items() if count == 2]
    if variable is not None:
        if variable not in dimensions:
            raise UserError(f"--variable {variable}: {file} has {', '.join(dimensions) or 'no variables'}")
        return variable
    if len(flat) == 1:
        return flat[0]
    if flat:
        raise UserError(f"{file} has several two-dimensional variables: choose by --variable {' or '.join(flat)}")
    if len(dimensions) == 1:
        return next(iter(dimensions))  # refused later, with its shape
    raise UserError(f"{file} has no two-dimensional variable: an elevation model is needed")


def _read_xarray(path: Path, variable: str | None) -> _Raw:
    import xarray as xr

    if path.suffix.lower() == ".zarr":
        if not _has_dimensions(path):
            return _read_plain_zarr(path, variable)
        dataset = xr.open_dataset(path, engine="zarr", chunks=None)
    else:
        dataset = xr.open_dataset(path, engine="netcdf4")
    with dataset:
        name = _choose(path.name, {str(key): array.ndim for key, array in dataset.data_vars.items()}, variable)
        array = dataset[name]
        if array.ndim != 2:
            return _Raw(np.empty(array.shape, array.dtype))
        z = array.to_numpy()
        y, x = (_axis_of(dataset, str(dimension)) for dimension in array.dims)
    return _Raw(z, y, x) if y is not None and x is not None else _Raw(z)


def _axis_of(dataset: Any, dimension: str) -> _Axis | None:
    if dimension not in dataset.coords:
        return None
    coordinate = dataset.coords[dimension]
    unit = str(coordinate.attrs.get("units", "")).strip().lower()
    values = np.asarray(coordinate.to_numpy(), float)
    if unit.startswith("degree") or (not unit and dimension.lower() in _LON_NAMES + _LAT_NAMES):
        return _Axis(values, "degrees")
    if unit not in _METRES:
        raise UserError(
            f"the coordinate {dimension} is in {unit!r}, not metres or degrees: give the distance of cells by --spacing"
        )
    return _Axis(values * _METRES[unit], "metres" if unit else "")


def _has_dimensions(path: Path) -> bool:
    """Tell whether a Zarr store names its dimensions, without which xarray cannot open it."""
    import zarr

    store = zarr.open(path, mode="r")
    if not isinstance(store, zarr.Group):
        return False
    arrays = [array for _, array in store.arrays()]
    return all(
        "_ARRAY_DIMENSIONS" in array.attrs or getattr(array.metadata, "dimension_names", None) for array in arrays
    )


def _read_plain_zarr(path: Path, variable: str | None) -> _Raw:
    import zarr

    store = zarr.open(path, mode="r")
    if isinstance(store, zarr.Group):
        return _raw_of_arrays(path.name, {key: np.asarray(array[...]) for key, array in store.arrays()}, variable)
    if variable is not None:
        raise UserError(f"--variable {variable}: {path.name} is one array without a name, leave it out")
    return _Raw(np.asarray(store[...]))


def _terrain(name: str, raw: _Raw, spacing: float | None) -> Terrain:
    z = _elevations(name, raw.z)
    y, x = raw.y, raw.x
    if y is None or x is None:
        if spacing is None:
            raise UserError(f"{name} does not say how far its cells are apart: give the metres by --spacing")
        return Terrain(name, z, spacing, spacing)
    if (y.values.shape, x.values.shape) != ((z.shape[0],), (z.shape[1],)):
        raise UserError(f"{name}: coordinates of {y.values.size} and {x.values.size} values do not fit {z.shape} cells")
    if spacing is None:
        lat_step, lon_step = _step(name, "y", y), _step(name, "x", x)
    else:
        lat_step = lon_step = spacing
    if y.values[0] < y.values[-1]:
        z = z[::-1]
    if x.values[0] > x.values[-1]:
        z = z[:, ::-1]
    z = np.ascontiguousarray(z)
    if spacing is not None:
        return Terrain(name, z, spacing, spacing)
    if not _in_degrees(y, x, lat_step, lon_step):
        return Terrain(name, z, lon_step, lat_step)
    dx, dy = metres_of_degrees(lon_step, lat_step, float(y.values.mean()))
    return Terrain(name, z, dx, dy, float(x.values.min()), float(y.values.min()), lon_step, lat_step)


def _elevations(name: str, z: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    if z.ndim != 2:
        raise UserError(f"{name}: an elevation model has 2 dimensions, this has shape {z.shape}")
    if min(z.shape) < 2:
        raise UserError(f"{name} has {z.shape[0]} x {z.shape[1]} cells: water needs at least 2 x 2 to flow")
    if z.dtype.kind not in "iuf":
        raise UserError(f"{name}: elevations must be real numbers, not {z.dtype}")
    z = z.astype(np.float64)
    bad = np.count_nonzero(~np.isfinite(z))
    if bad:
        raise UserError(f"{name}: {bad} of {z.size} elevations are NaN or infinite: fill or cut them off first")
    low, high = float(z.min()), float(z.max())
    if low <= _NO_DATA[0] or high > _NO_DATA[1]:
        odd = low if low <= _NO_DATA[0] else high
        raise UserError(f"{name}: an elevation of {odd:g} m looks like a mark for no data: fill or cut it off first")
    return z


def _step(name: str, axis: str, coordinate: _Axis) -> float:
    """Give the distance of neighbours along an evenly spaced coordinate."""
    steps = np.diff(coordinate.values)
    mean = float(steps.mean())
    # Coordinates are often stored in float32, or rounded: allow for that, not for a grid that is uneven.
    if not math.isfinite(mean) or mean == 0 or float(np.abs(steps - mean).max()) > 0.02 * abs(mean):
        raise UserError(f"{name}: the coordinate {axis} is not evenly spaced: resample it, or give --spacing")
    return abs(mean)


def _in_degrees(y: _Axis, x: _Axis, lat_step: float, lon_step: float) -> bool:
    if "degrees" in (y.unit, x.unit):
        return True
    unsaid = not y.unit and not x.unit
    on_earth = float(np.abs(y.values).max()) <= 90 and float(np.abs(x.values).max()) <= 360
    return unsaid and on_earth and max(lat_step, lon_step) < _SURELY_DEGREES


def metres_of_degrees(lon_step: float, lat_step: float, latitude: float) -> tuple[float, float]:
    """Give the lengths in metres of steps in longitude and latitude (degrees) on the WGS 84 ellipsoid."""
    sine = math.sin(math.radians(latitude))
    root = math.sqrt(1 - _SQUARE * sine * sine)
    along = math.radians(lon_step) * _MAJOR / root * math.cos(math.radians(latitude))
    across = math.radians(lat_step) * _MAJOR * (1 - _SQUARE) / root**3
    return along, across
