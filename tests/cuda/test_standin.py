"""The stand-in for CuPy keeps CuPy's rules, and counts."""

from __future__ import annotations

import copy
import pickle
import struct

import numpy as np
import pytest

REFUSED = "Implicit conversion to a NumPy array is not allowed"

HEAD = 'extern "C" __global__ void __launch_bounds__(64) '
SCALE = (
    HEAD
    + "scale(float* y, const float* x, int n, float s) { if (threadIdx.x < n) y[threadIdx.x] = s * x[threadIdx.x]; }"
)
STRUCT = (
    "struct Args { double* y; int n; float s; };\n"
    + HEAD
    + "fill(const __grid_constant__ Args a) { a.y[threadIdx.x] = a.n * a.s; }"
)
ARGS = np.dtype([("y", np.uintp), ("n", np.int32), ("s", np.float32)], align=True)


def module(cp, source=SCALE, options=("--fmad=false", "--ftz=false")):
    """Compile as xpaccel does."""
    image, _ = cp.cuda.compiler.compile_using_nvrtc(source, options)
    made = cp.cuda.Module()
    made.load(image)
    return made


def test_it_says_what_it_is(cp, capsys):
    cp.show_config()
    assert "test double" in capsys.readouterr().out.lower()
    assert "TEST DOUBLE" in cp.__doc__
    assert cp.__version__ == "0+standin"
    for thing in (cp.zeros(1), cp.cuda.Device(), cp.cuda.Stream.null, cp.add, cp.zeros(1).data):
        assert "stand-in" in repr(thing)
    assert "Stand-in" in cp.cuda.runtime.getDeviceProperties(0)["name"].decode()


# -- nothing crosses unasked ----------------------------------------------------------------------


def test_implicit_transfers_are_refused(cp):
    x, host = cp.arange(3.0), np.ones(3)
    for use in (
        lambda: np.asarray(x),
        lambda: np.array(x),
        lambda: np.ones(3).__setitem__(slice(None), x),
        lambda: memoryview(x),
        lambda: x + host,
        lambda: host + x,
        lambda: x.__iadd__(host),
        lambda: x < host,
        lambda: np.add(x, host),
        lambda: np.concatenate([x, host]),
        lambda: cp.concatenate([x, host]),
        lambda: cp.where(x > 1, x, host),
        lambda: x.__setitem__(slice(None), host),
        lambda: cp.add(x, 1, out=host),
    ):
        with pytest.raises(TypeError):
            use()
    with pytest.raises(TypeError, match=REFUSED):
        np.asarray(x)
    assert (cp._standin.counts.h2d, cp._standin.counts.d2h) == (0, 0)


def test_transfers_are_counted(cp):
    counts = cp._standin.counts
    x = cp.asarray(np.ones((2, 3)))
    assert (counts.h2d, counts.h2d_bytes) == (1, 48)
    cp.asarray(x), cp.array(x), cp.asarray(3.0), x + 1, x * np.float32(2), cp.full(3, 2.0)
    assert (counts.h2d, counts.d2h) == (1, 0)
    x.set(np.zeros((2, 3)))
    cp.array([[1.0, 2.0]])
    x[[0, 1]], x[:, np.array([True, False, True])]  # CuPy copies such indices to the device
    assert counts.h2d == 5
    for use in (x.get, lambda: cp.asnumpy(x), lambda: float(x[0, 0]), lambda: bool(x[0, 0]), x[0, 0].item, x.tolist):
        before = counts.d2h
        use()
        assert counts.d2h == before + 1
    assert counts.d2h_bytes == 48 * 3 + 8 * 3
    counts.reset()
    assert counts == type(counts)()


def test_copies_to_and_from_given_arrays(cp):
    x, out = cp.arange(6.0).reshape(2, 3), np.zeros((2, 3))
    assert x.get(out=out) is out
    assert out.tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ValueError, match="out is"):
        x.get(out=np.zeros(6))
    for bad, error in ((np.zeros(6), ValueError), (np.zeros((2, 3), "f4"), TypeError), ([[0.0] * 3] * 2, TypeError)):
        with pytest.raises(error):
            x.set(bad)
    with pytest.raises(RuntimeError, match="non-contiguous"):
        x[:, ::2].set(np.zeros((2, 2)))


