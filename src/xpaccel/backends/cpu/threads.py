"""The threads that kernels run on: how many there may be, and teams that run the pieces of a nest.

A caller of `run` has a team to itself while it runs, so several threads of a program may call at once.
The threads of a team are Python's, started once, and live in machine code of their own (``team.ll``):
they are handed work, and report it done, without Python's global lock. For `SPIN` seconds after the last
piece they look for the next one, so that the nests of a time loop follow each other within a microsecond;
then they sleep. A child process after ``fork`` starts teams of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import platform
import threading
import time
from collections import deque
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from xpaccel import config

#: How long, in seconds, a thread without work looks for some before it sleeps.
SPIN = 50e-6

_WORKER = 256  # bytes; the layout is in team.ll
_PAUSE = {
    "x86_64": "call void @llvm.x86.sse2.pause()",
    "aarch64": "call void @llvm.aarch64.hint(i32 1)",
    "arm64": "call void @llvm.aarch64.hint(i32 1)",
}

# -- how many ---------------------------------------------------------------------------------------------


class Function(Protocol):
    """Machine code of a nest: ``function(address of ints, address of floats, low, high)``.

    Attributes
    ----------
    address
        Where the code starts.
    """

    address: int

    def __call__(self, ints: int, floats: int, low: int, high: int, /) -> Any:
        """Run the nest from `low` to `high`."""


def count() -> int:
    """Return the number of threads that a kernel may run on, at least 1.

    Raises
    ------
    xpaccel.UserError
        If ``XP_NUM_THREADS`` is no number of threads.
    """
    return _decision()[0]


def reason() -> str:
    """Return what decided `count`, in words."""
    return _decision()[1]


def set_count(number: int | None) -> None:
    """Set the number of threads for this process; None goes back to what machine and environment say.

    It may exceed the cores that there are: who asks in code is taken at their word.

    Raises
    ------
    ValueError
        If it is less than 1.
    """
    if number is not None and number < 1:
        raise ValueError(f"a kernel needs at least 1 thread, not {number}")
    global _decided
    _decided = (number, "set by set_count") if number is not None else None


_decided: tuple[int, str] | None = None


def _decision() -> tuple[int, str]:
    global _decided
    if _decided is None:
        _decided = min(_limits(), key=lambda limit: limit[0])
    return _decided


def _limits() -> Iterator[tuple[int, str]]:
    """Go through everything that limits the number of threads; the first of the smallest ones decides.

    All of them hold at once: ``XP_NUM_THREADS`` lowers the number but does not raise it over what the
    scheduler gave, since threads that share a core make the others wait.
    """
    if hasattr(os, "sched_getaffinity"):
        yield len(os.sched_getaffinity(0)), "cores that this process may run on (affinity mask)"
    else:
        yield os.cpu_count() or 1, "cores of this machine"
    asked = config.num_threads()
    if asked is not None:
        yield asked, "XP_NUM_THREADS"
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "NCPUS"):
        first = os.environ.get(name, "").split(",")[0].strip()  # OpenMP allows a list: one number a level
        if first.isdigit() and int(first) >= 1:
            yield int(first), name
    quota = cgroup_quota()
    if quota is not None:
        yield quota, "CPU quota of the container (cgroup)"


def cgroup_quota(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> int | None:
    """Return how many CPUs the control groups of this process grant, rounded up; None if unlimited."""
    granted = []
    for folder in _cgroup_folders(root, membership):
        with contextlib.suppress(OSError, ValueError):  # version 2: "quota period" or "max period"
            quota, period = map(int, (folder / "cpu.max").read_text().split())
            granted.append(quota / period)
        with contextlib.suppress(OSError, ValueError):  # version 1: -1 is unlimited
            quota = int((folder / "cpu.cfs_quota_us").read_text())
            if quota > 0:
                granted.append(quota / int((folder / "cpu.cfs_period_us").read_text()))
    return max(1, -int(-min(granted) // 1)) if granted else None


def _cgroup_folders(root: Path, membership: Path) -> set[Path]:
    """Return the folders that may limit this process: those of its groups and of all groups above."""
    groups = ["/"]
    with contextlib.suppress(OSError):
        for line in membership.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers or "cpu" in controllers.split(","):
                groups.append(path)
    bases = (root, root / "cpu", root / "cpu,cpuacct")
    own = {(base, base / path.lstrip("/")) for base in bases for path in groups}
    return {folder for base, leaf in own for folder in (leaf, *leaf.parents) if folder.is_relative_to(base)}


# -- teams ------------------------------------------------------------------------------------------------


class _Team:
    """Threads that serve one caller at a time, and the memory through which they are told."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._memory = mmap.mmap(-1, workers * _WORKER)  # begins at a page, so at a cache line
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._code = code = _code()
        # Its threads run until the process ends, after Python has let go of every object.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))
        for place in range(self.address, self.address + workers * _WORKER, _WORKER):
            code.initialise(place)
            thread = threading.Thread(target=code.serve, args=(place, _spins()), name="xpaccel", daemon=True)
            thread.start()


class _Code:
    """The machine code of ``team.ll``."""

    def __init__(self) -> None:
        from xpaccel.backends.cpu import loader

        source = Path(__file__).with_name("team.ll").read_text(encoding="utf-8")
        source = source.replace("PAUSE", _PAUSE.get(platform.machine(), ""))
        self._library = library = loader.load_source(source, ("initialise", "serve", "run", "spin"))
        number = ctypes.c_int64
        self.initialise: Any = ctypes.CFUNCTYPE(None, number)(library["initialise"])
        self.serve: Any = ctypes.CFUNCTYPE(None, number, number)(library["serve"])
        self.run: Any = ctypes.CFUNCTYPE(None, *[number] * 8)(library["run"])
        self.spin: Any = ctypes.CFUNCTYPE(None, number)(library["spin"])


@cache
def _code() -> _Code:
    return _Code()


@cache
def _spins() -> int:
    """Return how many looks take `SPIN` seconds: a pause is 10 to 140 cycles, depending on the processor."""
    looks, spin = 200, _code().spin
    spin(looks)
    start = time.perf_counter()
    spin(looks)
    return max(1, int(SPIN * looks / max(time.perf_counter() - start, 1e-9)))


_idle: deque[_Team] = deque()


def _take(workers: int) -> _Team:
    """Take an idle team with enough workers, or make one."""
    with contextlib.suppress(IndexError):
        team = _idle.pop()
        if team.workers >= workers:
            return team
    return _Team(max(workers, count() - 1))


def _forget() -> None:
    """Start anew in a child process: threads do not survive a fork."""
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def run(function: Function, ints: int, floats: int, low: int, high: int, pieces: int) -> None:
    """Run a nest from `low` to `high`, cut into contiguous pieces that run side by side.

    Parameters
    ----------
    function
        The machine code of a nest.
    ints, floats
        Addresses of its parameters.
    low, high
        The range to cut.
    pieces
        Into how many; the calling thread runs one of them. 1 or less starts no thread.
    """
    if pieces <= 1:
        function(ints, floats, low, high)
        return
    team = _take(pieces - 1)
    # Threads that have to share cores must not look for work while others would do it.
    spins = _spins() if pieces <= _cores() else 0
    try:
        _code().run(team.address, pieces - 1, function.address, ints, floats, low, high, spins)
    finally:  # an interrupt is raised when all pieces have ended
        _idle.append(team)


@cache
def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
