"""The machine code of the numba-cuda target, which Numba, NVVM and nvJitLink make of its kernels without a GPU."""

from __future__ import annotations

import functools
import os
import re
from collections import Counter

import numpy as np
import pytest
from cuda.machine import nvrtc, nvvm, ptx, sass
from cuda.machine.gpus import occupancy
from cuda.machine.kernels import CASES, DTYPES
from cuda.machine.limits import LEAST_OCCUPANCY
from cuda.machine.measure import ARCHES

import xpaccel as xpa
from xpaccel import xp
from xpaccel.backends.cuda.plan import kernels
from xpaccel.backends.numba_cuda import module
from xpaccel.backends.numba_cuda.plan import NUMBA_CUDA
from xpaccel.codegen.device import PLAIN, ChainCode, DeviceCode
from xpaccel.loops import scatter

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("toolkit"), pytest.mark.parametrize("arch", ARCHES)]

NAMED = ("heat2d", "heat3d", "wave3d", "hdiff", "Black-Scholes", "softmax", "norm", "N-body")
_FUSED = re.compile(r"\bfma\.")
_FLUSHED = re.compile(r"\b(?:add|sub|mul|fma|div|sqrt)\S*\.ftz")
_LOADED = re.compile(r"\bload(?:_rw)?\(")


@pytest.fixture(scope="module")
def toolkit() -> None:
    """Skip where Numba CUDA or NVIDIA's libraries are missing, or fail where XP_REQUIRE asks for numba-cuda."""
    reason = nvvm.why_unavailable() or sass.why_unavailable()
    if reason is not None and {"numba-cuda", "all"} & set(os.environ.get("XP_REQUIRE", "").replace(",", " ").split()):
        pytest.fail(f"XP_REQUIRE asks for numba-cuda: {reason}", pytrace=False)
    if reason is not None:
        pytest.skip(reason)


def printed(kernel, *args, reproducible=True):
    loops = scatter.spread(kernel.loops(*args), reproducible=reproducible)
    return [code for _, code, _ in kernels(loops, None, NUMBA_CUDA).codes]


@functools.cache
def made(name: str, dtype: str, arch: int) -> tuple[tuple[DeviceCode | ChainCode, nvrtc.Binary], ...]:
    """Return the kernels of a case with their machine code."""
    case = next(case for case in CASES if case.name == name)
    return tuple((code, assembled(code, arch)) for code in printed(case.kernel, *case.arguments(dtype)))


def assembled(code, arch) -> nvrtc.Binary:
    """Compile a kernel as the target does; what the assembler says of it is the target's PTX's."""
    text = module.compile_ptx(code, arch)
    cubin, log = nvvm.assemble(text, arch)
    return nvrtc.binary(cubin, text, log)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMED)
def test_limits(name, dtype, arch):
    width = np.dtype(dtype).itemsize
    for code, binary in made(name, dtype, arch):
        census = sass.census(sass.disassemble(binary.cubin))
        assert (binary.spill_stores, binary.spill_loads, census.local) == (0, 0, 0)
        assert census.generic == 0
        assert ptx.divisions(binary.ptx) == 0
        assert {*census.loads, *census.stores} <= {width}
        assert occupancy(binary.registers, binary.shared) >= (LEAST_OCCUPANCY if code.form != PLAIN else 1 / 4)
        if dtype == "float32":
            assert census.f64 == 0
        if code.form == PLAIN:
            loads, wanted = sum(census.loads.values()), len(_LOADED.findall(code.source))
            assert loads == wanted or (code.marches and loads > wanted)  # the assembler unrolls walks over planes
            assert census.read_only == sum(census.loads.values())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["heat2d", "heat3d", "wave3d", "hdiff", "norm", "N-body"])
def test_each_operation_is_rounded_as_the_source_has_it(name, dtype, arch):
    """No product and sum are one in PTX; in machine code, quotients and roots alone are made of such steps."""
    for code, binary in made(name, dtype, arch):
        assert not _FUSED.search(binary.ptx)
        assert not _FLUSHED.search(binary.ptx)
        if "sqrt" not in code.source and " / " not in code.source:
            names = Counter(instruction.name for instruction in sass.disassemble(binary.cubin))
            assert names["FFMA"] == names["DFMA"] == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_fused_operations_are_those_of_the_library(dtype, arch):
    """Black-Scholes has as many as its functions have one by one: libdevice asks for them, rounding them so."""
    ((_, whole),) = made("Black-Scholes", dtype, arch)
    u = np.ones(8, dtype)
    single = {
        function: len(_FUSED.findall(module.compile_ptx(printed(xpa.kernel(function), u)[0], arch)))
        for function in (lambda u: xp.tanh(u), lambda u: xp.log(u), lambda u: xp.exp(u))
    }
    tanh, log, exp = single.values()
    assert len(_FUSED.findall(whole.ptx)) <= 2 * tanh + log + exp
    assert not _FLUSHED.search(whole.ptx)


def test_without_the_option_there_is_contraction(arch, monkeypatch):
    """What the two tests above look for is found where the linker may fuse."""
    monkeypatch.setattr(module, "OPTIONS", ("-lto", "-fma=1"))
    case = next(case for case in CASES if case.name == "heat2d")
    (code,) = printed(case.kernel, *case.arguments("float64"))
    assert _FUSED.search(module.compile_ptx(code, arch))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128", "int32", "uint64", "int8", "bool"])
@pytest.mark.parametrize("reproducible", [True, False])
def test_scatters_compile(dtype, reproducible, arch):
    kernel = xpa.kernel(lambda u, i, v: np.add.at(u, i, v))
    codes = printed(kernel, np.ones(9, dtype), np.arange(3), np.ones(3, dtype), reproducible=reproducible)
    atomics = [sass.census(sass.disassemble(assembled(code, arch).cubin)).atomics for code in codes]
    alone = dtype in ("int32", "uint64") or (not reproducible and dtype not in ("int8", "bool"))
    assert any(atomics) == alone
    assert (len(codes) == 1) == (alone or dtype == "bool")  # all who write to a bool write the same


@pytest.mark.parametrize("dtype", ["float32", "int64"])
@pytest.mark.parametrize("function", [np.maximum, np.multiply], ids=["maximum", "multiply"])
def test_what_the_hardware_cannot_add_is_swapped(dtype, function, arch):
    kernel = xpa.kernel(lambda u, i, v: function.at(u, i, v))
    (code,) = printed(kernel, np.ones(9, dtype), np.arange(3), np.ones(3, dtype), reproducible=False)
    assert ("swap(" in code.source) == (dtype == "float32" or function is np.multiply)
    assert sass.census(sass.disassemble(assembled(code, arch).cubin)).atomics