# -- arrays ---------------------------------------------------------------------------------------


def test_an_array_is_what_numpy_says_it_is(cp):
    host = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    x = cp.asarray(host)
    for key in (np.s_[1:], np.s_[:, ::-1, 1::2], np.s_[..., None], np.s_[1, 2]):
        one, other = x[key], host[key]
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        assert one.strides == other.strides or not one.size
        np.testing.assert_array_equal(one.get(), other)
    assert (x.ndim, x.size, x.nbytes, x.itemsize, len(x)) == (3, 24, 96, 4, 2)
    assert (x.T.strides, x.T.flags.f_contiguous, x.T.flags.c_contiguous) == (host.T.strides, True, False)
    assert x.flags["C_CONTIGUOUS"]
    assert x.flags.owndata
    assert not x[1:].flags.owndata
    with pytest.raises(AttributeError):
        x.flags.writeable  # noqa: B018 # CuPy does not have it


def test_views_share_memory_and_say_whose(cp):
    x = cp.zeros((4, 5))
    view = x[1:, ::2].T
    assert view.base is x
    assert x.base is None
    assert view.data.mem is x.data.mem
    assert view.data.ptr == x.data.ptr + 40
    view += 1
    assert x.get().sum() == 9
    for shown in (x.reshape(-1), x.view(np.int64), x.ravel(), x.transpose(), cp.broadcast_to(x, (2, 4, 5))):
        assert shown.data.ptr == x.data.ptr
        assert shown.base is x
    assert x.copy().data.mem is not x.data.mem
    assert x.astype(x.dtype, copy=False) is x
    assert cp.asarray(x) is x
    assert x.real is x
    z = x + 1j
    z.imag[0] = 5
    assert (z.imag.base is z, z.get()[0, 0]) == (True, 5j)


