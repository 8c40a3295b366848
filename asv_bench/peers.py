"""xpaccel's entries for a side-by-side harness of kernels (its registry is the module `common`).

Each entry is the harness's own NumPy version of the kernel, decorated. Name this file in
``PEERS_EXTRA`` when the harness runs.
"""

import os

import numpy as np
from common import KERNELS, swap

import xpaccel as xpa
from xpaccel import xp
from xpaccel.backends.cpu import threads

xpa.set_backend("numba")
threads.set_count(int(os.environ.get("OMP_NUM_THREADS", "1")))

INNER = slice(1, -1)


@xpa.kernel
def heat2d(u, out, c):
    m = u[INNER, INNER]
    out[INNER, INNER] = m + c * (u[:-2, INNER] + u[2:, INNER] + u[INNER, :-2] + u[INNER, 2:] - 4.0 * m)


@xpa.kernel
def heat3d(u, k, out, c):
    s = INNER
    m = u[s, s, s]
    around = u[:-2, s, s] + u[2:, s, s] + u[s, :-2, s] + u[s, 2:, s] + u[s, s, :-2] + u[s, s, 2:]
    out[s, s, s] = m + c * k[s, s, s] * (around - 6.0 * m)


@xpa.kernel
def softmax(x):
    e = xp.exp(x - xp.max(x, axis=1, keepdims=True))
    return e / xp.sum(e, axis=1, keepdims=True)


@KERNELS["heat2d"].peer("xpaccel")
def _(x):
    return swap(lambda u, o: heat2d(u, o, 0.1), x["u"].copy(), x["u"].copy())


@KERNELS["heat3d"].peer("xpaccel")
def _(x):
    return swap(lambda u, o: heat3d(u, x["k"], o, 0.1), x["u"].copy(), x["u"].copy())


@KERNELS["wave3d_so8"].peer("xpaccel")
def _(x):
    import wave3d

    @xpa.kernel
    def step(u, p, v, out):
        out[wave3d.I] = np.float32(2) * u[wave3d.I] - p[wave3d.I] + v[wave3d.I] * wave3d.lap(u)

    return wave3d.rotate(lambda u, p, o: step(u, p, x["v"], o), x)


@KERNELS["hdiff"].peer("xpaccel")
def _(x):
    import hdiff

    kernel = xpa.kernel(lambda f, c: hdiff.hdiff(xp, f, c))
    return lambda: kernel(x["f"], x["c"])


@KERNELS["grayscott"].peer("xpaccel")
def _(x):
    import grayscott

    kernel = xpa.kernel(lambda u, v: grayscott.gs(xp, u, v))
    state = [x["u"], x["v"]]

    def call():
        state[:] = kernel(*state)
        return state

    return call


@KERNELS["shallow_water"].peer("xpaccel")
def _(x):
    import shallow_water as sw

    @xpa.kernel
    def step(u, v, h, un, vn, hn):
        un[sw.S] = sw.du(u, v, h)
        vn[sw.S] = sw.dv(u, v, h)
        hn[sw.S] = sw.dh(un, vn, h)

    return sw.bufs(x, step)


@KERNELS["softmax_rows"].peer("xpaccel")
def _(x):
    return lambda: softmax(x["x"])


@KERNELS["nbody"].peer("xpaccel")
def _(x):
    import rest

    kernel = xpa.kernel(lambda r, m: rest.nb(xp, r, m))
    return lambda: kernel(x["r"], x["m"])


@KERNELS["norm"].peer("xpaccel")
def _(x):
    kernel = xpa.kernel(lambda a, b: xp.sqrt(xp.sum((a - b) * (a - b))))
    return lambda: kernel(x["u"], x["v"])
