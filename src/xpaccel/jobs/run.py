"""The command line that starts ranks from here: threads, binding and what else the MPI that was found needs.

Everything is decided from values (`Asked`, `Host`), so that it can be looked at without starting anything.
"""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from xpaccel.errors import UserError
from xpaccel.jobs.cores import Cores
from xpaccel.jobs.launchers import LAUNCHERS, Launcher, forwarded
from xpaccel.jobs.shell import fill, join
from xpaccel.jobs.starters import Starter

BINDINGS = ("auto", "core", "none")

_ROOT = ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the user asked for.

    Parameters
    ----------
    ranks : int
        All ranks.
    threads : int or None
        Threads of each; None leaves it to the environment and the cores.
    bind : str
        ``core`` binds ranks to cores, ``none`` does not, ``auto`` where they take all cores there are: elsewhere other
        programs compute too, and two that bind would share cores while others are idle.
    oversubscribe : bool
        May there be more threads than cores?
    tagged : bool
        Shall each line of output say which rank wrote it?
    words : tuple of str
        What each rank runs.
    """

    ranks: int
    threads: int | None = None
    bind: str = "auto"
    oversubscribe: bool = False
    tagged: bool = False
    words: tuple[str, ...]

    def __post_init__(self) -> None:
        for name, value in (("-n", self.ranks), ("--threads", self.threads)):
            if value is not None and value < 1:
                raise UserError(f"{name} {value}: it must be at least 1")
        if self.bind not in BINDINGS:
            raise UserError(f"--bind {self.bind!r}: there are {', '.join(BINDINGS)}")


@dataclass(frozen=True, kw_only=True)
class Host:
    """Where the ranks are started.

    Parameters
    ----------
    cores : Cores
        What they may compute on, here; other nodes of a job are taken to have as much.
    environ : mapping
        The environment.
    hosts : tuple of str
        The lines of ``PBS_NODEFILE``; none outside a job.
    root : bool
        Is this user root?
    container : bool
        Is this a container? Its root is not that of the machine.
    """

    cores: Cores
    environ: Mapping[str, str]
    hosts: tuple[str, ...] = ()
    root: bool = False
    container: bool = False


@dataclass(frozen=True)
class Plan:
    """What is started.

    Parameters
    ----------
    words : tuple of str
        The command.
    environment : mapping
        What is set for it.
    notes : tuple of str
        What the user should know.
    """

    words: tuple[str, ...]
    environment: Mapping[str, str]
    notes: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        """Write it as a line for a shell."""
        return join(f"{name}={value}" for name, value in self.environment.items()) + " " + join(self.words)


def plan(asked: Asked, host: Host, launcher: Starter | str | None) -> Plan:
    """Write the command that starts the ranks.

    Parameters
    ----------
    asked : Asked
        What the user asked for.
    host : Host
        Where it is started.
    launcher : Starter, str or None
        The program that starts ranks; or a command line with ``{ranks}`` in it; or None for a single rank.

    Raises
    ------
    xpaccel.UserError
        If there are fewer cores than threads and that was not allowed, with the line that mends it; or if the launcher
        would refuse.
    """
    local = ranks_here(asked.ranks, host)
    threads = threads_per_rank(asked, host, local)
    notes = list(_crowding(asked, host, local, threads))
    environment = _environment(threads, host.environ)
    if launcher is None:
        return Plan(asked.words, environment, tuple(notes))
    values = {
        "ranks": asked.ranks,
        "ranks_per_node": local,
        "threads_per_rank": threads,
        "hosts": shlex.quote(host.environ.get("PBS_NODEFILE", "")),
    }
    if isinstance(launcher, str):
        if asked.tagged:
            raise UserError("--tag-output: write what your launcher needs for it into its command line (--launcher)")
        return Plan((*shlex.split(fill(launcher, values, "launcher")), *asked.words), environment, tuple(notes))
    row = LAUNCHERS[launcher.launcher]
    environment |= {name: value for name, value in row.settings.items() if name not in host.environ}
    parts = [row.start, row.crowded if notes else _bound(asked, host, local * threads, row)]
    parts += [row.hosts] if host.hosts else []
    parts += [row.tagged] if asked.tagged else []
    if host.root and row.root and not all(name in host.environ for name in _ROOT):
        notes.append(_as_root(host, row))
        parts.append(row.root)
    options = shlex.split(fill(" ".join(parts), values, "launcher"))[1:]
    if row.bare and len(set(host.hosts)) > 1:
        options += [word for name in forwarded({**host.environ, **environment}) for word in ("-x", name)]
    return Plan((launcher.path, *options, *asked.words), environment, tuple(notes))


def ranks_here(ranks: int, host: Host) -> int:
    """Give how many ranks come to the node that has most of them."""
    if host.hosts:
        rounds, rest = divmod(ranks, len(host.hosts))
        counts = Counter(host.hosts * rounds + host.hosts[:rest])
        return max(counts.values())
    nodes = host.environ.get("SLURM_JOB_NUM_NODES", "")
    return -(-ranks // int(nodes)) if nodes.isdigit() and int(nodes) else ranks


def threads_per_rank(asked: Asked, host: Host, local: int) -> int:
    """Give the threads of each rank: what was asked for, what the environment says, or a share of the cores."""
    if asked.threads is not None:
        return asked.threads
    for name in ("XP_NUM_THREADS", "OMP_NUM_THREADS"):
        first = host.environ.get(name, "").split(",")[0].strip()
        if first.isdigit() and int(first) >= 1:
            return int(first)
    return max(1, host.cores.number // local)


def _crowding(asked: Asked, host: Host, local: int, threads: int) -> Iterator[str]:
    """Say where there are more threads than cores, or ranks than places: an error, unless that is allowed."""
    cores, places = host.cores.number, len(host.hosts)
    if local * threads > cores:
        mended = f"-n {asked.ranks} --threads {cores // local}" if local <= cores else f"-n {cores} --threads 1"
        what = (
            f"{local} ranks a node of {threads} threads need {local * threads} cores, and there are {cores} "
            f"({host.cores.reason})"
        )
        remedy = f"xpaccel run {mended} ... fits"
    elif host.hosts and asked.ranks > places:
        what = f"PBS gave this job places for {places} ranks (PBS_NODEFILE), and {asked.ranks} are asked for"
        remedy = "ask for them with mpiprocs (qsub -l select=NODES:ncpus=CORES:mpiprocs=RANKS)"
    else:
        return
    if not asked.oversubscribe:
        raise UserError(f"{what}: {remedy}; --oversubscribe starts them all the same")
    yield f"{what}: oversubscribed, so ranks may wait for each other's cores"


def _bound(asked: Asked, host: Host, needed: int, row: Launcher) -> str:
    all_of_them = needed == host.cores.number and host.cores.whole
    return row.bound if asked.bind == "core" or (asked.bind == "auto" and all_of_them) else row.free


def _as_root(host: Host, row: Launcher) -> str:
    if not host.container:
        raise UserError(
            "Open MPI does not start ranks as root, and this is no container: start them as a user, or set "
            f"{_ROOT[0]}=1 and {_ROOT[1]}=1 if you mean it"
        )
    return f"this is root in a container: {row.root} is given, without which Open MPI starts nothing"


def _environment(threads: int, environ: Mapping[str, str]) -> dict[str, str]:
    """Give what is set for the ranks; BLAS libraries read ``OMP_NUM_THREADS`` where their own variable is not set."""
    also = [name for name in ("XP_NUM_THREADS", "NCPUS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS") if name in environ]
    return {name: str(threads) for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", *also)}


def python(executable: str, program: Sequence[str]) -> tuple[str, ...]:
    """Give what each rank runs, so that one that raises ends the job (`xpaccel.domain.rank`)."""
    from xpaccel.domain.rank import encode

    return (executable, "-P", "-m", "xpaccel.domain.rank", *encode(program))


def in_container(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a container, as far as it can be told: by its engine's marks, or by what process 1 is."""
    marks = ("/.dockerenv", "/run/.containerenv", "/singularity", "/.singularity.d")
    if any(map(os.path.exists, marks)) or "container" in environ or "KUBERNETES_SERVICE_HOST" in environ:
        return True
    try:
        with open("/proc/1/comm", encoding="utf-8") as first:
            return first.read().strip() not in ("systemd", "init", "openrc-init", "runit")
    except OSError:
        return False