def test_operators(cp):
    a, b = np.array([5, -7, 9]), np.array([2, 3, -4])
    x, y = cp.asarray(a), cp.asarray(b)
    pairs = [(x + y, a + b), (x - 1, a - 1), (2 * x, 2 * a), (x / y, a / b), (x // y, a // b), (x % y, a % b)]
    pairs += [(3.0**x, 3.0**a), (x @ y, a @ b), (-x, -a), (abs(x), abs(a)), (~x, ~a), (x & 3, a & 3), (1 | x, 1 | a)]
    pairs += [(x ^ y, a ^ b), (x << 2, a << 2), (x >> 1, a >> 1), (x < y, a < b), (x == y, a == b), (x <= 1, a <= 1)]
    pairs += [(divmod(x, y)[1], divmod(a, b)[1]), (np.float32(2) * x, np.float32(2) * a), (x != 5, a != 5)]
    for one, other in pairs:
        assert isinstance(one, cp.ndarray)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one.get(), other)
    same = x
    x *= 2
    x -= y
    assert x is same
    np.testing.assert_array_equal(x.get(), 2 * a - b)
    for other in (None, [1, 2, 3], "x"):
        with pytest.raises(TypeError):
            x + other


def test_who_is_not_an_array_has_its_own_say(cp):
    class Other:
        __array_ufunc__ = None

        def __radd__(self, left):
            return "mine"

    class Override:
        def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
            return ufunc.__name__

    assert cp.ones(2) + Other() == "mine"
    assert cp.ones(2) * Override() == "multiply"


def test_numbers_stay_on_the_device(cp):
    x = cp.arange(4.0)
    for number in (x[1], x.sum(), x.max(), cp.mean(x), x @ x, cp.allclose(x, x), next(iter(x))):
        assert isinstance(number, cp.ndarray)
        assert number.shape == ()
    assert cp._standin.counts.d2h == 0
    with pytest.raises(ValueError, match="ambiguous"):
        bool(x)


def test_indexing_by_arrays_and_assignment(cp):
    x = cp.arange(10.0)
    index = cp.asarray(np.array([1, 3, 3]))
    assert x[index].get().tolist() == [1, 3, 3]
    assert x[x > 7].get().tolist() == [8, 9]
    x[index] = -1
    x[x > 7] = 0
    x[2:4] = x[:2]
    assert x.get().tolist() == [0, -1, 0, -1, 4, 5, 6, 7, 0, 0]
    cp.add.at(x, index, 1)
    assert x.get().tolist() == [0, 0, 0, 1, 4, 5, 6, 7, 0, 0]


def test_numpy_functions_reach_it(cp):
    x = cp.asarray(np.array([[1.0, 4.0], [9.0, 16.0]]))
    for got in (
        np.sqrt(x),
        np.add.outer(x[0], x[1]),
        np.concatenate([x, x]),
        np.linalg.inv(x),
        np.fft.fft(x),
        np.sum(x),
    ):
        assert isinstance(got, cp.ndarray)
    out = cp.empty((2, 2))
    assert np.sqrt(x, out=out) is out
    assert out.get().tolist() == [[1, 2], [3, 4]]
    with pytest.raises(TypeError):
        np.nan_to_num(x, posinf=np.ones(2))
    assert np.add.reduce(x).get().tolist() == [10, 20]


def test_floating_point_exceptions_are_silent_as_on_a_gpu(cp):
    assert np.isinf((cp.ones(2) / 0).get()).all()


def test_memory_is_poisoned_aligned_and_counted(cp):
    counts = cp._standin.counts
    x, y = cp.empty(5, np.uint8), cp.ndarray((2, 3), np.float32)
    assert (counts.allocations, counts.allocated_bytes) == (2, 29)
    assert x.get().tolist() == [0xA5] * 5
    assert x.data.ptr % 512 == y.data.ptr % 512 == 0
    assert cp.empty_like(y.T).strides == y.T.strides
    assert cp.zeros_like(x).get().tolist() == [0] * 5
    for dtype in (object, "U3", "datetime64[s]"):
        with pytest.raises(ValueError, match="Unsupported dtype"):
            cp.empty(1, dtype)


def test_an_array_over_given_memory(cp):
    x = cp.arange(12.0)
    again = cp.ndarray((2, 2), np.float64, memptr=x.data + 16, strides=(32, 16))
    assert again.get().tolist() == [[2, 4], [6, 8]]
    strided = cp.lib.stride_tricks.as_strided(x[1:], (3, 2), (16, 8))
    assert strided.get().tolist() == [[1, 2], [3, 4], [5, 6]]
    with pytest.raises(ValueError, match="leaves the 96 bytes"):
        cp.lib.stride_tricks.as_strided(x[1:], (12,), (8,))


def test_copies_and_pickles(cp):
    x = cp.arange(3.0)
    for other in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert other.get().tolist() == [0, 1, 2]
        assert other.data.ptr != x.data.ptr


def test_cuda_array_interface(cp):
    x = cp.zeros((3, 4), np.float32)
    interface = x[:, ::2].__cuda_array_interface__
    assert (interface["shape"], interface["typestr"], interface["strides"]) == ((3, 2), "<f4", (16, 8))
    assert interface["data"] == (x.data.ptr, False)
    assert x.__cuda_array_interface__["strides"] is None
    assert x[:0].__cuda_array_interface__["data"] == (0, False)


def test_the_real_array_api_compat_works_above_it(cp):
    import array_api_compat
    import array_api_compat.cupy as xp

    x = xp.asarray([[1.0, 2.0], [3.0, 4.0]])
    assert array_api_compat.is_cupy_array(x)
    assert array_api_compat.array_namespace(x) is xp
    assert array_api_compat.device(x) == cp.cuda.Device(0)
    assert array_api_compat.to_device(x, "cpu").tolist() == [[1, 2], [3, 4]]
    assert xp.sum(xp.exp(xp.zeros(3))).item() == 3
    assert xp.matmul(x, x).get().tolist() == [[7, 10], [15, 22]]
    assert float(xp.linalg.vector_norm(x)) == float(xp.linalg.matrix_norm(x))
    assert xp.linalg.qr(x).Q.shape == xp.unique_all(x).values[:2].shape * 2
    np.testing.assert_allclose(xp.fft.irfft(xp.fft.rfft(x), n=2).get(), x.get())
    assert xp.concat([x, x], axis=1).shape == (2, 4)
    assert xp.cumulative_sum(x, axis=0).get().tolist() == [[1, 2], [4, 6]]
    assert xp.astype(x, xp.int32).dtype == xp.int32
    assert xp.__array_namespace_info__().devices() == (cp.cuda.Device(0),)


def test_what_cupy_lacks_is_absent(cp):
    for name in ("float128", "recarray", "busday_count", "vecdot", "isdtype", "einsum_path", "ma"):
        assert not hasattr(cp, name)


# -- kernels --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("compiler")
def test_a_kernel_with_several_arguments(cp):
    x, y = cp.arange(8, dtype=np.float32), cp.zeros(8, np.float32)
    scale = module(cp).get_function("scale")
    scale((1,), (64,), (y, x, np.int32(8), np.float32(0.5)))
    scale((1,), (64,), (y.data, x[4:], 4, np.float32(2)))  # a Python int where its low bytes are the number
    assert y.get().tolist() == [8, 10, 12, 14, 2, 2.5, 3, 3.5]
    assert cp._standin.counts.launches == 2
    assert cp._standin.counts.kernels == {"scale": 2}


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_a_kernel_with_a_structure(cp, shape):
    y = cp.zeros(4)
    args = np.zeros(shape, ARGS)
    args["y"], args["n"], args["s"] = y.data.ptr, 3, 0.5
    fill = module(cp, STRUCT).get_function("fill")
    fill((1,), (4,), (args,))
    fill((0,), (2,), (args.reshape(-1).view(np.dtype((np.void, args.itemsize))),))  # an extent of 0 counts as 1
    assert y.get().tolist() == [1.5] * 4


@pytest.mark.usefixtures("compiler")
def test_arguments_that_cupy_refuses_or_would_misread(cp):
    host = pytest.importorskip("cuda.host.host")
    x, y = cp.zeros(4, np.float32), cp.zeros(4, np.float32)
    scale = module(cp).get_function("scale")
    good = (y, x, 4, np.float32(1))
    for place, bad, error, message in (
        (0, np.zeros(4), TypeError, "Only numpy.ndarrays of size one can be passed by value"),
        (0, struct.pack("P", y.data.ptr), TypeError, "Unsupported type"),
        (0, [1.0], TypeError, "Unsupported type"),
        (
            3,
            1.0,
            host.LaunchError,
            "float is passed as a floating-point number of 8 bytes, but the parameter is .* of 4",
        ),
        (2, np.int64(4), host.LaunchError, "argument 2: int64 is passed as an integer of 8 bytes"),
        (2, 2**40, host.LaunchError, "of 8 bytes"),
        (2, np.float32(4), host.LaunchError, "a floating-point number of 4 bytes, but the parameter is an integer"),
        (0, y.data.ptr, host.LaunchError, "int is passed as an integer of 8 bytes, but the parameter is a pointer"),
    ):
        with pytest.raises(error, match=message):
            scale((1,), (4,), (*good[:place], bad, *good[place + 1 :]))
    with pytest.raises(host.LaunchError, match="3 arguments, 4 parameters"):
        scale((1,), (4,), good[:3])
    for grid, block in (([1], (4,)), ((1,), [4]), (1, (4,))):
        with pytest.raises(TypeError, match="expected tuple"):
            scale(grid, block, good)
    with pytest.raises(host.LaunchError, match="65 threads a block"):
        scale((1,), (65,), good)
    fill = module(cp, STRUCT).get_function("fill")
    with pytest.raises(host.LaunchError, match="a struct of 12 bytes, but the parameter is a struct of 16"):
        fill((1,), (4,), (np.zeros(1, [("y", "u8"), ("n", "i4")]),))
    assert cp._standin.counts.launches == 0


@pytest.mark.usefixtures("compiler")
def test_options(cp):
    compiler = cp.cuda.compiler
    known = ("--std=c++17", "-DN=3", "--prec-div=true", "-lineinfo", "--maxrregcount=64", "-arch=sm_90")
    compiler.compile_using_nvrtc("static_assert(N == 3);", known)
    for option in ("--fast", "-O3", "fmad=false", "--gpu", ""):
        with pytest.raises(compiler.CompileException, match="unrecognized option"):
            compiler.compile_using_nvrtc(SCALE, (option,))
    with pytest.raises(TypeError, match="tuple of str"):
        compiler.compile_using_nvrtc(SCALE, ["--fmad=false"])
    with pytest.raises(compiler.CompileException, match="no_such_thing") as caught:
        compiler.compile_using_nvrtc("int x = no_such_thing;")
    assert caught.value.get_message()


@pytest.mark.usefixtures("compiler")
def test_images_are_for_a_device(cp):
    image, _ = cp.cuda.compiler.compile_using_nvrtc(SCALE)
    assert isinstance(image, bytes)
    cp._standin.set_devices(1, compute_capability="80")
    with pytest.raises(cp.cuda.driver.CUDADriverError, match="NO_BINARY_FOR_GPU"):
        cp.cuda.Module().load(image)
    with pytest.raises(cp.cuda.driver.CUDADriverError, match="INVALID_IMAGE"):
        cp.cuda.Module().load(b"\x7fELF")
    with pytest.raises(cp.cuda.driver.CUDADriverError, match=r"NOT_FOUND.*no kernel 'nest'"):
        module(cp).get_function("nest")


@pytest.mark.usefixtures("compiler")
def test_raw_modules_flush_subnormals_as_cupys_do(cp):
    x, y = cp.asarray(np.array([2.0**-126], np.float32)), cp.ones(1, np.float32)
    args = (y, x, np.int32(1), np.float32(0.5))
    cp.RawModule(code=SCALE, options=("--ftz=false",)).get_function("scale")((1,), (1,), args)
    assert y.get()[0] == 0
    cp.RawKernel(SCALE, "scale")((1,), (1,), args)
    assert y.get()[0] == 0
    module(cp).get_function("scale")((1,), (1,), args)
    assert y.get()[0] == 2.0**-127
    with pytest.raises(TypeError, match="Exactly one of"):
        cp.RawModule()
    with pytest.raises(TypeError, match="expected tuple"):
        cp.RawModule(code=SCALE, options=["--fmad=false"])
    with pytest.raises(NotImplementedError):
        cp.RawModule(code=SCALE, name_expressions=["f<int>"])


# -- streams, graphs, events ----------------------------------------------------------------------


def test_streams(cp):
    null = cp.cuda.get_current_stream()
    assert null == cp.cuda.Stream.null
    stream = cp.cuda.Stream(non_blocking=True)
    with stream:
        assert cp.cuda.get_current_stream() is stream
        with cp.cuda.Stream() as inner:
            assert cp.cuda.get_current_stream() is inner
    assert cp.cuda.get_current_stream() is null
    first, last = stream.record(), cp.cuda.Event()
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="not recorded"):
        cp.cuda.get_elapsed_time(first, last)
    last.record(stream)
    assert cp.cuda.get_elapsed_time(first, last) > 0
    before = cp._standin.counts.synchronisations
    stream.synchronize(), last.synchronize(), cp.cuda.Device().synchronize()
    assert cp._standin.counts.synchronisations == before + 3


