"""``XP_DEBUG`` shows the way the data took, more with every level, on standard error alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import numpy as np
import xpaccel as xpa

@xpa.kernel
def step(u):
    u[1:-1] = u[2:] + u[:-2]
    return u * 2.0

with xpa.backend("numba"):
    step(np.arange(6.0))
    step(np.arange(6.0))
"""


def shown(level, tmp_path):
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(file)],
        env={**os.environ, "XP_DEBUG": level},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""
    return done


@pytest.mark.numba
def test_each_level_shows_more(tmp_path):
    texts = [shown(str(level), tmp_path).stderr for level in range(5)]
    assert texts[0] == ""
    assert "traced for numba" in texts[1]
    assert "functions for" in texts[1]
    assert "GB/s" not in texts[1]
    assert texts[2].count("GB/s") == 2 * 3  # two calls of three nests
    assert "program.py:7" in texts[2]
    assert "computed aside first" in texts[3]
    assert "for i0 in" in texts[3]
    assert "def nest(" in texts[4]
    assert "def nest(" not in texts[3]
    assert all(line.startswith("xpaccel: ") for text in texts for line in text.splitlines())


@pytest.mark.numba
def test_a_level_that_is_none_is_refused(tmp_path):
    done = shown("7", tmp_path)
    assert done.returncode != 0
    assert "XP_DEBUG='7'" in done.stderr
