"""How many cores ranks on this host may use together, and what says so."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from xpaccel.backends.cpu import threads

_CPUS = Path("/sys/devices/system/cpu")


@dataclass(frozen=True)
class Cores:
    """What ranks may compute on.

    Parameters
    ----------
    number : int
        How many threads can compute without waiting for each other.
    reason : str
        What limits it, in words.
    whole : bool
        Are these all cores that this process can be placed on? Where a quota allows less, the rest is for others.
    """

    number: int
    reason: str
    whole: bool


def look() -> Cores:
    """Look at this process's affinity mask, the processor, and the quota of its control groups."""
    if hasattr(os, "sched_getaffinity"):
        return decide(physical(os.sched_getaffinity(0)), threads.cgroup_quota())
    return Cores(os.cpu_count() or 1, "cores of this machine", True)


def decide(cores: int, quota: int | None) -> Cores:
    """Decide from what was found; pure.

    Parameters
    ----------
    cores : int
        Cores in the affinity mask.
    quota : int or None
        CPUs that the control groups grant; None where they grant all.
    """
    if quota is not None and quota < cores:
        return Cores(quota, "CPU quota of the container (cgroup)", False)
    return Cores(cores, "cores in the affinity mask", True)


def physical(cpus: Collection[int], root: Path = _CPUS) -> int:
    """Count cores: two hardware threads of one core compute hardly more than one does, and launchers count cores."""
    found = set()
    for cpu in cpus:
        siblings = str(cpu)
        with contextlib.suppress(OSError):  # a container may hide it: each CPU is then a core
            siblings = (root / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip()
        found.add(siblings)
    return max(1, len(found))
