"""Streams, graphs, ranges for profilers, and where machine code comes from."""

from __future__ import annotations

import numpy as np
import pytest
from cuda.machine import nvrtc

import xpaccel as xpa

pytestmark = pytest.mark.gpu


@xpa.kernel
def smooth(u, out):
    out[1:-1] = 0.5 * (u[2:] + u[:-2])


def steps(u, v, number):
    for _ in range(number // 2):
        smooth(u, v)
        smooth(v, u)


def wanted(number):
    u, v = np.arange(999.0) ** 2, np.zeros(999)
    with xpa.backend("numpy"):
        steps(u, v, number)
    return u


def fields(cupy):
    return cupy.asarray(np.arange(999.0) ** 2), cupy.zeros(999)


def test_work_is_put_on_the_current_stream(device):
    """While a stream captures, what is put on it is not run: so everything of the calls went there."""
    u, v = fields(device)
    steps(u, v, 2)
    before = u.get()
    stream = device.cuda.Stream(non_blocking=True)
    stream.wait_event(device.cuda.get_current_stream().record())
    with stream:
        stream.begin_capture()
        steps(u, v, 8)
        graph = stream.end_capture()
        np.testing.assert_array_equal(u.get(), before)
        graph.launch(stream)
    stream.synchronize()
    np.testing.assert_array_equal(u.get(), wanted(10))


def test_a_chain_of_calls_on_another_stream_is_in_order(device):
    u, v = fields(device)
    device.cuda.Device().synchronize()
    stream = device.cuda.Stream(non_blocking=True)
    with stream:
        steps(u, v, 1000)
        got = u.get()
    np.testing.assert_array_equal(got, wanted(1000))


def test_a_recorded_loop_is_that_loop(device):
    u, v = fields(device)
    loop = xpa.capture(steps, u, v, 20)
    pool = device.get_default_memory_pool()
    for call in range(5):
        loop()
        used = pool.used_bytes()
        assert loop.is_recorded is (call > 0), loop.reason
    loop()
    assert pool.used_bytes() == used
    np.testing.assert_array_equal(u.get(), wanted(120))


def test_a_loop_that_synchronises_runs_as_it_is(device):
    u, v = fields(device)

    def asks():
        steps(u, v, 2)
        return float(device.max(u))

    loop = xpa.capture(asks)
    for call in range(1, 4):
        assert loop() == wanted(2 * call).max()
    assert "cannot be recorded" in loop.reason


def test_ranges_for_profilers_change_nothing(python):
    code = """
import json, numpy as np, cupy, xpaccel as xpa
print(json.dumps(xpa.kernel(lambda u: 2 * u)(cupy.arange(3.0)).tolist()))
"""
    assert python(code, {"XP_NVTX": "1"}) == [0, 2, 4]


def test_code_is_compiled_for_this_device_once(python, tmp_path):
    code = """
import json, cupy, xpaccel as xpa
from xpaccel.backends.cuda.module import modules
got = xpa.kernel(lambda u: 2 * u + 1)(cupy.arange(3.0)).tolist()
print(json.dumps([got, modules.compiled, modules.loaded]))
"""
    env = {"XP_CACHE_DIR": str(tmp_path)}
    assert python(code, env) == [[1, 3, 5], 1, 0]
    assert python(code, env) == [[1, 3, 5], 0, 1]


def test_the_machine_code_is_that_of_the_device(hardware):
    """So nothing is left to the driver's own compiler."""
    from xpaccel.backends.cuda import module
    from xpaccel.backends.cuda.grid import OPTIONS

    source = f'extern "C" __global__ void {module.ENTRY}(int *p) {{ *p = 1; }}'
    image, _ = module.compiler.compile_using_nvrtc(source, OPTIONS)
    assert nvrtc.is_for(image, int(hardware.cuda.Device().compute_capability))