@pytest.mark.usefixtures("compiler")
def test_a_graph_runs_what_was_recorded_and_nothing_before(cp):
    counts = cp._standin.counts
    x, y = cp.ones(4, np.float32), cp.zeros(4, np.float32)
    scale = module(cp).get_function("scale")
    stream = cp.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        assert stream.is_capturing()
        scale((1,), (4,), (y, x, 4, np.float32(3)))
        view = y[::2]  # costs nothing, so it is there at once
        total = cp.matmul(view, view)
        y += 1
        x[...] = y * 2
        graph = stream.end_capture()
    assert counts.launches == 0
    assert y.get().tolist() == [0] * 4
    assert x.get().tolist() == [1] * 4
    assert view.data.ptr == y.data.ptr
    assert total.get().tobytes() == bytes([0xA5] * 4)
    for wanted in ((18, 4, 8), (2 * 24**2, 25, 50)):
        graph.launch(stream)
        assert (total.item(), y.get()[0], x.get()[0]) == wanted
    assert (counts.launches, counts.graph_launches) == (2, 2)


def test_what_a_capture_does_not_allow(cp):
    x = cp.ones(3)
    stream = cp.cuda.Stream()
    with pytest.raises(RuntimeError, match=r"default \(legacy\) stream"):
        cp.cuda.Stream.null.begin_capture()
    with pytest.raises(NotImplementedError):
        cp.cuda.Graph()
    with stream:
        stream.begin_capture()
        for use in (x.get, lambda: float(x[0]), lambda: cp.asarray(np.ones(3)), stream.synchronize, lambda: x[[0, 1]]):
            with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorStreamCaptureUnsupported"):
                use()
        stream.end_capture()
    with pytest.raises(cp.cuda.runtime.CUDARuntimeError):
        stream.end_capture()


