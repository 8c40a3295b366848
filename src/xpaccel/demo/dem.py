"""Elevation models read from files: NumPy's own, netCDF and Zarr, and the one inside matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xpaccel.demo.terrain import Axis, Terrain, make, regular
from xpaccel.errors import UserError

if TYPE_CHECKING:
    import xarray

USUAL = ("elevation", "z", "dem", "topo", "topography", "height", "altitude", "orog", "Band1")
"""Names that elevations go by; they decide where a file holds several grids."""

METRES = ("m", "metre", "metres", "meter", "meters", "1", "")


def load(path: Path | None, variable: str | None, spacing: float | None) -> Terrain:
    """Read an elevation model.

    Parameters
    ----------
    path
        A ``.npy``, ``.npz``, netCDF or Zarr file; None for the Jacksboro fault, inside matplotlib.
    variable
        Which array of the file, where it holds several.
    spacing
        Distance between cells [m], instead of what the file says.

    Raises
    ------
    xpaccel.UserError
        If it cannot be read, or is not a grid that water can run on.
    """
    if path is None:
        if variable is not None:
            raise UserError("--variable names an array in a file: give the file with --dem")
        return _jacksboro(spacing)
    if not path.exists():
        raise UserError(f"there is no elevation model {path}")
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise UserError(f"cannot tell what {path} is: its name must end in {', '.join(_READERS)}")
    if path.is_dir() and read is not _zarr:
        raise UserError(f"{path} is a folder, not a {path.suffix} file")
    if spacing is None and read is _npy:
        raise UserError(f"{path} does not say how far apart its cells are: give --spacing METRES")
    try:
        values, x, y = read(path, variable)
    except UserError:
        raise
    except ImportError as error:
        raise UserError(f'reading {path} needs {error.name}: pip install "xpaccel[demo]"') from error
    except Exception as error:  # readers of damaged files raise what they like
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"cannot read {path}: {reason}") from error
    return make(values, x, y, path.name, spacing)


def _jacksboro(spacing: float | None) -> Terrain:
    try:
        from matplotlib.cbook import get_sample_data
    except ImportError as error:
        raise UserError('the default terrain comes with matplotlib: pip install "xpaccel[demo]"') from error
    data: Any = get_sample_data("jacksboro_fault_dem.npz")  # matplotlib's types know files only
    with data:
        arrays = {name: data[name] for name in data.files}
    z = arrays["elevation"]
    return make(z, *_extents(arrays, *z.shape), "Jacksboro fault, Tennessee", spacing)


Read = tuple[NDArray[Any], Axis | None, Axis | None]


def _npy(path: Path, variable: str | None) -> Read:
    if variable is not None:
        raise UserError(f"{path} holds one array without a name: leave out --variable")
    with path.open("rb") as file:  # given a path, numpy leaves the file of a damaged one open
        return np.load(file, allow_pickle=False), None, None


def _npz(path: Path, variable: str | None) -> Read:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
        arrays = {name: data[name] for name in data.files}
    z = arrays[_choose({name: array.ndim for name, array in arrays.items()}, variable, path)]
    if z.ndim != 2:
        return z, None, None
    return z, *_extents(arrays, *z.shape)


def _extents(arrays: Mapping[str, NDArray[Any]], rows: int, columns: int) -> tuple[Axis | None, Axis | None]:
    """Read ``x`` and ``y``, or ``dx``, ``dy``, ``xmin`` and ``ymin`` (the outer edges of the first cell).

    Degrees are told from metres by their size: a cell is less than half a degree, and more than half a metre.
    ``ymin`` and ``ymax`` are the edges of the first and the last row, so where ``ymin`` is the greater of the
    two, the rows run to the south.
    """
    if {"x", "y"} <= arrays.keys():
        x, y = (np.asarray(arrays[name], dtype=np.float64) for name in "xy")
        near = all(a.ndim == 1 and a.size > 1 and abs(a[1] - a[0]) < 0.5 for a in (x, y))
        degrees = near and bool(np.abs(x).max() <= 360 and np.abs(y).max() <= 90)
        return Axis(x, degrees), Axis(y, degrees)
    if not {"dx", "dy"} <= arrays.keys():
        return None, None
    dx, dy = (abs(float(arrays[name])) for name in ("dx", "dy"))
    xmin, ymin = (float(arrays.get(name, np.zeros(()))) for name in ("xmin", "ymin"))
    xmax, ymax = (float(arrays.get(name, np.inf)) for name in ("xmax", "ymax"))
    degrees = max(dx, dy) < 0.5 and abs(xmin) <= 360 and abs(ymin) <= 90
    across, along = (dx if xmax > xmin else -dx), (dy if ymax > ymin else -dy)
    return (
        regular(xmin + 0.5 * across, across, columns, geographic=degrees),
        regular(ymin + 0.5 * along, along, rows, geographic=degrees),
    )


def _netcdf(path: Path, variable: str | None) -> Read:
    import xarray

    with xarray.open_dataset(path, engine="netcdf4", decode_times=False) as data:
        return _dataset(data, variable, path)


def _zarr(path: Path, variable: str | None) -> Read:
    import xarray

    with xarray.open_dataset(path, engine="zarr", consolidated=False, decode_times=False) as data:
        return _dataset(data, variable, path)


def _dataset(data: xarray.Dataset, variable: str | None, path: Path) -> Read:
    grids = {str(name): array.squeeze(drop=True).ndim for name, array in data.data_vars.items()}
    name = _choose(grids, variable, path)
    z = data[name]
    if z.ndim > 2:
        z = z.squeeze(drop=True)
    units = str(z.attrs.get("units", ""))
    if units.lower() not in METRES:
        raise UserError(f"{name!r} in {path} is in {units!r}: convert it to metres")
    if z.ndim != 2:
        return np.asarray(z.values), None, None
    if _is_x(z, 0) and not _is_x(z, 1):
        z = z.transpose()
    return np.asarray(z.values), _axis(z, 1, path), _axis(z, 0, path)


def _is_x(z: xarray.DataArray, axis: int) -> bool:
    name = str(z.dims[axis]).lower()
    return name in ("x", "easting", "column") or name.startswith("lon")


def _axis(z: xarray.DataArray, axis: int, path: Path) -> Axis | None:
    name = z.dims[axis]
    if name not in z.coords:
        return None
    coordinate = z.coords[name]
    values = np.asarray(coordinate.values, dtype=np.float64)
    units = str(coordinate.attrs.get("units", "")).lower()
    if "degree" in units or (not units and str(name).lower().startswith(("lon", "lat"))):
        return Axis(values, geographic=True)
    if units in ("km", "kilometre", "kilometres", "kilometer", "kilometers"):
        return Axis(values * 1000, geographic=False)
    if units not in METRES:
        raise UserError(f"the coordinate {str(name)!r} in {path} is in {units!r}: degrees, m or km are understood")
    return Axis(values, geographic=False)


def _choose(grids: Mapping[str, int], variable: str | None, path: Path) -> str:
    """Give the name of the array that holds the elevations, from names and numbers of axes."""
    listed = ", ".join(grids) or "none"
    if variable is not None:
        if variable not in grids:
            raise UserError(f"there is no variable {variable!r} in {path}; there are: {listed}")
        return variable
    flat = [name for name, axes in grids.items() if axes == 2]
    usual = [name for name in USUAL if name in flat]
    if len(flat) == 1 or usual:
        return (usual or flat)[0]
    if not flat and len(grids) == 1:
        return next(iter(grids))  # refused with its shape
    what = "several grids" if flat else "no grid of rows and columns"
    raise UserError(f"{path} holds {what}: choose one with --variable; there are: {listed}")


_READERS: dict[str, Callable[[Path, str | None], Read]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".nc": _netcdf,
    ".nc4": _netcdf,
    ".zarr": _zarr,
}
