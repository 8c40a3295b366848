"""The laws that the scheme of examples/flood.py keeps, on every backend."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import xpaccel as xpa
from xpaccel.demo import example
from xpaccel.demo.traffic import bytes_of_a_step

flood = example.flood()


def last(*args: Any, **options: Any) -> Any:
    *_, state = flood.simulate(*args, **options)
    return state


def hills(n: int, m: int, seed: int = 0) -> np.ndarray:
    """Smooth slopes with some cliffs, pits and spikes."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:n, 0:m]
    z = 300 + 40 * np.sin(x / 5.0) * np.cos(y / 7.0) + 3.0 * x
    z += 80 * (x > m // 2) + random.normal(0, 1, (n, m))
    z[random.random((n, m)) < 0.02] -= 60
    z[random.random((n, m)) < 0.02] += 200
    return z


GROUND = st.one_of(
    st.floats(-400, 8000),  # cliffs
    st.sampled_from([0.0, 0.0, 0.0, 1e-9, 1.0, -1000.0, 8000.0]),  # flats, pits and spikes
)
DEPTH = st.sampled_from([0.0, 0.0, 5e-324, 1e-300, 1e-9, 1e-3, 0.1, 7.0, 500.0])


@pytest.mark.parametrize("open_edges", [True, False])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_depth_is_never_negative_nor_nan_and_no_water_is_lost(
    backend: str, open_edges: bool, data: st.DataObject
) -> None:
    shape = data.draw(st.tuples(st.integers(2, 7), st.integers(2, 7)))
    z = data.draw(arrays.arrays(np.float64, shape, elements=GROUND))
    h = data.draw(arrays.arrays(np.float64, shape, elements=DEPTH))
    dx, dy = data.draw(st.tuples(st.sampled_from([0.5, 30.0, 1e4]), st.sampled_from([0.5, 45.0, 1e4])))
    rain = data.draw(st.sampled_from([0.0, 20e-3 / 3600, 10.0 / 3600]))
    manning = data.draw(st.sampled_from([1e-6, 0.03, 5.0]))
    assume(rain > 0 or h.sum() > 1e-6)
    before = math.fsum(h.ravel()) * dx * dy
    steps = flood.simulate(z, dx, dy, rain=rain, seconds=1e6, manning=manning, open_edges=open_edges, h=h)
    for state in itertools.islice(steps, 40):
        assert np.isfinite(state.h).all()
        assert (state.h >= 0).all()
        assert state.left >= 0
    stored = math.fsum(xpa.asnumpy(state.h).ravel()) * dx * dy
    assert stored + state.left == pytest.approx(before + state.rained, rel=1e-12)
    assert open_edges or state.left == 0


@pytest.mark.parametrize("open_edges", [True, False])
@pytest.mark.launches
def test_rain_in_is_water_stored_and_water_that_left(backend: str, open_edges: bool) -> None:
    z = hills(60, 80)
    state = last(z, 25.0, 20.0, rain=100e-3 / 3600, seconds=3600, open_edges=open_edges)
    stored = math.fsum(xpa.asnumpy(state.h).ravel()) * 25.0 * 20.0
    assert state.rained == pytest.approx(0.1 * z.size * 25.0 * 20.0, rel=1e-12)
    assert abs(state.rained - state.left - stored) <= 1e-12 * state.rained
    assert (state.left > 0.01 * state.rained) == open_edges


@pytest.mark.parametrize("open_edges", [True, False])
@pytest.mark.launches
def test_a_lake_at_rest_stays_at_rest(backend: str, open_edges: bool) -> None:
    """An island, a shore, and a bed of all depths; open edges lie dry, or water would rightly leave."""
    y, x = np.mgrid[0:40, 0:50]
    radius = np.hypot((x - 25) / 20, (y - 20) / 16)
    z = 100 + 30 * radius**2 + 25 * np.exp(-((radius / 0.2) ** 2)) + np.random.default_rng(1).normal(0, 0.3, x.shape)
    h = np.maximum(118.0 - z, 0.0)
    assert h[20, 25] == 0, "the island is dry"
    assert h.max() > 10
    assert (h[0] == 0).all()
    state = last(z, 12.0, 15.0, rain=0.0, seconds=600.0, open_edges=open_edges, h=h)
    assert state.steps > 500
    np.testing.assert_allclose(xpa.asnumpy(state.h), h, rtol=0, atol=1e-12)
    assert state.left == 0


def test_a_mirrored_terrain_gives_the_mirrored_flood_bit_for_bit(backend: str) -> None:
    z = hills(31, 45)
    h = xpa.asnumpy(last(z, 20.0, 30.0, rain=2e-5, seconds=600.0).h)
    for flip in (np.s_[::-1], np.s_[:, ::-1], np.s_[::-1, ::-1]):
        mirrored = last(np.ascontiguousarray(z[flip]), 20.0, 30.0, rain=2e-5, seconds=600.0).h
        np.testing.assert_array_equal(xpa.asnumpy(mirrored)[flip], h)


def test_a_transposed_terrain_gives_the_transposed_flood(backend: str) -> None:
    """To round-off: a cell adds up its faces in the order x, y."""
    z = hills(31, 45)
    h = xpa.asnumpy(last(z, 20.0, 30.0, rain=2e-5, seconds=600.0).h)
    turned = xpa.asnumpy(last(np.ascontiguousarray(z.T), 30.0, 20.0, rain=2e-5, seconds=600.0).h)
    np.testing.assert_allclose(turned.T, h, rtol=1e-9, atol=1e-12)


@pytest.mark.launches
def test_steady_rain_on_a_plane_runs_off_at_mannings_depth(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the steady state all rain from above flows through a face, and Manning's law gives its depth.

    With shorter steps than usual: where friction and slope are all, the linearised friction of the scheme swings
    from cell to cell as (speed + wave) dt / dx comes near 1 (docs/flood.md).
    """
    monkeypatch.setattr(flood, "LONGEST", 4.0)
    dx, slope, rain, manning, columns = 10.0, 0.01, 50e-3 / 3600, 0.05, 60
    z = np.tile(-slope * dx * np.arange(columns), (3, 1))
    left = {}
    for state in flood.simulate(z, dx, dx, rain=rain, seconds=6000.0, manning=manning):
        left[round(state.time)] = state.left
    assert (left[6000] - left[5000]) / 1000 == pytest.approx(rain * z.size * dx * dx, rel=1e-6)
    x = dx * (np.arange(columns) + 1)
    expected = (rain * x * manning / math.sqrt(slope)) ** 0.6
    np.testing.assert_allclose(xpa.asnumpy(state.h)[1, 3:], expected[3:], rtol=0.005)


def test_a_step_follows_the_deepest_water_and_ends_in_time() -> None:
    z = np.zeros((4, 4))
    h = np.full((4, 4), 2.5)
    steps = [state.time for state in flood.simulate(z, 10.0, 20.0, rain=0.0, seconds=3.0, h=h, open_edges=False)]
    assert steps[0] == pytest.approx(flood.COURANT * 10.0 / math.sqrt(flood.G * 2.5))
    assert steps[-1] == 3.0
    dry = [state.time for state in flood.simulate(z, 10.0, 20.0, rain=0.0, seconds=25.0)]
    assert dry == [10.0, 20.0, 25.0]


def test_the_depth_at_the_beginning_is_not_changed() -> None:
    h = np.ones((3, 3))
    last(hills(3, 3), 10.0, 10.0, rain=0.0, seconds=5.0, h=h)
    assert (h == 1).all()


@pytest.mark.numba
def test_the_fused_flood_is_that_of_numpy() -> None:
    z = hills(60, 80)
    found = {}
    for name in ("numpy", "numba"):
        with xpa.backend(name):
            found[name] = last(z, 25.0, 20.0, rain=100e-3 / 3600, seconds=1800.0)
    assert found["numba"].steps == found["numpy"].steps
    np.testing.assert_allclose(found["numba"].h, found["numpy"].h, rtol=1e-9, atol=1e-10)


@pytest.mark.numba
def test_one_compilation_serves_all_sizes_and_time_steps() -> None:
    with xpa.backend("numba"):
        last(hills(12, 17), 25.0, 20.0, rain=1e-5, seconds=60.0)
        counts = [kernel.stats.compilations for kernel in (flood.flow, flood.spill, flood.store)]
        last(hills(23, 9), 5.0, 4.0, rain=2e-5, seconds=70.0, manning=0.1)
        assert [kernel.stats.compilations for kernel in (flood.flow, flood.spill, flood.store)] == counts


@pytest.mark.numba
def test_the_least_traffic_of_a_step_is_what_the_kernels_touch() -> None:
    """The compiler counts each pass; the least is that every kernel call moves each of its arrays once."""
    n, m = 100, 130
    h, z, qx, qy = np.ones((n, m)), np.ones((n, m)), np.zeros((n, m + 1)), np.zeros((n + 1, m))
    flow = flood.flow.explain(qx.copy(), qy.copy(), qx, qy, h, z, 1.0, 10.0, 10.0, 0.03).bytes
    store = flood.store.explain(h, qx, qy, 1e-5, 1.0, 10.0, 10.0).bytes
    passes = 8 * n * m  # `flow` reads h and z once for each direction, `store` reads h again for its maximum
    assert flow + store == pytest.approx(bytes_of_a_step(n, m) + 3 * passes, rel=0.01)
