"""A rank that fails ends the job within seconds: its traceback in front, the exit status that it would have alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ranks import Ended, need_mpi, run, start

from xpaccel.domain import abort
from xpaccel.jobs import starters

HANG = 40  # seconds that the others would go on; it takes below 3 to end them on an idle machine

# The others wait for a message that never comes. What a rank does, and when, is the arguments'.
PROGRAM = """\
import os, signal, sys, threading, time
who, how, when = sys.argv[1:]
if when == "installed":
    from mpi4py import MPI
    import xpaccel as xpa
    xpa.Grid(8)
if when == "late":
    from mpi4py import MPI

def inner():
    raise ValueError("the reason,\\nin two lines")  # @reason

rank = int(os.environ.get("OMPI_COMM_WORLD_RANK") or os.environ.get("PMI_RANK"))
if who in (str(rank), "all"):
    if how == "raise":
        inner()  # @call
    if how == "exit":
        sys.exit(3)  # @exit
    if how == "SystemExit":
        raise SystemExit(4)  # @SystemExit
    if how == "message":
        sys.exit("no input")  # @message
    if how == "interrupt":
        signal.raise_signal(signal.SIGINT)
    if how == "thread":
        threading.Thread(target=inner).start()
    if how == "caught":
        try:
            sys.exit(5)
        except SystemExit as error:
            print("caught", error.code)
    if how in ("caught", "exit0"):
        from mpi4py import MPI
        MPI.COMM_WORLD.Barrier()
        sys.exit(0)
from mpi4py import MPI
MPI.COMM_WORLD.Barrier()
if who != "nobody" and how not in ("caught", "exit0"):
    time.sleep(40)
"""

#: The lines of the program that are named in a comment.
LINES = {line.partition("# @")[2]: number for number, line in enumerate(PROGRAM.splitlines(), 1) if "# @" in line}

TRACEBACK = """\
[rank 1] Traceback (most recent call last):
[rank 1]   File "{file}", line {call}, in <module>
[rank 1]     inner()  # @call
[rank 1]   File "{file}", line {reason}, in inner
[rank 1]     raise ValueError("the reason,\\nin two lines")  # @reason
[rank 1] ValueError: the reason,
[rank 1] in two lines
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM, encoding="utf-8")
    return file


def shown(ended: Ended) -> list[str]:
    """Give what the job printed as errors, without what `xpaccel run` says before it starts."""
    return [line for line in ended.err.splitlines() if line and not line.startswith("xpaccel: ")]


def without_marks(lines: list[str]) -> list[str]:
    """Leave out the lines of ^^^ and ~~~ that Python puts under a call, which differ between its releases."""
    return [line for line in lines if not re.fullmatch(r"(\[rank \d+\])?\s*[\^~]+", line)]


@pytest.mark.mpi
@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize("when", ["early", "late"])
def test_a_traceback_comes_first_and_whole(program: Path, ranks: int, when: str) -> None:
    ended = run(ranks, [program, "1", "raise", when])
    assert ended.status == 1
    expected = TRACEBACK.format(file=program, **LINES).splitlines()
    assert without_marks(shown(ended))[: len(expected)] == expected
    assert ended.seconds < HANG


@pytest.mark.mpi
@pytest.mark.parametrize("when", ["early", "late"])
@pytest.mark.parametrize(
    ("how", "status", "said"),
    [
        ("exit", 3, "ends with status 3 ({file}:{exit}), and all ranks with it"),
        ("SystemExit", 4, "ends with status 4 ({file}:{SystemExit}), and all ranks with it"),
        ("message", 1, "ends with status 1 ({file}:{message}), and all ranks with it: no input"),
        ("interrupt", 130, "KeyboardInterrupt"),
        ("thread", 1, "in two lines"),
    ],
)
def test_every_way_to_fail_ends_the_job(program: Path, when: str, how: str, status: int, said: str) -> None:
    ended = run(3, [program, "1", how, when])
    assert ended.status == status
    tagged = [line for line in shown(ended) if line.startswith("[rank ")]
    assert shown(ended)[: len(tagged)] == tagged
    assert tagged[-1] == "[rank 1] " + said.format(file=program, **LINES)


