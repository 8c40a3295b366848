"""A job as a value: a program, what it needs, and how this site writes it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from xpaccel.errors import UserError
from xpaccel.jobs import names
from xpaccel.jobs.activation import Activation, detect
from xpaccel.jobs.resources import Resources
from xpaccel.jobs.shell import nearest
from xpaccel.jobs.sites import Site

HOST_BACKENDS = ("numpy", "numba")
GPU_BACKENDS = ("cupy", "numba-cuda")

PLACE = "scatter"
"""Each chunk on a node of its own: what `nodes` says. PBS's own default may put several on one."""


@dataclass(frozen=True)
class Job:
    """One program that runs once, on all ranks.

    Parameters
    ----------
    program : str
        A Python file (its name ends in ``.py``), or an executable, seen from the folder of submission.
    arguments : iterable of str
        Its arguments; they reach it unchanged.
    resources : Resources
        What it needs. What is None there is filled in from `site`.
    site : Site
        How jobs are written for this cluster.
    name : str
        The job's name; empty for one that is made from the program's.
    backend : str
        Value of ``XP_BACKEND``; empty for ``cupy`` where GPUs are asked for, and ``numba`` elsewhere.
    activation : Activation
        The environment of the job, unless `site` has its own; by default that of the running interpreter.
    check : bool
        Does the job check that it got what was asked for, before the program starts?

    Raises
    ------
    xpaccel.UserError
        For a name that PBS refuses, an unknown backend or one that does not fit the resources, and a folder for logs
        that a ``#PBS`` line cannot name.
    """

    program: str
    arguments: Iterable[str] = ()
    resources: Resources = field(default_factory=Resources)
    site: Site = field(default_factory=Site)
    name: str = ""
    backend: str = ""
    activation: Activation = field(default_factory=detect)
    check: bool = True

    def __post_init__(self) -> None:
        if not self.program:
            raise UserError("the program has no name")
        gpus = self.resources.gpus_per_node > 0
        _set(self, "arguments", tuple(self.arguments))
        _set(self, "resources", _complete(self.resources, self.site))
        _set(self, "name", names.check(self.name) if self.name else names.derive(self.program))
        _set(self, "backend", self.backend or (GPU_BACKENDS if gpus else HOST_BACKENDS[::-1])[0])
        _set(self, "activation", _activation(self.activation, self.site))
        _check_backend(self.backend, gpus)
        if "XP_BACKEND" in self.site.env:
            raise UserError("XP_BACKEND is exported by every job: give its value as the backend (--backend)")
        if not self.log_folder or set(":$") & set(self.log_folder):
            raise UserError(
                f"folder for logs {self.site.log_folder!r}: PBS reads HOST:PATH there, and fills in no $NAME"
            )

    @property
    def log_folder(self) -> str:
        """Where logs go, from the folder of submission; ``~`` is filled in, which PBS would not do."""
        return os.path.expanduser(self.site.log_folder)

    @property
    def words(self) -> tuple[str, ...]:
        """What a rank executes: the program and its arguments, before them the interpreter of a Python file."""
        # A name that starts with a dash would be an option of Python or of exec.
        program = f"./{self.program}" if self.program.startswith("-") else self.program
        interpreter = (self.activation.python,) if self.program.endswith(".py") else ()
        return (*interpreter, program, *self.arguments)


def _set(job: Job, name: str, value: object) -> None:
    object.__setattr__(job, name, value)


def _complete(resources: Resources, site: Site) -> Resources:
    """Fill in from the site what the job did not ask for."""
    missing = {
        name: getattr(site, name)
        for name in ("queue", "project", "account", "walltime", "mem", "place")
        if getattr(resources, name) is None
    }
    missing["place"] = missing.get("place", resources.place) or PLACE
    return replace(resources, **missing)


def _activation(found: Activation, site: Site) -> Activation:
    """Let the site's lines and interpreter go before those of the running interpreter."""
    if site.activate is None:
        return replace(found, python=site.python or found.python)
    return Activation(site.activate, site.python or "python")


def _check_backend(name: str, gpus: bool) -> None:
    known = (*HOST_BACKENDS, *GPU_BACKENDS)
    if name not in known:
        raise UserError(f"backend {name!r}: {nearest(name, known)}")
    if gpus and name in HOST_BACKENDS:
        raise UserError(f"GPUs are asked for, and backend {name!r} computes on cores: use --backend cupy or numba-cuda")
    if not gpus and name in GPU_BACKENDS:
        raise UserError(f"backend {name!r} needs GPUs: ask for them with --gpus-per-node")
