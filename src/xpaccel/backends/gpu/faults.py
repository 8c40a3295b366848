"""How a kernel on a device reports that an index was out of bounds, without anybody waiting for it.

There is one word of host memory that the device writes to, and only where an index is wrong: the number of a
*site*, a place in the user's program. The host reads it, as it reads any memory, before it launches anything, and
when it has waited for the device in any case. So a right program pays for the comparison of each index, and nothing
else; a wrong one is stopped by a later call, or at the end, with the line that was wrong
(`docs/decisions/0009-late-index-errors.md`).
"""

from __future__ import annotations

import atexit
import ctypes
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from xpaccel.errors import out_of_bounds

_LATE = (
    "The index was wrong in an earlier call: a GPU is not waited for. "
    "With XP_SYNC=1 each call waits, and raises its own errors."
)


class Faults:
    """The word, and what the numbers mean that are written there.

    Parameters
    ----------
    memory
        An int32 that host and device see: its address, and what keeps it alive.
    wait
        Waits until the device has done everything.
    late
        Whether calls return before their kernels have run, so that an error needs a word on that.
    """

    def __init__(self, memory: tuple[int, Any], wait: Callable[[], None], late: bool = True) -> None:
        self.address, self._owner = memory
        self._word = ctypes.c_int32.from_address(self.address)
        self._word.value = 0
        self._wait, self._late = wait, late
        self._sites: list[tuple[int, str]] = []
        self._lock = threading.Lock()

    def add(self, sites: Iterable[tuple[int, str]]) -> int:
        """Take sites, each the size of an axis and a line of the user's; return the number of the first."""
        with self._lock:
            first = len(self._sites) + 1
            self._sites += sites
            return first

    def look(self) -> None:
        """Raise what was reported so far.

        Raises
        ------
        IndexError
            If an index was out of bounds. What is still running is waited for, and reports no more.
        """
        if self._word.value:
            self._fail()

    def settle(self) -> None:
        """Wait for the device, then `look`."""
        self._wait()
        self.look()

    def _fail(self) -> None:
        with self._lock:
            site = self._word.value
            self._wait()
            self._word.value = 0
        if site:
            error = out_of_bounds(*self._sites[site - 1])
            if self._late:
                error.add_note(_LATE)
            raise error


_faults: Faults | None = None
_creating = threading.Lock()


def register(make: Callable[[], Faults], sites: Iterable[tuple[int, str]]) -> tuple[int, int]:
    """Take sites; return where they are reported, and the number of the first.

    Parameters
    ----------
    make
        Makes the process's faults, when they are first asked for.
    sites
        As of `Faults.add`.
    """
    global _faults
    with _creating:
        if _faults is None:
            _faults = make()
            atexit.register(_at_exit)
    return _faults.address, _faults.add(sites)


def look() -> None:
    """Raise what was reported so far, if there is anything that may report."""
    if _faults is not None:
        _faults.look()


def _at_exit() -> None:
    """Say at the end of the program what nobody was told."""
    try:
        if _faults is not None:
            _faults.settle()
    except IndexError as error:
        sys.stderr.write(f"xpaccel: IndexError: {error}\n{_LATE}\nResults of this program are of no use.\n")
