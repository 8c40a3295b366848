"""Every file of examples/ runs as a user runs it, and shows what it does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import targets
from targets import TARGET

import xpaccel as xpa

FOLDER = Path(__file__).parent.parent / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))


def test_there_are_examples() -> None:
    assert EXAMPLES


def on(file: Path) -> object:
    """Return a file and its backend; the stand-in of a GPU takes minutes for the flood, which the demo runs there."""
    if file.name == "flood.py":
        return pytest.param(file, "numba", marks=pytest.mark.numba, id=file.name)
    return pytest.param(file, TARGET, marks=pytest.mark.compiled, id=file.name)


@pytest.mark.parametrize(("file", "backend"), list(map(on, EXAMPLES)))
def test_example_runs(file: Path, backend: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", file],
        cwd=tmp_path,
        env=os.environ | {"XP_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip(), "an example says what it found"


@pytest.mark.compiled
def test_heat_on_a_mesh_decays_as_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error falls with the square of the size of the elements, and is the same with NumPy."""
    monkeypatch.syspath_prepend(FOLDER)
    import fem_heat

    with xpa.backend("numpy"):
        eager = fem_heat.main(12)
    with targets.active():
        assert fem_heat.main(12) == pytest.approx(eager, rel=1e-9)
        assert fem_heat.main(24) < eager / 3 < 0.02
