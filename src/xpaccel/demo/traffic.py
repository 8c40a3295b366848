"""How many bytes a time step must move at the least, whatever runs it."""

from __future__ import annotations

ITEM = 8


def bytes_of_a_step(n: int, m: int) -> int:
    """Count what the kernels of a step on n x m cells must read and write.

    Each kernel call reads each array that it needs once, and writes each that it changes once: `flow` reads
    ``h``, ``z``, ``qx`` and ``qy`` and writes the inner faces of two arrays; `store` reads ``h`` and both
    discharges and writes ``h``. The edges, some n + m values, are left out.
    """
    cells, faces = n * m, n * (m + 1) + (n + 1) * m
    inner = n * (m - 1) + (n - 1) * m
    flow = 2 * cells + faces + inner
    store = 2 * cells + faces
    return ITEM * (flow + store)
