"""Random programs: graph and loops, both interpreted, equal eager NumPy."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from laws import check_interpreters
from programs import Program, programs


@given(programs(exact_only=True))
def test_exact_programs_equal_numpy_bit_for_bit(program: Program) -> None:
    check_interpreters(
        program.function, lambda: program.make_args(np.random.default_rng(0)), tolerance=program.tolerance
    )


@given(programs(exact_only=False))
def test_programs_equal_numpy(program: Program) -> None:
    check_interpreters(
        program.function, lambda: program.make_args(np.random.default_rng(0)), tolerance=program.tolerance
    )
