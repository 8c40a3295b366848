"""`xpaccel demo` as a user types it: what it shows and writes, what it refuses, and what it leaves when it stops."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")
pytest.importorskip("matplotlib")
xr = pytest.importorskip("xarray")
Image = pytest.importorskip("PIL.Image")

from typer.testing import CliRunner  # noqa: E402

import xpaccel as xpa  # noqa: E402
from xpaccel.cli import app  # noqa: E402
from xpaccel.demo import animation, bandwidth, example, picture, simulation, table, terrain  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, with a small valley beside it."""
    valley(tmp_path / "valley.npy")
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    monkeypatch.setattr(bandwidth, "BYTES", 1 << 20)
    monkeypatch.setattr(bandwidth.copy_bandwidth, "__defaults__", (1 << 20, 2))
    return inside


def valley(file: Path, rows: int = 24, columns: int = 30) -> Path:
    y, x = np.mgrid[0:rows, 0:columns].astype(float)
    np.save(file, 200 + 2.0 * np.abs(x - columns / 2) + 0.5 * y + 3 * np.sin(x) * np.cos(y))
    return file


SMALL = ("--dem", "../valley.npy", "--spacing", "50", "--hours", "0.1", "--frames", "4")
NUMPY = (*SMALL, "--backend", "numpy")


