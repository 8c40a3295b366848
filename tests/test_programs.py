"""Random programs, compiled: what runs is what eager NumPy would have done, argument for argument."""

from __future__ import annotations

import numpy as np
import pytest
import targets
from hypothesis import given, settings
from laws import check_compiled
from programs import Program, programs

import xpaccel as xpa
from xpaccel.backends.cpu import threads
from xpaccel.trace.tree import flatten

pytestmark = [pytest.mark.compiled, pytest.mark.filterwarnings("ignore::RuntimeWarning")]


@given(programs(exact_only=True))
def test_exact_programs_equal_numpy_bit_for_bit(program: Program) -> None:
    with targets.active():
        check_compiled(
            xpa.kernel(program.function),
            lambda: program.make_args(np.random.default_rng(0)),
            tolerance=program.tolerance,
        )


@given(programs(exact_only=False))
def test_programs_equal_numpy(program: Program) -> None:
    with targets.active():
        check_compiled(
            xpa.kernel(program.function),
            lambda: program.make_args(np.random.default_rng(0)),
            tolerance=program.tolerance,
        )


@pytest.mark.cpu("a device shares out points by its own launches")
@settings(max_examples=30)
@given(programs(exact_only=False))
def test_cutting_ranges_in_pieces_changes_no_bit(program: Program) -> None:
    """Every nest is cut into single rows; the results have the same bits."""
    whole, cut = (program.make_args(np.random.default_rng(0)) for _ in range(2))
    with targets.active():
        first = xpa.kernel(program.function)(*whole)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("xpaccel.backends.cpu.launch.GRAIN", 1e-9)
            patch.setattr(threads, "count", lambda: 64)

            def run(function, ints, floats, low, high, pieces):
                for k in reversed(range(pieces)):
                    start, stop = (low + (high - low) * j // pieces for j in (k, k + 1))
                    function(ints, floats, start, stop)

            patch.setattr(threads, "run", run)
            second = xpa.kernel(program.function)(*cut)
    for a, b in zip(flatten((whole, first))[0], flatten((cut, second))[0], strict=True):
        np.testing.assert_array_equal(a, b)
