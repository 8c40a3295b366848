"""``xpaccel demo`` as a user types it: what it shows and writes, what it refuses, and what it leaves when stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from xpaccel import backends
from xpaccel.cli import app
from xpaccel.demo import bandwidth, example

for _module in ("matplotlib", "zarr", "xarray", "PIL"):
    pytest.importorskip(_module)

SMALL = ("--dem", "../valley.npy", "--spacing", "50", "--hours", "0.1", "--frames", "4")
NUMPY = (*SMALL, "--backend", "numpy")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, with a small valley beside it."""
    y, x = np.mgrid[0:24, 0:30].astype(float)
    np.save(tmp_path / "valley.npy", 200 + 2.0 * np.abs(x - 15) + 0.5 * y + 3 * np.sin(x) * np.cos(y))
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    monkeypatch.setattr(bandwidth, "measure", lambda threads: bandwidth.Bandwidth(1e10, threads))
    return inside


def run(*words: str) -> tuple[int, str, str]:
    """Give exit status, standard output and standard error."""
    done = CliRunner().invoke(app, ["demo", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def there(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(*words: str) -> str:
    """Run a command that must be refused in one line before it writes anything; give that line."""
    before = there(Path.cwd())
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    line = err.removesuffix("\n")
    assert line.startswith("xpaccel: ")
    assert "\n" not in line
    assert there(Path.cwd()) == before
    return line


def row(out: str, name: str) -> list[str]:
    """Give the first table's cells of a target."""
    found = re.search(rf"^│ {name} +│(.*)│$", out, re.MULTILINE)
    assert found, out
    return [cell.strip() for cell in found[1].split("│")]


@pytest.mark.numba
def test_two_backends_side_by_side(folder: Path) -> None:
    code, out, err = run(*SMALL)
    assert (code, err) == (0, "")
    assert there(folder) == ["flood.png"]
    reference, fused = row(out, "numpy"), row(out, "numba")
    assert reference[-2:] == ["1.0 x", "0.0e+00 m"]
    assert re.fullmatch(r"[\d.]+ x", fused[-2])
    assert float(fused[-1].removesuffix(" m")) < 1e-9
    water = out[out.index("Water") :]
    for name in ("numpy", "numba"):
        assert abs(float(row(water, name)[3])) <= 1e-10
        assert row(water, name)[0] == f"{0.004 * 24 * 30 * 2500:,.0f}"


def test_all_files_and_no_word(folder: Path) -> None:
    import xarray
    from PIL import Image

    code, out, err = run(*NUMPY, "--png", "a.png", "--out", "a.zarr", "--animate", "a.gif", "--quiet")
    assert (code, out, err) == (0, "", "")
    assert there(folder) == ["a.gif", "a.png", "a.zarr"]
    with xarray.open_zarr("a.zarr", chunks=None) as found:
        assert found.sizes == {"time": 5, "y": 24, "x": 30}
        assert found.time.values[-1] == 360.0
        assert (found.depth[0] == 0).all()
        assert (found.depth >= 0).all()
        stored, rained = float(found.depth[-1].sum()), 0.004 * 24 * 30
        assert 0.5 * rained < stored < rained
    with Image.open("a.gif") as image:
        assert image.n_frames == 5


def test_the_map_never_replaces_another(folder: Path) -> None:
    for _ in range(3):
        assert run(*NUMPY, "--quiet")[0] == 0
    assert there(folder) == ["flood-2.png", "flood-3.png", "flood.png"]


def test_closed_edges_keep_the_water(folder: Path) -> None:
    _, out, _ = run(*NUMPY, "--edges", "closed")
    assert row(out[out.index("Water") :], "numpy")[1] == "0"
    _, out, _ = run(*NUMPY, "--edges", "open", "--hours", "1")
    assert row(out[out.index("Water") :], "numpy")[1] != "0"


def test_refining_cuts_cells_and_keeps_the_rain(folder: Path) -> None:
    _, out, _ = run(*NUMPY, "--refine", "2")
    assert "48 x 60 cells" in out
    assert row(out[out.index("Water") :], "numpy")[0] == "7,200"


def test_no_rain_is_no_flood(folder: Path) -> None:
    code, out, _ = run(*NUMPY, "--rain", "0")
    assert code == 0
    assert row(out[out.index("Water") :], "numpy") == ["0", "0", "0", "+0.0e+00", "0.000"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rain", "-1"), "--rain -1: at least 0 and at most 10000 mm/h"),
        (("--rain", "nan"), "--rain nan"),
        (("--rain", "inf"), "--rain inf"),
        (("--hours", "0"), "--hours 0: more than 0"),
        (("--hours", "-2"), "--hours -2"),
        (("--hours", "nan"), "--hours nan"),
        (("--manning", "0"), "--manning 0"),
        (("--spacing", "0"), "--spacing 0"),
        (("--spacing", "1e-300"), "--spacing 1e-300"),
        (("--refine", "0"), "--refine 0"),
        (("--refine", "100000"), "which need"),
        (("--frames", "0"), "--frames 0"),
        (("--backend", "fortran"), "unknown backend 'fortran'; there are: numpy"),
        (("--backend", "numpy"), "given twice"),
        (("--dem", "none.npy"), "there is no elevation model none.npy"),
        (("--variable", "z"), "leave out --variable"),
        (("--png", "none/a.png"), "there is no folder"),
        (("--png", "a.pdf"), "must end in .png"),
        (("--png", "../valley.npy"), "must end in .png"),
        (("--out", "a.nc"), "must end in .zarr"),
        (("--animate", "a.avi"), "must end in .gif or .mp4"),
    ],
)
def test_what_cannot_be_done_is_one_line(folder: Path, words: tuple[str, ...], said: str) -> None:
    assert said in refused(*NUMPY, *words)


@pytest.mark.parametrize(("option", "name"), [("--png", "a.png"), ("--out", "a.zarr"), ("--animate", "a.gif")])
def test_what_exists_is_not_replaced(folder: Path, option: str, name: str) -> None:
    Path(name).write_text("precious")
    assert "exists: remove it or choose another name" in refused(*NUMPY, option, name)
    assert Path(name).read_text() == "precious"


@pytest.mark.parametrize("value", [np.nan, -9999.0 * 2])
def test_terrain_with_holes(folder: Path, value: float) -> None:
    z = np.ones((5, 5))
    z[2, 2] = value
    np.save("holes.npy", z)
    assert "holes.npy" in refused("--dem", "holes.npy", "--spacing", "10", "--backend", "numpy")


def test_one_cell_is_no_grid(folder: Path) -> None:
    np.save("one.npy", np.ones((1, 1)))
    assert "at least 2 x 2" in refused("--dem", "one.npy", "--spacing", "10", "--backend", "numpy")


def test_without_numba_the_default_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = "numba is not installed"
    monkeypatch.setattr(backends, "why_unavailable", lambda name: missing if name == "numba" else None)
    assert refused(*SMALL).endswith("numba is not installed; --backend numpy runs without it")
    assert refused(*SMALL, "--backend", "numba").endswith("numba is not installed")
    assert run(*NUMPY, "--quiet")[0] == 0


FILES = ("--png", "a.png", "--out", "a.zarr", "--animate", "a.gif")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "xpaccel: interrupted; no file was written\n"),
        (OSError(28, "No space left on device"), 2, "No space left on device\n"),
    ],
)
@pytest.mark.parametrize("where", ["archive.Archive.append", "picture.Map.save", "animation.write"])
def test_nothing_is_left_of_a_run_that_failed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, said: str, where: str
) -> None:
    def fail(*args: Any) -> None:
        raise error

    monkeypatch.setattr(f"xpaccel.demo.{where}", fail)
    code, out, err = run(*NUMPY, *FILES, "--quiet")
    assert (code, out) == (status, "")
    assert err.endswith(said)
    assert err.count("\n") == 1
    assert there(folder) == []


