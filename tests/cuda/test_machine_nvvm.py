"""Numba CUDA's kernels as machine code: each property that is read, on a kernel that has it and on one that has not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest
from cuda.machine import nvrtc, nvvm, ptx, sass
from cuda.machine.measure import ARCHES

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("toolkit"), pytest.mark.parametrize("arch", ARCHES)]


@pytest.fixture(scope="module")
def toolkit() -> None:
    """Skip where Numba CUDA or NVIDIA's libraries are missing, or fail where XP_REQUIRE asks for numba-cuda."""
    reason = nvvm.why_unavailable() or sass.why_unavailable()
    if reason is not None and {"numba-cuda", "all"} & set(os.environ.get("XP_REQUIRE", "").replace(",", " ").split()):
        pytest.fail(f"XP_REQUIRE asks for numba-cuda: {reason}", pytrace=False)
    if reason is not None:
        pytest.skip(reason)


def compiled(function, arch, *kinds, **options) -> nvrtc.Binary:
    """Compile a function of arrays (``"f4[:]"``) and numbers (``"i8"``)."""
    from numba.cuda import types

    def kind(name):
        scalar = {"f4": types.float32, "f8": types.float64, "i4": types.int32, "i8": types.int64}[name[:2]]
        return types.Array(scalar, 1, "C") if name.endswith("[:]") else scalar

    return nvvm.compile_kernel(function, types.void(*map(kind, kinds)), arch, **options)


def names(binary) -> Counter[str]:
    return Counter(instruction.name for instruction in sass.disassemble(binary.cubin))


def census(binary) -> sass.Census:
    return sass.census(sass.disassemble(binary.cubin))


