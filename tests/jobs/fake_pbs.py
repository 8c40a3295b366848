"""A stand-in for PBS: `qsub` as strict as an OpenPBS 23.06 was seen to be, and the environment that its jobs get.

It is a test double. It knows the options and resources that these tests use, answers wrong ones with PBS's words and
exit status, and runs a job on this machine, whatever hosts it was given.
"""

from __future__ import annotations

import getopt
import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

OPTIONS = "a:A:c:C:e:fhIJ:j:k:l:m:M:N:o:p:q:P:r:R:S:u:v:VW:Xz"
USAGE = "usage: qsub [-a date_time] [-A account_string] ...\n"
QUEUES = {"workq", "gpu"}
CHUNK = {"ncpus": "count", "mpiprocs": "count", "ompthreads": "count", "ngpus": "count", "mem": "size", "host": "text"}
JOB_WIDE = {"walltime", "cput", "nodes", "select", "place"}


class Refused(Exception):
    """What `qsub` says, and the status that it ends with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Submission:
    """What PBS keeps of a job."""

    name: str
    chunks: int
    chunk: dict[str, str]
    place: str
    walltime: str | None
    options: dict[str, str]
    workdir: str = ""
    path: str = ""
    resource_list: dict[str, str] = field(default_factory=dict)


def directives(script: bytes) -> list[str]:
    """Give what stands behind ``#PBS``, up to the first line that is neither blank nor a comment."""
    if b"\r" in script:
        raise Refused(1, "qsub: script contains cr, lf")
    found = []
    for raw in script.decode(errors="surrogateescape").split("\n"):
        line = raw.lstrip(" \t")
        if line.startswith("#PBS"):
            found.append(line.removeprefix("#PBS").strip(" \t"))
        elif line and line[0] not in "#:":
            break
    return found


def words(text: str) -> list[str]:
    """Split as `qsub` does: one level of quotes is taken away, nothing is escaped, nothing is expanded."""
    found, word, mark, inside = [], "", "", False
    for character in text:
        if mark:
            if character == mark:
                mark = ""
            else:
                word += character
        elif character in "\"'":
            mark, inside = character, True
        elif character in " \t":
            if inside:
                found.append(word)
            word, inside = "", False
        else:
            word, inside = word + character, True
    if mark:
        raise Refused(1, f"qsub: directive error: {text} ")
    return [*found, word] if inside else found


def parse(script: bytes, resources: dict[str, str] = CHUNK) -> Submission:
    """Read a script's directives; raises `Refused` as PBS would."""
    options: dict[str, str] = {}
    wanted: dict[str, str] = {}
    for line in directives(script):
        try:
            pairs, rest = getopt.getopt(words(line), OPTIONS)
        except getopt.GetoptError as error:
            raise Refused(1, f"qsub: directive error: {line} ") from error
        if rest:
            raise Refused(1, f"qsub: directive error: {line} ")
        for option, value in pairs:
            if option == "-l":
                name, _, amount = value.partition("=")
                wanted[name] = amount
            else:
                options[option] = value
    _check_options(options)
    chunks, chunk = _check_resources(wanted, resources)
    return Submission(
        name=options.get("-N", "STDIN"),
        chunks=chunks,
        chunk=chunk,
        place=wanted.get("place", "free"),
        walltime=wanted.get("walltime"),
        options=options,
        resource_list=wanted,
    )


def _check_options(options: dict[str, str]) -> None:
    name = options.get("-N")
    if name is not None and len(name) > 230:
        raise Refused(2, "qsub: Job name is too long ")
    if name is not None and not re.fullmatch(r"[A-Za-z0-9_+.-]+", name):
        raise Refused(2, f"qsub: illegal -N value\n{USAGE}")
    for option in ("-o", "-e"):
        if options.get(option) is not None and (not options[option] or ":" in options[option]):
            raise Refused(2, f"qsub: illegal {option} value\n{USAGE}")
    if options.get("-j") not in (None, "oe", "eo", "n"):
        raise Refused(2, f"qsub: illegal -j value\n{USAGE}")
    if options.get("-k") is not None and not re.fullmatch("[deon]+", options["-k"]):
        raise Refused(2, f"qsub: illegal -k value\n{USAGE}")
    if "/" in options.get("-P", ""):
        raise Refused(2, f"qsub: illegal -P value\n{USAGE}")
    if options.get("-q", "workq") not in QUEUES:
        raise Refused(170, "qsub: Unknown queue")


