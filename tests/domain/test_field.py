"""Fields as objects: what is refused, and what is not kept."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import xpaccel as xpa
from xpaccel.domain.communicator import communicator
from xpaccel.errors import TraceError


@xpa.kernel
def smooth(u, factor=0.5):
    return factor * u[1:-1] + (1 - factor) / 2 * (u[2:] + u[:-2])


def test_fields_of_two_grids_are_refused():
    one, other = (xpa.Grid(8).field(boundary=0.0) for _ in range(2))
    with pytest.raises(xpa.DomainError, match="two grids"):
        xpa.kernel(lambda u, v: u + v)(one, other)
    with pytest.raises(xpa.DomainError, match="one grid"):
        one + other


def test_an_argument_that_cannot_be_compared_is_named():
    field = xpa.Grid(8).field(boundary=0.0)
    with pytest.raises(TraceError, match="argument 2 is a set"):
        smooth(field, {1, 2})


def test_what_is_shown_is_shown_for_arrays():
    with pytest.raises(TraceError, match=r"not for fields.*\n.*field\.local"):
        smooth.loops(xpa.Grid(8).field(boundary=0.0))


def test_messages_name_the_argument_whatever_numbers_stand_before_it():
    kernel = xpa.kernel(lambda factor, u: factor * (u[2:] - u[1:-1] + u[:-2]))
    with pytest.raises(xpa.DomainError, match="argument 2 is read 1 beyond the low edge"):
        kernel(np.float64(2.0), xpa.Grid(8).field())


def test_a_kernel_keeps_no_field_that_it_was_called_on():
    field = xpa.Grid(8).field(boundary=0.0)
    smooth(field)
    values = weakref.ref(field.array)
    del field
    gc.collect()
    assert values() is None


class Fake:
    """A communicator of two ranks, as far as a grid looks at it before it sends anything."""

    def Dup(self):
        return self

    def Get_rank(self):
        return 0

    def Get_size(self):
        return 2


def test_a_communicator_is_kept_as_long_as_its_number_stands_for_it(monkeypatch):
    monkeypatch.setattr("xpaccel.domain.abort.install", lambda: None)
    comm = Fake()
    gone = weakref.ref(comm)
    found = communicator(comm)
    found.mpi = None
    del comm
    gc.collect()
    assert gone() is not None
    assert communicator(gone()) is found
