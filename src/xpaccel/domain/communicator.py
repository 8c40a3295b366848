"""The ranks that share a grid: MPI's, or this process alone."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from xpaccel.backends import ranks
from xpaccel.domain import abort
from xpaccel.errors import DomainError

#: The rank that a buffer goes to or comes from, and the buffer.
Parcel = tuple[int, np.ndarray[Any, Any]]


class Link(Protocol):
    """Buffers that go to other ranks, and come from them, again and again."""

    def post(self) -> None:
        """Say where what comes is to be put."""

    def send(self) -> None:
        """Begin to send."""

    def receive(self) -> None:
        """Wait until everything has come."""

    def finish(self) -> None:
        """Wait until what was sent may be written to again."""


class Communicator(Protocol):
    """What a grid asks of its ranks.

    Attributes
    ----------
    rank, size
        The number of this process, and how many there are.
    """

    rank: int
    size: int

    def gather(self, item: Any) -> list[Any]:
        """Return an object from each rank, in the order of ranks, on every rank."""

    def deal(self, items: Sequence[Any]) -> list[Any]:
        """Give an object to each rank, in the order of ranks; return what each rank gave to this one."""

    def link(self, sends: Sequence[Parcel], receives: Sequence[Parcel]) -> Link:
        """Prepare to send and receive buffers again and again."""


class Alone:
    """A process without others."""

    rank, size = 0, 1

    def gather(self, item: Any) -> list[Any]:
        """Return the object."""
        return [item]

    def deal(self, items: Sequence[Any]) -> list[Any]:
        """Return the object."""
        return list(items)

    def link(self, sends: Sequence[Parcel], receives: Sequence[Parcel]) -> Link:
        """Raise: there is nobody to send to."""
        raise AssertionError("a single rank has no neighbours")


class Ranks:
    """The ranks of a communicator of mpi4py's.

    Parameters
    ----------
    mpi
        The communicator. It is duplicated, so that no message of the user's can be taken for one of ours.
    """

    def __init__(self, mpi: Any) -> None:
        self.mpi = mpi.Dup()
        self.rank, self.size = self.mpi.Get_rank(), self.mpi.Get_size()

    def gather(self, item: Any) -> list[Any]:
        """Return an object from each rank."""
        found: list[Any] = self.mpi.allgather(item)
        return found

    def deal(self, items: Sequence[Any]) -> list[Any]:
        """Give an object to each rank, and get one from each."""
        found: list[Any] = self.mpi.alltoall(list(items))
        return found

    def link(self, sends: Sequence[Parcel], receives: Sequence[Parcel]) -> Link:
        """Make persistent requests."""
        return _Requests(self.mpi, sends, receives)


class _Requests:
    """Persistent requests of MPI's."""

    def __init__(self, mpi: Any, sends: Sequence[Parcel], receives: Sequence[Parcel]) -> None:
        from mpi4py import MPI

        self._sends = [mpi.Send_init(buffer, rank) for rank, buffer in sends]
        self._receives = [mpi.Recv_init(buffer, rank) for rank, buffer in receives]
        self._start, self._wait = MPI.Prequest.Startall, MPI.Request.Waitall

    def post(self) -> None:
        self._start(self._receives)

    def send(self) -> None:
        self._start(self._sends)

    def receive(self) -> None:
        self._wait(self._receives)

    def finish(self) -> None:
        self._wait(self._sends)


#: By the number of the user's communicator, which is kept with it: no other one may get that number.
_shared: dict[int, tuple[Any, Ranks]] = {}


def communicator(comm: Any = None) -> Communicator:
    """Return the ranks that were meant. Collective where they are several.

    Parameters
    ----------
    comm
        A communicator of mpi4py's, or what is a `Communicator` already; None for all processes that a launcher
        (``mpiexec``, ``srun``) started together, which is this one alone where none did.

    Raises
    ------
    DomainError
        If `comm` is no communicator, or a launcher started several processes and mpi4py is not installed.
    """
    if comm is None:
        if "mpi4py.MPI" not in sys.modules:
            if not ranks.is_launched(os.environ):
                return Alone()
            if importlib.util.find_spec("mpi4py") is None:
                raise DomainError(
                    "a launcher started this process, maybe as one of several, and mpi4py is not installed.\n    "
                    'Install it (pip install "xpaccel[mpi]"; it builds against the MPI library that is loaded), or '
                    "start the program without the launcher."
                )
        from mpi4py import MPI

        comm = MPI.COMM_WORLD
    if hasattr(comm, "link"):
        found: Communicator = comm
        return found
    if not hasattr(comm, "Get_size") or not hasattr(comm, "Dup"):
        raise DomainError(f"comm is {comm!r}, which is no communicator of mpi4py's")
    if comm.Get_size() == 1:
        return Alone()
    if id(comm) not in _shared:
        abort.install()  # the others would wait for a rank that raised
        _shared[id(comm)] = comm, Ranks(comm)
    return _shared[id(comm)][1]