def _check_resources(wanted: dict[str, str], resources: dict[str, str]) -> tuple[int, dict[str, str]]:
    for name in wanted:
        if name not in JOB_WIDE | set(resources):
            raise Refused(187, f"qsub: Unknown resource Resource_List.{name}")
        if "select" in wanted and name in resources:
            raise Refused(5, f'qsub: "-lresource=" cannot be used with "select" or "place", resource is: {name}')
    if "select" in wanted and "nodes" in wanted:
        raise Refused(6, "qsub: Cannot be used with select or place: nodes")
    if "place" in wanted and "select" not in wanted:
        raise Refused(7, 'qsub: Cannot have "place" without "select"')
    place = r"(free|pack|scatter|vscatter)(:(excl|exclhost|shared))?(:group=\w+)?"
    if not re.fullmatch(place, wanted.get("place", "free")):
        raise Refused(166, "qsub: Illegal attribute or resource value Resource_List.place")
    if not re.fullmatch(r"|\d+(:\d+){0,2}(\.\d+)?", wanted.get("walltime", "")):
        raise Refused(166, "qsub: Illegal attribute or resource value Resource_List.walltime")
    return _select(wanted.get("select", "1:ncpus=1"), resources)


def _select(text: str, resources: dict[str, str]) -> tuple[int, dict[str, str]]:
    illegal = "qsub: Illegal attribute or resource value"
    count, *parts = text.split(":")
    if not count.isdigit():
        raise Refused(166, f"{illegal} Resource_List.select")
    if int(count) == 0:
        raise Refused(166, illegal)
    chunk: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals or not name or not value:
            raise Refused(166, f"{illegal} Resource_List.select")
        if name in JOB_WIDE:
            raise Refused(4, f'qsub: Resource invalid in "select" specification: {name}')
        if name not in resources:
            raise Refused(187, f"qsub: Unknown resource: {name}")
        if name in chunk:
            message = "duplicated resource within a section of a select specification, resource is:"
            raise Refused(12, f"qsub: {message} {name}")
        legal = {"count": r"\d+", "size": r"\d+([kmgtp]?[bw])?", "text": r".+"}[resources[name]]
        if not re.fullmatch(legal, value, re.IGNORECASE):
            raise Refused(166, f"{illegal} select.{name}")
        chunk[name] = value
    return int(count), chunk


def qsub(spool: Path, arguments: list[str]) -> int:
    """Take a script from standard input, or from a file; print the job's id."""
    if len(arguments) > 1:
        sys.stderr.write(USAGE)
        return 2
    script = Path(arguments[0]).read_bytes() if arguments else sys.stdin.buffer.read()
    resources = {name: kind for name, kind in CHUNK.items() if name not in (spool / "unknown").read_text().split()}
    try:
        job = parse(script, resources)
    except Refused as refused:
        sys.stderr.write(f"{refused}\n")
        return refused.status
    job.workdir = os.environ["PWD"]
    job.path = os.environ["PATH"]
    identity = f"{17 + len(list(spool.glob('*.json')))}.pbshost"
    (spool / f"{identity}.json").write_text(json.dumps(asdict(job)))
    (spool / f"{identity}.SC").write_bytes(script)
    print(identity)
    return 0


