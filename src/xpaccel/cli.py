"""The command line: each command shows values that Python has too, and holds no logic of its own."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from xpaccel.errors import UserError, XpaccelError
from xpaccel.report import sizes

STATUS_FAILED, STATUS_INPUT = 1, 2

LAZY = {
    "demo": "xpaccel.demo.command:demo",
    "run": "xpaccel.jobs.run_command:command",
    "submit": "xpaccel.jobs.command:submit",
}
"""Commands whose module is imported when they are asked for (or listed by ``--help``)."""

# What follows the program belongs to the program.
SETTINGS = {name: {"allow_interspersed_args": False} for name in ("run", "submit")}


class Commands(TyperGroup):
    """Commands whose expected errors are one line on standard error and an exit status, not a traceback."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name all commands, the lazy ones first."""
        return [*LAZY, *(name for name in super().list_commands(ctx) if name not in LAZY)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Give a command by name, importing it where it is a lazy one."""
        if cmd_name in LAZY and cmd_name not in self.commands:
            module, _, function = LAZY[cmd_name].partition(":")
            alone = typer.Typer(add_completion=False)
            alone.command(cmd_name, context_settings=SETTINGS.get(cmd_name))(getattr(import_module(module), function))
            self.add_command(typer.main.get_command(alone), cmd_name)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for.

        Raises
        ------
        typer.Exit
            With status 2 where the input cannot be used, 1 where something else that xpaccel knows failed.
        """
        try:
            return super().invoke(ctx)
        except XpaccelError as error:
            typer.echo(f"xpaccel: {error}", err=True)
            raise typer.Exit(STATUS_INPUT if isinstance(error, UserError) else STATUS_FAILED) from error


app = typer.Typer(
    cls=Commands,
    help="Plain array kernels, fused and run on all cores.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
cache = typer.Typer(help="The folder of compiled programs.", no_args_is_help=True)
app.add_typer(cache, name="cache")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


def _version(wanted: bool) -> None:
    if wanted:
        from xpaccel import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def info(as_json: AsJson = False) -> None:
    """Show what this machine offers: targets, cores, threads, GPUs, MPI, cache, versions."""
    from xpaccel.report.info import collect

    found = collect()
    if as_json:
        typer.echo(json.dumps(found.to_dict(), indent=2))
    else:
        from rich.console import Console

        from xpaccel.report.info_table import table

        Console().print(table(found))


@app.command()
def doctor(
    require: Annotated[
        list[str] | None,
        typer.Option(metavar="BACKEND", help="Fail where this backend cannot be used; may be given several times."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find out what works here and why the rest is not used: each backend runs a kernel, and a GPU is chosen.

    Ends with status 0 where everything that is installed works, absent things included, and with 1 where
    something that is here does not.
    """
    from xpaccel.report import doctor as examination

    report = examination.examine(require or ())
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=2))
    else:
        from rich.console import Console

        from xpaccel.report.doctor_table import table

        Console().print(table(report))
    if report.failed:
        raise typer.Exit(STATUS_FAILED)


@app.command()
def explain(
    kernel: Annotated[str, typer.Argument(metavar="FILE:KERNEL", help="For example heat.py:diffuse.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME:DTYPE[SHAPE] | NAME=VALUE]...",
            help="What the kernel is called with, for example 'u:f64[1024,1024]' dt=0.1 "
            "(quote brackets in zsh). Tuples, lists and dicts nest: 'uv:(f32[8], f32[8])'.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what becomes of a kernel: graph, loops, source, bytes, flops, guards, and what did not fuse.

    The kernel is traced, not run, on arrays of zeros whose memory is never touched, so shapes may be large.
    Only a kernel that asks for a value of an array (`if xp.any(u > 0)`) runs up to that line, and is
    answered with what follows from zeros.
    """
    from xpaccel.report import arguments as spec
    from xpaccel.report import load

    found = load.kernel(kernel)
    call = spec.bind(found.python, spec.parse(arguments or ()))
    explanation = found.explain(*call.args, **call.kwargs)
    typer.echo(json.dumps(explanation.to_dict(), indent=2) if as_json else str(explanation))


@cache.command("info")
def cache_info(as_json: AsJson = False) -> None:
    """Show where compiled programs are kept, how many there are and what they take."""
    from xpaccel.cache import Store

    found = Store().info()
    if as_json:
        typer.echo(json.dumps({"folder": str(found.folder), "entries": found.entries, "bytes": found.bytes}))
    else:
        typer.echo(f"{found.folder}\n{found.entries} programs, {sizes.show(found.bytes)}")


@cache.command("prune")
def cache_prune(
    max_size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Remove the least recently used until this fits: 500MB, 1GiB."),
    ] = None,
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", min=0, help="Remove what was not used for this long.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove all.")] = False,
) -> None:
    """Remove compiled programs; what is needed again is compiled again."""
    from xpaccel.cache import Store

    if everything and (max_size is not None or older_than is not None):
        raise UserError("--all removes everything already: leave out --max-size and --older-than")
    if not everything and max_size is None and older_than is None:
        raise UserError("say what to remove: --max-size SIZE, --older-than DAYS, or --all")
    limit = 0 if everything else None if max_size is None else sizes.parse(max_size)
    removed, freed = Store().prune(max_bytes=limit, older_than_days=older_than)
    typer.echo(f"removed {removed} programs, {sizes.show(freed)}")
