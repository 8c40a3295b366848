"""The script, as text: what each thing that was asked for becomes."""

from __future__ import annotations

import subprocess

import pytest
from jobs import fake_pbs

from xpaccel.errors import UserError
from xpaccel.jobs import Activation, Job, Resources, Site, render
from xpaccel.jobs.pbs import directives

PYTHON = Activation((), "/opt/python")
GPU = Resources(nodes=2, gpus_per_node=4, threads_per_rank=8, mem="64gb", walltime="30:00", queue="gpu", project="p 1")


def job(resources: Resources | None = None, site: Site | None = None, *arguments: str, **more: object) -> Job:
    more.setdefault("activation", PYTHON)
    return Job("heat.py", arguments, resources or Resources(), site or Site(), **more)  # type: ignore[arg-type]


def last(script: str) -> str:
    """Give the command that runs the program, on one line."""
    return script[script.index("\nexec ") + 1 :].replace(" \\\n    ", " ").removesuffix("\n")


def bash_reads(script: str) -> None:
    done = subprocess.run(
        ["bash", "-n"], input=script.encode(errors="surrogateescape"), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_directives_of_a_gpu_job() -> None:
    assert directives(job(GPU)) == [
        "#PBS -N heat",
        "#PBS -l select=2:ncpus=32:mpiprocs=4:ompthreads=8:ngpus=4:mem=64gb",
        "#PBS -l place=scatter",
        "#PBS -l walltime=00:30:00",
        "#PBS -q gpu",
        '#PBS -P "p 1"',
        "#PBS -j oe",
        "#PBS -k doe",
        "#PBS -o xpaccel-logs/",
    ]


def test_a_site_overrides_every_token() -> None:
    site = Site(
        queue="long",
        account="acc",
        walltime="2:00:00",
        place="pack:excl",
        mem="8gb",
        select="{nodes}:cores={cpus_per_node}:gpu_type=a100{gpus}{mem}",
        gpu_resource="gpu",
        directives=("-m abe",),
        log_folder="/logs of me",
        keep="",
    )
    assert directives(job(Resources(gpus_per_node=1), site)) == [
        "#PBS -N heat",
        "#PBS -l select=1:cores=1:gpu_type=a100:gpu=1:mem=8gb",
        "#PBS -l place=pack:excl",
        "#PBS -l walltime=02:00:00",
        "#PBS -q long",
        "#PBS -A acc",
        "#PBS -j oe",
        '#PBS -o "/logs of me/"',
        "#PBS -m abe",
    ]
    asked = Resources(queue="short", walltime="10", mem="1gb", place="free", account="mine")
    overridden = "\n".join(directives(job(asked, site)))
    for token in ("-q short", "walltime=00:00:10", "mem=1gb", "place=free", "-A mine"):
        assert token in overridden


def test_one_rank_needs_no_launcher() -> None:
    script = render(job(None, None, "a b"))
    assert last(script) == "exec /opt/python heat.py 'a b'"
    assert "mpirun" not in script


def test_order_of_the_environment() -> None:
    site = Site(preamble=("ulimit -s unlimited",), modules=("gcc/12", "a b"), env={"A": "it's"})
    script = render(job(None, site, activation=Activation(("source env",), "python")))
    wanted = (
        'cd "$PBS_O_WORKDIR" ||',
        "ulimit -s unlimited",
        "type module",
        "module load gcc/12 ||",
        "module load 'a b' ||",
        "source env",
        "export XP_BACKEND=numba",
        "export OMP_NUM_THREADS=1",
        "export A='it'\"'\"'s'",
        "python -P -m xpaccel.jobs.check",
        "exec python heat.py",
    )
    places = [script.index(text) for text in wanted]
    assert places == sorted(places)
    bash_reads(script)


def test_the_site_says_how_python_is_come_to() -> None:
    assert last(render(job(None, Site(activate=("conda activate x",))))) == "exec python heat.py"
    assert last(render(job(None, Site(activate=("x",), python="/p/python")))) == "exec /p/python heat.py"
    assert last(render(job(None, Site(python="/q/python")))) == "exec /q/python heat.py"


@pytest.mark.parametrize(
    ("launcher", "bind", "start"),
    [
        ("openmpi", "core", '(mpirun -n 8 --hostfile "$PBS_NODEFILE" --map-by ppr:4:node:PE=8 --bind-to core)'),
        ("openmpi", "none", '(mpirun -n 8 --hostfile "$PBS_NODEFILE" --map-by slot --bind-to none)'),
        ("mpich", "core", '(mpirun -n 8 -f "$PBS_NODEFILE" -bind-to core:8)'),
        ("intelmpi", "none", '(mpirun -n 8 -f "$PBS_NODEFILE" -genv I_MPI_PIN 0)'),
    ],
)
def test_launchers(launcher: str, bind: str, start: str) -> None:
    script = render(job(GPU, Site(launcher=launcher, bind=bind)))
    assert f"launch={start}\n" in script
    assert last(script) == (
        'exec "${launch[@]}" /opt/python -P -m xpaccel.jobs.rank "${asked[@]}" -- /opt/python heat.py'
    )
    assert "--version" not in script
    bash_reads(script)


def test_a_launcher_of_the_site() -> None:
    site = Site(launcher="mpiexec -n {ranks} --ppn {ranks_per_node} --depth {threads_per_rank} ${EXTRA}")
    assert last(render(job(GPU, site))).startswith("exec mpiexec -n 8 --ppn 4 --depth 8 ${EXTRA} /opt/python -P -m")
    alone = last(render(job(Resources(gpus_per_node=1), site)))
    assert alone.startswith("exec mpiexec -n 1 --ppn 1")
    with pytest.raises(UserError, match=r"launcher: \{node\} is not known; did you mean nodes\?"):
        render(job(GPU, Site(launcher="x {ranks} {node}")))


def test_binding_follows_the_placement() -> None:
    def of(place: str, bind: str = "auto") -> str:
        return render(job(Resources(nodes=2, ranks_per_node=2, place=place), Site(launcher="openmpi", bind=bind)))

    assert "--bind-to core)" in of("scatter:excl")
    assert "nproc" not in of("scatter:excl")
    assert '"$cores" -le 2' in of("scatter")
    assert "--bind-to core" not in of("free")
    assert "--bind-to core" not in of("pack:excl")
    assert "--bind-to core" not in of("vscatter")
    with pytest.raises(UserError, match="use place 'scatter'"):
        of("free", "core")


def test_no_launcher_for_several_ranks() -> None:
    with pytest.raises(UserError, match="2 are asked for"):
        render(job(Resources(ranks_per_node=2), Site(launcher="none")))


def test_a_gpu_for_a_single_rank() -> None:
    assert last(render(job(Resources(gpus_per_node=1)))) == (
        'exec /opt/python -P -m xpaccel.jobs.rank "${asked[@]}" --alone -- /opt/python heat.py'
    )


def test_without_checks() -> None:
    script = render(job(GPU, check=False))
    assert "jobs.check" not in script
    assert 'xpaccel.jobs.rank "${asked[@]}" --no-check -- ' in last(script)


def test_a_word_that_launchers_would_read_is_hidden_from_them() -> None:
    assert last(render(job(GPU, None, ":", "\\x", "a:b"))).endswith("heat.py '\\:' '\\\\x' a:b")
    assert last(render(job(None, None, ":", "\\x"))).endswith("heat.py : '\\x'")


def test_programs() -> None:
    def words(program: str) -> tuple[str, ...]:
        return Job(program, ("-v",), activation=PYTHON).words

    assert words("heat.py") == ("/opt/python", "heat.py", "-v")
    assert words("./solver") == ("./solver", "-v")
    assert words("-x.py") == ("/opt/python", "./-x.py", "-v")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"backend": "cuppy"}, "did you mean cupy"),
        ({"backend": "cupy"}, "needs GPUs: ask for them with --gpus-per-node"),
        ({"backend": "numba", "resources": Resources(gpus_per_node=1)}, "computes on cores"),
        ({"name": "a b"}, "--name 'a b'"),
        ({"program": ""}, "no name"),
        ({"site": Site(env={"XP_BACKEND": "numba"})}, "--backend"),
        ({"site": Site(log_folder="host:logs")}, "HOST:PATH"),
        ({"site": Site(log_folder="$HOME/logs")}, "NAME"),
        ({"site": Site(log_folder="")}, "folder for logs ''"),
    ],
)
def test_refused(more: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Job(**{"program": "heat.py", "activation": PYTHON} | more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("site", "message"),
    [
        (Site(directives=("-m abe # mail",)), "without a comment"),
        (Site(directives=("-m abe\n-q gpu",)), "on one line"),
        (Site(directives=("#PBS -m abe",)), "such as '-m abe'"),
        (Site(select="{nodes} :ncpus=1"), "no blanks"),
        (Site(select="{nods}"), "did you mean nodes"),
        (Site(preamble=("ls\r",)), "carriage return"),
        (Site(account="a\nb"), "#PBS line"),
        (Site(log_folder="a\nb"), "#PBS line"),
    ],
)
def test_scripts_that_qsub_would_refuse(site: Site, message: str) -> None:
    with pytest.raises(UserError, match=message):
        render(job(None, site))


@pytest.mark.parametrize("gpus", [0, 4])
@pytest.mark.parametrize("bind", ["auto", "core", "none"])
@pytest.mark.parametrize("launcher", ["auto", "openmpi", "mpich", "intelmpi", "run {ranks}"])
def test_bash_and_pbs_read_every_form(gpus: int, bind: str, launcher: str) -> None:
    script = render(job(Resources(nodes=2, ranks_per_node=4, gpus_per_node=gpus), Site(launcher=launcher, bind=bind)))
    bash_reads(script)
    assert fake_pbs.parse(script.encode()).chunks == 2
