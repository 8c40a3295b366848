"""Whether another rank of the same job and node already took a GPU, found out without MPI.

Two ranks on one GPU are slow or run out of memory, and nothing in the environment of one rank shows it: under
PBS's cgroup hook a job of four ranks and one GPU gives each rank the same list of one, and a launcher that
hands out a GPU a rank gives each a list of one too. So each rank binds a name that only ranks of its job and
GPU use, an abstract Unix socket, and looks for names of other ranks. The kernel frees a name with its process,
there is no file, and of two ranks at least one sees the other because each binds before it looks.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path

#: Together these tell two jobs of one user on a node apart.
_JOB = ("PBS_JOBID", "SLURM_JOB_ID", "SLURM_STEP_ID", "PALS_APID", "PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid")

_bound: dict[str, socket.socket] = {}


def claim(uuid: str, rank: int, environ: Mapping[str, str] | None = None) -> list[int]:
    """Take a GPU for a rank until this process ends, and return which other ranks of the node took it too.

    Parameters
    ----------
    uuid
        Which GPU.
    rank
        Which rank of this node asks. Processes that it started itself are the same rank.
    environ
        The environment that tells the job; this process's where it is not given.

    Returns
    -------
    list of int
        Empty where there are none, and where this cannot be found out: where there are no abstract sockets, or the
        ranks run in containers with networks of their own.
    """
    name = _name(uuid, os.environ if environ is None else environ)
    mine = f"{name}-{rank}"
    if mine not in _bound:
        with contextlib.suppress(OSError):  # bound by a parent or a child, or no such sockets here
            end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                end.bind(f"\0{mine}")
            except OSError:
                end.close()
                raise
            _bound[mine] = end
    try:
        names = Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    ranks = {int(other) for other in re.findall(rf"@{name}-(\d+)$", names, re.MULTILINE)}
    return sorted(ranks - {rank})


def release() -> None:
    """Give back all that this process took."""
    while _bound:
        _bound.popitem()[1].close()


def _name(uuid: str, environ: Mapping[str, str]) -> str:
    """Return a name for one user's job and GPU; a socket's is at most 107 bytes long, a job's may be longer."""
    job = "\0".join(environ.get(variable, "") for variable in _JOB)
    return f"xpaccel-gpu-{os.getuid()}-{hashlib.sha256(f'{job}{chr(0)}{uuid}'.encode()).hexdigest()[:16]}"
