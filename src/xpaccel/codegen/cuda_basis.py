"""What the scalar functions of generated Numba CUDA source stand on: a GPU's instructions, or NumPy in the simulator.

Both modules define the same names with the same meaning (`cuda_device` says which), so what is built on them, and the
generated source itself, is one text for both.
"""

from __future__ import annotations

import os

#: What both modules define, besides the names of dtypes.
NAMES = (
    *("atomic_max", "atomic_min", "atomic_sum", "bits", "cast", "function", "get", "join", "like", "load", "load_rw"),
    *("on", "opaque", "outside", "place", "put", "report", "same", "select", "store", "swap"),
)


def is_simulated() -> bool:
    """Whether this process asked for Numba's CUDA simulator: ``NUMBA_ENABLE_CUDASIM=1``, as Numba reads it."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "").strip() not in ("", "0")