def run(*words: str) -> tuple[int, str, str]:
    """Give exit status, standard output and standard error of a command."""
    done = CliRunner().invoke(app, ["demo", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- what it shows and writes


def test_the_example_is_one_file() -> None:
    found = Path(str(example.load().__file__))
    assert found.name == "flood.py"
    assert found.parent.name in ("examples", "demo")
    assert example.load() is example.load()


def test_numpy_alone(folder: Path) -> None:
    code, out, err = run(*NUMPY)
    assert (code, err) == (0, "")
    for word in ("valley.npy", "30 x 24 cells of 50 m x 50 m", "rain 20 mm/h for 6 min", "time a step", "numpy"):
        assert word in out
    for word in ("of copy", "rain in", "outflow", "stored", "relative error", "map in flood.png"):
        assert word in out
    assert left_behind(folder) == ["flood.png"]
    with Image.open("flood.png") as found:
        found.load()
        assert found.format == "PNG"
        assert min(found.size) > 400
        assert len(found.getcolors(1 << 24)) > 1000


def test_the_map_takes_a_free_name(folder: Path) -> None:
    for _ in range(2):
        assert run(*NUMPY, "--quiet") == (0, "", "")
    assert left_behind(folder) == ["flood-2.png", "flood.png"]


@pytest.mark.numba
def test_two_backends_agree(folder: Path) -> None:
    code, out, _ = run(*SMALL)
    assert code == 0
    assert "reference" in out
    found = re.search(r"^numba +\d.* (\d\.\de[-+]\d+) m *$", out, re.MULTILINE)
    assert found is not None, out
    assert float(found[1]) < 1e-10


@pytest.mark.parametrize("edges", ["open", "closed"])
def test_zarr_opens_in_xarray(folder: Path, edges: str) -> None:
    assert run(*NUMPY, "--out", "flood.zarr", "--edges", edges, "--refine", "2", "--png", "map.png")[0] == 0
    assert left_behind(folder) == ["flood.zarr", "map.png"]
    with xr.open_dataset("flood.zarr", engine="zarr", consolidated=False) as found:
        assert dict(found.sizes) == {"time": 4, "y": 48, "x": 60, "x_face": 61, "y_face": 49}
        np.testing.assert_allclose(found.time, [90, 180, 270, 360])
        np.testing.assert_allclose(found.x, np.arange(60) * 25.0)
        np.testing.assert_allclose(found.y, np.arange(48)[::-1] * 25.0)
        np.testing.assert_allclose(found.x_face[:2], [-12.5, 12.5])
        np.testing.assert_allclose(found.y_face[-2:], [12.5, -12.5])
        assert found.depth.dims == ("time", "y", "x")
        assert found.discharge_x.dims == ("y", "x_face")
        assert found.discharge_y.dims == ("y_face", "x")
        units = {"depth": "m", "elevation": "m", "discharge_x": "m2 s-1", "time": "s", "x": "m", "y": "m"}
        assert {name: found[name].attrs["units"] for name in units} == units
        assert all(found[name].attrs["long_name"] for name in found.variables)
        attributes = {"edges": edges, "refine": 2, "rain_mm_per_hour": 20.0, "hours": 0.1, "backend": "numpy"}
        assert {name: found.attrs[name] for name in attributes} == attributes
        assert found.attrs["source"] == f"xpaccel {xpa.__version__}"
        depth = found.depth.to_numpy()
        assert np.isfinite(depth).all()
        assert depth.min() >= 0
        assert (np.diff(depth.sum(axis=(1, 2))) > 0).all()
        stored = float(depth[-1].sum()) * 25 * 25
        rained = 0.02 * 0.1 * 48 * 60 * 25 * 25
        edge = found.discharge_x.to_numpy()[:, [0, -1]]
        if edges == "closed":
            assert stored == pytest.approx(rained, rel=1e-10)
            assert not edge.any()
        else:
            assert 0 < stored < rained


def test_places_in_degrees_are_kept(folder: Path) -> None:
    heights = np.load("../valley.npy")
    np.savez("../valley.npz", z=heights, lat=47 - np.arange(24) / 1200, lon=8 + np.arange(30) / 1200)
    assert run("--dem", "../valley.npz", "--hours", "0.02", "--backend", "numpy", "--out", "a.zarr", "-q")[0] == 0
    with xr.open_dataset("a.zarr", engine="zarr", consolidated=False) as found:
        np.testing.assert_allclose(found.lat, 47 - np.arange(24) / 1200)
        np.testing.assert_allclose(found.lon, 8 + np.arange(30) / 1200)


def test_gif(folder: Path) -> None:
    assert run(*NUMPY, "--animate", "flood.gif", "--quiet") == (0, "", "")
    with Image.open("flood.gif") as found:
        assert found.format == "GIF"
        assert found.n_frames == 4
        for frame in range(4):
            found.seek(frame)
            found.load()


def test_mp4_goes_through_ffmpeg(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(folder.parent / "bin", 'for last; do :; done; wc -c > "$last"', monkeypatch)
    assert run(*NUMPY, "--animate", "flood.mp4", "--quiet") == (0, "", "")
    sheet = picture.Map(terrain.load(Path("../valley.npy"), spacing=50.0), 1.0, 20.0, height=5.8, dpi=100)
    rows, columns, _ = sheet.pixels().shape
    assert (rows % 2, columns % 2) == (0, 0)
    assert int(Path("flood.mp4").read_text()) == 4 * rows * columns * 3


def test_an_ffmpeg_that_fails_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(folder.parent / "bin", "echo no encoder >&2; exit 1", monkeypatch)
    code, _, err = run(*NUMPY, "--animate", "flood.mp4", "--quiet")
    assert (code, err) == (2, "xpaccel: --animate flood.mp4 cannot be written: ffmpeg failed: no encoder\n")
    assert left_behind(folder) == []


def stand_in(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    program = folder / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_no_rain_no_flood(folder: Path) -> None:
    code, out, _ = run(*NUMPY, "--rain", "0")
    assert code == 0
    assert "0 m³" in out


def test_single_precision(folder: Path) -> None:
    assert run(*NUMPY, "--dtype", "float32", "--out", "a.zarr", "-q") == (0, "", "")
    with xr.open_dataset("a.zarr", engine="zarr", consolidated=False) as found:
        assert found.depth.dtype == np.float32
        assert found.discharge_y.dtype == np.float32


def test_help_has_examples() -> None:
    code, out, _ = run("--help")
    assert code == 0
    for word in ("xpaccel demo --refine 4", "--animate", "--dem", "flood-2.png"):
        assert word in out


def test_importing_the_command_is_light() -> None:
    heavy = ("matplotlib", "zarr", "xarray", "numba", "llvmlite", "netCDF4", "PIL", "rich.progress")
    program = f"import json, sys, xpaccel.demo.command; print(json.dumps([n for n in {heavy} if n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


# -- the parts


def small_setup(frames: int = 4) -> simulation.Setup:
    y, x = np.mgrid[0:20, 0:25].astype(float)
    ground = terrain.Terrain("bowl", 0.1 * ((x - 12) ** 2 + (y - 10) ** 2), 30.0, 40.0)
    return simulation.Setup(ground, 20e-3 / 3600, 600.0, 0.03, "open", "float64", frames)


def simulate(setup: simulation.Setup, names: tuple[str, ...], **more: Any) -> simulation.Outcome:
    ways = {"watch": lambda *_: None, "keep": lambda _: None, **more}
    return simulation.simulate(setup, names, leader=names[0], **ways)


def test_balance() -> None:
    run = simulate(small_setup(), ("numpy",), estimates={"numpy": 1.0}).runs[0]
    assert run.complete
    assert run.balance.rained == pytest.approx(20e-3 / 6 * 20 * 25 * 30 * 40, rel=1e-12)
    assert run.balance.stored > 0
    assert run.balance.error <= 1e-10


@pytest.mark.numba
def test_a_slow_backend_runs_the_first_steps_alone() -> None:
    kept: list[float] = []
    outcome = simulate(
        small_setup(), ("numba", "numpy"), estimates={"numba": 1e-4, "numpy": 1.0}, patience=7.0,
        keep=lambda flood: kept.append(flood.time),
    )  # fmt: skip
    leader, other = outcome.runs
    assert (other.steps, other.complete, outcome.compared_at) == (7, False, 7)
    assert leader.complete
    assert leader.steps > 7
    assert kept == pytest.approx([150, 300, 450, 600])
    rows = list(table.rows(outcome, 100.0, 1e9))
    assert rows[0].difference is not None
    assert rows[0].difference < 1e-12
    assert (rows[1].difference, rows[1].speed_up) == (0.0, 1.0)
    assert rows[0].share == pytest.approx(rows[0].bytes_per_second / 1e9)


def test_bandwidth() -> None:
    assert bandwidth.copy_bandwidth(1 << 20, 2) > 1e6


def test_coarse_frames_keep_the_mean() -> None:
    depth = np.arange(48.0).reshape(6, 8)
    np.testing.assert_allclose(animation.coarsen(depth, 2), depth.reshape(3, 2, 4, 2).mean(axis=(1, 3)))
    assert animation.coarsen(depth, 5).shape == (2, 2)


@pytest.mark.parametrize(
    ("depth", "end"), [(0.0, 0.01), (0.012, 0.02), (0.02, 0.02), (0.4, 0.5), (0.7, 1.0), (3.0, 5.0), (70.0, 100.0)]
)
def test_the_scale_ends_at_a_round_depth(depth: float, end: float) -> None:
    assert picture.deepest(np.full((4, 4), depth)) == pytest.approx(end)


@pytest.mark.parametrize(
    ("metres", "text"), [(0.001, "1 mm"), (0.02, "2 cm"), (0.5, "50 cm"), (1, "1 m"), (20, "20 m")]
)
def test_depth_labels(metres: float, text: str) -> None:
    assert picture.depth_label(metres) == text


@pytest.mark.parametrize(("seconds", "text"), [(5, "5 s"), (360, "6 min"), (3600, "1 h"), (5400, "1 h 30 min")])
def test_clock(seconds: float, text: str) -> None:
    assert picture.clock(seconds) == text


@pytest.mark.parametrize("shape", [(2, 2), (2, 200), (200, 2), (9, 13)])
def test_maps_of_any_shape(shape: tuple[int, int]) -> None:
    flat = terrain.Terrain("flat " * 20, np.zeros(shape), 1.0, 1.0)
    sheet = picture.Map(flat, 0.01, 5.0, height=4.0, dpi=50)
    sheet.show(np.zeros(shape), 60.0)
    assert min(sheet.pixels().shape[:2]) > 50


# -- what it refuses


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--dem", "nowhere.npy"], "there is no such file"),
        (["--dem", "../notes.txt"], "must end in .npy, .npz, .nc, .nc4 or .zarr"),
        (["--dem", "../damaged.npy", "--spacing", "1"], "cannot be read"),
        (["--dem", "../flat.npy", "--spacing", "1"], "has 2 dimensions"),
        (["--dem", "../nan.npy", "--spacing", "1"], "are NaN or infinite"),
        (["--dem", "../one.npy", "--spacing", "1"], "1 x 1 cells"),
        (["--dem", "../valley.npy"], "give the metres by --spacing"),
        (["--dem", "../valley.npy", "--spacing", "0"], "--spacing 0"),
        (["--dem", "../valley.npy", "--spacing", "nan"], "--spacing nan"),
        (["--variable", "depth"], "--variable depth: jacksboro_fault_dem.npz has"),
        (["--rain", "-1"], "--rain -1: rain must be"),
        (["--rain", "nan"], "--rain nan"),
        (["--rain", "inf"], "--rain inf"),
        (["--hours", "0"], "--hours 0: the time must be"),
        (["--hours", "-2"], "--hours -2"),
        (["--hours", "nan"], "--hours nan"),
        (["--refine", "0"], "--refine 0"),
        (["--refine", "100000"], "take a smaller --refine"),
        (["--manning", "0"], "--manning 0"),
        (["--frames", "0"], "--frames 0"),
        (["--edges", "ajar"], "--edges ajar: there is open and closed"),
        (["--dtype", "float16"], "--dtype float16: there is float64 and float32"),
        (["--backend", "abacus"], "--backend abacus: unknown, there are numpy, numba"),
        (["--backend", "numpy", "--backend", "numpy"], "given twice"),
        (["--png", "map.jpg"], "its name must end in .png"),
        (["--out", "flood.nc"], "its name must end in .zarr"),
        (["--animate", "flood.webm"], "its name must end in .gif or .mp4"),
        (["--png", "../there.png"], "--png ../there.png exists already"),
        (["--out", "../there.zarr"], "--out ../there.zarr exists already"),
        (["--animate", "../there.gif"], "--animate ../there.gif exists already"),
        (["--png", "nowhere/map.png"], "there is no folder nowhere"),
        (["--png", "/proc/map.png"], "--png /proc/map.png cannot be written"),
    ],
)
def test_refused_in_one_line(folder: Path, words: list[str], reason: str) -> None:
    beside = folder.parent
    for name in ("notes.txt", "there.png", "there.gif"):
        beside.joinpath(name).touch()
    beside.joinpath("damaged.npy").write_bytes(b"\x93NUMPY")
    beside.joinpath("there.zarr").mkdir()
    for name, z in {"flat": np.zeros(3), "nan": np.full((3, 3), np.nan), "one": np.zeros((1, 1))}.items():
        np.save(beside / f"{name}.npy", z)
    before = left_behind(beside)
    given = words if "--dem" in words or "--variable" in words else [*NUMPY, *words]
    if "--backend" in words:
        given = [*SMALL, *words]
    code, out, err = run(*given, "--quiet")
    assert (code, out) == (2, "")
    assert err.startswith("xpaccel: ")
    assert err.count("\n") == 1
    assert reason in err
    assert left_behind(folder) == []
    assert left_behind(beside) == before


def test_one_place_for_two_outputs_is_refused(folder: Path) -> None:
    folder.joinpath("link").symlink_to(folder)
    code, _, err = run(*NUMPY, "--png", "a.png", "--animate", "link/a.png")
    assert code == 2
    assert "--png and --animate are both link/a.png" in err


def test_an_unavailable_backend_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xpaccel import backends

    monkeypatch.setattr(backends, "why_unavailable", lambda name: "no such\nluck")
    code, _, err = run(*NUMPY)
    assert (code, err) == (2, "xpaccel: --backend numpy is not available: no such luck\n")


def test_mp4_without_ffmpeg_is_refused_before_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    code, out, err = run(*NUMPY, "--animate", "a.mp4")
    assert (code, out) == (2, "")
    assert "MP4 needs ffmpeg, which is not on the PATH" in err


# -- what it leaves when it stops


def start(folder: Path, *words: str, **more: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "xpaccel", "demo", *words, "--backend", "numpy"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


LONG = ("--dem", "../valley.npy", "--spacing", "50", "--hours", "1000", "--frames", "5000")


@pytest.mark.parametrize(
    ("number", "status", "tidy"),
    [(signal.SIGINT, 130, True), (signal.SIGTERM, 143, True), (signal.SIGKILL, -signal.SIGKILL, False)],
)
def test_stopped_in_the_middle(folder: Path, number: signal.Signals, status: int, tidy: bool) -> None:
    with start(folder, *LONG, "--out", "a.zarr", "--png", "a.png", "--animate", "a.gif") as demo:
        deadline = time.monotonic() + 60
        while not list(folder.glob(".a.zarr.*/a.zarr/depth/c/2")):
            assert demo.poll() is None, demo.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        demo.send_signal(number)
        _, err = demo.communicate(timeout=60)
    assert demo.returncode == status
    assert "Traceback" not in err
    assert [name for name in left_behind(folder) if not name.startswith(".")] == []
    assert not tidy or left_behind(folder) == []


def test_a_disk_that_fills_up_leaves_nothing(folder: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    with start(folder, *SMALL, preexec_fn=small_files) as demo:
        out, err = demo.communicate(timeout=60)
    assert demo.returncode == 2, err
    assert err == "xpaccel: --png flood.png cannot be written: File too large\n"
    assert "map in" not in out
    assert left_behind(folder) == []
