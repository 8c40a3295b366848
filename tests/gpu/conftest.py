"""Tests that only a device can pass: skipped without one, and so they say; XP_REQUIRE has them fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from gpu.parts import environment

import xpaccel as xpa
from xpaccel import backends


@pytest.fixture(autouse=True)
def device() -> Iterator[Any]:
    """Make CuPy the active backend, on this process's device; give the module."""
    reason = backends.why_unavailable("cupy")
    if reason is not None and {"cupy", "all"} & set(os.environ.get("XP_REQUIRE", "").replace(",", " ").split()):
        pytest.fail(f"XP_REQUIRE asks for cupy: {reason}", pytrace=False)
    if reason is not None:
        pytest.skip(f"no GPU: {reason}")
    with xpa.backend("cupy"):
        xpa.xp.zeros(1)
        import cupy

        yield cupy


@pytest.fixture
def hardware(device: Any) -> Any:
    """Skip the test on the stand-in, which cannot show what it is about."""
    from gpu.facts import is_standin

    if is_standin():
        pytest.skip("the stand-in is no GPU, and cannot show this")
    return device


@pytest.fixture
def python() -> Callable[..., Any]:
    """Give what runs code in a process of its own and returns what it printed last, as JSON."""

    def run(code: str, env: Mapping[str, str | None] = {}) -> Any:
        merged = {**environment(), "XP_BACKEND": "cupy", **env}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={name: value for name, value in merged.items() if value is not None},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run