@pytest.mark.mpi
def test_of_ranks_that_fail_together_one_speaks(program: Path) -> None:
    ended = run(4, [program, "all", "raise", "late"])
    assert ended.status == 1
    assert len([line for line in shown(ended) if "Traceback" in line]) == 1


@pytest.mark.mpi
@pytest.mark.parametrize("how", ["caught", "exit0"])
def test_what_is_no_failure_ends_nothing(program: Path, how: str) -> None:
    ended = run(2, [program, "1", how, "late"])
    assert (ended.status, shown(ended)) == (0, [])
    assert ended.out == ("caught 5\n" if how == "caught" else "")


@pytest.mark.mpi
@pytest.mark.parametrize(("how", "status"), [("raise", 1), ("exit", 3), ("message", 1), ("thread", 1), ("caught", 0)])
def test_installed_by_the_first_grid_of_a_program_that_mpiexec_started(program: Path, how: str, status: int) -> None:
    mpiexec = starters.find(need_mpi())
    root = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    ended = start([mpiexec.path, "-n", "2", sys.executable, program, "1", how, "installed"], **root)
    assert ended.status == status
    assert [line.startswith("[rank 1] ") for line in shown(ended)[:1]] == [True] * (status != 0)


@pytest.mark.mpi
def test_a_rank_that_is_killed_ends_the_job() -> None:
    code = """\
import os, signal
from mpi4py import MPI
if MPI.COMM_WORLD.rank == 1:
    os.kill(os.getpid(), signal.SIGKILL)
MPI.COMM_WORLD.recv()
"""
    ended = run(2, ["-c", code])
    assert ended.status != 0


@pytest.mark.mpi
def test_a_forked_child_is_no_rank() -> None:
    code = """\
import os
from mpi4py import MPI
child = os.fork()
if child == 0:
    raise ValueError("of a child")
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
MPI.COMM_WORLD.Barrier()
print("status", status)
"""
    ended = run(2, ["-c", code])
    assert ended.status == 0
    assert ended.out == "status 1\n" * 2


def test_a_thread_that_fails_while_mpi_is_imported() -> None:
    code = """\
import sys, threading, time, types
sys.modules["mpi4py.MPI"] = types.ModuleType("mpi4py.MPI")
def inner():
    raise ValueError("in a thread")
threading.Thread(target=inner).start()
time.sleep(20)
"""
    done = subprocess.run([sys.executable, "-c", ALONE + code], capture_output=True, text=True, check=False, timeout=15)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "[rank 0] ValueError: in a thread"


@pytest.mark.parametrize(("code", "status"), [(None, 0), (0, 0), (3, 3), (256, 0), (-1, 255), ("text", 1), (2.0, 1)])
def test_status_is_that_of_the_process(code: object, status: int) -> None:
    assert abort.status(code) == status
    alone = subprocess.run([sys.executable, "-c", f"raise SystemExit({code!r})"], capture_output=True, check=False)
    assert alone.returncode == status


ALONE = """\
from xpaccel.domain import abort
import sys
abort.install()
abort.install()
"""


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
        ("sys.exit(3)", 3, "ends with status 3 (<string>:5), and all ranks with it"),
        ("sys.exit()", 0, ""),
        ("sys.exit(None)", 0, ""),
        ("import atexit; atexit.register(print, 'bye', file=sys.stderr); sys.exit(0)", 0, "bye"),
        ("raise SystemExit(3)", 3, ""),
        ("import threading; t = threading.Thread(target=sys.exit, args=(3,)); t.start(); t.join()", 0, ""),
    ],
)
def test_hooks_in_a_single_process(code: str, status: int, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", ALONE + code], capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert (done.stderr.splitlines() or [""])[-1].removeprefix("[rank 0] ") == said
