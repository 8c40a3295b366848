"""The suite under the address sanitiser ends with a report where a kernel leaves its arrays."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from cuda import adapter
from cuda.host import compiling

PLANTED = """
import cupy
import numpy as np

SOURCE = 'extern "C" __global__ void k(double* p, int n) { p[n] = 1; }'

def test_beyond():
    kernel = cupy.RawModule(code=SOURCE).get_function("k")
    kernel((1,), (1,), (cupy.zeros(4), np.int32(N)))
"""


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(("place", "good"), [(3, True), (4, False)])
def test_a_store_beyond_an_array_is_reported(tmp_path, place, good):
    test = tmp_path / "test_planted.py"
    test.write_text(PLANTED.replace("N)", f"{place})"))
    words = [compiling.HERE / "sanitised.py", "-q", "-p", "no:cacheprovider", test]
    env = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    env["PYTHONPATH"] = str(adapter.STANDIN)
    done = subprocess.run(
        [sys.executable, *map(str, words)], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) is good, done.stdout + done.stderr
    assert ("heap-buffer-overflow" in done.stderr) is not good
    assert ("kernel.cu:1" in done.stderr) is not good


def test_a_library_that_gcc_lacks_is_named():
    with pytest.raises(compiling.CompileError, match=r"no libnothing\.so"):
        compiling.library("libnothing.so")
