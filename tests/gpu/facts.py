"""``python -m gpu.facts``: the device of this process and what drives it, as a line of JSON."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from xpaccel.backends.gpu import devices, driver
from xpaccel.errors import XpaccelError

ROOT = Path(__file__).parents[2]
#: What ``nvidia-smi`` is asked: what a figure depends on besides the code.
ASKED = "uuid,name,driver_version,pstate,clocks.sm,clocks.max.sm,power.limit,ecc.mode.current,mig.mode.current"
PACKAGES = ("xpaccel", "numpy", "cupy-cuda12x", "cupy-cuda13x", "array-api-compat", "numba", "numba-cuda")


def is_standin() -> bool:
    """Whether the `cupy` of this process is the stand-in, so that no figure means anything."""
    import cupy

    return hasattr(cupy, "_standin")


def facts() -> dict[str, Any]:
    """Return what a report needs to say of the machine.

    Raises
    ------
    BackendError
        Where there is no GPU to use; says why and what to do.
    """
    chosen = devices.use_device()
    import cupy

    properties = cupy.cuda.runtime.getDeviceProperties(chosen.index)
    nvrtc = ".".join(map(str, cupy.cuda.nvrtc.getVersion()))
    return {
        "kind": "stand-in" if is_standin() else "gpu",
        "device": {
            **asdict(chosen),
            "memory": properties["totalGlobalMem"],
            "multiprocessors": properties["multiProcessorCount"],
            "l2_bytes": properties["l2CacheSize"],
        },
        "devices": len(devices.look()),
        "host": platform.node(),
        "cuda": {
            "driver": driver.show_version(cupy.cuda.runtime.driverGetVersion()),
            "runtime": driver.show_version(cupy.cuda.runtime.runtimeGetVersion()),
            "nvrtc": nvrtc,
        },
        "nvidia_smi": _tool(),
        "versions": {"python": platform.python_version(), "cupy": cupy.__version__, **_versions()},
        "visible": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }


def commit() -> str:
    """Return the commit of this checkout, and whether files differ from it."""
    found = [_said("git", "-C", str(ROOT), *words) for words in (("rev-parse", "HEAD"), ("status", "--porcelain"))]
    if found[0] is None:
        return "not a git checkout"
    return found[0].strip() + (" with changes" if found[1] else "")


def _tool() -> list[str] | None:
    said = _said("nvidia-smi", f"--query-gpu={ASKED}", "--format=csv")
    return None if said is None else said.splitlines()


def _said(*command: str) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return None if done.returncode else done.stdout


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def main() -> None:
    """Print the facts, or why there are none."""
    try:
        print(json.dumps(facts()))
    except XpaccelError as error:
        print(json.dumps({"kind": "none", "why": str(error)}))
        sys.exit(2)


if __name__ == "__main__":
    main()
