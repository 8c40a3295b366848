"""``xpaccel run``: the options, and the start of the ranks."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from xpaccel.errors import UserError
from xpaccel.jobs import cores, launchers, run, starters
from xpaccel.jobs.run import Asked, Host, Plan
from xpaccel.jobs.starters import Starter


def command(
    program: Annotated[
        str, typer.Argument(metavar="PROGRAM", help="A Python file. Options of run come before it.", show_default=False)
    ],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGS]...", help="Everything after PROGRAM reaches it unchanged.")
    ] = None,
    ranks: Annotated[int, typer.Option("--ranks", "-n", metavar="N", help="Processes.", show_default=False)] = 0,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            "-t",
            metavar="T",
            help="Threads of each.",
            show_default="OMP_NUM_THREADS, or a share of the cores",
        ),
    ] = None,
    module: Annotated[bool, typer.Option("-m", help="PROGRAM is a module, as for python -m.")] = False,
    code: Annotated[bool, typer.Option("-c", help="PROGRAM is code, as for python -c.")] = False,
    oversubscribe: Annotated[
        bool, typer.Option("--oversubscribe", help="Allow more threads than there are cores.")
    ] = False,
    bind: Annotated[
        str,
        typer.Option(metavar="auto|core|none", help="Bind ranks to cores? auto: where they take all cores."),
    ] = "auto",
    launcher: Annotated[
        str,
        typer.Option(
            metavar="NAME|PATH|TEMPLATE",
            help="auto, openmpi, mpich, intelmpi, a program, or a command line with {ranks} in it.",
        ),
    ] = "auto",
    tag_output: Annotated[bool, typer.Option("--tag-output", help="Show with each line which rank wrote it.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the line that would start it, and start nothing.")
    ] = False,
) -> None:
    """Run a Python program on several ranks, with the MPI that mpi4py uses here.

    A rank that raises ends all of them, its traceback in front.
    Exit status and signals are those of the program.

    xpaccel run -n 4 heat.py --steps 100
    xpaccel run -n 2 --threads 8 -m package.model
    xpaccel run -n 4 --dry-run heat.py
    """
    if not ranks:
        raise UserError("say how many ranks: xpaccel run -n 4 heat.py")
    asked = Asked(
        ranks=ranks,
        threads=threads,
        bind=bind,
        oversubscribe=oversubscribe,
        tagged=tag_output,
        words=run.python(sys.executable, [*_program(program, module=module, code=code), *(arguments or ())]),
    )
    made = run.plan(asked, _here(), _launcher(asked, launcher))
    for note in made.notes:
        typer.echo(f"xpaccel: {note}", err=True)
    if dry_run:
        typer.echo(str(made))
    else:
        start(made)


def start(made: Plan) -> None:
    """Become the launcher, so that signals reach it and its exit status is this process's.

    Raises
    ------
    xpaccel.UserError
        If it cannot be started.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvpe(made.words[0], made.words, {**os.environ, **made.environment})
    except OSError as error:
        raise UserError(f"cannot start {made.words[0]}: {error.strerror}") from error


def _program(program: str, *, module: bool, code: bool) -> tuple[str, ...]:
    if module and code:
        raise UserError("-m and -c: PROGRAM is a module or code, not both")
    if module or code:
        return ("-m" if module else "-c", program)
    path = Path(program)
    if not path.exists():
        raise UserError(f"there is no program {program!r}; a module is run with -m, as by python")
    if path.is_file():
        with path.open("rb") as file:
            if file.read(4) == b"\x7fELF":
                raise UserError(f"{program} is no Python program: start it with mpiexec itself")
    return (program if not program.startswith("-") else f"./{program}",)


def _here() -> Host:
    file = os.environ.get("PBS_NODEFILE", "")
    try:
        hosts = tuple(Path(file).read_text(encoding="utf-8").split()) if file else ()
    except OSError as error:
        raise UserError(f"PBS_NODEFILE={file} cannot be read: {error.strerror}") from error
    return Host(
        cores=cores.look(),
        environ=dict(os.environ),
        hosts=hosts,
        root=os.geteuid() == 0,
        container=run.in_container(),
    )


def _launcher(asked: Asked, launcher: str) -> Starter | str | None:
    """Give what starts the ranks. One rank needs no launcher, and so no MPI."""
    if launcher == "auto" and asked.ranks == 1:
        return None
    if "{ranks}" in launcher:
        launchers.check(launcher)
        return launcher
    from xpaccel.domain import library

    found = library.look()
    if isinstance(found, str):
        raise UserError(f"{asked.ranks} ranks need MPI: {found}")
    return starters.find(found) if launcher == "auto" else starters.named(launcher, found)
