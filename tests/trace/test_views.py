"""Views, writes through them, and aliasing arguments mean what they mean in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from trace_law import holds, trace_call

from xpaccel.errors import TraceError
from xpaccel.trace.leaves import Argument, ArgumentView, Value


def grid(shape=(5, 6), dtype="float64"):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


INDICES = [
    np.s_[:],
    np.s_[1:],
    np.s_[:-1],
    np.s_[::-1],
    np.s_[1:-1, 2:],
    np.s_[-2],
    np.s_[-2, -1],
    np.s_[..., 0],
    np.s_[0, ...],
    np.s_[None],
    np.s_[:, None, 1:],
    np.s_[::2, ::-2],
    np.s_[10:],
    np.s_[-100:100],
    np.s_[4:1:-1],
    np.s_[3:3],
    np.s_[()],
    np.s_[..., None],
    np.s_[2, None, ::3],
    np.s_[-1:-4:-2],
    np.s_[:0:-1],
    np.s_[np.int64(2), np.uint8(1)],
]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing(index):
    holds(lambda u: u[index] * 1.0, lambda: [grid()])
    holds(lambda u: u[index], lambda: [grid()])
    holds(lambda u: u.T[index], lambda: [grid((6, 5))])


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_assignment(index):
    def kernel(u, v):
        u[index] = 7
        v.T[index] += 1
        v[index] = v[index][...] * 2

    holds(kernel, lambda: [grid(), grid((6, 6))])


def test_a_view_shows_what_the_buffer_holds_now():
    def kernel(u):
        v = u[1:]
        w = v.T[::-1]
        u[...] = 0
        v[0] = 5
        w[0, 0] += 2
        return v + 1, w, u.sum()

    holds(kernel, lambda: [grid()])


def test_an_element_is_a_copy():
    def kernel(u):
        a = u[0, 0]
        b = u[0, 0, ...]
        u[0, 0] = 99
        a += 1
        return a, b, u

    holds(kernel, lambda: [grid()])


def test_overlapping_reads_see_what_was_there_before():
    def kernel(y, a, k):
        y[:3] += a * np.flip(y[:3])
        y[1:] = y[:-1]
        y[::2], y[1::2] = y[1::2] * k, y[::2] + k
        y += y[0]
        y[...] = y[::-1]

    holds(kernel, lambda: [grid((6,)), 2.0, 3])
    holds(kernel, lambda: [grid((12,))[::-2], 2.0, 3])


def test_swapping_two_arrays():
    def kernel(a, b):
        for _ in range(3):
            b[1:-1] = a[2:] - a[:-2]
            a, b = b, a
        return a

    holds(kernel, lambda: [grid((7,)), np.zeros(7)])


def test_arguments_that_are_the_same_memory():
    def kernel(u, v):
        u[1:] += v[:-1]
        v *= 2
        return u, v, u + v

    def same_array():
        u = grid()
        return [u, u]

    def overlapping():
        base = grid((8, 6))
        return [base[1:-1], base[:-2]]

    def transposed():
        base = grid((6, 6))
        return [base, base.T]

    for make in (same_array, overlapping, transposed):
        holds(kernel, make)


def test_assigned_values_are_cast_as_numpy_casts():
    def kernel(i, f, b, t, n):
        i[0] = 2.75
        i[1] = f[1]
        i[2] = t
        f[0] = i[3]
        f[1] = n
        b[...] = f > 3
        b[0] = 5
        b[1] = i[1]
        f[2] = True
        f[3:] = [1, 2, 3]
        f[:] = f[np.newaxis]

    holds(kernel, lambda: [grid((6,), "int32"), grid((6,), "float32"), np.zeros(6, bool), 1.75, 2])


def test_augmented_assignment_needs_a_safe_cast():
    def divide(u):
        u /= 2

    with pytest.raises(TraceError, match=r"divide gives float64.*UFuncTypeError.*test_views.py"):
        trace_call(divide, grid((3,), "int64"))

    def widen(u):
        u *= np.ones((2, 3))

    with pytest.raises(ValueError, match="non-broadcastable output"):
        trace_call(widen, grid((3,)))

    def shape(u):
        u[1:] = np.ones(7)

    with pytest.raises(ValueError, match="could not broadcast input array"):
        trace_call(shape, grid((3,)))


def test_results_that_are_arguments_and_views_of_them():
    traced = trace_call(lambda u, v: (u, v[1:], u.T, u[0], u[0, 0], u + 1, v[None]), grid(), grid((4,)))
    kinds = [type(leaf) for leaf in traced.result]
    assert kinds == [Argument, ArgumentView, ArgumentView, ArgumentView, Value, Value, ArgumentView]


def test_the_same_array_twice_is_one_result():
    def kernel(u):
        a = u + 1
        b = u + 1
        return a, a, b

    assert [leaf.index for leaf in trace_call(kernel, grid()).result] == [0, 0, 1]


def test_a_broadcast_view_is_read_only():
    def kernel(u):
        np.broadcast_to(u, (3, 5, 6))[0] = 1

    with pytest.raises(ValueError, match="read-only"):
        trace_call(kernel, grid())


def test_writing_after_a_reshape_does_not_silently_differ():
    def write_argument(u):
        flat = u.reshape(-1)
        u[0] = 1
        return flat + 1

    def write_reshaped(u):
        flat = u.ravel()
        flat[0] = 1
        return u

    def unread(u):
        total = u.reshape(-1).sum()
        flat = u.reshape(-1)
        u[0] = total
        del flat

    def own(u):
        v = np.reshape(u + 1, (6, 5))
        v[0] = 0
        w = u.reshape(-1, copy=True)
        w[0] = 1
        x = u.reshape(5, 1, 6)  # certainly a view
        x[0, 0, 0] = 8
        return v, w, u

    for kernel in (write_argument, write_reshaped):
        with pytest.raises(TraceError, match="reshaped"):
            trace_call(kernel, grid())
    holds(unread, lambda: [grid()])
    holds(own, lambda: [grid()])


def test_one_trace_serves_other_sizes():
    def kernel(u, v):
        lap = u[2:, 1:-1] + u[:-2, 1:-1] - 2 * u[1:-1, 1:-1]
        v[1:-1, 1:-1] += lap
        w = np.concatenate([u, v], axis=0)
        return w[: u.shape[0] - 1], u.mean(), u.size, np.roll(u, 1, axis=1), u.reshape(u.shape[0], 1, -1)

    from trace_law import run

    traced = trace_call(kernel, grid((5, 6)), grid((5, 6)))
    for shape in ((7, 9), (20, 5)):
        given = [grid(shape), grid(shape)]
        eager = [grid(shape), grid(shape)]
        assert all(
            guard.holds({(s, k): n for s in range(2) for k, n in enumerate(shape)})
            for guard in traced.graph.guards.recorded
        )
        found, expected = run(traced, *given), kernel(*eager)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-14)
        np.testing.assert_array_equal(given[1], eager[1])


def test_sizes_that_the_kernel_asks_for_are_guards():
    def kernel(u):
        total = u[0] * 0
        for k in range(u.shape[0]):
            total = total + u[k]
        return total if u.shape[1] > 3 else u[0]

    guards = {str(g) for g in trace_call(kernel, grid((5, 6))).graph.guards.recorded}
    assert guards == {"n0_0-5 == 0", "n0_1-4 >= 0"}


def test_whole_slices_and_elementwise_need_no_guard():
    traced = trace_call(lambda u: (u[:] * 2 + u[::-1], u.sum(axis=0), u.T), grid())
    assert traced.graph.guards.recorded == ()


def test_moving_axes():
    def kernel(u):
        xp = u.__array_namespace__()
        return (
            xp.permute_dims(u, (2, 0, 1)),
            u.transpose(1, 2, 0),
            u.transpose(),
            u.swapaxes(0, -1),
            xp.moveaxis(u, 0, -1),
            np.moveaxis(u, (0, 1), (2, 0)),
            u.mT,
            xp.flip(u),
            np.flip(u, (0, 2)),
            np.flipud(u),
            np.fliplr(u),
            xp.expand_dims(u, axis=1),
            np.expand_dims(u, (0, -1)),
            np.squeeze(u[:1]),
            u[:, :1].squeeze(1),
            xp.broadcast_to(u, (2, 3, 4, 5)) * 1,
            np.broadcast_arrays(u, u[0])[1] * 1,
            xp.unstack(u)[1],
            list(u[0, 0]),
        )

    holds(kernel, lambda: [grid((3, 4, 5))])
    with pytest.raises(ValueError, match="axes don't match"):
        trace_call(lambda u: u.transpose(0, 1), grid((3, 4, 5)))
    with pytest.raises(np.exceptions.AxisError):
        trace_call(lambda u: np.flip(u, 3), grid((3, 4, 5)))
