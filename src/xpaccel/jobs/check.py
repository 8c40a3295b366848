"""``python -m xpaccel.jobs.check``, in a job: did it get what it asked for? Status 1 if not.

It runs on the first host before the program starts. Other hosts are looked at by their own ranks (`xpaccel.jobs.rank`).
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from xpaccel.jobs import gpus
from xpaccel.jobs.asked import Asked, parse
from xpaccel.jobs.gpus import Found


def allocation(asked: Asked, hosts: Sequence[str]) -> Iterator[str]:
    """Say what differs in nodes and ranks.

    Parameters
    ----------
    asked : Asked
        What the job asked for.
    hosts : sequence of str
        The lines of ``PBS_NODEFILE``: a host once a rank. Chunks that came to one host are one there.
    """
    lines = asked.nodes * asked.lines_per_chunk
    counts = Counter(hosts)
    got = ", ".join(f"{host} ({count})" for host, count in counts.items()) or "none"
    if len(hosts) != lines:
        yield f"ranks: {lines} asked for, PBS_NODEFILE has {len(hosts)}: {got}"
    if asked.scattered and len(counts) != asked.nodes:
        yield f"nodes: {asked.nodes} asked for, PBS_NODEFILE has {len(counts)}: {got}"
    uneven = [host for host, count in counts.items() if not _fits(asked, count)]
    if uneven:
        yield f"ranks a node: {asked.lines_per_chunk} asked for, PBS_NODEFILE has: {got}"


def _fits(asked: Asked, count: int) -> bool:
    if asked.scattered:
        return count == asked.lines_per_chunk
    return count % asked.lines_per_chunk == 0  # several chunks on one host


def threads(asked: Asked, environ: Mapping[str, str]) -> Iterator[str]:
    """Say where the environment gives a rank another number of threads; kernels obey both variables."""
    wanted = asked.threads_per_rank
    if environ.get("OMP_NUM_THREADS") != str(wanted):
        yield f"threads a rank: {wanted} asked for, OMP_NUM_THREADS is {environ.get('OMP_NUM_THREADS', 'not set')}"
    ncpus = environ.get("NCPUS", "")
    if ncpus.isdigit() and int(ncpus) < wanted:
        yield f"threads a rank: {wanted} asked for, NCPUS is {ncpus}"


def cores(wanted: int, mask: int) -> Iterator[str]:
    """Say where fewer cores may be used than were asked for; a mask of more cores is a site that does not confine."""
    if mask < wanted:
        yield f"cores: {wanted} asked for, {mask} may be used (affinity mask)"


def devices(wanted: int, found: Found) -> Iterator[str]:
    """Say where fewer GPUs can be seen than were asked for."""
    if len(found.entries) < wanted:
        yield f"GPUs on this node: {wanted} asked for, {len(found.entries)} found ({found.source})"


def notes(wanted: int, found: Found) -> Iterator[str]:
    """Say what is no failure, and worth knowing."""
    if wanted and not found.given and len(found.entries) > wanted:
        yield (
            f"this node shows {len(found.entries)} GPUs, {wanted} were asked for, and the site does not say which: "
            "another job here may compute on the same ones. Ask for whole nodes (--place scatter:excl), or for all GPUs"
        )


def differences(asked: Asked, hosts: Sequence[str], environ: Mapping[str, str], mask: int, found: Found) -> list[str]:
    """Give all that differs on the first host; nothing where the job is as asked."""
    here = max(1, hosts.count(hosts[0]) // asked.lines_per_chunk) if hosts else 1  # chunks on this host
    return [
        *allocation(asked, hosts),
        *threads(asked, environ),
        *cores(here * asked.ranks_per_node * asked.threads_per_rank, mask),
        *devices(here * asked.gpus_per_node, found),
    ]


def main(words: Sequence[str]) -> int:
    """Compare, and say on standard error what was found; gives the exit status."""
    asked = parse("xpaccel.jobs.check", "Compare what a PBS job got with what it asked for.", words)
    try:
        hosts = nodefile(os.environ)
    except (KeyError, OSError) as error:
        return _report([f"PBS_NODEFILE cannot be read ({error}): is this a PBS job?"])
    found = gpus.look() if asked.gpus_per_node else Found((), "not looked for", given=True)
    different = differences(asked, hosts, os.environ, len(os.sched_getaffinity(0)), found)
    if different:
        return _report(different)
    for note in notes(asked.gpus_per_node, found):
        print(f"xpaccel: {note}", file=sys.stderr)
    gpu = f", {asked.gpus_per_node} GPUs a node" if asked.gpus_per_node else ""
    print(
        f"xpaccel: as asked: {asked.ranks_per_node} ranks a node of {asked.threads_per_rank} threads{gpu} on "
        f"{' '.join(dict.fromkeys(hosts))}",
        file=sys.stderr,
    )
    return 0


def nodefile(environ: Mapping[str, str]) -> list[str]:
    """Read the hosts of the job, one a rank.

    Raises
    ------
    KeyError
        If ``PBS_NODEFILE`` is not set.
    OSError
        If the file cannot be read.
    """
    return Path(environ["PBS_NODEFILE"]).read_text(encoding="utf-8").split()


def _report(different: Sequence[str]) -> int:
    print("xpaccel: this job did not get what it asked for:", file=sys.stderr)
    for each in different:
        print(f"  {each}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
