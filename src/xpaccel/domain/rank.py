"""``python -P -m xpaccel.domain.rank PROGRAM ARGS``: runs a Python program as one rank of a job.

The program finds what it would find if Python had been given it: ``-m MODULE``, ``-c CODE`` or a file. If it
fails, the whole job ends (`xpaccel.domain.abort`).
"""

from __future__ import annotations

import builtins
import faulthandler
import io
import os
import runpy
import sys
import types
from collections.abc import Sequence

from xpaccel.domain import abort


def encode(words: Sequence[str]) -> list[str]:
    """Put a backslash before a word that launchers would read themselves: a colon starts another program."""
    return [f"\\{word}" if word == ":" or word.startswith("\\") else word for word in words]


def decode(words: Sequence[str]) -> list[str]:
    """Take that backslash away."""
    return [word.removeprefix("\\") for word in words]


def run(words: Sequence[str]) -> None:
    """Run a program as ``__main__``.

    Parameters
    ----------
    words
        ``-m``, a module and its arguments; ``-c``, code and its arguments; or a file and its arguments.
    """
    how, what = words[0], words[1:]
    if how == "-m":
        sys.path.insert(0, os.getcwd())
        sys.argv = list(what)  # runpy puts the module's file first
        runpy.run_module(what[0], run_name="__main__", alter_sys=True)
    elif how == "-c":
        sys.path.insert(0, "")
        sys.argv = ["-c", *what[1:]]
        main = types.ModuleType("__main__")
        main.__builtins__ = builtins  # type: ignore[attr-defined]
        sys.modules["__main__"] = main
        exec(compile(what[0], "<string>", "exec"), main.__dict__)
    else:
        sys.argv = list(words)
        if not os.path.isdir(how):  # runpy itself puts a folder or an archive there
            sys.path.insert(0, os.path.dirname(os.path.realpath(how)))
        runpy.run_path(how, run_name="__main__")


def main(words: Sequence[str]) -> None:
    """Run a program; whatever it does not catch ends all ranks."""
    abort.install()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a line is one write: launchers mix what ranks write piece by piece
            stream.reconfigure(line_buffering=True, write_through=False)
    faulthandler.enable()  # a crash in compiled code says where Python was
    try:
        run(decode(words))
    except SystemExit as error:
        if abort.status(error.code):
            abort.fail(error)
        raise
    except BaseException as error:
        abort.fail(error)


if __name__ == "__main__":
    main(sys.argv[1:])
