"""Every file of examples/ runs as a user runs it, and shows what it does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.numba
@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_example_runs(file: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", file],
        cwd=tmp_path,
        env=os.environ | {"XP_BACKEND": "numba"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip(), "an example says what it found"
