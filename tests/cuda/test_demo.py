"""The demo on the `cupy` target, over the stand-in: it ends with the depths that NumPy finds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cuda.host import host

STANDIN = Path(__file__).parent / "standin"


def test_the_demo_runs_on_cupy(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray", reason="the demo's packages are not installed")
    if (reason := host.why_unavailable()) is not None:
        pytest.skip(reason)
    out = tmp_path / "flood.zarr"
    words = ["--hours", "0.01", "--backend", "numpy", "--backend", "cupy", "--out", str(out), "--quiet"]
    environ = {**os.environ, "PYTHONPATH": str(STANDIN)}
    done = subprocess.run(
        [sys.executable, "-m", "xpaccel", "demo", *words],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    with xarray.open_zarr(out) as found:
        depth = found["depth"].to_numpy()
    assert np.isfinite(depth).all()
    assert depth[-1].max() > 0