# -- memory pools, devices, ranges ----------------------------------------------------------------


def test_memory_pools(cp):
    pool = cp.get_default_memory_pool()
    pool.free_all_blocks()
    used = pool.used_bytes()
    x = cp.zeros(1000, np.uint8)
    assert pool.used_bytes() - used == 1024
    del x
    assert (pool.used_bytes() - used, pool.total_bytes() - used, pool.n_free_blocks()) == (0, 1024, 1)
    pool.free_all_blocks()
    assert pool.total_bytes() == used
    pool.set_limit(size=used + 4096)
    assert pool.get_limit() == used + 4096
    held = cp.zeros(4096, np.uint8)
    with pytest.raises(cp.cuda.memory.OutOfMemoryError, match="limit set to"):
        cp.zeros(1, np.uint8)
    del held
    cp.zeros(512, np.uint8)
    pool.set_limit(fraction=0.5)
    assert pool.get_limit() == cp.cuda.Device().mem_info[1] // 2
    with pytest.raises(ValueError, match="out of range"):
        pool.set_limit(fraction=2)
    own = cp.cuda.MemoryPool()
    with cp.cuda.using_allocator(own.malloc):
        y = cp.zeros(512, np.uint8)
    assert (own.used_bytes(), y.nbytes) == (512, 512)
    cp.zeros(512)
    assert own.used_bytes() == 512


