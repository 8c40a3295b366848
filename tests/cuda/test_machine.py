"""The limits that the machine code and the traffic of the named kernels keep, on every architecture."""

from __future__ import annotations

import os

import numpy as np
import pytest
from cuda.machine import limits, nvrtc, sass, table
from cuda.machine.kernels import CASES, DTYPES
from cuda.machine.measure import measure, recorded

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("compiler", "toolkit")]

NAMES = [case.name for case in CASES]
GATES = ["ratio", *limits.LIMITS]


@pytest.fixture(scope="module")
def toolkit() -> None:
    """Skip where NVIDIA's compiler or disassembler is missing, or fail where XP_REQUIRE asks for cupy."""
    reason = nvrtc.why_unavailable() or sass.why_unavailable()
    if reason is not None and {"cupy", "all"} & set(os.environ.get("XP_REQUIRE", "").replace(",", " ").split()):
        pytest.fail(f"XP_REQUIRE asks for cupy: {reason}", pytrace=False)
    if reason is not None:
        pytest.skip(reason)


def gate(limit, name, dtype):
    reason = limits.OPEN.get((limit, name, dtype))
    marks = [pytest.mark.xfail(strict=True, raises=AssertionError, reason=reason)] if reason else []
    return pytest.param(limit, name, dtype, marks=marks, id=f"{limit}-{name}-{dtype}")


@pytest.mark.parametrize(
    ("limit", "name", "dtype"), [gate(limit, name, dtype) for name in NAMES for dtype in DTYPES for limit in GATES]
)
def test_limits(limit, name, dtype):
    assert not limits.complaints(limit, measure(name, dtype))


def test_what_is_open_names_limits_and_kernels():
    assert {limit for limit, _, _ in limits.OPEN} <= set(GATES)
    assert {name for _, name, _ in limits.OPEN} <= set(NAMES)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_a_kernel_reads_and_writes_is_what_it_must(case, dtype):
    """The least is counted by hand in kernels.py: it is no figure that the code itself could raise."""
    found = recorded(case.name, dtype)
    assert (found.read, found.written) == (case.reads, case.writes)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_counted_computes_what_numpy_does(case, dtype):
    arguments = case.arguments(dtype)
    eager = case.kernel.python(*arguments)  # writes into some of the arguments
    wanted = [*(a for a in arguments if isinstance(a, np.ndarray)), *(eager if isinstance(eager, tuple) else (eager,))]
    found = recorded(case.name, dtype)
    got = [*found.arrays, *(found.outputs or (None,))]
    assert len(got) == len(wanted)
    for ours, numpys in zip(got, wanted, strict=True):
        if numpys is None:
            assert ours is None
        else:
            close = 1e-5 if dtype == "float32" else 1e-13
            np.testing.assert_allclose(ours, numpys, rtol=close, atol=close * np.abs(numpys).max())


def test_the_page_shows_what_is_found():
    """`python -m cuda.machine.table`, with tests/ on the path, writes it anew."""
    text = table.PAGE.read_text(encoding="utf-8")
    assert table.page(text) == text
