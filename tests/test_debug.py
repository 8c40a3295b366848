"""The ladder of XP_DEBUG: silence, then more at each level, as `docs/debugging.md` says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import numpy as np
import xpaccel as xpa

@xpa.kernel
def blend(a, b):
    return a + 0.5 * b

assert blend(np.ones(5000), np.ones(5000))[0] == 1.5
"""

# What each level adds to the ones below it.
ADDS = {1: "blend: traced for numba", 2: "GB/s", 3: "for i0 in", 4: "def nest"}


@pytest.mark.numba
@pytest.mark.parametrize("level", range(5))
def test_level_shows_what_it_says_and_no_more(level: int, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=os.environ | {"XP_DEBUG": str(level), "XP_BACKEND": "numba"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == ""
    assert [name for name, text in ADDS.items() if text in ran.stderr] == [*range(1, level + 1)]
    assert all(line.startswith("xpaccel: ") for line in ran.stderr.splitlines())
