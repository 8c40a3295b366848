"""``python -m xpaccel.report.doctor_probe``: asks what may hang or crash, and prints the answer as a line of JSON.

``driver`` opens the device files and NVIDIA's library, ``cupy`` looks at CuPy and chooses a GPU, and
``prove BACKEND`` compiles a kernel, runs it, and compares it with NumPy bit for bit.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import xpaccel as xpa
from xpaccel import backends, xp
from xpaccel.backends.gpu import devices, driver
from xpaccel.errors import XpaccelError
from xpaccel.report.doctor_facts import WRONG

POINTS = 10_000


@xpa.kernel
def sample(u: Any, whole: Any, weight: float) -> Any:
    """Combine neighbours, with every operation that rounds, and add up whole numbers, which does not round."""
    smooth = xp.sqrt(u[2:] * u[2:] + weight) / (u[:-2] + 2.0) - weight * u[1:-1]
    return smooth, xp.sum(whole)


def ask_driver(folder: Path = Path("/dev")) -> dict[str, Any]:
    """Open each GPU's device file, then ask the driver's library."""
    paths = sorted(folder.glob("nvidia[0-9]*"), key=lambda path: (len(path.name), path.name))
    return {"nodes": [_open(path) for path in paths], "driver": asdict(driver.ask())}


def _open(path: Path) -> dict[str, Any]:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return {"path": str(path), "problem": error.strerror, "error": error.errno}
    return {"path": str(path)}


def ask_cupy() -> dict[str, Any]:
    """Import CuPy, list the GPUs that it sees, and choose this process's; each step says why it failed."""
    found: dict[str, Any] = dict.fromkeys(("toolkit", "problem", "devices_problem", "chosen", "chosen_problem"))
    found["devices"] = []
    try:
        found["toolkit"] = asdict(devices.toolkit())
    except XpaccelError as error:
        return found | {"problem": str(error)}
    try:
        found["devices"] = [asdict(device) for device in devices.look()]
    except XpaccelError as error:
        return found | {"devices_problem": str(error)}
    try:
        found["chosen"] = asdict(devices.use_device())
    except XpaccelError as error:
        found["chosen_problem"] = str(error)
    return found


def prove(name: str) -> dict[str, Any]:
    """Compile and run `sample` on a backend, twice, and compare both results with NumPy."""
    found: dict[str, Any] = {"name": name}
    backend = backends.get(name)
    reason = backend.why_unavailable()
    if reason is not None:
        return found | {"unavailable": reason}
    u = np.linspace(0.0, 1.0, POINTS)
    whole = np.arange(POINTS, dtype=np.float64)
    with xpa.backend("numpy"):
        wanted = sample.python(u, whole, 0.3)
    try:
        with xpa.backend(name):
            arrays = [backend.memory.upload(array) for array in (u, whole)]
            for call in ("first", "again"):
                start = time.perf_counter()
                got = [_to_host(value) for value in sample(*arrays, 0.3)]
                found[call] = time.perf_counter() - start
                if wrong := compare(got, wanted):
                    return found | {"problem": wrong}
    except XpaccelError as error:
        return found | {"problem": str(error)}
    except Exception as error:  # whatever the layers below raise is the finding
        line = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
        return found | {"problem": f"{type(error).__name__}: {line}"}
    return found


def _to_host(value: Any) -> np.ndarray[Any, Any]:
    return np.asarray(value.get() if hasattr(value, "get") else value)


def compare(got: Sequence[Any], wanted: Sequence[Any]) -> str | None:
    """Return None if results are equal in every bit, else how they differ."""
    for one, other in zip(got, wanted, strict=True):
        if np.shape(one) != np.shape(other):
            return f"{WRONG}: shape {np.shape(one)} where NumPy has {np.shape(other)}"
        different = np.flatnonzero(~np.equal(np.ravel(one), np.ravel(other)))
        if different.size:
            at = int(different[0])
            return (
                f"{WRONG}: {different.size} of {np.size(other)} elements differ from NumPy, the first is number "
                f"{at}: {np.ravel(one)[at]!r} instead of {np.ravel(other)[at]!r}"
            )
    return None


def main(words: Sequence[str]) -> None:
    """Answer one question."""
    question, *rest = words
    answers: dict[str, Callable[..., dict[str, Any]]] = {"driver": ask_driver, "cupy": ask_cupy, "prove": prove}
    print(json.dumps(answers[question](*rest)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
