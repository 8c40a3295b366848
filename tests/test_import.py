"""What `import xpaccel` loads: NumPy and xpaccel's own modules, and of those not many.

How long it takes is a benchmark (`asv_bench/benchmarks/start.py`): a busy machine says nothing in a test.
"""

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    "array_api_compat",
    "cupy",
    "llvmlite",
    "matplotlib",
    "mpi4py",
    "netCDF4",
    "numba",
    "pandas",
    "PIL",
    "rich",
    "scipy",
    "typer",
    "xarray",
    "zarr",
}
OWN_MODULES = 60
OTHER_MODULES = 25


def loaded(code: str) -> set[str]:
    """Run code in a fresh interpreter and give the names of the modules that it holds after."""
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_import_loads_nothing_heavy() -> None:
    assert not {name.partition(".")[0] for name in loaded("import xpaccel")} & HEAVY


def test_import_loads_few_modules() -> None:
    added = loaded("import xpaccel") - loaded("import numpy")
    own = {name for name in added if name.partition(".")[0] == "xpaccel"}
    assert len(own) <= OWN_MODULES, sorted(own)
    assert len(added - own) <= OTHER_MODULES, sorted(added - own)


def test_eager_kernel_needs_numpy_only() -> None:
    code = """
import numpy as np, xpaccel as xpa
with xpa.backend("numpy"):
    xpa.kernel(lambda u: u + 1)(np.ones(3))
"""
    assert not {name.partition(".")[0] for name in loaded(code)} & (HEAVY - {"array_api_compat"})


def test_command_line_loads_what_it_shows_only() -> None:
    names = {name.partition(".")[0] for name in loaded("import xpaccel.cli")}
    assert not names & (HEAVY - {"typer", "rich"})


def test_the_decorator_is_not_hidden_by_its_module() -> None:
    code = """
import xpaccel.kernel, xpaccel.report.load, xpaccel as xpa
assert xpa.kernel(lambda u: u).python and xpa.Kernel
"""
    loaded(code)
