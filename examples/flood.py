"""Rain that runs off over terrain: the local-inertial form of the shallow-water equations.

    python examples/flood.py                         as written, with NumPy
    XP_BACKEND=numba python examples/flood.py        the same file, fused, on all cores

Depth ``h`` and elevation ``z`` [m] stand at the n x m cells; the discharge per metre of width [m2/s] stands at
all faces, those of the edge included: ``qx`` (n, m+1) across columns, ``qy`` (n+1, m) across rows.

            qy[i, j]
         +-----o-----+           qx > 0 flows to the next column,
         |           |           qy > 0 to the next row.
    qx[i, j]  h, z  o qx[i, j+1]
         |   [i, j]  |
         +-----o-----+
            qy[i+1, j]

The scheme is that of Bates, Horritt and Fewtrell (2010), "A simple inertial formulation of the shallow water
equations for efficient two-dimensional flood inundation modelling", J. Hydrology 387, with the weighting of
neighbouring discharges of de Almeida, Bates, Freer and Souvignet (2012), "Improving the stability of a simple
formulation of the shallow water equations for 2-D flood modeling", Water Resources Research 48. On steep slopes
the discharge is limited, so that a cell never gives more water than it has. docs/flood.md derives it all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import xpaccel as xpa
from xpaccel import xp

G = 9.80665  #: gravity [m/s2]
THETA = 0.8  #: weight of a face's own discharge against the mean of its two neighbours
FILM = 1e-6  #: depth [m] below which friction stays what it is at this depth
SHARE = 0.2  #: of its water, what a cell gives through one of its four faces in one step at the most
COURANT = 0.7  #: share of a cell that a wave on the deepest water crosses in one step
LONGEST = 10.0  #: longest time step [s]

# -- The formulas, for the face between a cell 0 and the cell 1 behind it ----------------------------------


@xpa.kernel
def flow_depth(h0, h1, z0, z1):
    """Water that stands above the higher of two beds [m]; never negative."""
    return xp.maximum(z0 + h0, z1 + h1) - xp.maximum(z0, z1)


@xpa.kernel
def discharge(q, q_mean, depth, drop, dt, dx, manning):
    """Discharge [m2/s] after `dt`: driven by a drop of the surface [m], held back by Manning's friction.

    The friction is implicit: ``q_new = q_mean + g dt (depth drop/dx - n2 |q| q_new / depth^(7/3))``.
    """
    film = xp.maximum(depth, FILM)
    push = q_mean + (G * dt / dx) * depth * drop
    return push / (1 + (G * dt * manning**2) * xp.abs(q) / (film * film * np.cbrt(film)))


@xpa.kernel
def limit(q, depth, h0, h1, dt, dx):
    """Keep the Froude number at 1, and a cell from giving more than its share of the water it has."""
    critical = depth * xp.sqrt(G * depth)
    most = SHARE * dx / dt
    return xp.maximum(xp.minimum(q, xp.minimum(critical, most * h0)), -xp.minimum(critical, most * h1))


@xpa.kernel
def inner(q, before, after, h0, h1, z0, z1, dt, dx, manning):
    """Discharge of inner faces, from theirs and that of the faces before and after them."""
    q_mean = THETA * q + (0.5 - 0.5 * THETA) * (before + after)
    depth = flow_depth(h0, h1, z0, z1)
    q = discharge(q, q_mean, depth, (z0 + h0) - (z1 + h1), dt, dx, manning)
    return limit(q, depth, h0, h1, dt, dx)


@xpa.kernel
def outward(q, h0, h1, z0, z1, dt, dx, manning):
    """Discharge out of cells 1 over an open edge, where the surface goes on falling as from 0 to 1; no inflow."""
    q = discharge(q, q, h1, (z0 + h0) - (z1 + h1), dt, dx, manning)
    return xp.maximum(limit(q, h1, h1, h1, dt, dx), 0.0)


# -- The formulas on the whole grid, written in place ------------------------------------------------------


@xpa.kernel
def flow(new_x, new_y, qx, qy, h, z, dt, dx, dy, manning):
    """Discharge of all faces but those of the edge, one step later."""
    west, east, north, south = np.s_[:, :-1], np.s_[:, 1:], np.s_[:-1], np.s_[1:]
    new_x[:, 1:-1] = inner(qx[:, 1:-1], qx[:, :-2], qx[:, 2:], h[west], h[east], z[west], z[east], dt, dx, manning)
    new_y[1:-1] = inner(qy[1:-1], qy[:-2], qy[2:], h[north], h[south], z[north], z[south], dt, dy, manning)


@xpa.kernel
def spill(new_x, new_y, qx, qy, h, z, dt, dx, dy, manning):
    """Discharge over the open edges, one step later, and what leaves the domain there, in all [m3/s]."""
    new_x[:, 0] = -outward(-qx[:, 0], h[:, 1], h[:, 0], z[:, 1], z[:, 0], dt, dx, manning)
    new_x[:, -1] = outward(qx[:, -1], h[:, -2], h[:, -1], z[:, -2], z[:, -1], dt, dx, manning)
    new_y[0] = -outward(-qy[0], h[1], h[0], z[1], z[0], dt, dy, manning)
    new_y[-1] = outward(qy[-1], h[-2], h[-1], z[-2], z[-1], dt, dy, manning)
    return xp.sum(new_x[:, -1] - new_x[:, 0]) * dy + xp.sum(new_y[-1] - new_y[0]) * dx


@xpa.kernel
def store(h, qx, qy, rain, dt, dx, dy):
    """Depth one step later: what flowed in less what flowed out, and rain [m/s]. Gives the greatest depth."""
    h += dt * (rain + (qx[:, :-1] - qx[:, 1:]) / dx + (qy[:-1] - qy[1:]) / dy)
    return xp.max(h)


# -- The time loop -----------------------------------------------------------------------------------------


@dataclass
class Flood:
    """What has become of the water so far.

    Attributes
    ----------
    h
        Depth [m], (n, m). The next step changes it in place.
    time
        Seconds since the beginning.
    steps
        How many time steps these took.
    rained, left
        Volumes [m3] that fell as rain and that flowed over the edges.
    """

    h: np.ndarray
    time: float = 0.0
    steps: int = 0
    rained: float = 0.0
    left: float = 0.0


def simulate(z, dx, dy, *, rain, seconds, manning=0.03, open_edges=True, h=None) -> Iterator[Flood]:
    """Let it rain on terrain, and yield the flood after every time step.

    Parameters
    ----------
    z : (n, m) array of float64
        Elevation [m], at least 2 x 2 cells.
    dx, dy : float
        Distance [m] between columns, and between rows.
    rain : float
        Intensity [m/s].
    seconds : float
        How long it rains.
    manning : float
        Manning's roughness [s/m^(1/3)].
    open_edges : bool
        Whether water may leave over the edges of the grid; closed edges are walls.
    h : (n, m) array of float64, optional
        Depth at the beginning [m]; none, where it is not given.

    Yields
    ------
    Flood
        The same object each time, brought up to date.
    """
    n, m = z.shape
    flood = Flood(xp.zeros((n, m)) if h is None else xp.asarray(h, copy=True))
    qx, qy = xp.zeros((n, m + 1)), xp.zeros((n + 1, m))
    new_x, new_y = xp.zeros((n, m + 1)), xp.zeros((n + 1, m))
    deepest = float(xp.max(flood.h))
    while flood.time < seconds:
        wave = math.sqrt(G * (deepest + rain * LONGEST))
        dt = min(LONGEST, seconds - flood.time)
        dt = min(dt, COURANT * min(dx, dy) / wave) if wave > 0 else dt
        flow(new_x, new_y, qx, qy, flood.h, z, dt, dx, dy, manning)
        if open_edges:
            flood.left += dt * float(spill(new_x, new_y, qx, qy, flood.h, z, dt, dx, dy, manning))
        deepest = float(store(flood.h, new_x, new_y, rain, dt, dx, dy))
        qx, qy, new_x, new_y = new_x, new_y, qx, qy
        flood.rained += rain * dt * (n * m * dx * dy)
        flood.time += dt
        flood.steps += 1
        yield flood


def main() -> None:
    """Flood a valley in Tennessee: the elevation model that comes with matplotlib, at one spacing."""
    from matplotlib.cbook import get_sample_data

    z = np.asarray(get_sample_data("jacksboro_fault_dem.npz")["elevation"], dtype=np.float64)
    spacing = 90.0
    *_, flood = simulate(z, spacing, spacing, rain=0.020 / 3600, seconds=1800)
    stored = float(np.sum(flood.h)) * spacing**2
    lost = flood.rained - flood.left - stored
    row, column = np.unravel_index(np.argmax(flood.h), z.shape)
    print(f"{xpa.get_backend()}: {z.shape[0]} x {z.shape[1]} cells, 20 mm/h for half an hour in {flood.steps} steps")
    print(f"rain {flood.rained:.6g} m3 = stored {stored:.6g} + left {flood.left:.6g} + lost {lost:.1e}")
    print(f"deepest water: {flood.h[row, column]:.3f} m in row {row}, column {column}")


if __name__ == "__main__":
    main()
