"""The oracle of boundary conditions: a whole array, continued beyond its ends, written down point by point."""

from __future__ import annotations

import numpy as np


def continued(whole, pads, periodic, half, boundary, grid=None):
    """Return an array with `pads` ghosts along each axis, axis after axis.

    Parameters
    ----------
    whole
        The field.
    pads
        ``(low, high)`` of each axis.
    periodic, half
        Of each axis.
    boundary
        For each axis ``(kind, parameter)``.
    grid
        ``(origin, spacing)`` of each axis, for functions of the coordinates.
    """
    found = whole
    done = [(0, 0)] * whole.ndim
    for axis, (low, high) in enumerate(pads):
        lines = np.moveaxis(found, axis, 0)
        n = len(lines)
        made = np.empty((n + low + high, *lines.shape[1:]), whole.dtype)
        made[low : low + n] = lines
        for k in range(-low, n + high):
            if 0 <= k < n:
                continue
            made[k + low] = _ghost(lines, k, n, periodic[axis], half[axis], boundary[axis])
        found = np.moveaxis(made, 0, axis)
        done[axis] = (low, high)
    return found


def _ghost(lines, k, n, periodic, half, condition):
    if periodic:
        return lines[k % n]
    kind, parameter = condition
    outwards = -k if k < 0 else k - n + 1
    edge = 0 if k < 0 else n - 1
    inwards = 1 if k < 0 else -1
    if kind == "value":
        return np.full_like(lines[0], parameter)
    if kind == "reflect":
        return lines[edge + inwards * (outwards if half else outwards - 1)]
    if kind == "odd":
        return -lines[edge + inwards * (outwards if half else outwards - 1)]
    if kind == "repeat":
        return lines[edge]
    if kind == "linear":
        return lines[edge] * (outwards + 1) + lines[edge + inwards] * -outwards
    raise AssertionError(kind)
