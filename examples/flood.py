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

import numpy as np

import xpaccel as xpa
from xpaccel import xp

G = 9.80665  #: gravity [m/s2]
THETA = 0.8  #: weight of a face's own discharge against the mean of its two neighbours
FILM = 1e-6  #: depth [m] below which friction stays what it is at this depth
SHARE = 0.2  #: of its water, what a cell gives through one of its four faces in one step at the most
COURANT = 0.7  #: share of a cell that a wave on the deepest water crosses in one step
LONGEST = 10.0  #: longest time step [s]

# -- The formulas, for faces between cells 0 and cells 1 behind them: arrays of one shape ------------------


@xpa.kernel
def surfaces(h0, h1, z0, z1):
    """Surfaces [m] of cells 0 and 1, measured from the higher of their two beds: one of them is never negative.

    The greater is the depth that flows, ``max(z0 + h0, z1 + h1) - max(z0, z1)`` (Bates et al. 2010). This way thin
    water is not added to great elevations; in float32, that would round a film of 0.01 mm at 500 m away.
    """
    rise = z1 - z0
    up = xp.maximum(rise, 0.0)
    return h0 - up, h1 - (up - rise)


@xpa.kernel
def discharge(q, q_mean, depth, drop, dt, dx, manning):
    """Discharge [m2/s] after `dt`: driven by a drop of the surface [m], held back by Manning's friction.

    Bates et al. (2010), Eq. 11, with the mean discharge of de Almeida et al. (2012) in the place of the old one:
    ``q_new = q_mean + g dt (depth drop/dx - n2 |q| q_new / depth^(7/3))``, solved for ``q_new``.
    """
    film = xp.maximum(depth, FILM)
    push = q_mean + (G * dt / dx) * depth * drop
    return push / (1 + (G * dt * manning**2) * xp.abs(q) / (film * film * np.cbrt(film)))


@xpa.kernel
def limit(q, depth, h0, h1, dt, dx):
    """Keep the Froude number of a discharge [m2/s] at 1, and its donor cell from giving more than its share."""
    critical = depth * xp.sqrt(G * depth)
    most = SHARE * dx / dt
    return xp.maximum(xp.minimum(q, xp.minimum(critical, most * h0)), -xp.minimum(critical, most * h1))


@xpa.kernel
def inner(q, before, after, h0, h1, z0, z1, dt, dx, manning):
    """Discharge [m2/s] of inner faces, from theirs and that of the faces before and after them."""
    q_mean = THETA * q + (0.5 - 0.5 * THETA) * (before + after)
    s0, s1 = surfaces(h0, h1, z0, z1)
    depth = xp.maximum(s0, s1)
    q = discharge(q, q_mean, depth, s0 - s1, dt, dx, manning)
    return limit(q, depth, h0, h1, dt, dx)


@xpa.kernel
def outward(q, h0, h1, z0, z1, dt, dx, manning):
    """Discharge [m2/s] out of cells 1 over an open edge, where the surface goes on falling as from 0 to 1."""
    s0, s1 = surfaces(h0, h1, z0, z1)
    q = discharge(q, q, h1, s0 - s1, dt, dx, manning)
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


KERNELS = (surfaces, discharge, limit, inner, outward, flow, spill, store)


def bytes_per_cell_step(dtype=np.float64):
    """Count the bytes that a step must move for each cell at the least, edges apart.

    Each call moves each array once: `flow` reads ``h``, ``z`` and two discharges and writes two, `store` reads
    ``h`` and two discharges and writes ``h``.
    """
    return 10 * np.dtype(dtype).itemsize


# -- The time loop -----------------------------------------------------------------------------------------


