"""Names of jobs that every PBS accepts."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

from xpaccel.errors import UserError

SAFE_LENGTH = 15
"""What old releases take, and about what `qstat` shows; newer ones take `LENGTH`."""

LENGTH = 230

_LEGAL = re.compile(rf"[A-Za-z0-9_.+-]{{1,{LENGTH}}}")


def derive(program: str) -> str:
    """Make a name from that of a program: letters, digits and ``_.-``, a letter first, at most 15 characters.

    Parameters
    ----------
    program : str
        A path, with any characters that a file system allows.

    Returns
    -------
    str
        For example ``heat`` for ``../runs/heat.py`` and ``my_run_v2`` for ``my run (v2).py``.
    """
    stem = PurePosixPath(program).stem
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", plain).strip("_.-")
    if name and not name[0].isalpha():
        name = f"j{name}"
    return name[:SAFE_LENGTH].rstrip("_.-") or "xpaccel"


def check(name: str) -> str:
    """Give back a name that the user chose.

    Raises
    ------
    xpaccel.UserError
        If PBS would refuse it.
    """
    if not _LEGAL.fullmatch(name):
        raise UserError(f"--name {name!r}: PBS takes 1 to {LENGTH} letters, digits, and _ - + . in it")
    return name
