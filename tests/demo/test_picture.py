"""The map, the moving map, and the archive: what they show is what was computed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from xpaccel.demo import animation, picture, recorder, terrain
from xpaccel.demo.runs import Storm
from xpaccel.errors import UserError

LABELS = picture.Labels("Title", "subtitle", "footer")
FRAMES_OF_FFMPEG = """#!/bin/sh
for last; do :; done
if [ -n "$FAIL" ]; then echo "first" >&2; echo "no such codec" >&2; exit 3; fi
cat > "$last"
echo "$@" > "$0.args"
"""


def ground(n: int = 24, m: int = 30, north_down: bool = True, geographic: bool = True) -> terrain.Terrain:
    y, x = np.mgrid[0:n, 0:m].astype(float)
    step = 0.001 if geographic else 100.0
    return terrain.make(
        200 + 30 * np.sin(x / 4) + 2 * y,
        terrain.regular(-84.0 if geographic else 5e5, step, m, geographic=geographic),
        terrain.regular(36.0 if geographic else 4e6, -step if north_down else step, n, geographic=geographic),
        "hills",
        None,
    )


def blue(pixels: np.ndarray) -> np.ndarray:
    """Tell water from ground: it is much more blue than red."""
    return pixels[..., 2].astype(int) - pixels[..., 0] > 60


@pytest.mark.parametrize("geographic", [True, False])
def test_water_is_drawn_where_it_stands(geographic: bool) -> None:
    chart = picture.Map(ground(geographic=geographic), 3.0, LABELS, 600)
    h = np.zeros((24, 30))
    chart.show(h, 0.0)
    dry = chart.pixels()
    h[2:8, 3:12] = 2.0
    chart.show(h, 90.0)
    wet = chart.pixels()
    new = blue(wet) & ~blue(dry)
    assert new.sum() > 1000
    rows, columns = np.nonzero(new)
    assert rows.mean() < 0.5 * len(wet), "the first rows of this terrain are the northern ones"
    assert columns.mean() < 0.5 * wet.shape[1]


def test_north_is_up_also_where_rows_run_to_the_north() -> None:
    chart = picture.Map(ground(north_down=False), 3.0, LABELS, 600)
    h = np.zeros((24, 30))
    chart.show(h, 0.0)
    dry = chart.pixels()
    h[2:8, 3:12] = 2.0
    chart.show(h, 90.0)
    rows, _ = np.nonzero(blue(chart.pixels()) & ~blue(dry))
    assert rows.mean() > 0.5 * len(dry)


def test_flat_ground_and_no_water_make_a_map(tmp_path: Path) -> None:
    flat = terrain.make(np.zeros((2, 40)), None, None, "flat", 5.0)
    chart = picture.Map(flat, 0.0, LABELS)
    chart.show(np.zeros((2, 40)), 12.0)
    chart.save(tmp_path / "flat.png")
    assert (tmp_path / "flat.png").read_bytes().startswith(b"\x89PNG")


def test_the_scale_is_logarithmic_where_depths_span_much() -> None:
    from matplotlib.colors import LogNorm

    assert isinstance(picture.scale(20.0), LogNorm)
    assert not isinstance(picture.scale(0.4), LogNorm)
    assert picture.scale(0.0).vmax > picture.scale(0.0).vmin


def test_round_numbers() -> None:
    assert picture.ticks(0.05, 3.0) == [0.05, 0.1, 0.2, 0.5, 1.0, 2.0]
    assert [picture.round_length(x) for x in (8.3, 4.9, 0.012)] == [5.0, 2.0, 0.01]
    assert [picture.clock(x) for x in (71.6, 599.4, 5400.0, 7199.0)] == ["72 s", "599 s", "1 h 30 min", "2 h 00 min"]


def frames() -> list[tuple[float, np.ndarray]]:
    return [(60.0 * k, np.full((24, 30), 0.2 * k)) for k in range(4)]


def test_gif_has_a_frame_for_each_time(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    told: list[int] = []
    animation.write(tmp_path / "a.gif", ground(), frames(), LABELS, lambda: told.append(1))
    with image.open(tmp_path / "a.gif") as found:
        assert found.n_frames == 4
        assert found.size[0] == animation.WIDTH
        assert found.info["loop"] == 0
    assert len(told) == 4


def test_mp4_goes_through_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in takes the place of ffmpeg: it keeps what it is sent."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "ffmpeg"
    program.write_text(FRAMES_OF_FFMPEG)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    animation.check(tmp_path / "a.mp4")
    animation.write(tmp_path / "a.mp4", ground(), frames(), LABELS, lambda: None)
    words = (folder / "ffmpeg.args").read_text().split()
    width, height = map(int, words[words.index("-s") + 1].split("x"))
    assert (tmp_path / "a.mp4").stat().st_size == 4 * width * height * 3
    monkeypatch.setenv("FAIL", "1")
    with pytest.raises(UserError, match=r"ffmpeg could not write b\.mp4: no such codec"):
        animation.write(tmp_path / "b.mp4", ground(), frames(), LABELS, lambda: None)


def test_mp4_without_ffmpeg_is_refused_before_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="needs ffmpeg, which is not on PATH"):
        animation.check(tmp_path / "a.mp4")


def test_frames_are_the_first_at_or_after_equal_times() -> None:
    seen: list[float] = []
    watch = recorder.Recorder(100.0, 4, (lambda time, h: seen.append(time),))
    h = np.zeros((2, 2))
    watch.start(h)
    for time in (10.0, 26.0, 30.0, 49.0, 50.0, 99.0, 100.0):
        watch.see(time, h)
    assert seen == [0.0, 26.0, 50.0, 99.0, 100.0]


def test_large_frames_keep_the_deepest_of_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "LARGEST", 10)
    whole = ground()
    small, reduce = recorder.coarse(whole)
    assert small.z.shape == (8, 10)
    assert small.dx == pytest.approx(3 * whole.dx)
    assert small.y.step == pytest.approx(3 * whole.y.step)
    h = np.zeros((24, 30))
    h[4, 7] = 1.5
    assert reduce(h)[1, 2] == 1.5
    assert reduce(h).sum() == 1.5


@pytest.mark.parametrize("geographic", [True, False])
def test_the_archive_opens_in_xarray(tmp_path: Path, geographic: bool) -> None:
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("zarr")
    from xpaccel.demo.archive import Archive

    hills = ground(geographic=geographic)
    archive = Archive(tmp_path / "a.zarr", hills, Storm(1e-5, 60.0, 0.03, True), "numpy")
    depths = np.random.default_rng(0).random((3, 24, 30))
    for time, h in enumerate(depths):
        archive.append(20.0 * time, h)
    archive.finish()
    rows, columns = ("lat", "lon") if geographic else ("y", "x")
    with xarray.open_zarr(tmp_path / "a.zarr", chunks=None) as found:
        assert found.depth.dims == ("time", rows, columns)
        np.testing.assert_array_equal(found.depth.values, depths)
        np.testing.assert_array_equal(found.elevation.values, hills.z)
        np.testing.assert_array_equal(found[rows].values, hills.y.values)
        np.testing.assert_array_equal(found[columns].values, hills.x.values)
        assert list(found.time.values) == [0.0, 20.0, 40.0]
        assert found.depth.attrs["units"] == found.elevation.attrs["units"] == "m"
        assert found.time.attrs["units"] == "s"
        assert found[rows].attrs["units"] == ("degrees_north" if geographic else "m")
        assert found.attrs["Conventions"].startswith("CF-")
        assert found.attrs["rain_mm_per_h"] == pytest.approx(36.0)
