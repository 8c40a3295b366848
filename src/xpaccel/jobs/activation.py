"""The Python environment that the job runs in: by default the one that submits it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xpaccel.jobs.shell import quote


@dataclass(frozen=True)
class Activation:
    """How the job comes to its Python.

    Parameters
    ----------
    lines : tuple of str
        Lines of bash that activate it, taken as they are.
    python : str
        The interpreter, a path or a name that is found after these lines.
    """

    lines: tuple[str, ...]
    python: str


def detect(
    *,
    prefix: str = sys.prefix,
    base: str = sys.base_prefix,
    executable: str = sys.executable,
    environ: Mapping[str, str] = os.environ,
) -> Activation:
    """Find out how the running interpreter was come to: a virtual environment, conda, or neither.

    The interpreter is named by its path, so what runs does not depend on the job's `PATH`; activation sets that for
    the programs beside it.

    Parameters
    ----------
    prefix, base, executable
        As in `sys`.
    environ
        Where ``CONDA_EXE`` is looked up.
    """
    activate = Path(prefix, "bin", "activate")
    if prefix != base and activate.is_file():
        return Activation(
            (f'source {quote(str(activate))} || fail "cannot activate the virtual environment"',), executable
        )
    if Path(prefix, "conda-meta").is_dir():
        return Activation(_conda(prefix, environ.get("CONDA_EXE")), executable)
    return Activation((), executable)


def _conda(prefix: str, conda: str | None) -> tuple[str, ...]:
    """Activate with conda where it is known, else (micromamba, pixi) do by hand what activation does."""
    if conda and Path(conda).is_file():
        return (
            f'eval "$({quote(conda)} shell.bash hook)" || fail "conda does not start"',
            f'conda activate {quote(prefix)} || fail "cannot activate the conda environment"',
        )
    return (
        f"export CONDA_PREFIX={quote(prefix)}",
        'export PATH="$CONDA_PREFIX/bin:$PATH"',
        'for file in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do [ -r "$file" ] && source "$file"; done',
    )
