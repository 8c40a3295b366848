"""What the scalar functions of generated Numba CUDA source stand on: a GPU's instructions, or NumPy in the simulator.

Both modules define the same names with the same meaning (`cuda_device` says which), so what is built on them, and the
generated source itself, is one text for both.
"""

from __future__ import annotations

import os


def is_simulated() -> bool:
    """Whether this process asked for Numba's CUDA simulator: ``NUMBA_ENABLE_CUDASIM=1``, as Numba reads it."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "").strip() not in ("", "0")
