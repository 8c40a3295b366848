"""Elevation models from every kind of file: orientation, the size of a cell, refinement, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xpaccel.demo import terrain
from xpaccel.errors import UserError

xr = pytest.importorskip("xarray")
zarr = pytest.importorskip("zarr")
pytest.importorskip("netCDF4")
pytest.importorskip("matplotlib")

Z = np.arange(12.0).reshape(3, 4)  # row 0 is the north
EAST, NORTH = np.arange(4) * 25.0, np.arange(3)[::-1] * 50.0


def test_the_sample_is_north_up_and_in_metres() -> None:
    found = terrain.load(None)
    assert found.z.shape == (344, 403)
    assert (found.dx, found.dy) == (pytest.approx(74.57, abs=0.05), pytest.approx(92.47, abs=0.05))
    assert found.west == pytest.approx(-84.41375 + 0.5 / 1200)
    assert found.south == pytest.approx(36.44625 + 0.5 / 1200)
    assert found.z[:100, :100].mean() != found.z[-100:, :100].mean()


@pytest.mark.parametrize(
    ("latitude", "along", "across"),
    [(0.0, 111319.49, 110574.28), (60.0, 55800.0, 111412.24), (90.0, 0.0, 111693.98)],
)
def test_metres_of_degrees(latitude: float, along: float, across: float) -> None:
    # The lengths of a degree on the WGS 84 ellipsoid, as tables have them.
    assert terrain.metres_of_degrees(1, 1, latitude) == pytest.approx((along, across), abs=0.5)


def write(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_npy_needs_a_spacing(tmp_path: Path) -> None:
    file = tmp_path / "z.npy"
    np.save(file, Z.astype(np.int16))
    found = terrain.load(file, spacing=30.0)
    np.testing.assert_array_equal(found.z, Z)
    assert (found.dx, found.dy, found.west) == (30.0, 30.0, None)
    with pytest.raises(UserError, match="give the metres by --spacing"):
        terrain.load(file)


@pytest.mark.parametrize("flip_y", [False, True])
@pytest.mark.parametrize("flip_x", [False, True])
def test_coordinates_turn_it_north_up(tmp_path: Path, flip_y: bool, flip_x: bool) -> None:
    rows, columns = slice(None, None, -1 if flip_y else 1), slice(None, None, -1 if flip_x else 1)
    found = terrain.load(write(tmp_path / "z.npz", z=Z[rows, columns], x=EAST[columns], y=NORTH[rows]))
    np.testing.assert_array_equal(found.z, Z)
    assert (found.dx, found.dy) == (25.0, 50.0)
    assert found.z.flags.c_contiguous


def test_npz_with_scalars(tmp_path: Path) -> None:
    found = terrain.load(write(tmp_path / "z.npz", z=Z, dx=10.0, dy=20.0))
    assert (found.dx, found.dy, found.west) == (10.0, 20.0, None)


def test_a_copy_of_the_sample_is_the_sample(tmp_path: Path) -> None:
    from matplotlib import cbook

    with cbook.get_sample_data(terrain.SAMPLE) as found:
        file = write(tmp_path / "copy.npz", **{key: found[key] for key in found})
    ours, sample = terrain.load(file), terrain.load(None)
    np.testing.assert_array_equal(ours.z, sample.z)
    assert (ours.dx, ours.dy, ours.west, ours.south) == (sample.dx, sample.dy, sample.west, sample.south)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
@pytest.mark.parametrize(("units", "dx"), [("m", 25.0), ("km", 25000.0)])
def test_xarray_files_in_metres(tmp_path: Path, suffix: str, units: str, dx: float) -> None:
    file = save(tmp_path / f"z{suffix}", ("y", "x"), NORTH[::-1], EAST, units)
    found = terrain.load(file)
    np.testing.assert_array_equal(found.z, Z[::-1])
    assert (found.dx, found.dy) == (dx, 2 * dx)


@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_xarray_files_in_degrees(tmp_path: Path, suffix: str) -> None:
    file = save(tmp_path / f"z{suffix}", ("lat", "lon"), 47 + NORTH / 1000, 8 + EAST / 1000, "degrees_north")
    found = terrain.load(file)
    assert (found.dx, found.dy) == pytest.approx(terrain.metres_of_degrees(0.025, 0.05, 47.05))
    assert (found.west, found.south) == pytest.approx((8.0, 47.0))


def save(file: Path, dims: tuple[str, str], y: Any, x: Any, units: str, **more: Any) -> Path:
    coords = {name: (name, values, {"units": units}) for name, values in zip(dims, (y, x), strict=True)}
    dataset = xr.Dataset({"height": (dims, Z), "scale": 1.0, **more}, coords=coords)
    if file.suffix == ".nc":
        dataset.to_netcdf(file, engine="netcdf4")
    else:
        dataset.to_zarr(file, zarr_format=2, consolidated=True)
    return file


@pytest.mark.parametrize("group", [False, True])
def test_plain_zarr(tmp_path: Path, group: bool) -> None:
    file = tmp_path / "z.zarr"
    if group:
        zarr.create_group(file).create_array("z", data=Z)
    else:
        zarr.save_array(file, Z)
    np.testing.assert_array_equal(terrain.load(file, spacing=10.0).z, Z)


def test_several_variables_need_a_choice(tmp_path: Path) -> None:
    file = write(tmp_path / "z.npz", a=Z, b=Z + 1)
    with pytest.raises(UserError, match="choose by --variable a or b"):
        terrain.load(file, spacing=1.0)
    np.testing.assert_array_equal(terrain.load(file, variable="b", spacing=1.0).z, Z + 1)
    with pytest.raises(UserError, match=r"--variable c: z\.npz has a, b"):
        terrain.load(file, variable="c", spacing=1.0)


@pytest.mark.parametrize(
    ("z", "reason"),
    [
        (np.zeros(5), "has 2 dimensions, this has shape"),
        (np.zeros((2, 3, 4)), "has 2 dimensions"),
        (np.zeros((1, 1)), "1 x 1 cells: water needs at least 2 x 2"),
        (np.zeros((0, 7)), "0 x 7 cells"),
        (np.full((3, 3), np.nan), "9 of 9 elevations are NaN"),
        (np.array([[0.0, np.inf], [0.0, 0.0]]), "1 of 4 elevations are NaN or infinite"),
        (np.array([[0, -9999], [0, 0]]), "-9999 m looks like a mark for no data"),
        (np.array([[0, 32767], [0, 0]]), "32767 m looks like a mark for no data"),
        (np.array([["a", "b"], ["c", "d"]]), "must be real numbers"),
        (np.ones((3, 3), complex), "must be real numbers"),
    ],
)
def test_refused_elevations(tmp_path: Path, z: Any, reason: str) -> None:
    np.save(tmp_path / "z.npy", z)
    with pytest.raises(UserError, match=reason):
        terrain.load(tmp_path / "z.npy", spacing=10.0)


@pytest.mark.parametrize("name", ["z.npy", "z.npz", "z.nc", "z.zarr"])
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(b"PK\x03\x04 this is no elevation model")
    with pytest.raises(UserError, match="cannot be read") as caught:
        terrain.load(file, spacing=1.0)
    assert "\n" not in str(caught.value)


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "z.npy", np.array([[print, print]], object), allow_pickle=True)
    with pytest.raises(UserError, match="cannot be read"):
        terrain.load(tmp_path / "z.npy", spacing=1.0)


def test_uneven_coordinates_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "z.npz", z=Z, x=[0.0, 1.0, 3.0, 4.0], y=NORTH)
    with pytest.raises(UserError, match="x is not evenly spaced"):
        terrain.load(file)
    assert terrain.load(file, spacing=2.0).dx == 2.0


def test_unknown_units_are_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "z.nc", ("y", "x"), NORTH, EAST, "furlong")
    with pytest.raises(UserError, match="in 'furlong'"):
        terrain.load(file)


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_refining_is_exact_for_a_plane_inside(factor: int) -> None:
    y, x = np.mgrid[0:5, 0:6].astype(float)
    coarse = terrain.Terrain("plane", 3 * x - 2 * y, 10.0, 20.0, west=7.0, south=50.0, lon_step=0.1, lat_step=0.2)
    fine = coarse.refine(factor)
    assert fine.z.shape == (5 * factor, 6 * factor)
    assert (fine.dx, fine.dy) == (10.0 / factor, 20.0 / factor)
    rows, columns = ((np.arange(n * factor) + 0.5) / factor - 0.5 for n in (5, 6))
    plane = 3 * np.clip(columns, 0, 5)[None, :] - 2 * np.clip(rows, 0, 4)[:, None]
    np.testing.assert_allclose(fine.z, plane, atol=1e-12)
    assert fine.west == pytest.approx(7.0 + columns[0] * 0.1)
    assert fine.south == pytest.approx(50.0 + rows[0] * 0.2)
