"""Fields on ranks that MPI starts. The laws themselves are tested on ranks that are threads."""

from __future__ import annotations

from pathlib import Path

import pytest
from ranks import run

pytestmark = pytest.mark.mpi

FIELDS = Path(__file__).parent.parent.parent / "examples" / "fields"
EXAMPLES = sorted(path.stem for path in FIELDS.glob("*.py"))


def on_ranks(ranks, *command, **environment):
    """Run Python on some ranks; return what they print."""
    ended = run(ranks, command, **environment)
    assert ended.status == 0, ended.err[-3000:]
    return ended.out


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_has_the_same_bits_on_any_number_of_ranks(name, backend, tmp_path):
    results = []
    for ranks in (1, 2, 3, 4):
        out = tmp_path / f"{ranks}.npy"
        size = ["--cells", "37", "--out", str(out)] + (["--steps", "15"] if name != "poisson_cg" else [])
        printed = on_ranks(ranks, str(FIELDS / f"{name}.py"), *size, XP_BACKEND=backend)
        assert f"on {ranks} rank" in printed
        results.append(out.read_bytes())
    assert len(set(results)) == 1


COUNTED = """
import numpy as np
import xpaccel as xpa

@xpa.kernel
def step(u):
    return 0.5 * u[1:-1, 1:-1] + 0.125 * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2])

grid = xpa.Grid((40, 40), periodic=True, dims=(2, 2))
u = grid.field(init=lambda x, y: x * y)
for _ in range(10):
    u = step(u)
counters = grid.comm.gather((grid.counters.exchanges, grid.counters.messages, grid.counters.bytes))
if grid.rank == 0:
    print(set(counters))
"""


def test_messages_and_bytes_are_the_least():
    """Ten exchanges with two neighbours, each on both sides of a periodic axis: two lines of 20."""
    assert on_ranks(4, "-c", COUNTED) == "{(10, 20, 6400)}\n"


def test_many_ranks_on_few_cells(tmp_path):
    one, many = tmp_path / "one.npy", tmp_path / "many.npy"
    for ranks, out in ((1, one), (16, many)):
        on_ranks(ranks, str(FIELDS / "heat2d.py"), "--cells", "9", "--steps", "5", "--out", str(out))
    assert one.read_bytes() == many.read_bytes()
