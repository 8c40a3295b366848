"""Real ranks for tests: `xpaccel run` in a process of its own, with the MPI that this environment has."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from xpaccel.domain import library
from xpaccel.domain.library import Library

SECONDS = 60


@dataclass(frozen=True)
class Ended:
    """How a job ended, what it printed, and how long it took."""

    status: int
    out: str
    err: str
    seconds: float


@cache
def mpi() -> Library | str:
    return library.look()


def need_mpi() -> Library:
    """Skip the running test where mpi4py finds no library; fail where ``XP_REQUIRE`` names mpi."""
    found = mpi()
    if isinstance(found, str):
        if "mpi" in os.environ.get("XP_REQUIRE", "").replace(",", " ").split():
            pytest.fail(f"XP_REQUIRE asks for mpi: {found}", pytrace=False)
        pytest.skip(found)
    return found


def run(ranks: int, program: Sequence[str | Path], *options: str, **environment: str) -> Ended:
    """Run a program (``["-c", code]``, or a file and its arguments) on several ranks, more than there are cores too."""
    need_mpi()
    command = [sys.executable, "-P", "-m", "xpaccel", "run", "-n", str(ranks), "--threads", "1", "--oversubscribe"]
    return start([*command, *options, *program], **environment)


def start(command: Sequence[str | Path], **environment: str) -> Ended:
    begin = time.perf_counter()
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, **environment},
    )
    return Ended(done.returncode, done.stdout, done.stderr, time.perf_counter() - begin)
