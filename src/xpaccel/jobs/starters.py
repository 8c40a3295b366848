"""Which program starts ranks here: one that belongs to the MPI library that mpi4py loads."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xpaccel.domain.library import Library
from xpaccel.errors import UserError
from xpaccel.jobs import launchers
from xpaccel.jobs.launchers import LAUNCHERS

# Debian lets several MPIs live side by side: theirs have a suffix, and one of them is `mpiexec`.
_NAMES = ("mpiexec", "mpirun", "mpiexec.openmpi", "mpiexec.mpich", "mpiexec.hydra")
_SECONDS = 20
_TEMPLATE = "give a command line (--launcher 'srun -n {ranks} -c {threads_per_rank}')"


@dataclass(frozen=True)
class Starter:
    """A program that starts ranks.

    Parameters
    ----------
    path : str
        Where it lies.
    launcher : str
        Its name in `LAUNCHERS`.
    """

    path: str
    launcher: str

    @property
    def kind(self) -> str:
        """Whose ranks it starts."""
        return LAUNCHERS[self.launcher].kind


def find(library: Library, environ: Mapping[str, str] = os.environ) -> Starter:
    """Find the program that starts ranks of a library: that of its own installation first, then on ``PATH``.

    Raises
    ------
    xpaccel.UserError
        If there is none; the ones that belong to another MPI are named. Ranks that they start would each be alone.
    """
    others = []
    for path in candidates(library.file, environ):
        starter = ask(path)
        if starter is not None and starter.kind == library.kind:
            return starter
        others.append(f"{path} ({'not known' if starter is None else starter.launcher})")
    loads = f"mpi4py loads {library.version} ({library.file or 'place not known'})"
    if not others:
        raise UserError(
            f"{loads}, and there is no mpiexec or mpirun, neither beside it nor on PATH: load the module that has it, "
            f"or {_TEMPLATE}"
        )
    raise UserError(
        f"{loads}, and no launcher of it was found: {', '.join(others)}. Each rank that another MPI's starts would "
        f"believe that it is alone. Put the mpiexec of that library on PATH, or {_TEMPLATE}, or choose the other "
        "library (MPI4PY_LIBMPI=/path/to/libmpi.so)"
    )


def named(launcher: str, library: Library, environ: Mapping[str, str] = os.environ) -> Starter:
    """Give the program that was asked for by a launcher's name or a path.

    Raises
    ------
    xpaccel.UserError
        If it is not there, is no launcher that is known, or belongs to another MPI than the library.
    """
    if launcher in LAUNCHERS:
        for path in candidates(library.file, environ):
            starter = ask(path)
            if starter is not None and starter.launcher == launcher:
                return _fitting(starter, library)
        raise UserError(f"--launcher {launcher}: none was found, neither beside the MPI library nor on PATH")
    path = shutil.which(os.path.expanduser(launcher), path=environ.get("PATH", os.defpath)) or ""
    if not path:
        raise UserError(f"--launcher {launcher!r}: there is no such program")
    starter = ask(path)
    if starter is None:
        raise UserError(
            f"--launcher {launcher!r}: it is none of {', '.join(LAUNCHERS)} ({path} --version); write a command line "
            "with {ranks} in it, such as " + f"'{launcher} -n {{ranks}}'"
        )
    return _fitting(starter, library)


def _fitting(starter: Starter, library: Library) -> Starter:
    if starter.kind != library.kind:
        raise UserError(
            f"{starter.path} is of {starter.launcher}, and mpi4py loads {library.version} "
            f"({library.file or 'place not known'}): each rank would believe that it is alone"
        )
    return starter


def candidates(file: str | None, environ: Mapping[str, str]) -> Iterator[str]:
    """Go through programs that may start ranks: those in the folders beside the library, then those on ``PATH``."""
    beside = [str(folder / "bin") for folder in Path(file).parents[1:5]] if file else []
    seen = set()
    for folder in (*beside, *filter(None, environ.get("PATH", os.defpath).split(os.pathsep))):
        for name in _NAMES:
            path = shutil.which(name, path=folder)
            if path is not None and path not in seen:
                seen.add(path)
                yield path


def ask(path: str) -> Starter | None:
    """Find out whose it is by its ``--version``; None where that is not known."""
    launcher = launchers.recognise(_run([path, "--version"]))
    return None if launcher is None else Starter(path, launcher)


def _run(command: Sequence[str]) -> str:
    try:
        answer = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout
