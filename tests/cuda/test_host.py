"""CUDA C on the host does what CUDA says, and catches what CUDA would do in silence."""

from __future__ import annotations

import ctypes
import math
import platform
import subprocess
import sys

import numpy as np
import pytest
from cuda.host import host

pytestmark = pytest.mark.usefixtures("compiler")

ORDERS = ("forward", "reverse")


def pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


def run(source, name, grid, block, *arguments, **options):
    """Compile and launch; arrays are passed as pointers, and ctypes values as they are."""
    values = [pointer(a) if isinstance(a, np.ndarray) else a for a in arguments]
    host.Module(source).get_function(name).launch(grid, block, host.pack(*values), **options)


def kernel(body, arguments="float* p, int n", head=""):
    return f'{head}\nextern "C" __global__ void k({arguments}) {{\n{body}\n}}\n'


def result(body, *, block=(32,), n=0, dtype=np.float32, size=64, **options):
    """Run a kernel on `size` zeros of a type; return them."""
    names = {"float32": "float", "float64": "double", "int32": "int", "int64": "long long", "uint32": "unsigned"}
    out = np.zeros(size, dtype)
    source = kernel(body, f"{names[out.dtype.name]}* p, int n")
    run(source, "k", (1,), block, out, ctypes.c_int(n), **options)
    return out


# -- meaning --------------------------------------------------------------------------------------

SCALE = r"""
struct Args { const double* __restrict__ x; double* __restrict__ y; long long n; float factor; };
extern "C" __global__ void __launch_bounds__(256) scale(const __grid_constant__ Args a) {
    const long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < a.n; i += step)
        a.y[i] = a.factor * __ldg(a.x + i);
}
"""


class Args(ctypes.Structure):
    _fields_ = (("x", ctypes.c_void_p), ("y", ctypes.c_void_p), ("n", ctypes.c_longlong), ("factor", ctypes.c_float))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("n", [1, 255, 256, 1000])
def test_a_structure_by_value(n, order):
    x, y = np.arange(n, dtype=float), np.full(n, np.nan)
    run(SCALE, "scale", (3,), (64,), Args(x.ctypes.data, y.ctypes.data, n, 0.5), order=order)
    np.testing.assert_array_equal(y, 0.5 * x)


def test_indices_in_three_dimensions():
    source = kernel(
        """
        const int i = blockIdx.x * blockDim.x + threadIdx.x, j = blockIdx.y * blockDim.y + threadIdx.y;
        const int k = blockIdx.z * blockDim.z + threadIdx.z, ni = gridDim.x * blockDim.x, nj = gridDim.y * blockDim.y;
        p[(k * nj + j) * ni + i] = 10000 * i + 100 * j + k;
        """,
        "int* p",
    )
    out = np.zeros((2 * 3, 3 * 2, 2 * 4), np.int32)
    run(source, "k", (2, 3, 2), (4, 2, 3), out)
    k, j, i = np.indices(out.shape)
    np.testing.assert_array_equal(out, 10000 * i + 100 * j + k)


SUM = kernel(
    """
    __shared__ double part[32];  // a comment; with a semicolon
    double total = 0;
    for (int i = threadIdx.x; i < n; i += blockDim.x) total += x[i];
    for (int delta = 16; delta; delta >>= 1) total += __shfl_down_sync(0xffffffffu, total, delta);
    if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = total;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (unsigned k = 1; k < blockDim.x / 32; ++k) total += part[k];
        out[blockIdx.x] = total;
    }
    """,
    "const double* x, double* out, int n",
)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("threads", [32, 256, 1024])
@pytest.mark.parametrize("n", [0, 1, 33, 2000])
def test_a_reduction_by_shuffles_and_shared_memory(n, threads, order):
    x, out = np.arange(n, dtype=float), np.zeros(2)
    run(SUM, "k", (2,), (threads,), x, out, ctypes.c_int(n), order=order)
    assert out.tolist() == [n * (n - 1) / 2] * 2


def source_lane(kind, lane, argument, width):
    """Return which lane a shuffle reads, from the PTX manual."""
    first = lane - lane % width
    if kind == "shfl":
        return first + argument % width
    other = {"shfl_up": lane - argument, "shfl_down": lane + argument, "shfl_xor": lane ^ argument}[kind]
    if kind == "shfl_xor":
        return other if other < first + width else lane
    return other if first <= other < first + width else lane


@pytest.mark.parametrize("kind", ["shfl", "shfl_up", "shfl_down", "shfl_xor"])
@pytest.mark.parametrize("width", [4, 16, 32])
def test_shuffles(kind, width):
    for argument in (0, 1, 3, width - 1):
        body = f"p[threadIdx.x] = __{kind}_sync(0xffffffffu, 100 + (int)threadIdx.x, n, {width});"
        got = result(body, n=argument, block=(64,), dtype=np.int32)
        lanes = [source_lane(kind, t % 32, argument, width) + 32 * (t // 32) for t in range(64)]
        assert got.tolist() == [100 + lane for lane in lanes]


@pytest.mark.parametrize(
    ("type_", "value"),
    [("bool", 1), ("short", -7), ("unsigned", 2**31), ("long long", -(2**40)), ("float", 0.1), ("double", 0.1)],
)
def test_shuffles_of_every_scalar(type_, value):
    body = f"const {type_} x = threadIdx.x == 5 ? ({type_})({value!r}) : ({type_})0;"
    body += f"p[threadIdx.x] = __shfl_sync(0xffffffffu, x, 5) == ({type_})({value!r});"
    assert result(body)[:32].all()


def test_votes():
    body = """
    const unsigned odd = __ballot_sync(0xffffffffu, threadIdx.x & 1);
    const int any = __any_sync(0xffffffffu, threadIdx.x == 3), all = __all_sync(0xffffffffu, threadIdx.x != 31);
    const int three = __syncthreads_count(threadIdx.x % 32 == 3);
    const int both = __syncthreads_and(1), none = __syncthreads_or(0), first = threadIdx.x < 32;
    p[threadIdx.x] = odd == 0xaaaaaaaau && any == first && all == !first && three == 2 && both && !none;
    """
    assert result(body, block=(64,)).all()


def test_atomics():
    source = kernel(
        """
        atomicAdd(f, 1.5f); atomicAdd(d, 0.25); atomicAdd(i, -2); atomicAdd(u, 3ull);
        atomicMax(i + 1, (int)threadIdx.x); atomicMin(i + 2, -(int)threadIdx.x);
        atomicExch(i + 3, 7); atomicCAS(i + 4, 0, 9);
        """,
        "float* f, double* d, int* i, unsigned long long* u",
    )
    f, d = np.zeros(1, np.float32), np.zeros(1)
    i, u = np.zeros(5, np.int32), np.zeros(1, np.uint64)
    run(source, "k", (2,), (50,), f, d, i, u)
    assert (f[0], d[0], i.tolist(), u[0]) == (150.0, 25.0, [-200, 49, -49, 7, 9], 300)


FUNCTIONS = """
exp exp2 expm1 log log2 log10 log1p sqrt cbrt sin cos tan asin acos atan sinh cosh tanh asinh atanh erf erfc tgamma
lgamma ceil floor trunc rint fabs
"""


@pytest.mark.parametrize("type_", ["float", "double"])
def test_mathematics(type_):
    dtype = np.dtype({"float": np.float32, "double": np.float64}[type_])
    lines = [f"{name}(x)" for name in FUNCTIONS.split()]
    lines += [
        "acosh(x + 1)",
        "pow(x, y)",
        "atan2(x, y)",
        "hypot(x, y)",
        "fmod(y, x)",
        "fma(x, y, x)",
        "copysign(x, -y)",
    ]
    lines += ["min(x, y)", "max(x, y)", "abs(-x)"]
    stores = "".join(f"static_assert(sizeof({line}) == sizeof x); p[{k}] = {line};\n" for k, line in enumerate(lines))
    x, y = dtype.type(0.7), dtype.type(2.3)
    got = np.zeros(len(lines), dtype)
    number = ctypes.c_float if type_ == "float" else ctypes.c_double
    run(kernel(stores, f"{type_}* p, {type_} x, {type_} y"), "k", (1,), (1,), got, number(x), number(y))
    other = {"ceil": np.ceil, "rint": np.rint, "tgamma": math.gamma, "floor": np.floor, "trunc": np.trunc}
    wanted = [float((other.get(name) or getattr(math, name))(float(x))) for name in FUNCTIONS.split()]
    x, y = float(x), float(y)
    wanted += [math.acosh(x + 1), x**y, math.atan2(x, y), math.hypot(x, y), math.fmod(y, x), x * y + x, -x, x, y, x]
    np.testing.assert_allclose(got, wanted, rtol=8 * np.finfo(dtype).eps)


def test_bits_and_saturating_conversions():
    body = """
    p[0] = __float_as_int(1.0f); p[1] = __int_as_float(0x7f800000) > 1e38f; p[2] = __popc(0xf0u); p[3] = __clz(1);
    p[4] = __double2int_rz(1e300); p[5] = __double2int_rz(-1e300); p[6] = __float2int_rz(__int_as_float(0x7fc00000));
    p[7] = __double2ll_rz(-3.9); p[8] = __umulhi(0x80000000u, 4u); p[9] = isnan(__longlong_as_double(-1ll));
    """
    got = result(body, block=(1,), dtype=np.int32)[:10].tolist()
    assert got == [0x3F800000, 1, 4, 31, 2**31 - 1, -(2**31), 0, -3, 2, 1]


def test_dynamic_shared_memory():
    body = "extern __shared__ float s[];\ns[threadIdx.x] = threadIdx.x;\n"
    body += "__syncthreads();\np[threadIdx.x] = s[31 - threadIdx.x];"
    assert result(body, shared_mem=128)[:32].tolist() == list(range(31, -1, -1))


def test_kernels_are_found_in_text_and_not_in_comments():
    source = """
    // extern "C" __global__ void no(int* p) {}
    /* extern "C" __global__ void never(int* p) {} */
    template <class T> __global__ void generic(T* p) { *p = 1; }
    namespace inner {
    __device__ __forceinline__ int two() { return 2; }
    extern "C" __global__ void __launch_bounds__(64, 2) first(int* p) { *p = two(); }
    }
    using inner::first;
    extern "C" __launch_bounds__(32) __global__ void second(int* p) { *p = 3; }
    """
    module = host.Module(source)
    assert module.names == ("first", "second")
    assert module.get_function("first").most_threads == 64


def test_several_arguments_of_every_kind():
    source = kernel(
        "*p = e + a + b + c + d + v.y;", "double* p, bool a, short b, unsigned long long c, float d, double e, float2 v"
    )

    class Float2(ctypes.Structure):
        _fields_ = (("x", ctypes.c_float), ("y", ctypes.c_float))

    out = np.zeros(1)
    values = [
        ctypes.c_bool(True),
        ctypes.c_short(-3),
        ctypes.c_ulonglong(2**40),
        ctypes.c_float(0.5),
        ctypes.c_double(8),
    ]
    run(source, "k", (1,), (1,), out, *values, Float2(100, 16))
    assert out[0] == 1 - 3 + 2**40 + 0.5 + 8 + 16
    kinds = [(p.kind, p.size) for p in host.Module(source).get_function("k").parameters]
    assert kinds == [("p", 8), ("i", 1), ("i", 2), ("i", 8), ("f", 4), ("f", 8), ("s", 8)]


# -- order, and memory that nobody wrote ----------------------------------------------------------


def test_the_order_can_be_reversed(monkeypatch):
    body = "if (n == 0) p[0] = threadIdx.x; else { __syncwarp(); p[0] = threadIdx.x; }"
    for n in (0, 1):
        assert result(body, n=n)[0] == 31
        assert result(body, n=n, order="reverse")[0] == 0
    monkeypatch.setenv(host.ORDER, "reverse")
    assert result(body)[0] == 0
    monkeypatch.setenv(host.ORDER, "sideways")
    with pytest.raises(ValueError, match="'sideways'; it must be 'forward' or 'reverse'"):
        result(body)


def test_shared_memory_is_poisoned_before_each_block():
    source = kernel("__shared__ unsigned s[2];\np[blockIdx.x] = s[1]; s[1] = 5;", "unsigned* p")
    out = np.zeros(3, np.uint32)
    for _ in range(2):
        run(source, "k", (3,), (1,), out)
        assert [hex(value) for value in out] == ["0xa5a5a5a5"] * 3


# -- what is caught -------------------------------------------------------------------------------

WRONG = {
    "half of the threads end": (
        "if (threadIdx.x < 16) __syncthreads();",
        "16 threads .* __syncthreads of line 3; 16 .* ended",
    ),
    "two barriers": ("if (threadIdx.x < 16) __syncthreads();\nelse __syncthreads();", "of line 3; 16 .* of line 4"),
    "a barrier in a loop": ("for (unsigned i = 0; i < threadIdx.x; ++i) __syncthreads();", "divergent barrier"),
    "some wait for the warp": ("if (threadIdx.x < 16) __syncthreads(); else __syncwarp();", "a warp's call of line 3"),
    "a mask without oneself": (
        "p[0] = __shfl_sync(0xffffu << (n + 15), 1.0f, 16);",
        r"thread \(0, 0, 0\) calls with mask 0xffff0000, which does not name its own lane 0",
    ),
    "a lane left out": (
        "if (threadIdx.x < 16) p[0] = __shfl_down_sync(0xffffu, 1.0f, 8);",
        r"line 3: thread \(8, 0, 0\) reads lane 16",
    ),
    "a lane that ended": ("if (threadIdx.x != 3) p[0] = __shfl_sync(0xffffffffu, 1.0f, 3);", "reads lane 3"),
    "a misaligned vector": (
        "*(float4*)(p + 4 * threadIdx.x + 1) = {};",
        "line 3: misaligned address of 'struct float4'",
    ),
    "a misaligned vector load": ("p[0] = __ldg((const float2*)(p + threadIdx.x)).x;", "misaligned address of .*float2"),
    "a misaligned one among barriers": (
        "__syncthreads(); p[0] = ((double2*)(p + 2 * threadIdx.x))->y;",
        r"thread \(1, 0, 0\)",
    ),
    "beyond a shared array": (
        "__shared__ float s[32];\ns[threadIdx.x + n] = 1; p[0] = s[0];",
        r"index 32 out of bounds .*float \[32\]",
    ),
    "an overflow": (
        "int i = 2147483600 + n;\nfor (int k = 0; k < 50; ++k) i += (int)threadIdx.x;\np[0] = i;",
        "signed addition overflows",
    ),
    "a long shift": ("p[0] = 1 << (threadIdx.x + 31 + n);", "shift by"),
    "a division by zero": ("p[0] = n / (int)threadIdx.x;", "division by zero"),
    "a null pointer": ("p = 0; *p = 1;", "null pointer"),
    "a bool of poison": ("__shared__ bool b[32];\np[0] = b[threadIdx.x] ? 1 : 2;", "a bool or enumeration"),
}


@pytest.mark.skipif(host.sanitiser_loaded(), reason="under the address sanitiser they end the process")
@pytest.mark.parametrize("name", WRONG)
def test_what_is_caught_in_any_process(name):
    body, message = WRONG[name]
    for order in ORDERS:
        with pytest.raises(host.LaunchError, match=message if order == "forward" else None):
            result(body, n=1, order=order)
        assert result("p[threadIdx.x] = 1;")[:32].all()  # and the next launch is as always


ABSENT = {
    "INFINITY": "p[0] = INFINITY;",
    "NAN": "p[0] = NAN;",
    "int64_t": "int64_t i = 0; p[0] = i;",
    "M_PI": "p[0] = M_PI;",
    "std": "p[0] = std::exp(1.0f);",
    "exp of an int": "p[0] = exp(n);",
    "min of two types": "p[0] = min(n, 1ll);",
    "__ldg of a bool": "p[0] = __ldg((const bool*)p);",
    "atomicAdd of long long": "atomicAdd((long long*)p, 1ll);",
    "rsqrt": "p[0] = rsqrt(2.0f);",
    "writing an index": "threadIdx.x = 1;",
}


@pytest.mark.parametrize("name", ABSENT)
def test_what_nvrtc_does_not_offer_does_not_compile(name):
    with pytest.raises(host.CompileError, match=r"kernel\.cu:3"):
        host.Module(kernel(ABSENT[name]))


def test_launches_that_cuda_refuses():
    module = host.Module('extern "C" __global__ void __launch_bounds__(64) k(float* p, int n) { p[0] = n; }')
    launch = module.get_function("k").launch
    good = host.pack(ctypes.c_void_p(0), ctypes.c_int(0))
    for grid, block, arguments, message in (
        ((1,), (65,), good, "65 threads a block; it was compiled for 64"),
        ((1,), (1, 1, 65), good, "block .* outside of what CUDA allows"),
        ((1, 65536), (1,), good, "grid .* outside of what CUDA allows"),
        ((0,), (1,), good, "grid .* outside of what CUDA allows"),
        ((1,), (1,), good[:1], r"arguments of \[8\] bytes, but its parameters have \[8, 4\]"),
        ((1,), (1,), [good[0], bytes(8)], r"arguments of \[8, 8\] bytes, but its parameters have \[8, 4\]"),
    ):
        with pytest.raises(host.LaunchError, match=message):
            launch(grid, block, arguments)


def test_kernels_that_are_not_there():
    module = host.Module('extern "C" __global__ void k(int* p) {}\n__global__ void mangled(int* p) {}')
    with pytest.raises(host.LaunchError, match="no kernel 'kk' in this module; it has: k, mangled"):
        module.get_function("kk")
    with pytest.raises(host.LaunchError, match='declare it extern "C"'):
        module.get_function("mangled")


def test_two_shared_variables_in_one_statement_are_refused():
    with pytest.raises(host.CompileError, match="declare one variable of shared memory a statement"):
        host.Module(kernel("__shared__ float a[2], b[2];\np[0] = a[0] + b[0];"))


# -- options, and the cache -----------------------------------------------------------------------


@pytest.mark.skipif(not host.has_fma(), reason="this processor does not multiply and add in one operation")
def test_contraction_shows_in_the_bits():
    source = kernel("*p = x * x - y;", "double* p, double x, double y")
    x, out = 1 + 2.0**-30, np.zeros(2)
    for place, contract in enumerate((False, True)):
        launch = host.Module(source, contract=contract).get_function("k").launch
        launch((1,), (1,), host.pack(pointer(out[place:]), ctypes.c_double(x), ctypes.c_double(x * x)))
    assert out.tolist() == [0.0, 2.0**-60]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86-64 shows it")
def test_flushing_shows_in_the_bits():
    source = kernel("*p = x * 0.5f;", "float* p, float x")
    for flush, wanted in ((False, 2.0**-127), (True, 0.0)):
        out = np.ones(1, np.float32)
        host.Module(source, flush=flush).get_function("k").launch(
            (1,), (1,), host.pack(pointer(out), ctypes.c_float(2.0**-126))
        )
        assert out[0] == wanted
    assert np.float32(2.0**-126) * np.float32(0.5) == np.float32(2.0**-127)  # and the process is as before


def test_macros_choose_among_variants():
    source = kernel("#ifdef WIDE\np[0] = FACTOR;\n#else\np[0] = 1;\n#endif", "int* p")
    for defines, wanted in (((), 1), (("WIDE", "FACTOR=7"), 7)):
        out = np.zeros(1, np.int32)
        host.Module(source, defines=defines).get_function("k").launch((1,), (1,), host.pack(pointer(out)))
        assert out[0] == wanted


def test_a_text_is_compiled_once(monkeypatch):
    source = kernel("p[0] = 41;")
    host.Module(source)

    def refuse(*args, **kwargs):
        raise AssertionError("compiled again")

    monkeypatch.setattr(subprocess, "run", refuse)
    host.Module(source)
    with pytest.raises(AssertionError, match="compiled again"):
        host.Module(source.replace("41", "42424242"))


# -- the address sanitiser, in a process of its own -----------------------------------------------

SANITISED = """
import ctypes, sys
import numpy as np
from cuda.host import host
assert host.sanitiser_loaded()
source = '''
extern "C" __global__ void k(double* p, int n) {
    __shared__ double s[8];
    s[threadIdx.x % 8] = 1;
    __syncthreads();
    BODY
}
'''.replace("BODY", sys.argv[1])
x = np.zeros(10)
kernel = host.Module(source).get_function("k")
kernel.launch((2,), (8,), host.pack(ctypes.c_void_p(x.ctypes.data), ctypes.c_int(int(sys.argv[2]))))
print("done", x.sum())
"""


def sanitised(body, n):
    environment = host.environment() | {"PYTHONPATH": str(host.TESTS)}
    return subprocess.run(
        [sys.executable, "-c", SANITISED, body, str(n)], check=False, capture_output=True, text=True, env=environment
    )


def test_the_address_sanitiser_lets_a_good_kernel_pass():
    done = sanitised("p[threadIdx.x + n] = s[threadIdx.x];", 2)
    assert (done.returncode, done.stdout.strip()) == (0, "done 8.0"), done.stderr


@pytest.mark.parametrize(
    ("body", "n", "report"),
    [
        ("p[threadIdx.x + n] = s[0];", 3, "heap-buffer-overflow"),
        ("s[0] = p[n];", -1, "heap-buffer-overflow"),
        ("double* t = s; p[0] = t[threadIdx.x + n];", 1, "insufficient space for an object of type 'double'"),
        ("double2 v = *(double2*)(p + n); p[0] = v.x;", 1, "misaligned address"),
    ],
)
def test_the_address_sanitiser_ends_the_process(body, n, report):
    done = sanitised(body, n)
    assert done.returncode != 0
    assert "done" not in done.stdout
    assert report in done.stderr
    assert "kernel.cu:6" in done.stderr


def test_the_address_sanitiser_cannot_be_asked_for_later():
    if host.sanitiser_loaded():
        pytest.skip("this process has it")
    with pytest.raises(host.CompileError, match=r"run Python in host.environment\(\)"):
        host.Module(kernel("p[0] = 1;"), sanitise=True)


def test_without_a_compiler_the_reason_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "g++ is not on PATH" in host.why_unavailable()
    with pytest.raises(host.CompileError, match=r"g\+\+ is not on PATH"):
        host.build("int x;", ())
