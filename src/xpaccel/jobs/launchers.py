"""How ranks are started: one row for each MPI whose command line is known, and a template for all others."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from xpaccel.errors import UserError
from xpaccel.jobs.resources import Resources
from xpaccel.jobs.shell import fill, nearest


@dataclass(frozen=True)
class Launcher:
    """An MPI's command line, as a template (`xpaccel.jobs.shell.fill`).

    Parameters
    ----------
    start : str
        The command and how many ranks there are.
    hosts : str
        Where they go: a file that names a host once a rank.
    bound, free : str
        What is added so that each rank is bound to its own cores, or to none.
    crowded : str
        What is added where there are more threads than cores.
    tagged : str
        What is added so that each line of output says which rank wrote it.
    signs : tuple of str
        What ``mpirun --version`` of this MPI says, one of these, and of no other MPI.
    kind : str
        Whose ranks it starts, as in `xpaccel.domain.library.Library`.
    bare : bool
        Do ranks on other nodes start without the job's variables, unless they are named?
    root : str
        What is added where it is root who starts it; empty where nothing is needed.
    settings : mapping of str to str
        Variables that it is started with, where they are not set.
    """

    start: str
    hosts: str
    bound: str
    free: str
    crowded: str
    tagged: str
    signs: tuple[str, ...]
    kind: str
    bare: bool = False
    root: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


# The order is that of the search: Intel's and MVAPICH's starters descend from MPICH's Hydra.
LAUNCHERS = {
    "openmpi": Launcher(
        start="mpirun -n {ranks}",
        hosts="--hostfile {hosts}",
        bound="--map-by ppr:{ranks_per_node}:node:PE={threads_per_rank} --bind-to core",
        free="--map-by slot --bind-to none",
        crowded="--map-by slot:OVERSUBSCRIBE --bind-to none",
        tagged="--tag-output",
        signs=("Open MPI", "OpenRTE"),  # release 4 says so under the names mpiexec.openmpi and orterun
        kind="openmpi",
        bare=True,
        root="--allow-run-as-root",
        # Its default keeps a lock in memory that ranks share. One that dies before MPI_Init made 1 of 30 mpirun of
        # Open MPI 5.0.11 hang or crash on it (openpmix issue 2967), none of 300 without that memory.
        settings={"PMIX_MCA_gds": "hash"},
    ),
    "intelmpi": Launcher(
        start="mpirun -n {ranks}",
        hosts="-f {hosts}",
        bound="-genv I_MPI_PIN 1 -genv I_MPI_PIN_CELL core -genv I_MPI_PIN_DOMAIN {threads_per_rank}:compact",
        free="-genv I_MPI_PIN 0",
        crowded="-genv I_MPI_PIN 0",
        tagged="-prepend-rank",
        signs=("Intel(R) MPI",),
        kind="mpich",
    ),
    "mpich": Launcher(
        start="mpirun -n {ranks}",
        hosts="-f {hosts}",
        bound="-bind-to core:{threads_per_rank}",
        free="-bind-to none",
        crowded="-bind-to none",
        tagged="-prepend-rank",
        signs=("HYDRA",),
        kind="mpich",
    ),
}
NAMES = ("auto", "none", *LAUNCHERS)


def recognise(version: str) -> str | None:
    """Return the name of the launcher whose ``--version`` this is; None for one that is not known."""
    return next((name for name, row in LAUNCHERS.items() if any(sign in version for sign in row.signs)), None)


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


# PBS names a host once a rank in its node file, so the file alone says how many ranks a host takes.
_HOSTS = '"$PBS_NODEFILE"'

# Open MPI starts ranks on other nodes with a bare environment. What belongs to one host or one process stays behind:
# the GPUs that a site's hook shows are another list on each host.
_STAY_FAMILIES = ("PBS_", "OMPI_", "PMIX_", "PRTE_")
_STAY = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "TMPDIR", "HOSTNAME", "PWD", "OLDPWD", "SHLVL", "_")

_FORWARD = f"""\
        for name in $(compgen -e); do
            case $name in
                PBS_JOBID) launch+=(-x "$name") ;;
                {" | ".join((*(f"{family}*" for family in _STAY_FAMILIES), *_STAY))}) ;;
                *) launch+=(-x "$name") ;;
            esac
        done"""


def forwarded(names: Collection[str]) -> list[str]:
    """Return which variables ranks on other nodes are given, of an MPI that starts them without any."""
    stays = {name for name in names if name.startswith(_STAY_FAMILIES) or name in _STAY} - {"PBS_JOBID"}
    return [name for name in names if name not in stays and name.isidentifier()]  # bash exports functions by odd names


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
            signs = " | ".join(f'*"{sign}"*' for sign in row.signs)
            lines += [f"    {signs})", *_start(row, bind, cpus, values), "        ;;"]
        lines.append(f'    *) fail "{_NO_MPIRUN}" ;;')
        lines.append("esac")
    return lines, '"${launch[@]}"'


_NO_MPIRUN = "found no mpirun that it knows: load a module that has one (--module), or give the launcher (--launcher)"


def _start(row: Launcher, bind: str, cpus: int | None, values: Mapping[str, object]) -> list[str]:
    values = {**values, "hosts": _HOSTS}
    start, bound, free = (fill(text, values, "launcher") for text in (f"{row.start} {row.hosts}", row.bound, row.free))
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
