"""What the tests of the doubles share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from cuda import adapter
from cuda.host import host


@pytest.fixture
def compiler() -> None:
    """Skip the test where kernels cannot be compiled, or fail where XP_REQUIRE asks for cupy."""
    reason = host.why_unavailable()
    if reason is not None and {"cupy", "all"} & set(os.environ.get("XP_REQUIRE", "").replace(",", " ").split()):
        pytest.fail(f"XP_REQUIRE asks for cupy: {reason}", pytrace=False)
    if reason is not None:
        pytest.skip(reason)


@pytest.fixture
def cp() -> Iterator[Any]:
    """Give the stand-in `cupy`, as new."""
    cupy = adapter.install()
    cupy._standin.reset()
    yield cupy
    cupy._standin.reset()
