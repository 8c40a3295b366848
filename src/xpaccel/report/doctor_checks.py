"""From facts to judgements: pure, so that every situation is tested without the machine that has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from xpaccel.report import doctor_gpu
from xpaccel.report.doctor import Check, State
from xpaccel.report.doctor_facts import WRONG, Facts, Processor, Proof

INSTALL = {
    "numpy": "",
    "numba": 'pip install "xpaccel[numba]"',
    "mpi4py": 'pip install "xpaccel[mpi]" with the MPI module of the cluster loaded',
}


def judge(facts: Facts) -> Iterator[Check]:
    """Give a check for everything that was looked at."""
    yield from _python(facts)
    yield from _processor(facts)
    yield from _job(facts)
    yield from doctor_gpu.judge(facts)
    yield from _backends(facts)


def _python(facts: Facts) -> Iterator[Check]:
    yield Check("python", "python", "ok", facts.python)
    for name, advice in INSTALL.items():
        version = facts.versions.get(name)
        if version is None:
            yield Check("python", name, "absent", "not installed", advice)
        else:
            note = ", present; MPI is not started to look at it" if name == "mpi4py" else ""
            yield Check("python", name, "ok", f"{version}{note}")


def _processor(facts: Facts) -> Iterator[Check]:
    found = facts.processor
    quota = "" if found.quota is None else f", {found.quota} by the control group's quota"
    yield Check("processor", "cores", "ok", f"{found.cores}, {found.allowed} for this process (affinity){quota}")
    yield _threads(found, facts.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip())
    if facts.cache_problem is None:
        yield Check("processor", "cache", "ok", f"{facts.cache} can be written")
    else:
        yield Check("processor", "cache", "failed", facts.cache_problem, "set XP_CACHE_DIR to a folder of your own")


def _threads(found: Processor, asked: str) -> Check:
    if found.threads is None:
        return Check("processor", "threads", "failed", found.reason)
    words = f"{found.threads}: {found.reason}"
    if not (asked.isdigit() and int(asked) > found.allowed):
        return Check("processor", "threads", "ok", words)
    advice = (
        f"OMP_NUM_THREADS={asked}, but this process may run on {found.allowed} of the cores only: have the "
        f"launcher bind each rank to {asked} (Open MPI: --map-by slot:pe={asked}; Hydra: -bind-to core:{asked}; "
        f"Slurm: -c {asked})"
    )
    return Check("processor", "threads", "note", words, advice)


def _job(facts: Facts) -> Iterator[Check]:
    yield _scheduler(facts)
    if facts.rank is None:
        yield Check("job", "rank", "failed", facts.rank_problem or "not known")
    else:
        of = "" if facts.rank.size is None else f" of {facts.rank.size}"
        yield Check("job", "rank", "ok", f"{facts.rank.rank}{of} on this node ({facts.rank.source})")


def _scheduler(facts: Facts) -> Check:
    environ = facts.environ
    if job := environ.get("PBS_JOBID"):
        words = [f"PBS {job} in queue {environ.get('PBS_QUEUE', '?')}", *_set(environ, "NCPUS", "OMP_NUM_THREADS")]
        if facts.hosts:
            words.append("ranks by host: " + ", ".join(f"{host} {count}" for host, count in facts.hosts.items()))
        if facts.hosts is not None and not facts.hosts:
            advice = f"PBS_NODEFILE={environ.get('PBS_NODEFILE')} names no host: ask for mpiprocs of at least 1"
            return Check("job", "scheduler", "note", "; ".join(words), advice)
        return Check("job", "scheduler", "ok", "; ".join(words))
    if job := environ.get("SLURM_JOB_ID"):
        names = ("SLURM_JOB_NUM_NODES", "SLURM_NTASKS", "SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS")
        return Check("job", "scheduler", "ok", "; ".join([f"Slurm {job}", *_set(environ, *names)]))
    return Check("job", "scheduler", "absent", "not in a PBS or Slurm job")


def _set(environ: Mapping[str, str], *names: str) -> list[str]:
    return [f"{name}={environ[name]}" for name in names if name in environ]


def _backends(facts: Facts) -> Iterator[Check]:
    yield Check("backends", "numpy", "ok", "runs kernels as they are written")
    for proof in facts.proofs:
        if proof.unavailable is not None:
            state: State = "failed" if _is_expected(proof.name, facts) else "absent"
            yield Check("backends", proof.name, state, proof.unavailable)
        elif proof.problem is not None:
            wrong = proof.problem.startswith(WRONG)
            advice = f"do not use XP_BACKEND={proof.name} here, and report this output as a bug" if wrong else ""
            yield Check("backends", proof.name, "failed", proof.problem, advice)
        else:
            yield Check("backends", proof.name, "ok", f"{_place(proof.name, facts)}{_times(proof)}")


def _place(name: str, facts: Facts) -> str:
    """Say where a backend ran its kernel, where that is not this process's cores."""
    if name == "numba-cuda" and facts.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0"):
        return "in Numba's simulator, thread by thread, not on a GPU: "
    chosen = None if name == "numba" else facts.gpu.chosen
    return "" if chosen is None else f"on {chosen.name}: "


def _is_expected(name: str, facts: Facts) -> bool:
    """Whether all that a backend needs is here, so that it has no excuse."""
    if name == "numba":
        return {"numba", "llvmlite"} <= facts.versions.keys()
    if not (facts.has_cupy and facts.driver.devices):
        return False
    return name == "cupy" or name in facts.versions


def _times(proof: Proof) -> str:
    return (
        f"compiled a kernel and ran it in {proof.first:.2g} s, again in {proof.again * 1e6:.0f} us; "
        "the result is NumPy's in every bit"
    )
