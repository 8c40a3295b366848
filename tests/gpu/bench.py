"""``python -m gpu.bench FILE [--trial]``: times of kernels on this GPU beside a copy and CuPy, written as JSON.

The file is written after each kernel, so what was measured is kept if a later one fails.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cupy
import numpy as np
from cuda.machine.kernels import DTYPES, Case, Sizes, cases, heat2d
from gpu import clock, data
from gpu.peers import peers

import xpaccel as xpa
from xpaccel.backends.gpu import devices

#: Bytes of the array that is copied.
COPIED = 2**30
#: Side of a field so small that only the launch counts; launches in a recording; calls for a time.
SMALL, RECORDED, CALLS = 64, 100, 2000


def first_line(error: Exception) -> str:
    """Return what went wrong in a line."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def copying(size: int) -> Callable[[], object]:
    """Return what copies an array of `size` bytes on the device."""
    source, target = cupy.zeros(size // 8), cupy.zeros(size // 8)
    return partial(cupy.copyto, target, source)


def row(case: Case, dtype: str, copy: Callable[[], object]) -> dict[str, Any]:
    """Return the times of a kernel, of a copy, and of what a user of CuPy would write, measured in turn."""
    arguments = case.make(data.Random(), dtype)
    calls: dict[str, Callable[[], object]] = {"xpaccel": lambda: case.kernel(*arguments), "copy": copy}
    problems = {}
    for name, call in peers(case, arguments).items():
        try:
            call()
            cupy.cuda.Device().synchronize()
        except Exception as error:  # of whatever CuPy's version makes of it, or for want of memory
            problems[name] = first_line(error)
        else:
            calls[name] = call
    return {
        "kernel": case.name,
        "dtype": dtype,
        "points": case.points,
        "unit": case.unit,
        "bytes": (case.reads + case.writes) * np.dtype(dtype).itemsize,
        "seconds": clock.measure(calls),
        "problems": problems,
    }


def launches(calls: int, recorded: int) -> dict[str, Any]:
    """Return the seconds that a launch of a small kernel costs, the host's work included, by how it is called."""
    u, v = cupy.zeros((SMALL + 2, SMALL + 2), np.float32), cupy.zeros((SMALL + 2, SMALL + 2), np.float32)

    def steps() -> None:
        for _ in range(recorded // 2):
            heat2d(u, v, 0.1)
            heat2d(v, u, 0.1)

    graph = xpa.capture(steps)
    graph()
    graph()
    if not graph.is_recorded:
        raise RuntimeError(f"the loop was not recorded: {graph.reason}")
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "kernel": (lambda: heat2d(u, v, 0.1), 1),
        "kernel in xpaccel.capture": (graph, recorded),
        "cupy.add with out": (lambda: cupy.add(u, u, out=v), 1),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(clock.ROUNDS):
        for name, (call, each) in ways.items():
            call()
            cupy.cuda.Device().synchronize()
            start = time.perf_counter()
            for _ in range(max(calls // each, 1)):
                call()
            cupy.cuda.Device().synchronize()
            found[name].append((time.perf_counter() - start) / (max(calls // each, 1) * each))
    return {name: clock.taken(seconds) for name, seconds in found.items()}


def run(path: Path, sizes: Sizes, trial: bool) -> bool:
    """Measure everything; return whether all kernels could be."""
    found: dict[str, Any] = {"copied_bytes": 2**16 if trial else COPIED, "kernels": [], "launches": None, "failed": []}
    copy = copying(found["copied_bytes"])
    todo: list[tuple[str, Callable[[], None]]] = [
        (f"{case.name}, {dtype}", lambda case=case, dtype=dtype: found["kernels"].append(row(case, dtype, copy)))
        for case in cases(sizes)
        for dtype in DTYPES
    ]
    todo.append(("launches", lambda: found.update(launches=launches(*(10, 4) if trial else (CALLS, RECORDED)))))
    for name, work in todo:
        print(name, flush=True)
        try:
            work()
        except Exception as error:  # the others are measured all the same
            found["failed"].append(f"{name}: {first_line(error)}")
            print(f"  failed: {first_line(error)}", flush=True)
        gc.collect()
        cupy.get_default_memory_pool().free_all_blocks()
        path.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return not found["failed"]


def main() -> int:
    """Measure; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--trial", action="store_true", help="small arrays: nothing is measured that means anything")
    given = parser.parse_args()
    devices.use_device()
    with xpa.backend("cupy"):
        good = run(given.file, data.TRIAL if given.trial else data.sizes(), given.trial)
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
