"""How ranks are started: one row for each MPI whose command line is known, and a template for all others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from xpaccel.errors import UserError
from xpaccel.jobs.resources import Resources
from xpaccel.jobs.shell import fill, nearest


@dataclass(frozen=True)
class Launcher:
    """An MPI's command line, as a template (`xpaccel.jobs.shell.fill`).

    Parameters
    ----------
    start : str
        The command and how many ranks go where.
    bound, free : str
        What is added so that each rank is bound to its own cores, or to none.
    sign : str
        What ``mpirun --version`` of this MPI says, and of no other.
    bare : bool
        Do ranks on other nodes start without the job's variables, unless they are named?
    """

    start: str
    bound: str
    free: str
    sign: str
    bare: bool = False


# PBS names a host once a rank in its node file, so the file alone says how many ranks a host takes.
# The order is that of the search: Intel's and MVAPICH's starters descend from MPICH's Hydra.
LAUNCHERS = {
    "openmpi": Launcher(
        'mpirun -n {ranks} --hostfile "$PBS_NODEFILE"',
        "--map-by ppr:{ranks_per_node}:node:PE={threads_per_rank} --bind-to core",
        "--map-by slot --bind-to none",
        "Open MPI",
        bare=True,
    ),
    "intelmpi": Launcher(
        'mpirun -n {ranks} -f "$PBS_NODEFILE"',
        "-genv I_MPI_PIN 1 -genv I_MPI_PIN_CELL core -genv I_MPI_PIN_DOMAIN {threads_per_rank}:compact",
        "-genv I_MPI_PIN 0",
        "Intel(R) MPI",
    ),
    "mpich": Launcher(
        'mpirun -n {ranks} -f "$PBS_NODEFILE"',
        "-bind-to core:{threads_per_rank}",
        "-bind-to none",
        "HYDRA",
    ),
}
NAMES = ("auto", "none", *LAUNCHERS)


def check(launcher: str) -> None:
    """Make sure that it is a name, or a template.

    Raises
    ------
    xpaccel.UserError
        If it is neither.
    """
    if launcher in NAMES or re.search(r"(?<!\$)\{ranks\}", launcher):
        return
    raise UserError(
        f"launcher {launcher!r}: {nearest(launcher, NAMES)} "
        "Or write a command line with {ranks} in it, such as 'mpiexec -n {ranks}'"
    )


# Open MPI starts ranks on other nodes with a bare environment. What belongs to one host or one process stays behind:
# the GPUs that a site's hook shows are another list on each host.
_FORWARD = """\
        for name in $(compgen -e); do
            case $name in
                PBS_JOBID) launch+=(-x "$name") ;;
                PBS_* | OMPI_* | PMIX_* | PRTE_* | CUDA_VISIBLE_DEVICES | CUDA_DEVICE_ORDER) ;;
                TMPDIR | HOSTNAME | PWD | OLDPWD | SHLVL | _) ;;
                *) launch+=(-x "$name") ;;
            esac
        done"""

_CORES = """\
# Ranks are bound to cores only where the cores that this job sees are its own: elsewhere other jobs compute on this
# node too, and two that bind would share cores while others are idle. (nproc would believe OMP_NUM_THREADS.)
cores=$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)"""


def command(launcher: str, bind: str, resources: Resources, values: Mapping[str, object]) -> tuple[list[str], str]:
    """Write how the ranks are started.

    Parameters
    ----------
    launcher, bind : str
        As in `Site`.
    resources : Resources
        What was asked for, its `place` filled in.
    values : mapping
        What the placeholders of templates stand for.

    Returns
    -------
    lines : list of str
        Lines of bash that come first.
    start : str
        What to write before the program of each rank; empty where there is one rank and it needs no launcher.

    Raises
    ------
    xpaccel.UserError
        If several ranks are to start without a launcher, or be bound on hosts whose number of ranks is not known.
    """
    if launcher == "auto" and resources.ranks == 1:
        return [], ""
    if launcher == "none":
        if resources.ranks > 1:
            raise UserError(f"launcher 'none' starts one rank, and {resources.ranks} are asked for")
        return [], ""
    if launcher not in NAMES:
        return [], fill(launcher, values, "launcher")
    # Unless chunks are scattered, several may come to one host, and how many ranks it has is known in the job only.
    place = resources.place or ""
    fixed = resources.nodes == 1 or place.startswith("scatter")
    if bind == "core" and not fixed:
        raise UserError(f"bind 'core' with place {place!r}: how many ranks a node has is open; use place 'scatter'")
    if not fixed:
        bind = "none"
    elif bind == "auto" and ":excl" in place:
        bind = "core"
    cpus = resources.cpus_per_node if bind == "auto" else None
    lines = [_CORES] if cpus else []
    if launcher != "auto":
        lines += [line.removeprefix("        ") for line in _start(LAUNCHERS[launcher], bind, cpus, values)]
    else:
        lines.append('case "$(mpirun --version 2>&1)" in')
        for row in LAUNCHERS.values():
            lines += [f'    *"{row.sign}"*)', *_start(row, bind, cpus, values), "        ;;"]
        lines.append(f'    *) fail "{_NO_MPIRUN}" ;;')
        lines.append("esac")
    return lines, '"${launch[@]}"'


_NO_MPIRUN = "found no mpirun that it knows: load a module that has one (--module), or give the launcher (--launcher)"


def _start(row: Launcher, bind: str, cpus: int | None, values: Mapping[str, object]) -> list[str]:
    start, bound, free = (fill(text, values, "launcher") for text in (row.start, row.bound, row.free))
    if cpus is None:
        lines = [f"        launch=({start} {bound if bind == 'core' else free})"]
    else:
        lines = [
            f"        launch=({start})",
            f'        if [ "$cores" -le {cpus} ]; then',
            f"            launch+=({bound})",
            "        else",
            f"            launch+=({free})",
            "        fi",
        ]
    return lines + (_FORWARD.splitlines() if row.bare else [])
