"""Which GPUs a job has on this host, found without CUDA: from the environment, the driver's tool, device files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xpaccel.backends.gpu import visible


@dataclass(frozen=True)
class Found:
    """GPUs, or MIG instances of them.

    Parameters
    ----------
    entries : tuple of str
        For each, what ``CUDA_VISIBLE_DEVICES`` calls it: an index or a UUID.
    source : str
        Where this is known from, in words.
    given : bool
        Are these the job's own? False where the host was looked at, which may show what belongs to other jobs.
    """

    entries: tuple[str, ...]
    source: str
    given: bool


def look(environ: Mapping[str, str] = os.environ) -> Found:
    """Find the GPUs of this host that this process may use."""
    return decide(environ.get(visible.NAME), _listing(environ), len(list(Path("/dev").glob("nvidia[0-9]*"))))


def decide(variable: str | None, listing: str | None, files: int) -> Found:
    """Decide from what was found; pure.

    Parameters
    ----------
    variable : str or None
        ``CUDA_VISIBLE_DEVICES``; set to nothing it means that no GPU may be used, not set that all may.
    listing : str or None
        What ``nvidia-smi -L`` printed; None where there is no such command, or it failed.
    files : int
        How many files ``/dev/nvidia0``, ``/dev/nvidia1``, ... there are.
    """
    here, uuids = _parse(listing or "")
    named = visible.read(variable)
    if named.kind != "all" and not (listing and _elsewhere(named.entries, uuids)):
        return Found(named.entries, named.problem or f"{visible.NAME}={variable}", given=True)
    if named.kind != "all":
        return Found(here, f"nvidia-smi -L; {visible.NAME} names GPUs of another node", given=False)
    if listing is not None:
        return Found(here, "nvidia-smi -L", given=False)
    return Found(tuple(map(str, range(files))), "/dev/nvidia*", given=False)


def _elsewhere(entries: tuple[str, ...], uuids: tuple[str, ...]) -> bool:
    """Are these UUIDs, and none of this host's? A launcher that copies the environment brings the first host's list."""
    return bool(entries) and all(
        entry.startswith(("GPU-", "MIG-")) and not any(uuid.startswith(entry) for uuid in uuids)  # may be shortened
        for entry in entries
    )


def _parse(listing: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Give an entry for each device, and all UUIDs. A GPU that is cut into MIG instances is known by theirs only."""
    devices: list[list[str]] = []
    uuids: list[str] = []
    for line in listing.splitlines():
        gpu = re.match(r"GPU (\d+):", line)
        uuid = re.search(r"\(UUID: ([^)]+)\)", line)
        if uuid:
            uuids.append(uuid[1])
        if gpu:
            devices.append([gpu[1]])
        elif uuid and devices and line.strip().startswith("MIG"):
            devices[-1].append(uuid[1])
    return tuple(entry for gpu, *parts in devices for entry in (parts or [gpu])), tuple(uuids)


def _listing(environ: Mapping[str, str]) -> str | None:
    command = shutil.which("nvidia-smi", path=environ.get("PATH"))
    if command is None:
        return None
    try:
        done = subprocess.run([command, "-L"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
