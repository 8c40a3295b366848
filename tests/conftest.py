"""What all tests share: a cache of their own, the backends as a fixture, Hypothesis profiles."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import hypothesis
import pytest

# Before anything imports xpaccel: no test may read or fill the user's own cache.
_FOLDER = tempfile.TemporaryDirectory(prefix="xpaccel-tests-")
os.environ["XP_CACHE_DIR"] = _FOLDER.name

from targets import TARGET  # noqa: E402

import xpaccel as xpa  # noqa: E402
from xpaccel import backends  # noqa: E402

hypothesis.settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True)
hypothesis.settings.register_profile("quick", max_examples=10, deadline=None)
hypothesis.settings.register_profile("long", max_examples=10_000, deadline=None)
hypothesis.settings.load_profile("ci")  # --hypothesis-profile=long chooses another

MARKS = {"numba": (pytest.mark.numba,)}


def required() -> frozenset[str]:
    """Read ``XP_REQUIRE``: backends whose absence fails a test that would otherwise skip; ``all`` is all."""
    words = os.environ.get("XP_REQUIRE", "").replace(",", " ").split()
    return frozenset(backends.names()) if words == ["all"] else frozenset(words)


#: Why a backend is not available; asked before any test puts a stand-in in place.
REASONS = {name: backends.why_unavailable(name) for name in backends.names()}


def need(name: str) -> None:
    """Skip the running test with the backend's own reason, or fail where the backend is required."""
    reason = REASONS[name]
    if reason is not None and name in required():
        pytest.fail(f"XP_REQUIRE asks for {name}: {reason}", pytrace=False)
    if reason is not None:
        pytest.skip(f"{name}: {reason}")


@pytest.fixture(params=[pytest.param(name, marks=MARKS.get(name, ())) for name in backends.names()])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test once with each backend active; gives its name."""
    need(request.param)
    with xpa.backend(request.param):
        yield request.param


@pytest.fixture(scope="session", autouse=True)
def _lent_arrays() -> Iterator[None]:
    """Let tests hand NumPy's arrays to a device: CuPy's, or the stand-in's where that is the `cupy` of the path."""
    if REASONS[TARGET] is not None or backends.get(TARGET).memory.is_host:
        yield
        return
    import cupy
    from cuda.adapter import lending

    with lending(cupy):
        yield


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("numba") is not None:
        need("numba")
    if item.get_closest_marker("compiled") is not None:
        need(TARGET)
    host = item.get_closest_marker("host")
    if host is not None and not backends.get(TARGET).memory.is_host:
        pytest.skip(f"on the host alone: {host.args[0]}")

    cpu = item.get_closest_marker("cpu")
    if cpu is not None and TARGET != "numba":
        pytest.skip(f"of the target numba alone: {cpu.args[0]}")


def pytest_report_header() -> list[str]:
    return [f"backend {name}: {'available' if reason is None else reason}" for name, reason in REASONS.items()]
