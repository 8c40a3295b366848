"""Checkpoints: complete or absent, and the same run on any number of ranks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from domain.team import Team

import xpaccel as xpa

zarr = pytest.importorskip("zarr")
xarray = pytest.importorskip("xarray")


@xpa.kernel
def diffuse(u):
    return u[1:-1, 1:-1] + 0.2 * (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1])


def fields(grid):
    return (
        grid.field(init=lambda x, y: x * x + np.sin(y), boundary="reflect", name="u", units="K"),
        grid.field(np.int32, at="face x", init=lambda x, y: x + y),
    )


@pytest.mark.parametrize(("writers", "readers"), [(1, 1), (1, 4), (3, 1), (6, 2), (4, 6)])
def test_any_number_of_ranks_goes_on(writers, readers, tmp_path):
    def write(comm):
        grid = xpa.Grid((11, 7), comm=comm)
        u, q = fields(grid)
        grid.time = 2.5
        saved = grid.checkpoints(tmp_path, every=2, keep=1)
        for step in range(3):
            u = diffuse(u)
            saved.after(step + 1, u=u, q=q)
        return diffuse(u).gather()

    def read(comm):
        grid = xpa.Grid((11, 7), comm=comm)
        u, q = fields(grid)
        q *= 0
        step = grid.checkpoints(tmp_path).restore(u=u, q=q)
        assert (step, grid.time) == (2, 2.5)
        return diffuse(diffuse(u)).gather(), q.gather()

    wanted = Team(writers).run(write)[0]
    got, faces = Team(readers).run(read)[0]
    np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(faces, fields(xpa.Grid((11, 7)))[1].gather())


def test_it_opens_in_xarray(tmp_path):
    grid = xpa.Grid((11, 7), spacing=0.5)
    u, q = fields(grid)
    grid.checkpoints(tmp_path).write(5, u=u, q=q)
    opened = xarray.open_zarr(tmp_path / "step-000000005")
    assert opened.u.dims == ("x", "y")
    assert opened.q.dims == ("x_face", "y")
    assert opened.u.attrs["units"] == "K"
    np.testing.assert_array_equal(opened.u, u.gather())
    np.testing.assert_array_equal(opened.x, (np.arange(11) + 0.5) * 0.5)
    xarray.testing.assert_equal(u.to_xarray().drop_attrs(), opened.u.drop_attrs().load())


def test_what_does_not_fit_is_refused(tmp_path):
    grid = xpa.Grid((11, 7))
    u, q = fields(grid)
    saved = grid.checkpoints(tmp_path)
    assert saved.restore(u=u) == 0
    saved.write(1, u=u)
    with pytest.raises(xpa.DomainError, match="no field 'q'; it has: "):
        saved.restore(q=q)
    with pytest.raises(xpa.DomainError, match="u has shape"):
        saved.restore(u=grid.field(np.float32))
    other = xpa.Grid((11, 7), spacing=2)
    with pytest.raises(xpa.DomainError, match="another grid"):
        other.checkpoints(tmp_path).restore(u=other.field())
    with pytest.raises(xpa.DomainError, match="name the fields"):
        saved.write(2)
    with pytest.raises(xpa.DomainError, match="no field of"):
        saved.write(2, u=np.ones(3))
    with pytest.raises(xpa.DomainError, match="keep=0"):
        grid.checkpoints(tmp_path, keep=0)


def test_a_deadline_ends_the_run_with_a_checkpoint(tmp_path, capsys):
    grid = xpa.Grid((11, 7))
    u, _ = fields(grid)
    with pytest.raises(SystemExit) as ended:
        grid.checkpoints(tmp_path, deadline=time.time() + 0.5).after(3, u=u)
    assert ended.value.code == 75
    assert "stopped after step 3" in capsys.readouterr().out
    assert grid.checkpoints(tmp_path).steps() == [3]


PROGRAM = """
import sys
import xpaccel as xpa

@xpa.kernel
def step(u):
    return 0.5 * u[1:-1] + 0.25 * (u[2:] + u[:-2])

grid = xpa.Grid(30)
u = grid.field(init=lambda x: x * x, boundary="extrapolate")
saved = grid.checkpoints(sys.argv[1], every=1, keep=2)
for k in range(saved.restore(u=u), int(sys.argv[2])):
    u = step(u)
    saved.after(k + 1, u=u)
    print(k + 1, flush=True)
print(u.sum().hex())
"""


def run(folder, steps, **options):
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, folder, str(steps)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
        **options,
    )


def test_a_kill_at_any_moment_leaves_a_checkpoint_that_is_whole(tmp_path):
    delays = np.random.default_rng(0).random(6) * 0.05
    for delay in delays:
        with run(tmp_path, 10**6) as program:
            program.stdout.readline()
            time.sleep(delay)
            program.kill()
        grid = xpa.Grid(30)
        u = grid.field()
        step = grid.checkpoints(tmp_path).restore(u=u)
        assert step >= 1
        again = grid.field(init=lambda x: x * x, boundary="extrapolate")
        kernel = xpa.kernel(lambda u: 0.5 * u[1:-1] + 0.25 * (u[2:] + u[:-2]))
        for _ in range(step):
            again = kernel(again)
        np.testing.assert_array_equal(u.gather(), again.gather())


def test_a_run_that_was_told_to_stop_goes_on_to_the_same_bits(tmp_path):
    with run(tmp_path / "whole", 200) as program:
        wanted = program.stdout.read().split()[-1]
    stopped = 0
    for _ in range(3):
        with run(tmp_path / "cut", 200) as program:
            program.stdout.readline()
            program.send_signal(signal.SIGTERM)
            got = program.stdout.read().split()[-1]
        stopped += program.returncode == 75
    assert stopped >= 1
    with run(tmp_path / "cut", 200) as program:
        got = program.stdout.read().split()[-1]
    assert program.returncode == 0
    assert got == wanted
