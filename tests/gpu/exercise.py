"""``python -m gpu.exercise``: every named kernel once, for a checker of memory that watches this process.

CuPy's pool hands out parts of larger blocks, beyond which a checker sees nothing wrong. So each array has memory of its
own here.
"""

from __future__ import annotations

import cupy
import numpy as np
from cuda.machine.kernels import DTYPES, cases
from gpu import data

import xpaccel as xpa
from xpaccel.backends.gpu import devices


def main() -> None:
    """Run them at small sizes, which are no multiples of a block of threads."""
    devices.use_device()
    cupy.cuda.set_allocator(None)
    with xpa.backend("cupy"):
        for case in cases(data.TRIAL):
            for dtype in DTYPES:
                arguments = [cupy.asarray(a) if isinstance(a, np.ndarray) else a for a in case.arguments(dtype)]
                case.kernel(*arguments)
                cupy.cuda.Device().synchronize()
                print(f"{case.name}, {dtype}", flush=True)


if __name__ == "__main__":
    main()
