"""What `xpaccel doctor` judges: facts about this machine, this environment and this process, all plain values.

What may hang or end the process that asks (drivers, CUDA, compiled code) is asked by a process of its own,
`xpaccel.report.doctor_probe`, so a broken GPU costs a line of the report and not the report.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from xpaccel import backends
from xpaccel.backends import ranks
from xpaccel.backends.cpu import threads
from xpaccel.backends.gpu.devices import Chosen, Device, Toolkit
from xpaccel.backends.gpu.driver import Driver
from xpaccel.backends.installed import is_installed
from xpaccel.backends.ranks import NodeRank
from xpaccel.cache import Store
from xpaccel.errors import XpaccelError
from xpaccel.report.info import Finding

PACKAGES = ("numpy", "numba", "llvmlite", "numba-cuda", "mpi4py")
PROBE_SECONDS = 120
NO_ANSWER = -1
#: How the problem of a proof begins that ran and gave other numbers than NumPy.
WRONG = "WRONG RESULT"
_CUPY = re.compile(r"cupy(-cuda\d+x?|-rocm-[\d-]+)?")


@dataclass(frozen=True, slots=True)
class Processor:
    """Cores of the machine, of this process (affinity), of its control group (None: no limit); threads of kernels."""

    cores: int
    allowed: int
    quota: int | None
    threads: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Node:
    """A device file, and None or why it cannot be opened (`error` is the system's number for it)."""

    path: str
    problem: str | None = None
    error: int = 0


@dataclass(frozen=True, slots=True)
class Gpu:
    """What CuPy says: what it was built for, the GPUs it sees, which of them is this process's; or why not."""

    toolkit: Toolkit | None = None
    problem: str | None = None
    devices: tuple[Device, ...] = ()
    devices_problem: str | None = None
    chosen: Chosen | None = None
    chosen_problem: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """A kernel compiled and run by a backend; or why it cannot be used; or what went wrong.

    Attributes
    ----------
    name
        Of the backend.
    unavailable, problem
        None, or why it cannot be used; None, or what it did wrong.
    first, again
        Seconds that the first call took, with compiling, and a later one.
    """

    name: str
    unavailable: str | None = None
    problem: str | None = None
    first: float = 0.0
    again: float = 0.0


@dataclass(frozen=True, slots=True)
class Facts:
    """All that was found.

    Attributes
    ----------
    environ
        The environment of this process.
    python
        Its version.
    versions
        Of distributions, those of CuPy among them; what is not installed is not there.
    has_cupy
        Whether there is a package `cupy` to import, from a distribution or not.
    processor
        Cores and threads.
    cache, cache_problem
        The folder of compiled programs, and None or why it cannot be used.
    rank, rank_problem
        Which rank of its node this process is, or why that is not known.
    hosts
        In a PBS job, how many ranks each host has.
    nodes
        The device files of GPUs.
    driver
        What NVIDIA's driver says.
    tool
        What ``nvidia-smi -L`` says; None where there is no such command.
    gpu
        What CuPy says.
    proofs
        One for each backend that compiles.
    """

    environ: Mapping[str, str]
    python: str
    versions: Mapping[str, str]
    has_cupy: bool
    processor: Processor
    cache: str
    cache_problem: str | None = None
    rank: NodeRank | None = None
    rank_problem: str | None = None
    hosts: Mapping[str, int] | None = None
    nodes: tuple[Node, ...] = ()
    driver: Driver = field(default_factory=lambda: Driver(None))
    tool: Finding | None = None
    gpu: Gpu = field(default_factory=Gpu)
    proofs: tuple[Proof, ...] = ()

    @property
    def cupys(self) -> tuple[str, ...]:
        """The distributions of CuPy that are installed; more than one is a conflict."""
        return tuple(sorted(name for name in self.versions if _CUPY.fullmatch(name)))


def gather() -> Facts:
    """Look at this machine and this process, and run a kernel on each backend that compiles."""
    versions = _versions()
    has_cupy = is_installed("cupy")
    cache, cache_problem = _cache()
    rank, rank_problem = _rank()
    nodes, driver = _driver()
    return Facts(
        environ=dict(os.environ),
        python=platform.python_version(),
        versions=versions,
        has_cupy=has_cupy,
        processor=_processor(),
        cache=cache,
        cache_problem=cache_problem,
        rank=rank,
        rank_problem=rank_problem,
        hosts=_hosts(os.environ.get("PBS_NODEFILE")),
        nodes=nodes,
        driver=driver,
        tool=_tool(),
        gpu=_gpu() if has_cupy else Gpu(),
        proofs=tuple(_proof(name) for name in backends.names() if not backends.get(name).eager),
    )


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"] or "").lower()
        if name in PACKAGES or _CUPY.fullmatch(name):
            found.setdefault(name, distribution.version)  # the first is the one that is imported
    return found


def _processor() -> Processor:
    cores = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    try:
        count, reason = threads.count(), threads.reason()
    except XpaccelError as error:
        return Processor(cores, allowed, threads.cgroup_quota(), None, str(error))
    return Processor(cores, allowed, threads.cgroup_quota(), count, reason)


def _cache() -> tuple[str, str | None]:
    """Return the cache folder, and why nothing can be kept there, after trying."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            store = Store()
            folder, path = str(store.folder), store.path(f"doctor-{os.getpid()}", ".txt")
            store.write(path, b"written by `xpaccel doctor`\n")
        except XpaccelError as error:
            return "", str(error)
        path.unlink(missing_ok=True)
    return folder, str(said[0].message) if said else None


def _rank() -> tuple[NodeRank | None, str | None]:
    try:
        return ranks.node_rank(), None
    except XpaccelError as error:
        return None, str(error)


def _hosts(nodefile: str | None) -> dict[str, int] | None:
    if not nodefile:
        return None
    try:
        return dict(Counter(Path(nodefile).read_text(encoding="utf-8").split()))
    except OSError:
        return {}


def _driver() -> tuple[tuple[Node, ...], Driver]:
    found = _probe("driver")
    if isinstance(found, str):
        return (), Driver(None, NO_ANSWER, f"asking the driver failed: {found}")
    raw = found["driver"]
    raw["devices"] = tuple(tuple(device) for device in raw["devices"])
    return tuple(Node(**node) for node in found["nodes"]), Driver(**raw)


def _gpu() -> Gpu:
    found = _probe("cupy")
    if isinstance(found, str):
        return Gpu(problem=f"CuPy ended its process: {found}")
    return Gpu(
        toolkit=Toolkit(**found["toolkit"]) if found["toolkit"] else None,
        problem=found["problem"],
        devices=tuple(Device(**_capable(device)) for device in found["devices"]),
        devices_problem=found["devices_problem"],
        chosen=Chosen(**_capable(found["chosen"])) if found["chosen"] else None,
        chosen_problem=found["chosen_problem"],
    )


def _capable(raw: dict[str, Any]) -> dict[str, Any]:
    return raw | {"compute_capability": tuple(raw["compute_capability"])}


def _proof(name: str) -> Proof:
    """Let a process compile and run a kernel, with caches of its own, so that nothing is taken from yesterday."""
    with tempfile.TemporaryDirectory(prefix="xpaccel-doctor-", ignore_cleanup_errors=True) as folder:
        caches = ("XP_CACHE_DIR", "CUPY_CACHE_DIR", "NUMBA_CACHE_DIR")
        found = _probe("prove", name, environ=os.environ | dict.fromkeys(caches, folder))
    return Proof(name, problem=found) if isinstance(found, str) else Proof(**found)


def _probe(*words: str, environ: Mapping[str, str] | None = None) -> dict[str, Any] | str:
    """Ask a process of its own; the answer, or in words how it failed to give one."""
    command = [sys.executable, "-m", "xpaccel.report.doctor_probe", *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=PROBE_SECONDS, check=False, env=environ
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {PROBE_SECONDS} s"
    answers = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode == 0 and answers:
        answer: dict[str, Any] = json.loads(answers[-1])
        return answer
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    how = f"signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
    return f"{how}: {said[-1]}" if said else how


def _tool() -> Finding | None:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    try:
        done = subprocess.run(
            [tool, "-L"], capture_output=True, text=True, errors="replace", timeout=PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(reason=str(error))
    lines = tuple(line.rstrip() for line in (done.stdout or done.stderr).splitlines() if line.strip())
    if done.returncode:
        return Finding(reason=lines[0] if lines else f"ended with status {done.returncode}")
    return Finding(found=lines)
