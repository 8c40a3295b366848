"""The line that starts ranks here: decided from values, then found and started for real."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ranks import mpi, need_mpi, run

from xpaccel.domain import library
from xpaccel.domain.library import Library
from xpaccel.errors import UserError
from xpaccel.jobs import cores, starters
from xpaccel.jobs.cores import Cores
from xpaccel.jobs.run import Asked, Host, plan, python
from xpaccel.jobs.starters import Starter

EIGHT = Cores(8, "cores in the affinity mask", True)
SHARED = Cores(8, "CPU quota of the container (cgroup)", False)
OPENMPI, MPICH, INTEL = (Starter(f"/mpi/{name}/bin/mpiexec", name) for name in ("openmpi", "mpich", "intelmpi"))


def asked(ranks: int, *, threads: int | None = None, **options: object) -> Asked:
    return Asked(ranks=ranks, threads=threads, words=("heat.py", "--n", "3"), **options)  # type: ignore[arg-type]


def host(found: Cores = EIGHT, *, hosts: tuple[str, ...] = (), root: bool = False, **environ: str) -> Host:
    return Host(cores=found, environ=environ, hosts=hosts, root=root, container=root)


@pytest.mark.parametrize(
    ("launcher", "ranks", "found", "bind", "line"),
    [
        (OPENMPI, 4, EIGHT, "auto", "--map-by ppr:4:node:PE=2 --bind-to core"),
        (MPICH, 4, EIGHT, "auto", "-bind-to core:2"),
        (
            INTEL,
            2,
            EIGHT,
            "auto",
            "-genv I_MPI_PIN 1 -genv I_MPI_PIN_CELL core -genv I_MPI_PIN_DOMAIN 4:compact",
        ),
        (OPENMPI, 4, EIGHT, "none", "--map-by slot --bind-to none"),
        (OPENMPI, 3, EIGHT, "auto", "--map-by slot --bind-to none"),  # two cores are left, for others
        (OPENMPI, 3, EIGHT, "core", "--map-by ppr:3:node:PE=2 --bind-to core"),
        (OPENMPI, 4, SHARED, "auto", "--map-by slot --bind-to none"),  # the cores are not ours alone
        (MPICH, 3, EIGHT, "auto", "-bind-to none"),
        (INTEL, 3, EIGHT, "auto", "-genv I_MPI_PIN 0"),
    ],
)
def test_binding(launcher: Starter, ranks: int, found: Cores, bind: str, line: str) -> None:
    made = plan(asked(ranks, bind=bind), host(found), launcher)
    assert made.words == (launcher.path, "-n", str(ranks), *line.split(), "heat.py", "--n", "3")
    assert made.notes == ()


@pytest.mark.parametrize(
    ("ranks", "threads", "environ", "expected"),
    [
        (2, None, {}, 4),
        (3, None, {}, 2),
        (2, 3, {"OMP_NUM_THREADS": "1"}, 3),
        (2, None, {"OMP_NUM_THREADS": "2,4"}, 2),
        (2, None, {"OMP_NUM_THREADS": "2", "XP_NUM_THREADS": "3"}, 3),
        (2, None, {"OMP_NUM_THREADS": ""}, 4),
        (8, None, {"SLURM_JOB_NUM_NODES": "2"}, 2),
    ],
)
def test_threads(ranks: int, threads: int | None, environ: dict[str, str], expected: int) -> None:
    made = plan(asked(ranks, threads=threads), host(**environ), OPENMPI)
    limits = {"OMP_NUM_THREADS", "NUMBA_NUM_THREADS", *environ} - {"SLURM_JOB_NUM_NODES"}
    assert {name: value for name, value in made.environment.items() if name != "PMIX_MCA_gds"} == {
        name: str(expected) for name in limits
    }


@pytest.mark.parametrize(
    ("ranks", "threads", "mended"),
    [(4, 3, "xpaccel run -n 4 --threads 2 ... fits"), (9, None, "xpaccel run -n 8 --threads 1 ... fits")],
)
def test_more_threads_than_cores_are_an_error_that_mends_it(ranks: int, threads: int | None, mended: str) -> None:
    with pytest.raises(UserError, match=mended) as caught:
        plan(asked(ranks, threads=threads), host(), OPENMPI)
    assert f"{ranks} ranks a node" in str(caught.value)
    assert "there are 8 (cores in the affinity mask)" in str(caught.value)
    made = plan(asked(ranks, threads=threads, oversubscribe=True, bind="core"), host(), OPENMPI)
    assert "--map-by slot:OVERSUBSCRIBE --bind-to none" in " ".join(made.words)
    assert "oversubscribed" in made.notes[0]


def test_a_job_of_several_nodes(tmp_path: Path) -> None:
    nodes = ("a",) * 4 + ("b",) * 4
    environ = {"PBS_NODEFILE": "/var/spool/no des", "PBS_JOBID": "1", "PBS_QUEUE": "q", "A": "1", "BASH_FUNC_f%%": "x"}
    made = plan(asked(8), host(hosts=nodes, **environ), OPENMPI)
    line = "-n 8 --map-by ppr:4:node:PE=2 --bind-to core --hostfile '/var/spool/no des'"
    assert list(made.words[1:9]) == shlex.split(line)
    given = [made.words[at + 1] for at, word in enumerate(made.words) if word == "-x"]
    assert given == ["PBS_JOBID", "A", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"]
    assert plan(asked(8), host(hosts=nodes, **environ), MPICH).words[-4] == "/var/spool/no des"
    with pytest.raises(UserError, match=r"places for 8 ranks .* and 9 are asked for: .*mpiprocs"):
        plan(asked(9, threads=1), host(hosts=nodes, **environ), OPENMPI)


def test_output_is_tagged_by_the_launcher() -> None:
    assert "--tag-output" in plan(asked(2, tagged=True), host(), OPENMPI).words
    assert "-prepend-rank" in plan(asked(2, tagged=True), host(), MPICH).words
    with pytest.raises(UserError, match="--tag-output"):
        plan(asked(2, tagged=True), host(), "srun -n {ranks}")


def test_root_starts_open_mpi_in_a_container_only() -> None:
    made = plan(asked(2), host(root=True), OPENMPI)
    assert "--allow-run-as-root" in made.words
    assert "root in a container" in made.notes[0]
    assert "--allow-run-as-root" not in plan(asked(2), host(root=True), MPICH).words
    told = dict.fromkeys(("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"), "1")
    assert plan(asked(2), host(root=True, **told), OPENMPI).notes == ()
    machine = Host(cores=EIGHT, environ={}, root=True, container=False)
    with pytest.raises(UserError, match="as root"):
        plan(asked(2), machine, OPENMPI)


def test_one_rank_needs_no_launcher() -> None:
    assert plan(asked(1), host(), None).words == ("heat.py", "--n", "3")
    assert str(plan(asked(1), host(), None)) == "OMP_NUM_THREADS=8 NUMBA_NUM_THREADS=8 heat.py --n 3"


def test_a_command_line_of_the_users() -> None:
    made = plan(asked(4), host(), "srun -n {ranks} -c {threads_per_rank} --label")
    assert made.words == ("srun", "-n", "4", "-c", "2", "--label", "heat.py", "--n", "3")
    with pytest.raises(UserError, match="did you mean ranks"):
        plan(asked(4), host(), "srun -n {rank}")


@pytest.mark.parametrize("wrong", [{"ranks": 0}, {"ranks": 2, "threads": 0}, {"ranks": 2, "bind": "socket"}])
def test_numbers_that_cannot_be(wrong: dict[str, int]) -> None:
    with pytest.raises(UserError, match=r"at least 1|there are auto"):
        Asked(words=(), **wrong)  # type: ignore[arg-type]


def test_words_that_launchers_read_arrive() -> None:
    assert python("py", ["a.py", ":", "\\:", "b"])[4:] == ("a.py", "\\:", "\\\\:", "b")


# -- what is found --------------------------------------------------------------------------------------------


def test_hardware_threads_are_no_cores(tmp_path: Path) -> None:
    for cpu, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{siblings}\n")
    assert cores.physical({0, 1, 2, 3}, tmp_path) == 2
    assert cores.physical({0, 2}, tmp_path) == 1
    assert cores.physical({0, 1, 7, 8}, tmp_path) == 4  # of two of them nothing is known
    assert cores.decide(8, 3) == Cores(3, "CPU quota of the container (cgroup)", False)
    assert cores.decide(8, 8).whole


VERSIONS = {
    "openmpi": "mpirun (Open MPI) 5.0.8",
    "mpich": "HYDRA build details:\n    Version: 5.0.2",
    "debian": "mpiexec.openmpi (OpenRTE) 4.1.4",
    "intelmpi": "Intel(R) MPI Library for Linux* OS, Version 2021.18.1",
    "cray": "mpiexec version 1.4.0 revision 26f3bdb",
}


def install(folder: Path, which: str, name: str = "mpiexec") -> Path:
    """Put a program there that says whose it is."""
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    file = folder / "bin" / name
    file.write_text(f"#!/bin/sh\ncat <<'END'\n{VERSIONS[which]}\nEND\n")
    file.chmod(0o755)
    return file


def lib(kind: str, folder: Path) -> Library:
    return Library(
        "Open MPI v5.0.8" if kind == "openmpi" else "MPICH 5.0.2", kind, str(folder / "lib/libmpi.so"), "4.1"
    )


def test_the_launcher_is_that_of_the_library(tmp_path: Path) -> None:
    own, other, debian = tmp_path / "own", tmp_path / "other", tmp_path / "debian"
    path = {"PATH": os.pathsep.join(str(folder / "bin") for folder in (other, own, debian))}
    with pytest.raises(UserError, match="there is no mpiexec or mpirun"):
        starters.find(lib("openmpi", own), path)
    theirs = install(other, "mpich")
    with pytest.raises(UserError, match="believe that it is alone") as caught:
        starters.find(lib("openmpi", own), path)
    assert f"mpi4py loads Open MPI v5.0.8 ({own}/lib/libmpi.so)" in str(caught.value)
    assert f"{theirs} (mpich)" in str(caught.value)
    suffixed = install(debian, "debian", "mpiexec.openmpi")
    assert starters.find(lib("openmpi", own), path) == Starter(str(suffixed), "openmpi")
    beside = install(own, "openmpi")
    assert starters.find(lib("openmpi", own), path) == Starter(str(beside), "openmpi")
    assert starters.find(lib("openmpi", own), {"PATH": ""}) == Starter(str(beside), "openmpi")
    assert starters.find(lib("mpich", own), path) == Starter(str(theirs), "mpich")


def test_a_launcher_that_is_named(tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    path = {"PATH": f"{own}/bin:{other}/bin"}
    mine, intel, cray = install(own, "mpich"), install(other, "intelmpi"), install(other, "cray", "cray")
    assert starters.find(lib("mpich", own), path).path == str(mine)
    assert starters.named("intelmpi", lib("mpich", own), path) == Starter(str(intel), "intelmpi")
    assert starters.named(str(mine), lib("mpich", own), path) == Starter(str(mine), "mpich")
    for wrong, why in (
        ("openmpi", "none was found"),
        ("/no/such", "there is no such program"),
        (str(cray), "write a command line"),
    ):
        with pytest.raises(UserError, match=why):
            starters.named(wrong, lib("mpich", own), path)
    with pytest.raises(UserError, match="each rank would believe that it is alone"):
        starters.named(str(mine), lib("openmpi", own), path)


@pytest.mark.parametrize(
    ("words", "kind", "name"),
    [
        ("Open MPI v5.0.11, package: Open MPI x, ident: 5.0.11\0", "openmpi", "Open MPI v5.0.11"),
        ("MPICH Version:      5.0.2\nMPICH Release date: x", "mpich", "MPICH 5.0.2"),
        ("Intel(R) MPI Library 2021.18 for Linux* OS\n", "mpich", "Intel(R) MPI Library 2021.18 for Linux* OS"),
        (
            "MPI VERSION    : CRAY MPICH version 8.1.30 (ANL base 3.4a2)\n",
            "mpich",
            "MPI VERSION : CRAY MPICH version 8.1.30 (ANL base 3.4a2)",
        ),
    ],
)
def test_libraries_by_what_they_say(words: str, kind: str, name: str) -> None:
    assert (library.kind(words), library.name(words)) == (kind, name)


# -- the command ----------------------------------------------------------------------------------------------


def xpaccel(*words: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "xpaccel", "run", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environ})


def test_what_cannot_be_run_is_one_line(tmp_path: Path) -> None:
    for words, why in (
        (["heat.py"], "say how many ranks"),
        (["-n", "2", "no.py"], "there is no program 'no.py'"),
        (["-n", "2", "-m", "-c", "x"], "not both"),
        (["-n", "1", sys.executable], "is no Python program"),
    ):
        done = xpaccel(*words)
        assert done.returncode == 2
        assert why in done.stderr
        assert done.stderr.count("\n") == 1


def test_without_mpi_several_ranks_say_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "mpi4py").mkdir()
    (tmp_path / "mpi4py" / "__init__.py").write_text("raise ModuleNotFoundError")
    done = xpaccel(
        "-n", "2", "-c", "pass", PYTHONPATH=os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    )
    assert done.returncode == 2
    assert done.stderr == f"xpaccel: 2 ranks need MPI: mpi4py is not installed: {library.ADVICE}\n"


SHOW = "import sys, os; print(__name__, __file__ and os.path.basename(__file__), sys.argv[1:], sys.path[0])"


def test_one_rank_runs_as_python_runs_it(tmp_path: Path) -> None:
    (tmp_path / "a folder").mkdir()
    file = tmp_path / "a folder" / "show.py"
    file.write_text(SHOW)
    awkward = ["", ":", "\\:", "a b", "-n", "é"]
    done = xpaccel("-n", "1", file, *awkward)
    assert done.stdout == f"__main__ show.py {awkward} {file.parent}\n"
    done = xpaccel("-n", "1", "-m", "show", *awkward, PYTHONPATH=f"{file.parent}:{os.environ.get('PYTHONPATH', '')}")
    assert done.stdout == f"__main__ show.py {awkward} {os.getcwd()}\n"
    done = xpaccel("-n", "1", "-c", SHOW.replace("__file__ and os.path.basename(__file__)", "0"), *awkward)
    assert done.stdout == f"__main__ 0 {awkward} \n"
    assert xpaccel("-n", "1", "-c", "raise SystemExit(7)").returncode == 7


def test_nothing_of_the_users_folder_hides_what_a_rank_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("xpaccel", "runpy", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(99)")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "show.py").write_text("print('here')")
    monkeypatch.chdir(tmp_path)
    assert xpaccel("-n", "1", "inner/show.py").stdout == "here\n"


def test_a_child_process_finds_the_program(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(
        "import multiprocessing\n"
        "def double(x):\n    return 2 * x\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(double, [1, 2]))\n"
    )
    assert xpaccel("-n", "1", file).stdout == "[2, 4]\n"


@pytest.mark.mpi
def test_ranks_know_each_other_and_their_threads() -> None:
    code = "import os; from mpi4py import MPI; c = MPI.COMM_WORLD; print(c.rank, c.size, os.environ['OMP_NUM_THREADS'])"
    for ranks in (2, 4):
        ended = run(ranks, ["-c", code])
        assert ended.status == 0, ended.err
        assert sorted(ended.out.splitlines()) == [f"{rank} {ranks} 1" for rank in range(ranks)]


@pytest.mark.mpi
def test_arguments_and_status_pass_through(tmp_path: Path) -> None:
    file = tmp_path / "a program.py"
    file.write_text("import sys; print(sys.argv[1:]); sys.exit(9)")
    awkward = ["", ":", "\\:", "a b", "$HOME", "'"]
    ended = run(2, [file, *awkward])
    assert ended.status == 9
    assert set(ended.out.splitlines()) == {str(awkward)}


@pytest.mark.mpi
def test_the_line_that_is_printed_starts_the_same() -> None:
    need_mpi()
    shown = xpaccel("-n", "2", "--threads", "1", "--oversubscribe", "--dry-run", "-c", "print('a', 'b')").stdout
    assert isinstance(found := mpi(), Library)
    assert starters.find(found).path in shown
    ended = subprocess.run(["bash", "-c", shown], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "a b\na b\n")


@pytest.mark.mpi
def test_tags_say_which_rank_wrote_a_line() -> None:
    ended = run(2, ["-c", "print('here')"], "--tag-output")
    tags = sorted(line.removesuffix("here").strip() for line in ended.out.splitlines())
    assert tags in (["[1,0]<stdout>:", "[1,1]<stdout>:"], ["[0]", "[1]"])


@pytest.mark.mpi
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_launcher_and_ends_the_ranks(tmp_path: Path, number: signal.Signals) -> None:
    need_mpi()
    code = f"import os, time; open(os.path.join({str(tmp_path)!r}, str(os.getpid())), 'w').close(); time.sleep(60)"
    command = [sys.executable, "-P", "-m", "xpaccel", "run", "-n", "2", "--threads", "1", "--oversubscribe", "-c", code]
    job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 30
        while len(found := list(tmp_path.iterdir())) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        assert len(found) == 2
        job.send_signal(number)
        assert job.wait(30) != 0
        until = time.monotonic() + 10
        while any(alive(int(file.name)) for file in found) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any(alive(int(file.name)) for file in found)
    finally:
        job.kill()


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
