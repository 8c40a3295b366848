"""What a step of `Flood` promises: its faces, its limits, its clock, its balance and its precision."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import xpaccel as xpa
from xpaccel.demo import example
from xpaccel.demo.traffic import bytes_of_a_step
from xpaccel.kernel import Kernel

flood = example.flood()

STORM = 100e-3 / 3600  # m/s
PRECISIONS = (np.float32, np.float64)

ELEVATION = st.one_of(st.floats(-400, 8000, width=32), st.sampled_from([0.0, 0.0, 1e-6, -1000.0, 8000.0]))
DEPTH = st.sampled_from([0.0, 0.0, 1e-45, 1e-30, 1e-9, 1e-3, 0.1, 7.0, 500.0])


def rugged(n: int, m: int) -> np.ndarray:
    """Slopes around 300 m with a cliff, pits and spikes."""
    random = np.random.default_rng(7)
    y, x = np.mgrid[0:n, 0:m]
    z = 300 + 30 * np.sin(x / 5.0) * np.cos(y / 6.0) + 2.0 * x + 90 * (y > n // 2) + random.normal(0, 1, (n, m))
    z[random.random((n, m)) < 0.02] -= 70
    z[random.random((n, m)) < 0.02] += 200
    return z


def run(z: np.ndarray, steps: int, *, dx: float = 25.0, dy: float = 20.0, **options: Any) -> Any:
    state = flood.Flood(z, dx, dy, **{"rain": STORM} | options)
    for _ in range(steps):
        state.step(math.inf)
    return state


@pytest.mark.parametrize("dtype", PRECISIONS)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_cell_gives_more_than_it_has_nor_faster_than_a_wave(
    backend: str, dtype: type[np.floating], data: st.DataObject
) -> None:
    shape = data.draw(st.tuples(st.integers(2, 6), st.integers(2, 6)))
    z = data.draw(arrays.arrays(dtype, shape, elements=ELEVATION))
    h = data.draw(arrays.arrays(np.float64, shape, elements=DEPTH)).astype(dtype)
    dx, dy = data.draw(st.tuples(st.sampled_from([0.5, 30.0, 1e4]), st.sampled_from([0.5, 45.0, 1e4])))
    rain = data.draw(st.sampled_from([0.0, STORM, 10.0 / 3600]))
    edges = data.draw(st.sampled_from(["open", "closed"]))
    state = flood.Flood(z, dx, dy, rain=rain, edges=edges, h=h)
    for _ in range(20):
        before = xpa.asnumpy(state.h).astype(np.float64)
        dt = state.step(math.inf)
        qx, qy = (xpa.asnumpy(q).astype(np.float64) for q in (state.qx, state.qy))
        given_away = np.maximum(qx[:, 1:], 0) / dx - np.minimum(qx[:, :-1], 0) / dx
        given_away += np.maximum(qy[1:], 0) / dy - np.minimum(qy[:-1], 0) / dy
        rounding = 1 + 10 * np.finfo(dtype).eps
        assert (dt * given_away <= 0.8 * before * rounding + 1e-40).all()
        speed = before.max() * math.sqrt(flood.G * before.max()) * rounding
        assert max(abs(qx).max(), abs(qy).max()) <= speed
        depth = xpa.asnumpy(state.h)
        assert depth.dtype == dtype
        assert np.isfinite(depth).all()
        assert (depth >= 0).all()


@pytest.mark.parametrize("edges", ["open", "closed"])
@pytest.mark.launches
def test_the_balance_holds_over_thousands_of_steps(backend: str, edges: str) -> None:
    state = run(rugged(24, 30), 3000, edges=edges)
    stored = math.fsum(xpa.asnumpy(state.h).ravel()) * 25.0 * 20.0
    assert state.stored() == pytest.approx(stored, rel=1e-13)
    assert abs(state.rained - state.left - stored) <= 1e-10 * state.rained
    assert (state.left > 0.1 * state.rained) == (edges == "open")


@pytest.mark.parametrize("edges", ["open", "closed"])
def test_depth_changes_by_the_discharges_that_are_shown(backend: str, edges: str) -> None:
    state = run(rugged(20, 30), 50, edges=edges)
    assert state.qx.shape == (20, 31)
    assert state.qy.shape == (21, 30)
    before, left = xpa.asnumpy(state.h).copy(), state.left
    dt = state.step(math.inf)
    qx, qy = xpa.asnumpy(state.qx), xpa.asnumpy(state.qy)
    expected = before + dt * (STORM + (qx[:, :-1] - qx[:, 1:]) / 25.0 + (qy[:-1] - qy[1:]) / 20.0)
    np.testing.assert_array_equal(xpa.asnumpy(state.h), expected)
    out = (qx[:, -1] - qx[:, 0]).sum() * 20.0 + (qy[-1] - qy[0]).sum() * 25.0
    assert state.left - left == pytest.approx(dt * out, rel=1e-9)


def test_a_closed_edge_is_a_wall_and_an_open_one_lets_nothing_in(backend: str) -> None:
    walls, weirs = run(rugged(20, 30), 80, edges="closed"), run(rugged(20, 30), 80, edges="open")
    for edge in (walls.qx[:, 0], walls.qx[:, -1], walls.qy[0], walls.qy[-1]):
        assert (edge == 0).all()
    assert walls.left == 0
    for outward in (-weirs.qx[:, 0], weirs.qx[:, -1], -weirs.qy[0], weirs.qy[-1]):
        assert (outward >= 0).all()
        assert (outward > 0).any()


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.numba
def test_without_friction_the_fused_flood_is_numpys_bit_for_bit(dtype: type[np.floating]) -> None:
    """What is left is + - * / sqrt, minimum and maximum."""
    found = {}
    for name in ("numpy", "numba"):
        with xpa.backend(name):
            found[name] = run(rugged(40, 50).astype(dtype), 200, manning=0.0)
    assert found["numba"].time == found["numpy"].time
    for array in ("h", "qx", "qy"):
        np.testing.assert_array_equal(getattr(found["numba"], array), getattr(found["numpy"], array))


@pytest.mark.launches
def test_float32_stays_float32_and_near_float64(backend: str) -> None:
    z = rugged(40, 50).astype(np.float32)
    single, double = run(z, 300), run(z.astype(np.float64), 300)
    assert {array.dtype for array in (single.h, single.qx, single.qy)} == {np.dtype(np.float32)}
    assert np.abs(single.h - double.h).sum() <= 1e-4 * double.h.sum()
    assert single.left == pytest.approx(double.left, rel=1e-4)
    assert abs(single.rained - single.left - single.stored()) <= 1e-5 * single.rained


def test_a_thin_film_runs_off_high_ground_in_float32(backend: str) -> None:
    """A film of 0.01 mm is less than half the distance between neighbouring float32 numbers around 500."""
    z = np.tile(500.0 - np.arange(12), (4, 1))
    film = np.full(z.shape, 1e-5)
    single = run(z.astype(np.float32), 1, h=film, rain=0.0)
    double = run(z, 1, h=film, rain=0.0)
    assert (double.qx[:, 1:-1] > 0).all()
    np.testing.assert_allclose(xpa.asnumpy(single.qx), xpa.asnumpy(double.qx), rtol=1e-5)


def test_a_step_ends_at_the_given_time_at_the_latest() -> None:
    state = flood.Flood(np.zeros((3, 3)), 10.0, 20.0, rain=0.0, edges="closed", h=np.full((3, 3), 2.5))
    full = flood.COURANT * 10.0 / math.sqrt(flood.G * 2.5)
    assert state.step(100.0) == pytest.approx(full)
    assert state.step(state.time + 0.1) == pytest.approx(0.1)
    end = state.time + 1.5 * full
    taken = [state.step(end), state.step(end)]
    assert taken == pytest.approx([full, 0.5 * full])
    assert state.time == end
    for past in (end, 0.0, math.nan):
        with pytest.raises(ValueError, match="the time is"):
            state.step(past)
    assert state.steps == 4


def test_the_clock_moves_however_short_the_step() -> None:
    """Late enough, a step is less than the distance between neighbouring times."""
    state = flood.Flood(rugged(3, 3), 1e-3, 1e-3, rain=0.0, h=np.full((3, 3), 1e4))
    state.time = late = 1e15
    dt = state.step(math.inf)
    assert state.time > late
    assert dt == state.time - late
    assert np.isfinite(state.h).all()
    assert (state.h >= 0).all()


def test_rain_may_change_between_steps() -> None:
    state = flood.Flood(np.zeros((4, 5)), 10.0, 10.0, rain=1e-5, edges="closed")
    state.step(4.0)
    state.rain = 0.0
    state.step(8.0)
    assert state.rained == pytest.approx(1e-5 * 4.0 * 2000.0)
    np.testing.assert_allclose(xpa.asnumpy(state.h), 4e-5)


def test_dry_ground_without_rain_stays_dry(backend: str) -> None:
    state = run(rugged(6, 8), 3, rain=0.0)
    assert state.time == 3 * flood.LONGEST
    assert not state.h.any()
    assert state.stored() == state.left == state.rained == 0


GAP = np.array([[1.0, 2.0], [math.nan, 4.0]])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"z": np.zeros((1, 9))}, r"z has shape \(1, 9\)"),
        ({"z": np.zeros(9)}, r"z has shape \(9,\)"),
        ({"z": GAP}, "NaN or infinite"),
        ({"dx": 0.0}, "dx is 0.0"),
        ({"dy": math.inf}, "dy is inf"),
        ({"manning": -0.1}, "manning is -0.1"),
        ({"edges": "ajar"}, "edges is 'ajar'"),
        ({"h": np.zeros((2, 3))}, r"h has shape \(2, 3\)"),
        ({"h": np.array([[0.0, -1e-9], [0.0, 0.0]])}, "none negative"),
        ({"h": GAP}, "finite depths"),
    ],
)
def test_what_makes_no_sense_is_refused(changed: dict[str, Any], message: str) -> None:
    options = {"z": np.zeros((2, 2)), "dx": 1.0, "dy": 1.0, "rain": 0.0} | changed
    with pytest.raises(ValueError, match=message):
        flood.Flood(options.pop("z"), options.pop("dx"), options.pop("dy"), **options)


@pytest.mark.parametrize("rain", [-1e-9, math.nan, math.inf])
def test_rain_that_makes_no_sense_is_refused(rain: float) -> None:
    with pytest.raises(ValueError, match="rain is"):
        flood.Flood(np.zeros((2, 2)), 1.0, 1.0, rain=rain).step(1.0)


def test_all_kernels_are_listed() -> None:
    assert set(flood.KERNELS) == {value for value in vars(flood).values() if isinstance(value, Kernel)}


@pytest.mark.parametrize("dtype", PRECISIONS)
def test_the_bytes_of_a_cell_are_those_of_a_large_grid(dtype: type[np.floating]) -> None:
    n, m = 3000, 4000
    item = np.dtype(dtype).itemsize
    assert flood.bytes_per_cell_step(dtype) == pytest.approx(bytes_of_a_step(n, m) / (n * m) * item / 8, rel=1e-3)
