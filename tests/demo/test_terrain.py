"""Elevation models: what is read, what is refused in one clear line, and how cells are cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xpaccel.demo import dem, terrain
from xpaccel.errors import UserError

Z = 100.0 + np.arange(12.0).reshape(3, 4) ** 1.5


def refusal(path: Path | None, variable: str | None = None, spacing: float | None = None) -> str:
    with pytest.raises(UserError) as caught:
        dem.load(path, variable, spacing)
    message = str(caught.value)
    assert "\n" not in message
    return message


def degrees(n: int, m: int, south: float = 36.0, west: float = -84.0, step: float = 0.001) -> dict[str, Any]:
    return {"lat": south + step * np.arange(n), "lon": west + step * np.arange(m)}


def dataset(values: np.ndarray, dims: tuple[str, ...] = ("lat", "lon"), **names: Any) -> Any:
    xarray = pytest.importorskip("xarray")
    sizes = dict(zip(dims, values.shape, strict=True))
    coords = degrees(sizes.get("lat", 0), sizes.get("lon", 0))
    return xarray.Dataset(
        {"elevation": (dims, values, {"units": "m"})},
        {name: (name, coords[name], {"units": f"degrees_{way}"}) for name, way in (("lat", "north"), ("lon", "east"))},
        **names,
    )


def test_the_default_is_jacksboro_in_metres() -> None:
    pytest.importorskip("matplotlib")
    found = dem.load(None, None, None)
    assert found.z.shape == (344, 403)
    assert found.z.dtype == np.float64
    assert found.geographic
    # WGS 84 at 36.59 degrees north: 111 km times the cosine, and 110.97 km, to a degree.
    assert found.dx == pytest.approx(74.57, abs=0.02)
    assert found.dy == pytest.approx(92.47, abs=0.02)
    assert found.y.step < 0, "the first row is the northern one"
    assert found.x.values[0] == pytest.approx(-84.41375 + 0.5 * 0.00083333)


def test_npy_needs_the_spacing(tmp_path: Path) -> None:
    file = tmp_path / "a.npy"
    np.save(file, Z.astype(np.int16))
    found = dem.load(file, None, 30.0)
    np.testing.assert_array_equal(found.z, Z.astype(np.int16))
    assert (found.dx, found.dy, found.geographic) == (30.0, 30.0, False)
    assert list(found.y.values) == [75.0, 45.0, 15.0]
    assert "--spacing METRES" in refusal(file)
    assert "leave out --variable" in refusal(file, "z", 30.0)


def test_npz_with_metres_and_with_axes(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", ground=Z, dx=25.0, dy=20.0, xmin=5e5, xmax=5.001e5, ymin=4e6, ymax=4.00006e6)
    found = dem.load(tmp_path / "a.npz", None, None)
    assert (found.dx, found.dy, found.geographic) == (25.0, 20.0, False)
    assert found.x.values[0] == 5e5 + 12.5
    assert found.y.step == 20.0
    np.savez(tmp_path / "b.npz", z=Z, slope=Z, x=10.0 * np.arange(4), y=5.0 * np.arange(3))
    both = dem.load(tmp_path / "b.npz", None, None)
    assert (both.dx, both.dy) == (10.0, 5.0), "z is the usual name"
    np.savez(tmp_path / "c.npz", one=Z, two=Z, dx=1.0, dy=1.0)
    assert "one, two" in refusal(tmp_path / "c.npz")
    assert dem.load(tmp_path / "c.npz", "two", None).dx == 1.0
    assert refusal(tmp_path / "c.npz", "three").endswith("there are: one, two, dx, dy")


@pytest.mark.parametrize("kind", ["nc", "zarr"])
def test_netcdf_and_zarr_with_degrees(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("netCDF4" if kind == "nc" else "zarr")
    file = tmp_path / f"a.{kind}"
    write(dataset(Z), file)
    found = dem.load(file, None, None)
    np.testing.assert_array_equal(found.z, Z)
    assert found.geographic
    assert found.dy == pytest.approx(110.96, abs=0.1)
    assert found.dx == pytest.approx(90.2, abs=0.2)
    assert "there are: elevation" in refusal(file, "depth")


def write(data: Any, file: Path) -> None:
    if file.suffix == ".nc":
        data.to_netcdf(file, engine="netcdf4")
    else:
        data.to_zarr(file, zarr_format=2)


def test_axes_in_the_other_order_and_of_length_one(tmp_path: Path) -> None:
    pytest.importorskip("netCDF4")
    file = tmp_path / "a.nc"
    write(dataset(Z.T, ("lon", "lat")), file)
    np.testing.assert_array_equal(dem.load(file, None, None).z, Z)
    write(dataset(Z).expand_dims("band"), tmp_path / "b.nc")
    np.testing.assert_array_equal(dem.load(tmp_path / "b.nc", None, None).z, Z)


@pytest.mark.parametrize(
    ("attribute", "value", "said"),
    [("units", "feet", "'feet': convert it to metres"), ("units", "km", "'km': convert")],
)
def test_units_that_are_not_metres(tmp_path: Path, attribute: str, value: str, said: str) -> None:
    pytest.importorskip("netCDF4")
    data = dataset(Z)
    data.elevation.attrs[attribute] = value
    write(data, tmp_path / "a.nc")
    assert said in refusal(tmp_path / "a.nc")


def test_coordinates_that_make_no_grid_of_equal_cells(tmp_path: Path) -> None:
    pytest.importorskip("netCDF4")
    uneven = dataset(Z).assign_coords(lon=("lon", [1.0, 2.0, 4.0, 5.0], {"units": "degrees_east"}))
    write(uneven, tmp_path / "a.nc")
    assert "not evenly spaced" in refusal(tmp_path / "a.nc")
    tall = dataset(Z).assign_coords(lat=("lat", [0.0, 30.0, 60.0], {"units": "degrees_north"}))
    write(tall, tmp_path / "b.nc")
    assert "crop it, or project it" in refusal(tmp_path / "b.nc")
    mixed = dataset(Z).assign_coords(lat=("lat", [0.0, 30.0, 60.0], {"units": "m"}))
    write(mixed, tmp_path / "c.nc")
    assert "degrees along one axis" in refusal(tmp_path / "c.nc")
    pole = dataset(Z).assign_coords(lat=("lat", [89.0, 90.0, 91.0], {"units": "degrees_north"}))
    write(pole, tmp_path / "d.nc")
    assert "between the poles" in refusal(tmp_path / "d.nc")
    assert dem.load(tmp_path / "d.nc", None, 50.0).dx == 50.0, "--spacing goes before the file"


def with_hole(value: float) -> np.ndarray:
    z = Z.copy()
    z[1, 2] = value
    return z


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (with_hole(np.nan), "at 1 of 12 cells"),
        (with_hole(np.inf), "at 1 of 12 cells"),
        (with_hole(-9999.0), "at 1 of 12 cells"),
        (with_hole(-32768.0), "not on Earth"),
        (Z[:1, :1], "1 x 1 cells"),
        (Z[:1], "1 x 4 cells"),
        (Z[0], "a grid of rows and columns"),
        (np.float64(3.0), "a single elevations"),
        (Z[None], "1 x 3 x 4 elevations"),
        (np.zeros((0, 5)), "0 x 5 cells"),
        (Z.astype(str), "not elevations in metres"),
        (Z > 110, "holds bool"),
    ],
)
def test_elevations_that_water_cannot_run_on(tmp_path: Path, values: np.ndarray, said: str) -> None:
    np.save(tmp_path / "a.npy", values)
    assert said in refusal(tmp_path / "a.npy", None, 10.0)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "there is no elevation model" in refusal(tmp_path / "none.npy")
    (tmp_path / "a.tif").write_bytes(b"II*")
    assert "must end in .npy, .npz, .nc, .nc4, .zarr" in refusal(tmp_path / "a.tif")
    (tmp_path / "b.npy").write_bytes(b"nothing")
    assert "cannot read" in refusal(tmp_path / "b.npy", None, 1.0)
    np.save(tmp_path / "c.npy", np.array([object()]), allow_pickle=True)
    assert "cannot read" in refusal(tmp_path / "c.npy", None, 1.0)
    (tmp_path / "d.npz").mkdir()
    assert "is a folder" in refusal(tmp_path / "d.npz")
    assert "give the file with --dem" in refusal(None, "z")


def test_damaged_netcdf_and_zarr(tmp_path: Path) -> None:
    pytest.importorskip("netCDF4")
    pytest.importorskip("zarr")
    (tmp_path / "a.nc").write_bytes(b"CDF nothing")
    assert "cannot read" in refusal(tmp_path / "a.nc")
    (tmp_path / "a.zarr").mkdir()
    assert "cannot read" in refusal(tmp_path / "a.zarr")


@pytest.mark.parametrize("distance", [1e-9, 1e9])
def test_cells_of_no_sensible_size(tmp_path: Path, distance: float) -> None:
    np.savez(tmp_path / "a.npz", z=Z, x=distance * np.arange(4), y=distance * np.arange(3) + 1e3)
    assert "give --spacing METRES" in refusal(tmp_path / "a.npz")


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_refining_keeps_a_plane_and_the_area(factor: int) -> None:
    """A plane is bilinear, beyond the outer cells' centres too."""
    y, x = np.mgrid[0:5, 0:7].astype(float)
    axes = (terrain.regular(0.0, step, count, geographic=False) for step, count in ((10.0, 7), (-20.0, 5)))
    coarse = terrain.make(3 * x + 2 * y, *axes, "plane", None)
    fine = terrain.refine(coarse, factor)
    assert fine.z.shape == (5 * factor, 7 * factor)
    assert (fine.dx, fine.dy) == (10.0 / factor, 20.0 / factor)
    np.testing.assert_allclose(fine.z, 0.3 * fine.x.values - 0.1 * fine.y.values[:, None], atol=1e-9)
    assert fine.z.flags.c_contiguous
    assert fine.y.step == pytest.approx(-20.0 / factor)
