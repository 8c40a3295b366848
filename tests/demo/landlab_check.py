"""The flood against Landlab's OverlandFlow, run by hand; what it printed is held by test_landlab.py.

    python3.12 -m venv check && check/bin/pip install landlab==2.11.0 ".[demo]"
    check/bin/python tests/demo/landlab_check.py

Both get the same terrain at one spacing, the same rain, closed edges, roughness, gravity, and the same longest
step. Three differences are left, and none was tuned away. Landlab begins with a film of 0.01 mm everywhere (its
`h_init`; without it, its first step divides by zero). It weights discharges beside a wall with those inside alone,
where this scheme counts the wall's zero. And it bounds a discharge by the flow depth at the face, where this
scheme takes the water of the cell that gives it.

The two are timed by turns, `ROUNDS` times each: what else the machine does then slows both. Of each turn the median
step counts, and of all turns the median ratio, with the least and the greatest beside it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from landlab import RasterModelGrid
from landlab import __version__ as landlab_version
from landlab.components import OverlandFlow
from matplotlib.cbook import get_sample_data

import xpaccel as xpa

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples"))
import flood

SPACING = 90.0
RAIN = 0.020 / 3600
SECONDS = 1800.0
MANNING = 0.03
PERCENTILES = (50, 90, 99)
ROUNDS = 7


def landlab(z):
    """Give the depth that Landlab ends with, its steps, and the time of one [s]."""
    n, m = z.shape
    # A ring of closed nodes around the terrain: Landlab's boundary is made of nodes, which take no part.
    grid = RasterModelGrid((n + 2, m + 2), xy_spacing=SPACING)
    grid.add_field("topographic__elevation", np.pad(z, 1, mode="edge").ravel(), at="node")
    grid.add_zeros("surface_water__depth", at="node")
    grid.set_closed_boundaries_at_grid_edges(True, True, True, True)
    component = OverlandFlow(grid, theta=0.8, steep_slopes=True, mannings_n=MANNING, rainfall_intensity=RAIN)
    elapsed, times = 0.0, []
    while elapsed < SECONDS:
        start = time.perf_counter()
        elapsed += component.overland_flow(dt=min(component.calc_time_step(), flood.LONGEST, SECONDS - elapsed))
        times.append(time.perf_counter() - start)
    h = grid.at_node["surface_water__depth"].reshape(n + 2, m + 2)[1:-1, 1:-1]
    return h, len(times), float(np.median(times))


def ours(z):
    """Give the same of this scheme, on the fused backend."""
    water, times = flood.Flood(z, SPACING, SPACING, rain=RAIN, manning=MANNING, edges="closed"), []
    while water.time < SECONDS:
        start = time.perf_counter()
        water.step(SECONDS)
        times.append(time.perf_counter() - start)
    return water.h, water.steps, float(np.median(times))


def main():
    z = np.asarray(get_sample_data("jacksboro_fault_dem.npz")["elevation"], dtype=np.float64)
    their_times, my_times = [], []
    with xpa.backend("numba"):
        ours(z)  # compiles
        for _ in range(ROUNDS):
            theirs, their_steps, taken = landlab(z)
            their_times.append(taken)
            mine, my_steps, taken = ours(z)
            my_times.append(taken)
    ratios = np.array(their_times) / np.array(my_times)
    their_time, my_time = np.median(their_times), np.median(my_times)
    rows = [("stored volume [m3]", theirs.sum() * SPACING**2, mine.sum() * SPACING**2, 0.01)]
    rows += [(f"{p}th percentile [m]", np.percentile(theirs, p), np.percentile(mine, p), 0.05) for p in PERCENTILES]
    print(f"Landlab {landlab_version}, {z.shape[0]} x {z.shape[1]} cells")
    print(f"{'':22}{'Landlab':>18}{'xpaccel':>18}{'difference':>12}{'limit':>8}")
    good = True
    for name, a, b, limit in rows:
        off = b / a - 1
        good &= abs(off) <= limit
        print(f"{name:22}{a:18.9g}{b:18.9g}{off:+12.3%}{limit:8.0%}")
    places = [tuple(int(k) for k in np.unravel_index(h.argmax(), h.shape)) for h in (theirs, mine)]
    good &= places[0] == places[1]
    print(f"{'deepest cell':22}{places[0]!s:>18}{places[1]!s:>18}")
    print(f"{'its depth [m]':22}{theirs.max():18.9g}{mine.max():18.9g}{mine.max() / theirs.max() - 1:+12.3%}")
    print(f"{'sum of |difference|':22}{'':36}{np.abs(theirs - mine).sum() / theirs.sum():12.3%}")
    print(f"{'steps':22}{their_steps:18}{my_steps:18}")
    print(f"{'time a step [ms]':22}{their_time * 1e3:18.3g}{my_time * 1e3:18.3g}{np.median(ratios):11.1f} x")
    print(f"{'':58}from {ratios.min():.1f} to {ratios.max():.1f} x")
    print("within the limits" if good else "OUTSIDE the limits")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
