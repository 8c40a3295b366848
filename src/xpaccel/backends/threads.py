"""The threads that kernels run on: how many there may be, and a pool that hands pieces of a nest to them.

A nest releases the GIL, so Python threads suffice. They are started once, are daemons, and each waits on
a lock of its own, which the system wakes directly. A child process after ``fork`` starts its own.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from xpaccel import config

Function = Callable[[int, int, int, int], object]

_CGROUP = Path("/sys/fs/cgroup")


# -- how many ---------------------------------------------------------------------------------------------


def count() -> int:
    """Return the number of threads that a kernel may run on, at least 1."""
    return _decision()[0]


def reason() -> str:
    """Return what decided `count`, in words."""
    return _decision()[1]


def set_count(number: int | None) -> None:
    """Set the number of threads for this process; None goes back to what the machine and environment say.

    It may exceed the cores that there are: who asks in code is taken at their word.
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
    scheduler gave, since a thread without a core of its own slows all others down.
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
    quota = _cgroup_quota()
    if quota is not None:
        yield quota, "CPU quota of the container (cgroup)"


def _cgroup_quota(root: Path = _CGROUP) -> int | None:
    """Return how many CPUs the control groups of this process grant, rounded up; None if unlimited."""
    found = []
    for folder in _cgroup_folders(root):
        with contextlib.suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()  # version 2
            found.append(int(quota) / int(period))
        with contextlib.suppress(OSError, ValueError):
            granted = int((folder / "cpu.cfs_quota_us").read_text())  # version 1; -1 is unlimited
            if granted > 0:
                found.append(granted / int((folder / "cpu.cfs_period_us").read_text()))
    return max(1, -int(-min(found) // 1)) if found else None


def _cgroup_folders(root: Path) -> Iterator[Path]:
    """Go through the folders that may limit this process: its own groups and all above them."""
    own = ["/"]
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers or "cpu" in controllers.split(","):
                own.append(path)
    for base in (root, root / "cpu", root / "cpu,cpuacct"):
        seen = set()
        for path in own:
            folder = base / path.lstrip("/")
            seen.update((folder, *(parent for parent in folder.parents if parent.is_relative_to(base))))
        yield from seen


# -- the pool ---------------------------------------------------------------------------------------------


class _Worker:
    """A thread that runs one piece at a time. Taken from the idle ones, it belongs to one caller."""

    def __init__(self, number: int) -> None:
        self.wake, self.done = threading.Lock(), threading.Lock()
        self.wake.acquire()
        self.done.acquire()
        self.work: tuple[Function, int, int, int, int]
        self.error: BaseException | None = None
        threading.Thread(target=self._loop, name=f"xpaccel-{number}", daemon=True).start()

    def _loop(self) -> None:
        while True:
            self.wake.acquire()
            function, ints, floats, low, high = self.work
            try:
                function(ints, floats, low, high)
            except BaseException as error:  # handed to the caller
                self.error = error
            self.done.release()


_idle: deque[_Worker] = deque()
_started = 0


def _take() -> _Worker:
    global _started
    try:
        return _idle.pop()
    except IndexError:
        _started += 1
        return _Worker(_started)


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
        ``function(ints, floats, low, high)``, which releases the GIL.
    ints, floats
        Addresses of its parameters.
    low, high
        The range to cut.
    pieces
        Into how many; 1 or less runs it on the calling thread. The calling thread runs the last one.

    Raises
    ------
    BaseException
        What a piece raises, after all have ended.
    """
    if pieces <= 1:
        function(ints, floats, low, high)
        return
    size, extra = divmod(high - low, pieces)
    workers = []
    start = low
    try:
        for piece in range(pieces - 1):
            stop = start + size + (piece < extra)
            worker = _take()
            worker.work = (function, ints, floats, start, stop)
            worker.wake.release()
            workers.append(worker)
            start = stop
        function(ints, floats, start, high)
    finally:
        error = None
        for worker in workers:
            worker.done.acquire()
            error, worker.error = worker.error or error, None
            _idle.append(worker)
    if error is not None:
        raise error