class Flood:
    """Water on terrain, and the balance of what became of it.

    Parameters
    ----------
    z : (n, m) array
        Elevation [m], at least 2 x 2 cells, without gaps. float32 and float64 stay what they are, and everything
        is computed in them; other numbers become float64.
    dx, dy : float
        Distance [m] between columns, and between rows.
    rain : float
        Intensity [m/s]; the attribute may be set anew between steps.
    manning : float
        Manning's roughness [s/m^(1/3)].
    edges : {"open", "closed"}
        Whether water may leave over the edges of the grid, or they are walls.
    h : (n, m) array, optional
        Depth at the beginning [m], which is copied; none, where it is not given.

    Attributes
    ----------
    h : (n, m) array
        Depth [m]. A step changes it in place.
    qx, qy : (n, m + 1) and (n + 1, m) array
        Discharge [m2/s] of the last step. A step puts other arrays here, and writes into these in the next.
    time, steps : float, int
        Seconds since the beginning, and how many steps these took.
    rained, left : float
        Volumes [m3] that fell as rain, and that flowed over the edges.

    Raises
    ------
    ValueError
        If the terrain has gaps or fewer than 2 x 2 cells, if the first depth has another shape or is negative, if
        a distance is not positive or the roughness is negative, or if the edges are neither open nor closed.
    """

    def __init__(self, z, dx, dy, *, rain, manning=0.03, edges="open", h=None) -> None:
        dtype = np.float32 if z.dtype == np.float32 else np.float64
        self.z = xp.asarray(z, dtype=dtype)
        if self.z.ndim != 2 or min(self.z.shape) < 2:
            raise ValueError(f"z has shape {tuple(self.z.shape)}: at least 2 x 2 cells are needed")
        if not bool(xp.all(xp.isfinite(self.z))):
            raise ValueError("z has elevations that are NaN or infinite: fill the gaps or crop them")
        n, m = self.z.shape
        self.h = xp.zeros((n, m), dtype=dtype) if h is None else xp.asarray(h, dtype=dtype, copy=True)
        if self.h.shape != (n, m) or not bool(xp.all((self.h >= 0) & xp.isfinite(self.h))):
            raise ValueError(
                f"h has shape {tuple(self.h.shape)}: finite depths of shape {(n, m)} are needed, none negative"
            )
        if not (0 < dx < math.inf and 0 < dy < math.inf):
            raise ValueError(f"dx is {dx} and dy is {dy}: finite distances [m] above zero are needed")
        if not 0 <= manning < math.inf:
            raise ValueError(f"manning is {manning}: a finite roughness that is not negative is needed")
        if edges not in ("open", "closed"):
            raise ValueError(f"edges is {edges!r}: 'open' or 'closed' is possible")
        self.dx, self.dy, self.rain, self.manning, self.edges = float(dx), float(dy), float(rain), float(manning), edges
        self.qx, self.qy = xp.zeros((n, m + 1), dtype=dtype), xp.zeros((n + 1, m), dtype=dtype)
        self._new_x, self._new_y = xp.zeros((n, m + 1), dtype=dtype), xp.zeros((n + 1, m), dtype=dtype)
        self._deepest = float(xp.max(self.h))
        self.time, self.steps, self.rained, self.left = 0.0, 0, 0.0, 0.0

    def step(self, until) -> float:
        """Go on by one time step [s], which is returned: as long as is stable, and not beyond the time `until` [s].

        Raises
        ------
        ValueError
            If `until` is not after the present time, or the rain is negative or not finite.
        """
        if not until > self.time:
            raise ValueError(f"a step until {until} s is not possible: the time is {self.time} s already")
        if not 0 <= self.rain < math.inf:
            raise ValueError(f"rain is {self.rain}: a finite intensity [m/s] that is not negative is needed")
        dt, end = self._time_step(until)
        q, new = (self.qx, self.qy), (self._new_x, self._new_y)
        flow(*new, *q, self.h, self.z, dt, self.dx, self.dy, self.manning)
        if self.edges == "open":
            self.left += dt * float(spill(*new, *q, self.h, self.z, dt, self.dx, self.dy, self.manning))
        self._deepest = float(store(self.h, *new, self.rain, dt, self.dx, self.dy))
        (self.qx, self.qy), (self._new_x, self._new_y) = new, q
        n, m = self.z.shape
        self.rained += self.rain * dt * (n * m * self.dx * self.dy)
        self.time = end
        self.steps += 1
        return dt

    def _time_step(self, until):
        """Give the step and the time at its end [s], after Bates et al. (2010), Eq. 14.

        The deepest water counts with the rain of the longest step, so that dry ground has a time step too. The clock
        moves whatever the depth: the limits keep depths positive at any step, a step of nothing would never end.
        """
        wave = math.sqrt(G * (self._deepest + self.rain * LONGEST))
        dt = min(LONGEST, COURANT * min(self.dx, self.dy) / wave) if wave > 0 else LONGEST
        end = max(self.time + dt, math.nextafter(self.time, math.inf))
        return (until - self.time, until) if end >= until else (max(dt, end - self.time), end)

    def stored(self) -> float:
        """Volume [m3] that is on the terrain now."""
        return float(xp.sum(self.h, dtype=xp.float64)) * self.dx * self.dy


def simulate(z, dx, dy, *, rain, seconds, manning=0.03, open_edges=True, h=None) -> Iterator[Flood]:
    """Let it rain for a number of seconds, and yield the flood, always the same object, after every time step."""
    flood = Flood(z, dx, dy, rain=rain, manning=manning, edges="open" if open_edges else "closed", h=h)
    while flood.time < seconds:
        flood.step(seconds)
        yield flood


def main() -> None:
    """Flood a valley in Tennessee: the elevation model that comes with matplotlib, at one spacing."""
    from matplotlib.cbook import get_sample_data

    z = np.asarray(get_sample_data("jacksboro_fault_dem.npz")["elevation"], dtype=np.float64)
    spacing = 90.0
    flood = Flood(z, spacing, spacing, rain=0.020 / 3600)
    while flood.time < 1800.0:
        flood.step(until=1800.0)
    stored = flood.stored()
    lost = flood.rained - flood.left - stored
    row, column = np.unravel_index(np.argmax(flood.h), z.shape)
    print(f"{xpa.get_backend()}: {z.shape[0]} x {z.shape[1]} cells, 20 mm/h for half an hour in {flood.steps} steps")
    print(f"rain {flood.rained:.6g} m3 = stored {stored:.6g} + left {flood.left:.6g} + lost {lost:.1e}")
    print(f"deepest water: {flood.h[row, column]:.3f} m in row {row}, column {column}")


if __name__ == "__main__":
    main()
