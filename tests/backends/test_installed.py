"""What is installed is looked for once; what is not, each time."""

from __future__ import annotations

import importlib.util

import pytest

import xpaccel as xpa
from xpaccel.backends.installed import is_installed


@pytest.fixture
def looked(monkeypatch):
    """Give the names that are looked for."""
    names = []
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: names.append(name) or find(name))
    monkeypatch.setattr("xpaccel.backends.installed._found", set())
    return names


def test_what_is_found_is_looked_for_once(looked):
    assert is_installed("this")  # a module of Python's that nothing imports
    assert is_installed("this")
    assert looked == ["this"]


@pytest.mark.parametrize("name", ["no_such_module", "no_such_package.module"])
def test_what_is_absent_is_looked_for_again(looked, name):
    assert not is_installed(name)
    assert not is_installed(name)
    assert looked == [name, name]


@pytest.mark.numba
def test_choosing_a_backend_again_looks_for_nothing(looked):
    with xpa.backend("numba"):
        pass
    looked.clear()
    with xpa.backend("numba"):
        pass
    assert looked == []
