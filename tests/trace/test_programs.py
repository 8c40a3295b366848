"""Random programs: a trace, interpreted, is the eager run, and keeps every rule of graphs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from programs import Program, programs
from trace_law import holds

from xpaccel.graph.show import show


@given(programs())
def test_a_trace_is_the_eager_run(program: Program) -> None:
    traced = holds(program.function, lambda: program.make_args(np.random.default_rng(0)), program.tolerance)
    assert show(traced.graph)


@given(programs(exact_only=True))
def test_exact_programs_have_the_same_bits(program: Program) -> None:
    assert program.tolerance is None
    holds(program.function, lambda: program.make_args(np.random.default_rng(0)))


def test_the_law_can_fail() -> None:
    def unstable(u):
        unstable.calls += 1
        return u + unstable.calls

    unstable.calls = 0
    with pytest.raises(AssertionError, match="expected"):
        holds(unstable, lambda: [np.ones(3)])
