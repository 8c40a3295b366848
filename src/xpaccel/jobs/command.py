"""``xpaccel submit``: the options, and what a terminal shows."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from xpaccel import config
from xpaccel.errors import UserError
from xpaccel.jobs import qsub, sites
from xpaccel.jobs.job import Job
from xpaccel.jobs.pbs import render
from xpaccel.jobs.resources import Resources
from xpaccel.jobs.shell import join
from xpaccel.jobs.sites import Site

NEEDS, SITE = "What the job needs", "How this cluster wants it (also keys of a site file)"


def submit(
    program: Annotated[
        str,
        typer.Argument(metavar="PROGRAM", help="A Python file, or an executable. Options of submit come before it."),
    ],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGS]...", help="Everything after PROGRAM reaches it unchanged.")
    ] = None,
    nodes: Annotated[int, typer.Option(metavar="N", help="Nodes.", rich_help_panel=NEEDS)] = 1,
    ranks_per_node: Annotated[
        int | None,
        typer.Option(
            metavar="R", min=1, help="Processes a node.", show_default="one a GPU, or 1", rich_help_panel=NEEDS
        ),
    ] = None,
    threads_per_rank: Annotated[
        int, typer.Option(metavar="T", help="Cores, and threads, of each rank.", rich_help_panel=NEEDS)
    ] = 1,
    gpus_per_node: Annotated[
        int, typer.Option(metavar="G", help="GPUs of each node: one a rank.", rich_help_panel=NEEDS)
    ] = 0,
    share_gpus: Annotated[
        bool, typer.Option("--share-gpus", help="Allow several ranks on one GPU.", rich_help_panel=NEEDS)
    ] = False,
    mem: Annotated[str | None, typer.Option(metavar="64gb", help="Memory of each node.", rich_help_panel=NEEDS)] = None,
    walltime: Annotated[str | None, typer.Option(metavar="HH:MM:SS", help="Time limit.", rich_help_panel=NEEDS)] = None,
    queue: Annotated[str | None, typer.Option("--queue", "-q", help="Queue.", rich_help_panel=NEEDS)] = None,
    project: Annotated[
        str | None, typer.Option("--project", "-P", help="Project (qsub -P).", rich_help_panel=NEEDS)
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", "-A", help="Account (qsub -A).", rich_help_panel=NEEDS)
    ] = None,
    name: Annotated[
        str,
        typer.Option("--name", "-N", help="The job's name.", show_default="that of the program", rich_help_panel=NEEDS),
    ] = "",
    backend: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="XP_BACKEND in the job.",
            show_default="this shell's XP_BACKEND; else cupy with GPUs, numba without",
            rich_help_panel=NEEDS,
        ),
    ] = "",
    env: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Export a variable in the job; repeat it.", rich_help_panel=NEEDS),
    ] = None,
    site: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Site file; NAME is ~/.config/xpaccel/NAME.toml.",
            show_default="XP_SITE, else ~/.config/xpaccel/site.toml if there",
            rich_help_panel=SITE,
        ),
    ] = None,
    place: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="Placement; scatter:excl is whole nodes.",
            show_default="scatter: one chunk a node",
            rich_help_panel=SITE,
        ),
    ] = None,
    module: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Load a module too; repeat it.", rich_help_panel=SITE)
    ] = None,
    activate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LINE",
            help="Line of bash that activates the Python environment; repeat it.",
            show_default="this environment",
            rich_help_panel=SITE,
        ),
    ] = None,
    python: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Interpreter.", show_default="this one", rich_help_panel=SITE),
    ] = None,
    launcher: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|TEMPLATE",
            help="auto, openmpi, mpich, intelmpi, none, or a command line with {ranks} in it.",
            rich_help_panel=SITE,
        ),
    ] = None,
    bind: Annotated[
        str | None,
        typer.Option(metavar="auto|core|none", help="Bind ranks to cores?", rich_help_panel=SITE),
    ] = None,
    directive: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="One more #PBS line, such as '-m abe'; repeat it.", rich_help_panel=SITE),
    ] = None,
    logs: Annotated[str | None, typer.Option(metavar="FOLDER", help="Where logs go.", rich_help_panel=SITE)] = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Stop a job that did not get what it asked for?")
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the script that would be submitted, and submit nothing.")
    ] = False,
) -> None:
    """Run a program on a PBS cluster: write the job script and submit it.

    The job runs in this folder, in this Python environment.
    Its id goes to standard output, what to do next to standard error.

    xpaccel submit heat.py
    xpaccel submit --threads-per-rank 32 --walltime 01:00:00 heat.py --steps 9
    xpaccel submit --nodes 2 --gpus-per-node 4 --queue gpu -P p42 heat.py
    xpaccel submit --dry-run --gpus-per-node 1 heat.py "a b" > job.sh
    xpaccel submit --module openmpi --nodes 4 --ranks-per-node 64 ./solver
    """
    resources = Resources(
        nodes=nodes,
        ranks_per_node=ranks_per_node or 0,
        threads_per_rank=threads_per_rank,
        gpus_per_node=gpus_per_node,
        share_gpus=share_gpus,
        mem=mem,
        walltime=walltime,
        place=place,
        queue=queue,
        project=project,
        account=account,
    )
    file = sites.find(site)
    own = Site() if file is None else sites.load(file)
    given: dict[str, Any] = {
        "launcher": launcher,
        "bind": bind,
        "python": python,
        "log_folder": logs,
        "activate": None if activate is None else tuple(activate),
    }
    own = replace(
        own,
        modules=(*own.modules, *(module or ())),
        directives=(*own.directives, *(directive or ())),
        env={**own.env, **_variables(env or ())},
        **{key: value for key, value in given.items() if value is not None},
    )
    job = Job(
        program=program,
        arguments=tuple(arguments or ()),
        resources=resources,
        site=own,
        name=name,
        backend=backend or config.wished_backend(),
        check=check,
    )
    if dry_run:
        _show(job)
        return
    done = qsub.submit(job)
    typer.echo(done.id)
    typer.echo(f"submitted {job.name}: {_summary(job)}\n{qsub.next_steps(done, job)}", err=True)


def _variables(given: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    wrong = next((name for name, equals, _ in pairs if not equals), None)
    if wrong is not None:
        raise UserError(f"--env {wrong!r}: write NAME=VALUE")
    return {name: value for name, _, value in pairs}


def _show(job: Job) -> None:
    """Print the script as it is, in bytes: an argument need not be text."""
    script = render(job)
    qsub.check_program(job, Path.cwd())
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(script))
    sys.stdout.buffer.flush()
    typer.echo(
        f"xpaccel: nothing was submitted; it would be: mkdir -p {join([job.log_folder])} && {join(qsub.QSUB)}, in "
        f"{Path.cwd()}, with this script as the input",
        err=True,
    )


def _summary(job: Job) -> str:
    asked = job.resources
    ranks = f"{asked.nodes} x {asked.ranks_per_node} ranks of {asked.threads_per_rank} threads"
    gpus = f", {asked.gpus_per_node} GPUs a node" if asked.gpus_per_node else ""
    return f"{ranks}{gpus}, {asked.walltime or 'no walltime asked for: the queue decides'}, XP_BACKEND={job.backend}"
