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
def flow(q, before, after, h0, h1, z0, z1, dt, dx, manning):
    """Discharge of inner faces, from theirs and that of the faces before and after them."""
    q_mean = THETA * q + (0.5 - 0.5 * THETA) * (before + after)
    depth = flow_depth(h0, h1, z0, z1)
    q = discharge(q, q_mean, depth, (z0 + h0) - (z1 + h1), dt, dx, manning)
    return limit(q, depth, h0, h1, dt, dx)


@xpa.kernel
def spill(q, h0, h1, z0, z1, dt, dx, manning):
    """Discharge out of cells 1 over an open edge, where the surface goes on falling as from 0 to 1; no inflow."""
    q = discharge(q, q, h1, (z0 + h0) - (z1 + h1), dt, dx, manning)
    return xp.maximum(limit(q, h1, h1, h1, dt, dx), 0.0)


# -- The formulas on the whole grid, written in place ------------------------------------------------------


@xpa.kernel
def flow_x(new, qx, h, z, dt, dx, manning):
    """Discharge across columns, of all faces but those of the edge."""
    west, east = np.s_[:, :-1], np.s_[:, 1:]
    new[:, 1:-1] = flow(
        qx[:, 1:-1], qx[:, :-2], qx[:, 2:], h[west], h[east], z[west], z[east], dt, dx, manning
    )


@xpa.kernel
def flow_y(new, qy, h, z, dt, dy, manning):
    """Discharge across rows, of all faces but those of the edge."""
    new[1:-1] = flow(qy[1:-1], qy[:-2], qy[2:], h[:-1], h[1:], z[:-1], z[1:], dt, dy, manning)


@xpa.kernel
def spill_x(new, qx, h, z, dt, dx, manning):
    """Discharge over the first and the last column's open edge."""
    new[:, 0] = -spill(-qx[:, 0], h[:, 1], h[:, 0], z[:, 1], z[:, 0], dt, dx, manning)
    new[:, -1] = spill(qx[:, -1], h[:, -2], h[:, -1], z[:, -2], z[:, -1], dt, dx, manning)


@xpa.kernel
def spill_y(new, qy, h, z, dt, dy, manning):
    """Discharge over the first and the last row's open edge."""
    new[0] = -spill(-qy[0], h[1], h[0], z[1], z[0], dt, dy, manning)
    new[-1] = spill(qy[-1], h[-2], h[-1], z[-2], z[-1], dt, dy, manning)


@xpa.kernel
def store(h, qx, qy, rain, dt, dx, dy):
    """Water that came in less what went out, and rain [m/s], into the depth."""
    h += dt * (rain + (qx[:, :-1] - qx[:, 1:]) / dx + (qy[:-1] - qy[1:]) / dy)


@xpa.kernel
def deepest(h):
    """Depth [m] of the deepest cell."""
    return xp.max(h)


@xpa.kernel
def leaving(qx, qy, dx, dy):
    """Discharge [m3/s] out of the domain, over its four edges together."""
    return (xp.sum(qx[:, -1]) - xp.sum(qx[:, 0])) * dy + (xp.sum(qy[-1]) - xp.sum(qy[0])) * dx


# -- The time loop -----------------------------------------------------------------------------------------


@dataclass
class Flood:
    """What has become of the water.

    Attributes
    ----------
    h
        Depth [m], (n, m); the next step changes it in place.
    time, dt
        Seconds since the beginning, and the length of the last step.
    steps
        How many there were.
    rained, left
        Volumes [m3] that fell and that flowed over the edge.
    """

    h: np.ndarray
    time: float = 0.0
    dt: float = 0.0
    steps: int = 0
    rained: float = 0.0
    left: float = 0.0


def simulate(
    z, dx, dy, *, rain, seconds, manning=0.03, open_edges=True, h=None, rain_seconds=math.inf
) -> Iterator[Flood]:
    """Let it rain on terrain, and yield the flood after each step.

    Parameters
    ----------
    z : (n, m) array of float64, n and m at least 2
        Elevation [m].
    dx, dy : float
        Distance [m] between columns and between rows.
    rain : float
        Intensity [m/s].
    seconds : float
        For how long to simulate.
    manning : float
        Manning's roughness [s/m^(1/3)].
    open_edges : bool
        Whether water may leave over the edges; closed edges are walls.
    h : (n, m) array of float64, optional
        Depth at the beginning [m]; dry where not given.
    rain_seconds : float
        For how long it rains.

    Yields
    ------
    Flood
        The same object every time, as it is now.
    """
    n, m = z.shape
    flood = Flood(h=xp.zeros((n, m)) if h is None else xp.asarray(h, copy=True))
    h = flood.h
    qx, qy = xp.zeros((n, m + 1)), xp.zeros((n + 1, m))
    new_x, new_y = xp.zeros((n, m + 1)), xp.zeros((n + 1, m))
    while flood.time < seconds:
        raining = flood.time < rain_seconds
        until = min(seconds, rain_seconds) if raining else seconds
        intensity = rain if raining else 0.0
        depth = float(deepest(h)) + intensity * LONGEST
        wave = math.sqrt(G * depth)
        dt = min(LONGEST, COURANT * min(dx, dy) / wave if wave > 0 else LONGEST, until - flood.time)
        flow_x(new_x, qx, h, z, dt, dx, manning)
        flow_y(new_y, qy, h, z, dt, dy, manning)
        if open_edges:
            spill_x(new_x, qx, h, z, dt, dx, manning)
            spill_y(new_y, qy, h, z, dt, dy, manning)
            flood.left += dt * float(leaving(new_x, new_y, dx, dy))
        store(h, new_x, new_y, intensity, dt, dx, dy)
        qx, new_x, qy, new_y = new_x, qx, new_y, qy
        flood.rained += intensity * dt * (n * m * dx * dy)
        flood.time += dt
        flood.dt = dt
        flood.steps += 1
        yield flood


if __name__ == "__main__":
    pass
