"""One row in one file: a new operation reaches the namespace, the protocols, the printers and the docs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import targets

import xpaccel as xpa
from xpaccel import xp
from xpaccel.ops import DTYPES, OPS, dtype_kind, in_category
from xpaccel.report import optable

DOCS = Path(__file__).parents[1] / "docs" / "add-an-op.md"

NEW_ROW = """
import numpy as np
from xpaccel.ops import OPS, Op

OPS["deg2rad"] = Op("deg2rad", 1, "real floating", "same", "deg2rad",
                    "({0} * cast(0.017453292519943295, float64))", "({0} * 0.017453292519943295)", exact=False)

import xpaccel as xpa
from xpaccel import xp
from xpaccel.graph.interpret import interpret
from xpaccel.report import optable

u = np.linspace(-180.0, 180.0, 37)
for function in (lambda u: xp.deg2rad(u) + 1.0, lambda u: np.deg2rad(u) + 1.0):
    kernel = xpa.kernel(function)
    outputs, _ = interpret(kernel.graph(u), [u], [])
    np.testing.assert_allclose(outputs[0], np.deg2rad(u) + 1.0, rtol=1e-15)
    assert "0.017453292519943295" in kernel.source(u, backend="numba")
    with xpa.backend("numba"):
        np.testing.assert_allclose(kernel(u), np.deg2rad(u) + 1.0, rtol=1e-15)
assert "`deg2rad`" in optable.table()
print("reached")
"""


@pytest.mark.numba
def test_a_new_row_reaches_everything():
    done = subprocess.run([sys.executable, "-c", NEW_ROW], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "reached\n"


def test_the_documentation_has_the_table_as_it_is():
    page = DOCS.read_text(encoding="utf-8")
    assert optable.inserted(page) == page, "run: python -m xpaccel.report.optable docs/add-an-op.md"


def values(dtype, count):
    """Return special and random values of a dtype."""
    rng = np.random.default_rng(0)
    kind = dtype_kind(dtype)
    if kind == "b":
        return rng.random(count) < 0.5
    if kind in "iu":
        info = np.iinfo(dtype)
        special = [0, 1, 2, 3, info.max, info.min, info.max - 1, 7]
        return np.concatenate([special, rng.integers(0, 50, count - len(special))]).astype(dtype)
    real = "float32" if dtype in ("float32", "complex64") else "float64"
    info = np.finfo(real)
    special = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, np.inf, -np.inf, np.nan, info.tiny, info.max, 1e-3, 30.0]
    parts = np.concatenate([special, rng.normal(0, 3, count - len(special))]).astype(real)
    if kind == "f":
        return parts
    finite = np.where(np.isfinite(parts) & (np.abs(parts) < 1e10), parts, 0.25)
    return (finite + 1j * rng.permutation(finite)).astype(dtype)


def cases():
    for op in OPS.values():
        for dtype in DTYPES:
            if in_category(dtype, op.accepts) and op.name != "where":
                yield pytest.param(op, dtype, id=f"{op.name}-{dtype}")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.compiled
@pytest.mark.parametrize(("op", "dtype"), list(cases()))
def test_every_operation_equals_numpy(op, dtype):
    rng = np.random.default_rng(1)
    args = [values(dtype, 200)] + [rng.permutation(values(dtype, 200)) for _ in range(op.arity - 1)]
    if op.name == "pow" and dtype_kind(dtype) in "iu":
        args[1] = (np.abs(args[1].astype("int64")) % 6).astype(dtype)
    kernel = xpa.kernel(lambda *a: getattr(xp, op.name)(*a))
    if op.name == "pow" and dtype_kind(dtype) == "i":  # NumPy raises if one exponent is negative
        with targets.active(), pytest.raises(xpa.TraceError, match="unsigned"):
            kernel(*args)
        return
    try:
        want = getattr(np, "round" if op.name == "round" else op.numpy)(*args)  # rint makes integers floats
    except TypeError:
        pytest.skip(f"NumPy has no {op.numpy} for {dtype}")
    with targets.active():
        got = kernel(*args)
    assert got.dtype == want.dtype
    if want.dtype.kind not in "fc" or (
        op.exact
        and not (
            dtype_kind(dtype) == "c"
            and op.name in ("sqrt", "divide", "reciprocal", "abs", "multiply", "square", "sign")
        )
    ):
        np.testing.assert_array_equal(got, want)
        if want.dtype.kind == "f":
            numbers = ~np.isnan(want)
            np.testing.assert_array_equal(np.signbit(got)[numbers], np.signbit(want)[numbers])
    else:
        info = np.finfo(want.dtype)
        ulps = 64 if op.name == "pow" and want.dtype.kind == "c" else 8  # a complex power is exp(y * log(x))
        np.testing.assert_allclose(
            got, want, rtol=ulps * info.eps, atol=8 * info.tiny if op.arity == 1 else 8 * info.eps
        )
