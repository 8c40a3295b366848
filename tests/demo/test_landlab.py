"""The flood against what Landlab computed.

The figures are those that ``landlab_check.py`` printed with Landlab 2.11.0 (OverlandFlow, theta=0.8,
steep_slopes=True, mannings_n=0.03) on the Jacksboro elevation model of matplotlib at a spacing of 90 m, with closed
edges, after half an hour of 20 mm/h. The limits were set before the two were compared.
"""

from __future__ import annotations

import numpy as np
import pytest

import xpaccel as xpa
from xpaccel.demo import example

VOLUME = 11240421.2
PERCENTILES = {50: 0.00501401646, 90: 0.0188472041, 99: 0.106408133}
DEEPEST, ITS_DEPTH = (198, 131), 0.462836815


@pytest.mark.launches
def test_volume_percentiles_and_deepest_cell_are_landlabs(backend: str) -> None:
    data = pytest.importorskip("matplotlib.cbook").get_sample_data("jacksboro_fault_dem.npz")
    with data:
        z = data["elevation"].astype(np.float64)
    *_, state = example.flood().simulate(z, 90.0, 90.0, rain=0.020 / 3600, seconds=1800.0, open_edges=False)
    h = xpa.asnumpy(state.h)
    assert float(h.sum()) * 90.0**2 == pytest.approx(VOLUME, rel=0.01)
    for percent, depth in PERCENTILES.items():
        assert np.percentile(h, percent) == pytest.approx(depth, rel=0.05)
    assert np.unravel_index(h.argmax(), z.shape) == DEEPEST
    assert h.max() == pytest.approx(ITS_DEPTH, rel=0.05)
