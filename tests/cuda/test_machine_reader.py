"""The readers of machine code find what was put there: kernels written for each thing that they count."""

from __future__ import annotations

from collections import Counter

import pytest
from cuda.machine import gpus, nvrtc, ptx, sass
from cuda.machine.measure import ARCHES

pytestmark = [pytest.mark.cuda, pytest.mark.parametrize("arch", ARCHES)]

HEAD = 'extern "C" __global__ void __launch_bounds__(256) k'
INDEX = "const int i = blockIdx.x * blockDim.x + threadIdx.x;"


@pytest.fixture(autouse=True)
def _installed():
    reason = nvrtc.why_unavailable() or sass.why_unavailable()
    if reason is not None:
        pytest.skip(reason)  # test_machine.py fails where it is required


def compiled(body, arch, arguments="const float* __restrict__ x, float* __restrict__ y, int n"):
    return nvrtc.compile_kernel(f"{HEAD}({arguments}) {{ {INDEX} {body} }}", arch, ("--fmad=false",))


def census(body, arch, *rest):
    return sass.census(sass.disassemble(compiled(body, arch, *rest).cubin))


def test_a_plain_kernel_has_none_of_what_is_refused(arch):
    body = "if (i < n) y[i] = x[i] * 2.5f + x[i + 1];"
    binary, found = compiled(body, arch), census(body, arch)
    assert (found.loads, found.stores) == (Counter({4: 2}), Counter({4: 1}))
    assert found.read_only == 2  # __restrict__ and const: the compiler knows by itself
    assert (found.f32, found.f64, found.local, found.generic, found.barriers, found.shuffles) == (2, 0, 0, 0, 0, 0)
    assert (binary.stack, binary.spill_stores, binary.spill_loads, binary.shared) == (0, 0, 0, 0)
    assert 0 < binary.registers <= 32
    assert ptx.divisions(binary.ptx) == ptx.wide_multiplications(binary.ptx) == 0


def test_registers_that_spill(arch):
    """64 numbers that are loaded before any is stored do not fit into 32 registers."""
    source = """
    extern "C" __global__ void BOUNDS k(float* y, int n) {
        float v[64];
        #pragma unroll
        for (int k = 0; k < 64; ++k) v[k] = y[threadIdx.x + k * n];
        #pragma unroll
        for (int k = 0; k < 64; ++k) y[threadIdx.x + (k + 7 & 63) * n] = v[k];
    }
    """
    free, bound = (
        nvrtc.compile_kernel(source.replace("BOUNDS", f"__launch_bounds__{most}"), arch, ())
        for most in ("(256)", "(1024, 2)")
    )
    assert free.registers > 64
    assert bound.registers <= 32
    assert (free.stack, free.spill_stores, free.spill_loads) == (0, 0, 0)
    assert min(bound.stack, bound.spill_stores, bound.spill_loads) > 0
    assert sass.census(sass.disassemble(free.cubin)).local == 0
    assert sass.census(sass.disassemble(bound.cubin)).local > 0


def test_an_array_that_is_indexed_at_run_time(arch):
    body = "float v[256]; for (int k = 0; k < 256; ++k) v[(k * n) & 255] = x[i + k]; y[i] = v[n & 255];"
    assert census(body, arch).local > 0
    assert compiled(body, arch).stack == 1024


@pytest.mark.parametrize("literal", ["2.5", "2.5f"])
def test_a_double_literal_by_accident(arch, literal):
    found = census(f"y[i] = x[i] * {literal} + 0.1f;", arch)
    assert (found.f64 > 0) == (literal == "2.5")


@pytest.mark.parametrize("body", ["y[i] = x[i] / 3.0f;", "y[i] = sqrtf(x[i]);", "y[i] = expf(x[i]) + logf(x[i]);"])
def test_functions_of_float32_take_no_float64(arch, body):
    assert census(body, arch).f64 == 0


@pytest.mark.parametrize(
    "body", ["y[i] = x[i] / 3.0;", "y[i] = sqrt(x[i]);", "y[i] = x[i] < 1.0;", "y[i] = (float)x[i];"]
)
def test_every_kind_of_float64_counts(arch, body):
    arguments = "const double* x, double* y"
    assert census(body, arch, arguments).f64 > 0


@pytest.mark.parametrize(
    ("body", "divides"),
    [
        ("y[i] = x[i / n];", True),
        ("y[i] = x[i % n];", True),
        ("y[i] = x[(long long)i * n / (n + 1)];", True),  # of 64 bits, and of 32 where that does
        ("y[i] = x[i / 12];", False),  # a multiplication and a shift
        ("y[i] = x[(unsigned)i / 16];", False),
        ("y[i] = x[i] / 3.0f;", False),
    ],
)
def test_divisions_of_integers(arch, body, divides):
    assert (ptx.divisions(compiled(body, arch).ptx) > 0) == divides


def test_products_of_64_bits(arch):
    body = "y[(long long)i * n] = x[i];"
    wide = compiled("y[m * n] = x[m];", arch, "const float* x, float* y, long long n, long long m")
    assert ptx.wide_multiplications(wide.ptx) == 1
    assert ptx.wide_multiplications(compiled(body, arch).ptx) == 0  # 32 bits times 32 bits are one instruction


