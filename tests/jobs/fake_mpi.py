"""A stand-in for `mpirun`: starts ranks on this machine with the environment that each would find on its host.

It is a test double, and reads the options that xpaccel writes, and no others. What it copies from the real ones was
seen with Open MPI 4.1 and 5.0, MPICH 5.0 and Intel MPI 2021: arguments arrive exactly, but for a word that is only a
colon; Open MPI's ranks on other hosts get no variables but those named with ``-x``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

VERSIONS = {
    "openmpi": "mpirun (Open MPI) 5.0.8",
    "mpich": "HYDRA build details:\n    Version: 5.0.2",
    "intelmpi": "Intel(R) MPI Library for Linux* OS, Version 2021.18.1",
    "other": "mpirun of nobody",
}
VALUES = {
    "openmpi": {"-n": 1, "--hostfile": 1, "--map-by": 1, "--bind-to": 1, "-x": 1},
    "mpich": {"-n": 1, "-f": 1, "-bind-to": 1},
    "intelmpi": {"-n": 1, "-f": 1, "-genv": 2},
}
ALWAYS = ("PYTHONPATH", "FAKE_CPUS", "FAKE_GPUS")  # what makes this machine look like a host of the cluster


def main(words: list[str]) -> int:
    mpi = os.environ["FAKE_MPI"]
    if words == ["--version"]:
        print(VERSIONS[mpi])
        return 0
    Path(os.environ["FAKE_MPI_SEEN"]).write_text(json.dumps(words))
    given: dict[str, list[str]] = {}
    while words and words[0].startswith("-"):
        option, count = words[0], VALUES[mpi][words[0]]
        given.setdefault(option, []).extend(words[1 : 1 + count])
        words = words[1 + count :]
    if ":" in words:
        print("mpirun: a colon starts another program", file=sys.stderr)
        return 213
    hosts = Path((given.get("--hostfile") or given["-f"])[0]).read_text().split()
    processes = [
        subprocess.Popen(words, env=_environment(mpi, given, hosts, rank)) for rank in range(int(given["-n"][0]))
    ]
    signal.signal(signal.SIGTERM, lambda number, frame: _forward(processes, number))
    statuses = [process.wait() for process in processes]
    return next((128 - status if status < 0 else status for status in statuses if status), 0)


def _environment(mpi: str, given: dict[str, list[str]], hosts: list[str], rank: int) -> dict[str, str]:
    host = hosts[rank]
    local, size = hosts[:rank].count(host), Counter(hosts)[host]
    own = {"FAKE_HOST": host}
    if "FAKE_CPUS_OF_A_RANK" in os.environ:  # as if it bound each rank to so many
        own["FAKE_CPUS"] = os.environ["FAKE_CPUS_OF_A_RANK"]
    if mpi == "openmpi":
        own |= {"OMPI_COMM_WORLD_RANK": str(rank), "OMPI_COMM_WORLD_SIZE": str(len(hosts))}
        own |= {"OMPI_COMM_WORLD_LOCAL_RANK": str(local), "OMPI_COMM_WORLD_LOCAL_SIZE": str(size)}
    else:
        own |= {"PMI_RANK": str(rank), "PMI_SIZE": str(len(hosts))}
        own |= {"MPI_LOCALRANKID": str(local), "MPI_LOCALNRANKS": str(size)}
    if host == hosts[0] or mpi != "openmpi":
        return dict(os.environ) | own
    named = {name: os.environ[name] for name in (*ALWAYS, *given.get("-x", ()))}
    return {"PATH": "/bin:/usr/bin", "HOME": os.environ["HOME"]} | named | own


def _forward(processes: list[subprocess.Popen[Any]], number: int) -> None:
    for process in processes:
        process.send_signal(number)