def test_devices(cp):
    runtime = cp.cuda.runtime
    uuids = ["GPU-" + "11" * 16, "GPU-22" + "00" + "22" * 14]
    cp._standin.set_devices(2, uuids=uuids, memory=2**30, compute_capability="80")
    assert runtime.getDeviceCount() == 2
    first, second = cp.cuda.Device(0), cp.cuda.Device(1)
    with second:
        x = cp.zeros(3)
        assert cp.cuda.Device() == second
        assert cp.cuda.get_device_id() == 1
    assert (cp.cuda.Device(), x.device) == (first, second)
    assert (second.compute_capability, second.mem_info[1], second.pci_bus_id) == ("80", 2**30, "0000:02:00.0")
    assert second.attributes["WarpSize"] == 32
    assert second.attributes["ComputeCapabilityMajor"] == 8
    found = [runtime.getDeviceProperties(ordinal) for ordinal in range(2)]
    assert [item["uuid"] for item in found] == [b"\x11" * 16, b"\x22"]  # CuPy reads it as a C string
    assert [(item["major"], item["minor"]) for item in found] == [(8, 0)] * 2
    with pytest.raises(runtime.CUDARuntimeError, match="cudaErrorInvalidDevice"):
        cp.cuda.Device(2).use()
    assert runtime.runtimeGetVersion() // 1000 == runtime.driverGetVersion() // 1000


@pytest.mark.parametrize(
    ("variable", "seen"),
    [
        (None, "abc"),
        ("", ""),
        ("2,0", "ca"),
        ("GPU-bb", "b"),
        ("GPU-cc,1", "cb"),
        ("1,7,0", "b"),
        ("0,0", "a"),
        ("-1", ""),
        ("MIG-x", ""),
    ],
)
def test_hidden_devices(cp, monkeypatch, variable, seen):
    if variable is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    cp._standin.set_devices(3, uuids=[f"GPU-{letter * 32}" for letter in "abc"])
    assert "".join(device.uuid[-1] for device in cp._standin.devices) == seen
    assert cp.is_available() == bool(seen)
    if not seen:
        with pytest.raises(cp.cuda.runtime.CUDARuntimeError, match="cudaErrorNoDevice"):
            cp.cuda.runtime.getDeviceCount()


def test_ranges_are_written_down(cp):
    nvtx = cp.cuda.nvtx
    nvtx.RangePush("heat (heat.py:3)")
    nvtx.RangePop()
    assert nvtx.ranges == [("push", "heat (heat.py:3)"), ("pop", "")]
