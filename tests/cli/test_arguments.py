"""A kernel's arguments on the command line: what they become, and what is said of unreadable ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpaccel.errors import UserError
from xpaccel.report.arguments import DTYPES, SHORT, bind, parse


@given(
    dtype=st.sampled_from([*DTYPES, *SHORT]),
    shape=st.lists(st.integers(0, 5), max_size=4),
    space=st.sampled_from(["", " "]),
)
def test_array(dtype: str, shape: list[int], space: str) -> None:
    text = f"u:{space}{dtype}[{f',{space}'.join(map(str, shape))}]"
    array: Any = parse([text])["u"]
    assert array.shape == tuple(shape)
    assert array.dtype == SHORT.get(dtype, dtype)
    assert not array.any()


def test_large_array_takes_no_memory() -> None:
    array: Any = parse(["u:f64[20000,20000]"])["u"]  # 3.2 GB, never touched
    assert array.flags.c_contiguous
    assert array.flags.writeable


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.text(max_size=5)))
def test_value(value: object) -> None:
    assert parse([f"x={value!r}"]) == {"x": value}
    read = parse([f"x:{value!r}"]) if not isinstance(value, str) else {"x": value}
    assert read == {"x": value}
    assert type(read["x"]) is type(value)


def test_containers_nest() -> None:
    found: Any = parse(["s:{'uv': (f32[2], [i64[3], 0.5]), 't': -1}"])["s"]
    np.testing.assert_array_equal(found["uv"][0], np.zeros(2, np.float32), strict=True)
    np.testing.assert_array_equal(found["uv"][1][0], np.zeros(3, np.int64), strict=True)
    assert found["uv"][1][1] == 0.5
    assert found["t"] == -1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("u", r"write NAME:DTYPE\[SHAPE\] or NAME=VALUE, as in u:f64\[1024,1024\] dt=0.1"),
        ("u:", "write NAME"),
        ("=3", "write NAME"),
        ("1x=3", "write NAME"),
        ("u:f64", r"float64 needs a shape: write f64\[1024,1024\], or f64\[\] for no axes"),
        ("u:float[3]", "float is no dtype; did you mean float64"),
        ("u:zebra[3]", "zebra is no dtype; there are"),
        ("u:f64[-1]", "-1 is not the size of an axis: write a whole number"),
        ("u:f64[n]", "n is not the size of an axis"),
        ("u:f64[2.5,3]", "2.5 is not the size of an axis"),
        ("u:f64[True]", "True is not the size of an axis"),
        ("u:f64[3", "it is no Python expression"),
        ("dt=f64[3]", r"f64\[3\] is not a plain Python value; an array is written dt:f64\[3\]"),
        ("dt=__import__('os')", "is not a plain Python value"),
        ("u:f64[99999999999999]", "Unable to allocate"),
    ],
)
def test_unreadable(text: str, reason: str) -> None:
    with pytest.raises(UserError, match=f"cannot read the argument .*: .*{reason}"):
        parse([text])


def test_given_twice() -> None:
    with pytest.raises(UserError, match="'u' is given twice"):
        parse(["u=1", "u=2"])


def step(u: object, dt: float, /, *, n: int = 1) -> None: ...


def any_number(*arrays: object) -> None: ...


def test_bind() -> None:
    bound = bind(step, {"n": 3, "dt": 0.1, "u": 1})
    assert bound.args == (1, 0.1)
    assert bound.kwargs == {"n": 3}


@pytest.mark.parametrize(
    ("function", "named", "reason"),
    [
        (step, {"u": 1}, r"step\(u, dt, n\): missing a required argument: 'dt'; give each as in u:f64"),
        (step, {"u": 1, "dtt": 1}, r"step\(u, dt, n\) takes no argument 'dtt'; did you mean 'dt'"),
        (any_number, {}, r"takes any number of arguments"),
    ],
)
def test_unbindable(function: Any, named: dict[str, object], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        bind(function, named)