@pytest.mark.parametrize(
    ("kind", "width"),
    [("char", 1), ("short", 2), ("float", 4), ("float2", 8), ("double", 8), ("float4", 16), ("double2", 16)],
)
def test_widths_of_loads_and_stores(arch, kind, width):
    found = census("y[i] = __ldg(x + i);", arch, f"const {kind}* x, {kind}* y")
    assert (found.loads, found.stores, found.read_only) == (Counter({width: 1}), Counter({width: 1}), 1)


def test_a_load_of_what_is_written_is_not_read_only(arch):
    found = census("y[i] = y[i + 1];", arch, "float* y")
    assert (found.loads, found.read_only) == (Counter({4: 1}), 0)


def test_an_access_of_unknown_space(arch):
    """A pointer that may be to shared or to global memory."""
    body = "__shared__ float s[256]; s[threadIdx.x] = x[i]; __syncthreads(); y[i] = *(n & 1 ? s + (n & 255) : y + n);"
    assert census(body, arch).generic > 0


def test_barriers_shuffles_atomics_and_shared_memory(arch):
    body = """
        __shared__ float s[256];
        s[threadIdx.x] = __shfl_sync(0xffffffffu, x[i], n);
        __syncthreads();
        atomicAdd(y, s[n & 255] + __shfl_xor_sync(0xffffffffu, x[i], 1));
    """
    found, binary = census(body, arch), compiled(body, arch)
    assert (found.shuffles, found.atomics) == (2, 1)
    assert found.barriers >= 1
    assert 1024 <= binary.shared <= 2048  # sm_90 and later keep 1 KiB for the system in some versions


def test_calls_and_slow_paths(arch):
    code = sass.disassemble(compiled("y[i] = x[i] / x[n];", arch).cubin)
    assert sass.census(code).calls == 1
    assert {i.name for i in code if not i.called} >= {"LDG", "STG", "CALL", "EXIT"}
    assert {"RET"} <= {i.name for i in code if i.called}
    assert not any(i.called for i in sass.disassemble(compiled("y[i] = x[i] + x[n];", arch).cubin))


def test_loops(arch):
    body = """
        y[i + 9] = 1.0f;
        #pragma unroll 1
        for (int a = i; a < n; a += 8) {
            y[a] = x[a + 7];
            #pragma unroll 1
            for (int b = a; b < n; b += 4) y[b + 5] = x[b] + x[b * b];
        }
    """
    code = sass.disassemble(compiled(body, arch, "const float* __restrict__ x, float* __restrict__ y, int n").cubin)
    assert sorted(i.loops for i in code if i.name == "STG") == [0, 1, 2]
    assert sorted(i.loops for i in code if i.name == "LDG") == [1, 2, 2]


def test_what_nvrtc_refuses(arch):
    with pytest.raises(nvrtc.NvrtcError, match=r"refuses the source for sm_(?s:.)*identifier \"nothing\" is undefined"):
        nvrtc.compile_kernel(f"{HEAD}() {{ nothing(); }}", arch, ())
    with pytest.raises(nvrtc.NvrtcError, match="2 kernels; one is needed"):
        nvrtc.compile_kernel(f"{HEAD}() {{}} {HEAD}2() {{}}", arch, ())


def test_what_the_disassembler_refuses(arch):
    with pytest.raises(RuntimeError, match="nvdisasm refuses"):
        sass.disassemble(b"no cubin for %d" % arch)
    with pytest.raises(RuntimeError, match="not understood"):
        sass.parse(f"        /*00{arch:02x}*/    ???")


def test_a_missing_wheel_is_named(arch, monkeypatch):
    for module, function in (
        (nvrtc, lambda: nvrtc.compile_kernel("anything", arch, ())),
        (sass, lambda: sass.disassemble(b"x")),
    ):
        for cached in (module._path, *([module._library] if module is nvrtc else [])):
            cached.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(nvrtc, "packages", tuple)
            with pytest.raises(RuntimeError, match=r"is not installed: pip install \"xpaccel\[machine\]\""):
                function()
        for cached in (module._path, *([module._library] if module is nvrtc else [])):
            cached.cache_clear()


@pytest.mark.parametrize(
    ("registers", "share"),
    [(18, 1), (32, 1), (33, 0.75), (40, 0.75), (48, 0.625), (64, 0.5), (65, 0.375), (255, 0.125)],
)
def test_occupancy(arch, registers, share):
    """As NVIDIA's occupancy calculator has it, for blocks of 256 threads."""
    assert gpus.occupancy(registers) == share
    assert gpus.occupancy(registers, shared=80 * 1024) <= 0.25


def test_the_architecture_of_a_cubin(arch):
    cubin = compiled("y[i] = x[i];", arch).cubin
    assert [nvrtc.is_for(cubin, other) for other in ARCHES] == [other == arch for other in ARCHES]
    assert not nvrtc.is_for(b"// PTX".ljust(64), arch)
