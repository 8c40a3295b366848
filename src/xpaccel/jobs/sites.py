"""Site files: what is different at one computing centre, as TOML."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from xpaccel import config
from xpaccel.errors import UserError
from xpaccel.jobs import launchers
from xpaccel.jobs.shell import nearest

SELECT = "{nodes}:ncpus={cpus_per_node}:mpiprocs={ranks_per_node}:ompthreads={threads_per_rank}{gpus}{mem}"
"""What is asked of each chunk. ``{gpus}`` and ``{mem}`` are ``:ngpus=4`` and ``:mem=64gb``, or nothing."""

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BINDINGS = ("auto", "core", "none")


@dataclass(frozen=True, kw_only=True)
class Site:
    """How jobs are written for one cluster; each field is a key of a site file, and has a default that often fits.

    Parameters
    ----------
    queue, project, account, walltime, mem, place : str or None
        What a job gets that does not ask for its own; see `Resources`.
    select : str
        Template of the ``select`` line.
    gpu_resource : str
        What this site calls GPUs; many say ``ngpus``, which is not PBS's own.
    directives : tuple of str
        Further ``#PBS`` lines, without the ``#PBS``.
    log_folder : str
        Where logs go, from the folder that the job is submitted in.
    keep : str
        Value of ``-k``. ``doe`` has the log written in place, so that it can be followed; empty leaves it out.
    preamble : tuple of str
        Lines of bash before modules are loaded.
    modules : tuple of str
        Environment modules to load.
    activate : tuple of str or None
        Lines of bash that activate the Python environment, in place of the one that submits.
    python : str or None
        The interpreter; by default the submitting one, or with `activate`, ``python``.
    launcher : str
        ``auto``, the name of a launcher, or a command line with ``{ranks}`` in it.
    bind : str
        ``core`` binds ranks to cores, ``none`` does not, ``auto`` where the cores are the job's own.
    env : mapping of str to str
        Variables to export.

    Raises
    ------
    xpaccel.UserError
        For a launcher, a binding or a variable that cannot be.
    """

    queue: str | None = None
    project: str | None = None
    account: str | None = None
    walltime: str | None = None
    mem: str | None = None
    place: str | None = None
    select: str = SELECT
    gpu_resource: str = "ngpus"
    directives: tuple[str, ...] = ()
    log_folder: str = "xpaccel-logs"
    keep: str = "doe"
    preamble: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    activate: tuple[str, ...] | None = None
    python: str | None = None
    launcher: str = "auto"
    bind: str = "auto"
    env: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "env", MappingProxyType(dict(self.env)))
        launchers.check(self.launcher)
        if self.bind not in _BINDINGS:
            raise UserError(f"bind {self.bind!r}: {nearest(self.bind, _BINDINGS)}")
        for name in self.env:
            if not VARIABLE.fullmatch(name):
                raise UserError(f"env {name!r}: the name of a variable has letters, digits and _ only")
        if not re.fullmatch(r"[A-Za-z][\w-]*", self.gpu_resource, re.ASCII):
            raise UserError(f"gpu_resource {self.gpu_resource!r}: this is the name of a PBS resource, such as ngpus")
        if not re.fullmatch(r"[deon]*", self.keep):
            raise UserError(f"keep {self.keep!r}: PBS's -k takes letters of d, e, o and n")


def find(name: str | None = None, *, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Find the site file.

    Parameters
    ----------
    name : str or None
        A path (it has a slash or ends in ``.toml``), or ``NAME`` for ``NAME.toml`` in the folder of settings,
        ``~/.config/xpaccel``. None asks the variable ``XP_SITE``, and then looks for ``site.toml`` there.
    environ
        Where ``XP_SITE`` and ``XDG_CONFIG_HOME`` are looked up.

    Returns
    -------
    Path or None
        None where nothing was asked for and there is no ``site.toml``.

    Raises
    ------
    xpaccel.UserError
        If the file that was asked for is not there.
    """
    folder = Path(environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "xpaccel"
    asked, by = (name, "--site") if name is not None else (config.site(environ), "XP_SITE")
    if asked is None:
        default = folder / "site.toml"
        return default if default.is_file() else None
    path = Path(asked).expanduser() if "/" in asked or asked.endswith(".toml") else folder / f"{asked}.toml"
    if not path.is_file():
        there = sorted(file.stem for file in folder.glob("*.toml"))
        known = f"; {folder} has {', '.join(there)}" if there else ""
        raise UserError(f"{by} {asked!r}: there is no file {path}{known}")
    return path


def load(path: Path) -> Site:
    """Read a site file.

    Raises
    ------
    xpaccel.UserError
        If it cannot be read, has a key that is not known (the nearest is named), or a value of the wrong kind.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"site file {path}: {error}") from error
    known = {each.name: str(each.type) for each in fields(Site)}
    try:
        return Site(**{key: _value(key, value, known) for key, value in table.items()})
    except UserError as error:
        raise UserError(f"site file {path}: {error}") from error


def _value(key: str, value: Any, known: Mapping[str, str]) -> Any:
    """Give a key's value as the field holds it; the field's annotation tells which kind that is."""
    if key not in known:
        raise UserError(f"there is no key {key!r}: {nearest(key, known)}")
    if known[key].startswith("tuple"):
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise UserError(f'{key} must be a list of texts, such as ["a", "b"]')
        return tuple(value)
    if known[key].startswith("Mapping"):
        if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
            raise UserError(f'{key} must be a table of texts, such as {key} = {{ NAME = "value" }}')
        return value
    if not isinstance(value, str):
        raise UserError(f'{key} must be a text, such as "a", not {value!r}')
    return value
