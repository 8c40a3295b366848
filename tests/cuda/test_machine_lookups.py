"""The machine code of gathers and scatters, on every architecture: what combines, and what must not be there."""

from __future__ import annotations

import os
from collections import Counter

import numpy as np
import pytest
from cuda.machine import nvrtc, ptx, sass
from cuda.machine.measure import ARCHES

import xpaccel as xpa
from xpaccel.backends.cuda.grid import OPTIONS
from xpaccel.backends.cuda.plan import kernels
from xpaccel.codegen import cuda_c
from xpaccel.codegen.device import RUNS
from xpaccel.loops import scatter

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("toolkit")]


@pytest.fixture(scope="module")
def toolkit() -> None:
    """Skip where NVIDIA's compiler or disassembler is missing, or fail where XP_REQUIRE asks for cupy."""
    reason = nvrtc.why_unavailable() or sass.why_unavailable()
    if reason is not None and {"cupy", "all"} & set(os.environ.get("XP_REQUIRE", "").replace(",", " ").split()):
        pytest.fail(f"XP_REQUIRE asks for cupy: {reason}", pytrace=False)
    if reason is not None:
        pytest.skip(reason)


def take(u, index, v):
    return u[index] + v


def put(u, index, v):
    u[index] = v


def add(u, index, v):
    np.add.at(u, index, v)


def multiply(u, index, v):
    np.multiply.at(u, index, v)


def largest(u, index, v):
    np.maximum.at(u, index, v)


def machine(function, dtype, arch, *, reproducible=True):
    """Return, for each kernel, what launches it and its machine code."""
    u, index = np.zeros((10, 3), dtype), np.zeros(50, np.int64)
    program = xpa.kernel(function).loops(u, index, np.zeros((50, 3), dtype))
    program = scatter.spread(program, reproducible=reproducible)
    found = []
    for (nest, *_), code, _ in kernels(program, [cuda_c.print_nest(program, nest) for nest in program.nests]).codes:
        binary = nvrtc.compile_kernel(code.source, arch, (*OPTIONS, "-DWARPS=1"))
        instructions = sass.disassemble(binary.cubin)
        assert not binary.stack + binary.spill_stores + binary.spill_loads
        census = sass.census(instructions)
        assert not census.local + census.generic
        assert not ptx.divisions(binary.ptx)
        assert dtype not in ("float32", "int32", "complex64") or not census.f64
        names = {i.name: [j.suffixes for j in instructions if j.name == i.name] for i in instructions}
        found.append((nest, code, census, names))
    return found


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64"])
def test_a_gather_loads_once_and_writes_to_the_host_only_where_it_must(dtype, arch):
    ((_, _, census, _),) = machine(take, dtype, arch)
    width = np.dtype(dtype).itemsize
    assert census.atomics == 0
    # the index, the element, what is added; the status is read and written in a branch of its own
    assert census.loads == Counter({4: 1, 8: 1}) + Counter({width: 2})
    assert census.stores == Counter({4: 1}) + Counter({width: 1})


#: What combines where that may be in any order: instructions, and how many.
REDUCED = {
    ("int32", True, add): ("RED", 1),
    ("uint64", True, add): ("RED", 1),
    ("int64", True, largest): ("RED", 1),
    ("float32", False, add): ("RED", 1),
    ("float64", False, add): ("RED", 1),
    ("complex64", False, add): ("RED", 2),
    ("complex128", False, add): ("RED", 2),
    ("int64", True, multiply): ("ATOM", 1),
    ("float32", True, largest): ("ATOM", 1),
    ("float64", False, multiply): ("ATOM", 1),
}


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize(
    ("dtype", "reproducible", "function"), REDUCED, ids=[f"{d}-{f.__name__}" for d, _, f in REDUCED]
)
def test_atomics(dtype, reproducible, function, arch):
    """Sums need nothing back; what the hardware has no operation for compares and swaps, in one place."""
    kind, count = REDUCED[dtype, reproducible, function]
    ((_, _, census, names),) = machine(function, dtype, arch, reproducible=reproducible)
    assert census.atomics == count
    found = [name for name in names if name.startswith(kind)]
    assert sum(len(names[name]) for name in found) == count
    if kind == "ATOM":
        assert all("CAS" in suffixes for name in found for suffixes in names[name])
    if function is add and dtype.startswith(("float", "complex")):
        width = "F32" if dtype in ("float32", "complex64") else "F64"
        assert all(any(width in m for m in suffixes) for name in found for suffixes in names[name])


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_runs_combine_in_registers(dtype, arch):
    """The element is loaded and stored once a run; nothing of it is atomic."""
    nest, code, census, _ = machine(add, dtype, arch)[-1]
    width = np.dtype(dtype).itemsize
    assert code.form == RUNS
    assert nest.ordered
    assert census.atomics == 0
    assert census.stores == {width: 1}


@pytest.mark.parametrize("arch", ARCHES)
def test_the_last_one_wins(arch):
    """One atomic maximum, and a store that depends on a comparison."""
    clear, mark, store = machine(put, "float32", arch)
    assert (clear[2].atomics, mark[2].atomics, store[2].atomics) == (0, 1, 0)
    assert any("MAX" in suffixes for name in mark[3] if name.startswith("RED") for suffixes in mark[3][name])
    assert store[2].stores[4] == 2  # the element and the status
