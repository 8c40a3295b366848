"""``python -m xpaccel.jobs.rank ... -- PROGRAM ARGS``: becomes one rank of a job, with a GPU of its own.

It needs no CUDA: it narrows ``CUDA_VISIBLE_DEVICES`` to one entry before anything looks for GPUs, and tells
`xpaccel.config.rank_device` so. ``XP_RANK_DEVICE`` is that entry: while it equals ``CUDA_VISIBLE_DEVICES``, the choice
is made, whatever the number of the rank. ``XP_RANKS_PER_DEVICE`` is how many ranks compute on it.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

from xpaccel.backends import ranks
from xpaccel.backends.gpu import visible
from xpaccel.backends.ranks import NodeRank
from xpaccel.domain.rank import decode
from xpaccel.errors import XpaccelError
from xpaccel.jobs import check, gpus
from xpaccel.jobs.asked import Asked, parser, read
from xpaccel.jobs.gpus import Found


class Refusal(XpaccelError):
    """A rank that cannot be what was asked for."""


def local_rank(asked: Asked, node: NodeRank) -> int:
    """Give the number of a rank on its node, from 0.

    Raises
    ------
    Refusal
        If the launcher started fewer ranks here than were asked for, or leaves nothing that tells them apart.
    """
    if node.size is not None and node.size < asked.ranks_per_node:
        raise Refusal(
            f"{asked.ranks_per_node} ranks a node asked for, {node.size} here ({node.source}); if there are more, "
            f"{ranks.OVERRIDE}"
        )
    return node.rank


def device(asked: Asked, local: int, found: Found) -> str:
    """Choose the GPU of a rank: neighbours share one where there are more ranks than GPUs.

    Raises
    ------
    Refusal
        If there is no such GPU.
    """
    index = local * asked.gpus_per_node // asked.ranks_per_node
    if index >= len(found.entries):
        raise Refusal(
            f"there is no GPU for it: it needs number {index}, and {len(found.entries)} found ({found.source})"
        )
    return found.entries[index]


def variables(asked: Asked, entry: str) -> dict[str, str]:
    """Give what a program's environment gets, so that it sees one GPU and knows that this was meant."""
    return {
        visible.NAME: entry,
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # what nvidia-smi counts by; CUDA itself would sort by speed
        "XP_RANK_DEVICE": entry,
        "XP_RANKS_PER_DEVICE": str(asked.ranks_per_node // asked.gpus_per_node),
    }


def complaints(asked: Asked, environ: Mapping[str, str], mask: int) -> Iterator[str]:
    """Say what this rank lacks."""
    yield from check.threads(asked, environ)
    yield from check.cores(asked.threads_per_rank, mask)


def prepare(asked: Asked, *, alone: bool, checked: bool) -> dict[str, str]:
    """Look at this rank's surroundings, and give the environment of its program.

    Parameters
    ----------
    asked : Asked
        What the job asked for.
    alone : bool
        Is it the only rank, without a launcher? `xpaccel.jobs.check` has then looked already.
    checked : bool
        Is it an error if it lacks threads or cores?

    Raises
    ------
    xpaccel.XpaccelError
        If it lacks something, or it cannot be told which GPU is its own.
    """
    environ = dict(os.environ)
    if checked and not alone:
        different = list(complaints(asked, environ, len(os.sched_getaffinity(0))))
        if different:
            raise Refusal("; ".join(different))
    if not asked.gpus_per_node:
        return environ
    local = 0 if alone else local_rank(asked, ranks.node_rank())
    return environ | variables(asked, device(asked, local, gpus.look(environ)))


def main(words: Sequence[str]) -> NoReturn:
    """Check, choose, and become the program."""
    made = parser("xpaccel.jobs.rank", "Run a program as one rank of a job, on a GPU of its own.")
    made.add_argument("--alone", action="store_true", help="no launcher started this process")
    made.add_argument("--no-check", action="store_true", help="do not look at threads and cores")
    split = list(words).index("--") if "--" in words else len(words)
    options = made.parse_args(words[:split])
    program = decode(words[split + 1 :])
    if not program:
        made.error("say which program to run: -- PROGRAM ARGS")
    try:
        environ = prepare(read(options), alone=options.alone, checked=not options.no_check)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)  # Python ignores them, and the program would inherit that
        os.execvpe(program[0], program, environ)
    except XpaccelError as error:
        _leave(str(error), alone=options.alone)
    except OSError as error:
        _leave(f"cannot run {program[0]}: {error.strerror}", alone=options.alone)


def _leave(why: str, *, alone: bool) -> NoReturn:
    """End the job. Where a rank only exits, Hydra lets the others wait for it in ``MPI_Init`` until the walltime."""
    print(f"xpaccel: a rank on {socket.gethostname()} stops: {why}", file=sys.stderr, flush=True)
    if not alone:
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