def kernels():
    """Return the kernels; Numba CUDA is imported only where it is needed."""
    from numba import cuda
    from numba.cuda import libdevice

    class Kernels:
        def copy(x, y, n):
            i = cuda.grid(1)
            if i < n:
                y[i] = x[i]

        def stencil(x, y, n):
            i = cuda.grid(1)
            if 0 < i < n:
                y[i] = x[i - 1] + x[i + 1] - x[i]

        def fused(x, y, n):
            i = cuda.grid(1)
            if i < n:
                y[i] = x[i] * y[i] + x[i + 1]

        def rounded(x, y, n):
            i = cuda.grid(1)
            if i < n:
                y[i] = libdevice.fadd_rn(libdevice.fmul_rn(x[i], y[i]), x[i + 1])

        def literal(x, y, n):
            i = cuda.grid(1)
            if i < n:
                y[i] = x[i] * 2.5 + 0.1

        def integer(x, y, n):
            i = cuda.grid(1)
            if i < n:
                y[i] = 2 * x[i] + n

        def divided(x, y, n):
            i = cuda.grid(1)
            y[i] = x[i // n]

        def reduced(x, y, n):
            shared = cuda.shared.array(256, "float32")
            t = cuda.threadIdx.x
            shared[t] = x[t]
            cuda.syncthreads()
            y[t] = shared[t ^ 1] + cuda.shfl_xor_sync(0xFFFFFFFF, x[t], 1)

        def added(x, y, n):
            cuda.atomic.add(y, 0, x[cuda.grid(1)])

        def many(x, y, n):
            values = cuda.local.array(64, "float32")
            for k in range(64):
                values[k] = x[cuda.threadIdx.x + k * n]
            for k in range(64):
                y[cuda.threadIdx.x + k * n] = values[(k + 7) & 63]

    return Kernels


ARGUMENTS = ("f4[:]", "f4[:]", "i8")


@pytest.mark.parametrize("strict", [False, True])
def test_a_copy_has_one_load_and_one_store(arch, strict):
    binary = compiled(kernels().copy, arch, *ARGUMENTS, strict=strict)
    found = census(binary)
    assert (found.loads, found.stores) == (Counter({4: 1}), Counter({4: 1}))
    assert (found.read_only, found.f32, found.f64, found.local, found.generic) == (0, 0, 0, 0, 0)
    assert (found.barriers, found.shuffles, found.atomics, found.calls) == (0, 0, 0, 0)
    assert (binary.stack, binary.spill_stores, binary.spill_loads, binary.shared) == (0, 0, 0, 0)
    assert 0 < binary.registers <= 32
    assert ptx.divisions(binary.ptx) == 0
    assert ".ftz" not in binary.ptx  # subnormal numbers are kept


@pytest.mark.parametrize(("kind", "width"), [("f4[:]", 4), ("f8[:]", 8)])
def test_widths(arch, kind, width):
    found = census(compiled(kernels().stencil, arch, kind, kind, "i8"))
    assert (found.loads, found.stores) == (Counter({width: 3}), Counter({width: 1}))
    assert (found.f64 > 0) == (width == 8)


def test_a_product_and_a_sum_are_fused_unless_they_are_rounded_or_linked_strictly(arch):
    def arithmetic(function, **options):
        found = names(compiled(function, arch, *ARGUMENTS, **options))
        return tuple(found[name] for name in ("FFMA", "FMUL", "FADD"))

    assert arithmetic(kernels().fused) == (1, 0, 0)
    assert arithmetic(kernels().rounded) == (0, 1, 1)
    assert arithmetic(kernels().fused, strict=True) == (0, 1, 1)


def test_numba_has_no_option_against_fusing(arch):
    """If this fails, there is one: nvvm.py says otherwise, and `rounded` may be needless."""
    from numba import cuda

    with pytest.raises(TypeError, match="unexpected keyword argument 'fma'"):
        cuda.compile(kernels().fused, "void(f4[:], f4[:], i8)", cc=divmod(arch, 10), fma=False)
    with pytest.raises(TypeError, match="unexpected keyword argument 'fma'"):
        cuda.jit(kernels().fused, fma=False).compile("void(f4[:], f4[:], i8)")


def test_a_double_literal_by_accident(arch):
    """A float literal is a double, and so is float32 with a 64-bit integer."""
    assert census(compiled(kernels().literal, arch, *ARGUMENTS)).f64 > 0
    assert census(compiled(kernels().integer, arch, *ARGUMENTS)).f64 > 0
    assert census(compiled(kernels().fused, arch, *ARGUMENTS)).f64 == 0


def test_a_division_in_an_index(arch):
    assert ptx.divisions(compiled(kernels().divided, arch, *ARGUMENTS).ptx) > 0


def test_barriers_shuffles_and_shared_memory(arch):
    binary = compiled(kernels().reduced, arch, *ARGUMENTS)
    found = census(binary)
    assert (found.shuffles, found.atomics) == (1, 0)
    assert found.barriers >= 1
    assert 1024 <= binary.shared <= 2048  # sm_90 and later keep 1 KiB for the system in some versions


@pytest.mark.parametrize("kind", ["f4[:]", "f8[:]", "i4[:]"])
def test_atomics(arch, kind):
    from cuda.bindings import nvjitlink
    from cuda.bindings.nvvm import nvvmError

    refused = arch >= 100 and kind.startswith("f") and nvjitlink.version() < (13, 0)
    if refused:  # see nvvm.py
        with pytest.raises(nvvmError, match="INVALID_IR"):
            compiled(kernels().added, arch, kind, kind, "i8")
    else:
        assert census(compiled(kernels().added, arch, kind, kind, "i8")).atomics == 1


def test_registers_that_spill(arch):
    """64 numbers do not fit into 32 registers; in 255 they do."""
    free = compiled(kernels().many, arch, *ARGUMENTS)
    bound = compiled(kernels().many, arch, *ARGUMENTS, bounds=(1024, 2))
    assert bound.registers <= 32 < free.registers
    assert census(free).local + free.stack + free.spill_loads == 0
    assert min(census(bound).local, bound.stack) > 0


def test_what_needs_a_device_says_so(arch):
    from numba import cuda
    from numba.cuda.cudadrv.error import CudaSupportError

    if cuda.is_available():
        pytest.skip("there is a device")
    with pytest.raises(CudaSupportError, match="driver"):
        cuda.compile(kernels().copy, "void(f4[:], f4[:], i8)", device=False, abi="numba")


def test_what_does_not_link_says_why(arch):
    from cuda.bindings import nvjitlink

    code, kind, options = b".version 8.0\n.target sm_80\nnonsense", nvjitlink.InputType.PTX, [f"-arch=sm_{arch}"]
    with pytest.raises(RuntimeError, match=rf"(?s)nvJitLink refuses the code with -arch=sm_{arch}:.*syntax error"):
        nvvm._link(code, kind, options)


SECTIONS = """
    .section .text.library,"ax",@progbits
        /*0000*/ SHFL.BFLY P0, R4, R4, R5, R6 ;
    .section .text.slow,"ax",@progbits
        /*0000*/ MUFU.RCP R1, R1 ;
        /*0010*/ RET.ABS.NODEC R20 0x0 ;
    .section .text.kernel,"ax",@progbits
        .other kernel,@"STO_CUDA_ENTRY STV_DEFAULT"
        /*0000*/ LDG.E R0, [R2.64] ;
.L_x_0:
        /*0010*/ CALL.ABS.NOINC `(slow) ;
        /*0020*/ @P0 BRA `(.L_x_0) ;
        /*0030*/ EXIT ;
"""


def test_what_is_linked_and_not_called_does_not_count(arch):
    found = [(i.name, i.loops, i.called) for i in sass.parse(SECTIONS)]
    kernel = [("LDG", 0, False), ("CALL", 1, False), ("BRA", 1, False), ("EXIT", 0, False)]
    assert found == [*kernel, ("MUFU", 0, True), ("RET", 0, True)]
    with pytest.raises(RuntimeError, match="the cubin has 0 kernels; one is needed"):
        sass.parse(SECTIONS.replace("STO_CUDA_ENTRY", ""))
    with pytest.raises(RuntimeError, match="the cubin has 2 kernels; one is needed"):
        sass.parse(SECTIONS + SECTIONS.replace("kernel", "second"))


def test_what_is_missing_is_named(arch, monkeypatch):
    monkeypatch.setattr(nvvm, "_is_there", lambda module: module != "numba_cuda")
    with pytest.raises(RuntimeError, match=r"numba_cuda is not installed: pip install"):
        nvvm.compile_kernel(lambda: None, None, arch)


def test_the_simulator_compiles_nothing_and_says_so(arch):
    program = f"from cuda.machine import nvvm; nvvm.compile_kernel(print, None, {arch})"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode
    assert "RuntimeError: Numba simulates CUDA in this process and compiles nothing" in done.stderr