class Cluster:
    """Folders for a login node and a compute node, with commands that stand in for those of a real one."""

    def __init__(self, root: Path, *, mpi: str = "openmpi", cpus: int = 64, gpus: int = 4, unknown: str = "") -> None:
        self.bin, self.home, self.spool = root / "bin", root / "home of user", root / "spool"
        for folder in (self.bin, self.home, self.spool, root / "python"):
            folder.mkdir(parents=True)
        self.python_path = root / "python"
        self.mpi, self.cpus, self.gpus = mpi, cpus, gpus
        (self.spool / "unknown").write_text(unknown)
        here = Path(__file__).parent.parent
        start = f"#!{sys.executable}\nimport sys\nfrom pathlib import Path\nsys.path.insert(0, {str(here)!r})\n"
        self._command(
            "qsub",
            f"{start}from jobs import fake_pbs\nsys.exit(fake_pbs.qsub(Path({str(self.spool)!r}), sys.argv[1:]))\n",
        )
        self._command("mpirun", f"{start}from jobs import fake_mpi\nsys.exit(fake_mpi.main(sys.argv[1:]))\n")
        # As the real one, it prefers what OMP_NUM_THREADS says.
        self._command("nproc", '#!/bin/bash\necho "${OMP_NUM_THREADS:-$FAKE_CPUS}"\n')
        self._command(
            "nvidia-smi",
            "#!/bin/bash\nfor ((i = 0; i < FAKE_GPUS; i++)); do\n"
            '    echo "GPU $i: Fake (UUID: GPU-${FAKE_HOST:-node1}-$i)"\ndone\n',
        )
        (self.python_path / "sitecustomize.py").write_text(
            'import os\nos.sched_getaffinity = lambda pid: set(range(int(os.environ["FAKE_CPUS"])))\n'
        )
        # What people have in their start files, and forget. (/etc/profile has set PATH anew by then.)
        profile = 'export OMP_NUM_THREADS=3\nexport PATH="$FAKE_PATH:$PATH"\ncd /\n'
        (self.home / ".bash_profile").write_text(profile)

    def _command(self, name: str, text: str) -> None:
        file = self.bin / name
        file.write_text(text)
        file.chmod(0o755)

    def login(self) -> dict[str, str]:
        """Give the environment of a shell on the login node."""
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("XP_", "OMP_", "PBS_"))}
        config = str(self.home / ".config")
        return keep | {"PATH": f"{self.bin}:{os.environ['PATH']}", "HOME": str(self.home), "XDG_CONFIG_HOME": config}

    def submission(self, identity: str) -> Submission:
        return Submission(**json.loads((self.spool / f"{identity}.json").read_text()))

    def environment(self, identity: str, extra: dict[str, str]) -> dict[str, str]:
        """Give what a job's shell starts with: nothing but this comes from PBS."""
        job = self.submission(identity)
        chunk = job.chunk
        threads = chunk.get("ompthreads", chunk.get("ncpus", "1"))
        hosts = [f"node{number + 1}" if "scatter" in job.place else "node1" for number in range(job.chunks)]
        nodefile = self.spool / f"{identity}.nodes"
        nodefile.write_text("".join(f"{host}\n" * int(chunk.get("mpiprocs", "1")) for host in hosts))
        return {
            "HOME": str(self.home),
            "PATH": "/usr/bin:/bin",
            "SHELL": "/bin/bash",
            "ENVIRONMENT": "BATCH",
            "PBS_ENVIRONMENT": "PBS_BATCH",
            "PBS_JOBID": identity,
            "PBS_JOBNAME": job.name,
            "PBS_QUEUE": job.options.get("-q", "workq"),
            "PBS_NODEFILE": str(nodefile),
            "PBS_O_WORKDIR": job.workdir,
            "PBS_O_PATH": job.path,
            "PBS_NODENUM": "0",
            "PBS_TASKNUM": "1",
            "NCPUS": threads,
            "OMP_NUM_THREADS": threads,
            "TMPDIR": str(self.spool),
            "PYTHONPATH": str(self.python_path),
            "FAKE_PATH": str(self.bin),
            "FAKE_CPUS": str(self.cpus),
            "FAKE_GPUS": str(self.gpus),
            "FAKE_MPI": self.mpi,
            "FAKE_MPI_SEEN": str(self.spool / "mpirun.json"),
            **extra,
        }

    def start(self, identity: str, **extra: str) -> subprocess.Popen[Any]:
        """Start a job as PBS does: a login shell, in HOME, with nothing on its standard input, runs the script."""
        job = self.submission(identity)
        folder = Path(job.workdir, job.options["-o"])
        if not folder.is_dir():
            raise FileNotFoundError(f"{folder}: a real job would fail to start 21 times, and then be held")
        script = self.spool / f"{identity}.SC"
        script.chmod(0o700)
        with open(folder / f"{identity}.OU", "wb") as log:
            return subprocess.Popen(
                ["-bash", "-c", '"$0"; exit $?', str(script)],
                executable="/bin/bash",
                cwd=self.home,
                env=self.environment(identity, extra),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, identity: str, **extra: str) -> tuple[int, str]:
        """Run a job to its end; gives its exit status and its log."""
        job = self.submission(identity)
        with self.start(identity, **extra) as process:
            status = process.wait(timeout=120)
        return status, Path(job.workdir, job.options["-o"], f"{identity}.OU").read_text(errors="replace")
