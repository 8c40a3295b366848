"""Random numbers of cells: the published vectors, the same bits everywhere, and what statistics expects."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from targets import TARGET

import xpaccel as xpa
from xpaccel.domain import philox
from xpaccel.domain.quantile import quantile

# Random123's tests/kat_vectors: counter, key, result.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_published_vectors(counter: str, key: str, result: str) -> None:
    words = [np.array([int(word, 16)], np.uint64) for word in counter.split()]
    made = philox.encrypt(words, [int(word, 16) for word in key.split()])
    assert [f"{int(word[0]):08x}" for word in made] == result.split()


def philox_of_integers(counter: list[int], key: list[int]) -> list[int]:
    """Encrypt with Python's integers, as the paper writes it: two multiplications a round, keys bumped between."""
    (a, b, c, d), (k, m) = counter, key
    for _ in range(10):
        p, q = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = q // 2**32 ^ b ^ k, q % 2**32, p // 2**32 ^ d ^ m, p % 2**32
        k, m = (k + 0x9E3779B9) % 2**32, (m + 0xBB67AE85) % 2**32
    return [a, b, c, d]


WORD = st.integers(0, 2**32 - 1)


@given(index=st.lists(WORD, min_size=1, max_size=3), seed=st.integers(0, 2**64 - 1), stream=WORD)
def test_a_number_follows_from_seed_index_and_stream(index: list[int], seed: int, stream: int) -> None:
    counter = [*index, 0, 0][:3]
    words = philox_of_integers([*counter, stream], [seed % 2**32, seed >> 32])
    cells = [np.array([each], np.int64) for each in index]
    assert philox.uniform(seed, *cells, stream=stream)[0] == (words[0] // 32 * 2**26 + words[1] // 64) * 2.0**-53
    single = philox.uniform(seed, *cells, stream=stream, dtype="float32")
    assert single.dtype == np.float32
    assert single[0] == words[0] // 256 * 2.0**-24


def test_a_single_index_has_64_bits() -> None:
    far = np.array([3, 3 + 2**32, 3 + 5 * 2**32])
    assert len(set(philox.uniform(0, far))) == 3
    assert philox.uniform(0, far)[2] == philox.uniform(0, np.array([3]), 5)[0]


@pytest.mark.parametrize("draw", [philox.uniform, philox.normal])
def test_any_part_of_a_grid_has_its_own_numbers(draw: Any) -> None:
    i, j, k = np.ogrid[0:12, 0:9, 0:5]
    whole = draw(42, i, j, k, stream=3)
    assert whole.shape == (12, 9, 5)
    part = draw(42, i[4:7], j[:, 2:], k[:, :, 1:3], stream=3)
    np.testing.assert_array_equal(part, whole[4:7, 2:, 1:3])
    np.testing.assert_array_equal(draw(42, i[:, :, 0], j[:, :, 0], 2, stream=3), whole[:, :, 2])
    for other in (draw(43, i, j, k, stream=3), draw(42, i, j, k, stream=4), draw(42 + 2**32, i, j, k, stream=3)):
        assert np.count_nonzero(other == whole) == 0


@xpa.kernel
def draws(i: Any, j: Any, seed: Any, step: Any) -> Any:
    return (
        philox.uniform(seed, i, j, stream=step),
        philox.normal(seed, i, j, stream=step),
        philox.uniform(seed, i, j, dtype="float32"),
        philox.normal(seed, i, j, stream=9, dtype="float32"),
        philox.normal(1, i + j),
        philox.uniform(2, i, step, j),
    )


@pytest.mark.compiled
@pytest.mark.parametrize("seed", [0, 7, 2**63 + 12345])
def test_a_kernel_has_the_bits_of_numpy(seed: int) -> None:
    i, j = np.ogrid[0:200, 5:305]
    expected = draws.python(i, j, seed, 17)
    with xpa.backend(TARGET):
        made = draws(i, j, seed, 17)
    for one, other in zip(made, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(xpa.asnumpy(one), other)


def test_the_moments_are_those_of_the_distributions() -> None:
    """Of a million fixed numbers: five standard errors of each moment."""
    cells, size = np.arange(10**6), 1e3
    u, z = philox.uniform(1, cells), philox.normal(1, cells)
    assert 0 <= u.min() < 1e-5 < 1 - 1e-5 < u.max() < 1
    assert abs(u.mean() - 0.5) < 5 * math.sqrt(1 / 12) / size
    assert abs(u.var() - 1 / 12) < 5 * math.sqrt(1 / 180) / size
    for power, expected, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((z**power).mean() - expected) < 5 * math.sqrt(variance) / size
    for lag in (1, 2, 1000):
        assert abs(np.mean(z[lag:] * z[:-lag])) < 5 / size
    assert abs(np.mean(z * philox.normal(2, cells))) < 5 / size
    counts = np.bincount((u * 1000).astype(int), minlength=1000)
    assert abs(((counts - 1000) ** 2 / 1000).sum() - 999) < 5 * math.sqrt(2 * 999)


def odd(numbers: np.ndarray) -> np.ndarray:
    """Make them what `normal` hands to `quantile`: odd multiples of 2**-53."""
    return (np.floor(numbers * 2.0**52) + 0.5) * 2.0**-52


def test_quantile() -> None:
    tails = 0.5 - 2.0 ** -np.arange(2.0, 52.5, 0.25)
    q = odd(np.concatenate([np.linspace(-0.4999, 0.4999, 4001), tails, [0.4249999, 0.4250001]]))
    made = quantile(q, np)
    np.testing.assert_array_equal(quantile(-q, np), -made)
    assert (np.diff(quantile(np.sort(q), np)) >= 0).all()
    for place, reached in zip(made.tolist(), q.tolist(), strict=True):
        tail = 0.5 - abs(reached)  # exact, where 0.5 + q would lose it
        slope = math.exp(-place * place / 2) / math.sqrt(2 * math.pi)
        off = 0.5 * math.erfc(abs(place) / math.sqrt(2)) - tail
        assert abs(off) < 4e-15 * max(slope * max(abs(place), 1), tail)
    inner = [each for each in q.tolist() if abs(each) < 0.4]
    expected = [statistics.NormalDist().inv_cdf(0.5 + each) for each in inner]
    np.testing.assert_allclose(quantile(np.array(inner), np), expected, rtol=1e-14, atol=1e-16)


def test_the_ends_are_finite() -> None:
    last = 0.5 - 2.0**-53
    ends = quantile(np.array([-last, -(2.0**-53), 2.0**-53, last]), np)
    assert ends[3] == -ends[0] == pytest.approx(8.2095, abs=1e-4)
    assert ends[2] == -ends[1] == pytest.approx(2.0**-53 * math.sqrt(2 * math.pi))


def test_what_is_refused() -> None:
    cell = np.arange(3)
    for wrong, why in (
        (lambda: philox.uniform(-1, cell), "seed -1"),
        (lambda: philox.uniform(2**64, cell), "seed"),
        (lambda: philox.normal(0, cell, stream=2**32), "stream"),
        (lambda: philox.normal(0), "1 to 3 indices"),
        (lambda: philox.uniform(0, cell, cell, cell, cell), "1 to 3 indices"),
    ):
        with pytest.raises(ValueError, match=why):
            wrong()
    with pytest.raises(TypeError, match="float64 or float32, not int64"):
        philox.uniform(0, cell, dtype="int64")
    with pytest.raises(TypeError, match="integers"):
        philox.uniform(0, cell * 1.0)
