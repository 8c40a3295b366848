"""The values behind `xpaccel info`: what this machine offers, and exactly why not where it does not.

Nothing here imports a package to look at it. A distribution's version comes from its metadata; GPUs are
asked of the driver's own tool; MPI is loaded in a process of its own, because loading a library that does
not fit the launcher can end the process that does it.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from xpaccel import backends
from xpaccel.backends.cpu import threads
from xpaccel.cache import Store
from xpaccel.domain import library

PACKAGES = (
    "xpaccel",
    "numpy",
    "array-api-compat",
    "numba",
    "llvmlite",
    "mpi4py",
    "matplotlib",
    "xarray",
    "zarr",
    "netCDF4",
)
PROBE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is here (`found` describes it), or is not (`reason` says why)."""

    found: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A backend by name; `reason` says why it cannot be used and what to install, None where it can."""

    name: str
    reason: str | None

    @property
    def available(self) -> bool:
        """Whether kernels can run on it here."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class Cache:
    """The folder of compiled programs, how many it holds, and their size in bytes."""

    folder: str
    entries: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Info:
    """What `xpaccel info` shows.

    Attributes
    ----------
    cores
        Logical cores of the machine.
    allowed_cores
        Those that this process may run on (its affinity mask, where the system has one).
    threads, threads_reason
        How many threads kernels run on, and what decided it.
    versions
        Version of each distribution that takes part, None where it is not installed.
    """

    python: str
    system: str
    processor: str
    cores: int
    allowed_cores: int
    threads: int
    threads_reason: str
    targets: tuple[Target, ...]
    gpus: Finding
    mpi: Finding
    cache: Cache
    versions: dict[str, str | None]

    def to_dict(self) -> dict[str, Any]:
        """Give the same as plain dicts, lists, strings and numbers, ready for JSON."""
        plain = asdict(self)
        for target, row in zip(self.targets, plain["targets"], strict=True):
            row["available"] = target.available
        return plain


def collect() -> Info:
    """Look at this machine and this process.

    Raises
    ------
    xpaccel.UserError
        Where an environment variable that decides one of the answers has a value that cannot be used.
    """
    cores = os.cpu_count() or 1
    entries = Store().info()
    return Info(
        python=platform.python_version(),
        system=platform.platform(),
        processor=_processor(),
        cores=cores,
        allowed_cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores,
        threads=threads.count(),
        threads_reason=threads.reason(),
        targets=tuple(Target(name, backends.why_unavailable(name)) for name in backends.names()),
        gpus=_gpus(),
        mpi=_mpi(),
        cache=Cache(str(entries.folder), entries.entries, entries.bytes),
        versions={name: _version(name) for name in PACKAGES},
    )


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:  # not Linux
        names = []
    return f"{names[0]} ({platform.machine()})" if names else platform.machine()


def _gpus() -> Finding:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Finding(reason="no NVIDIA driver is installed (nvidia-smi is not on PATH)")
    return _ask([tool, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"])


def _mpi() -> Finding:
    found = library.look()
    if isinstance(found, str):
        return Finding(reason=found)
    return Finding(found=(f"mpi4py {found.mpi4py} on {found.version}",))


def _ask(command: Sequence[str]) -> Finding:
    """Run a short command; its lines are the finding, its last complaint the reason."""
    name = os.path.basename(command[0])
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=PROBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return Finding(reason=f"{name} did not answer within {PROBE_SECONDS} s")
    except OSError as error:
        return Finding(reason=f"{name} could not be started: {error}")
    lines = tuple(line.strip() for line in answer.stdout.splitlines() if line.strip())
    if answer.returncode == 0 and lines:
        return Finding(found=lines)
    complaints = [line.strip() for line in (answer.stderr or answer.stdout).splitlines() if line.strip()]
    return Finding(reason=complaints[-1] if complaints else f"{name} ended with status {answer.returncode}")
