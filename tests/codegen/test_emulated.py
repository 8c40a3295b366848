"""Generated source, run in plain Python with every access checked, equals the loop interpreter's answer."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from laws import arrays_of, numbers_of, traced
from programs import Program, programs

from xpaccel import backends
from xpaccel import program as driver
from xpaccel.backends import buffers
from xpaccel.backends.cpu.launch import CpuEngine
from xpaccel.backends.host import MEMORY
from xpaccel.compiled import symbols, unit_axes
from xpaccel.loops.interpret import interpret
from xpaccel.loops.lower import lower

sys.path.insert(0, str(Path(__file__).parent))
from emulate import Memory, names

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


class Emulated:
    """A backend that prints as numba does and runs the source in Python."""

    name, eager = "emulated", False

    def __init__(self):
        self.touched = None
        self.memory = MEMORY
        self.print_nest = backends.get("numba").print_nest

    def load(self, program, codes, name):
        return CpuEngine(program, codes, [self._function(code) for code in codes])

    def _function(self, code):
        body = code.source[code.source.index("def nest") :]

        def nest(ints_at, floats_at, low, high):
            import ctypes

            ints = list((ctypes.c_int64 * code.layout.size).from_address(ints_at)) if code.layout.size else []
            count = 2 * len(code.layout.floats)
            floats = list((ctypes.c_double * count).from_address(floats_at)) if count else []
            space = names(self.touched, ints, floats)
            exec(compile(body, "generated", "exec"), space)
            space["nest"](ints, floats, low, high)

        return nest


@settings(max_examples=60)
@given(programs(exact_only=False))
def test_source_stays_in_its_arrays_and_is_right(random: Program) -> None:
    given_args, want_args = (random.make_args(np.random.default_rng(0)) for _ in range(2))
    found, bases = traced(random.function, given_args)
    arrays = [*arrays_of(given_args), *bases, *found.constants]
    sizes = symbols(arrays)
    loops = lower(found.graph, unit_axes(arrays))
    _, want_bases = traced(random.function, want_args)
    want_arrays = [*arrays_of(want_args), *want_bases, *found.constants]
    wanted = interpret(loops, want_arrays, numbers_of(want_args), sizes)

    backend = Emulated()
    made: list[np.ndarray] = []

    def empty(shape, dtype):
        made.append(np.zeros(shape, dtype))
        backend.touched = Memory([*arrays, *made])
        return made[-1]

    backend.touched = Memory(arrays)
    strides = {slot: tuple(s // a.itemsize for s in a.strides) for slot, a in enumerate(arrays)}
    bound = driver.Program(loops, backend).bind(sizes, strides)
    addresses = [a.__array_interface__["data"][0] for a in arrays]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buffers, "empty", empty)
        outputs = bound.run(arrays, addresses, numbers_of(given_args))
    for got, want in zip((*outputs, *arrays), (*wanted, *want_arrays), strict=True):
        np.testing.assert_array_equal(got, want)