@pytest.mark.parametrize(
    ("sent", "status", "said"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_in_the_middle_of_a_run(folder: Path, sent: signal.Signals, status: int, said: str) -> None:
    words = (*NUMPY, *FILES, "--hours", "5000")
    with subprocess.Popen(
        [sys.executable, "-m", "xpaccel", "demo", *words], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while not there(folder) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert [name.startswith(".a.partial-") for name in there(folder)] == [True], "a temporary name beside it"
        process.send_signal(sent)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (status, "", f"xpaccel: {said}; no file was written\n")
    assert there(folder) == []


def test_importing_the_command_is_cheap() -> None:
    heavy = ("matplotlib", "zarr", "xarray", "numba", "rich.progress", "netCDF4", "PIL")
    code = f"import sys, xpaccel.demo.command; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() in ("[]", "['rich.progress']"), "typer may bring rich"


def test_the_example_is_the_file_of_the_examples() -> None:
    module = example.flood()
    assert module.__name__ == "xpaccel.demo.flood"
    assert module is example.flood()
    source = Path(module.__file__)
    assert source.name == "flood.py"
    beside = Path(__file__).parents[2] / "examples" / "flood.py"
    assert source.read_text(encoding="utf-8") == beside.read_text(encoding="utf-8")


def test_bandwidth_counts_bytes_read_and_written() -> None:
    found = bandwidth.measure(2, size=1 << 20, rounds=2)
    assert found.threads == 2
    assert found.rate > 1e6
