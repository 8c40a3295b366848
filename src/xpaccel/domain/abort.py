"""A rank that fails ends the job: its traceback first, each line with the rank's number, then all ranks stop.

Where one rank of several raises, the others wait for its messages forever, or until the walltime. So what Python
does with what nobody caught is replaced: the traceback goes out in one piece, and ``MPI_Abort`` stops the rest. Of
ranks that fail together, on a node, one speaks and the others hold back for a moment, in which they are stopped.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import socket
import sys
import threading
import time
import traceback
from types import TracebackType
from typing import Any, NoReturn

INTERRUPTED = 128 + signal.SIGINT
"""The exit status after a ``KeyboardInterrupt``, as of a program that the signal ends."""

FORWARD_SECONDS = 0.1
"""How long the launcher is given to show what was written before it learns of the abort and writes itself."""

YIELD_SECONDS = 1.5
"""How long a rank that is not the first to fail on its node waits to be stopped before it speaks too."""

DEADLINE_SECONDS = 2
"""How long an abort may take before this process is ended the hard way."""

_process: int | None = None  # the one that is a rank: children that it forks are none
_speaking = threading.Lock()


def install() -> None:
    """Let whatever nobody catches in this process end the whole job: exceptions, also in threads, and ``sys.exit(1)``.

    Calling it again changes nothing. A program that `xpaccel run` started has it from the start, and there
    ``raise SystemExit(1)`` counts too.
    """
    global _process
    if _process == os.getpid():
        return
    _process = os.getpid()
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.exit = _exit


def status(code: object) -> int:
    """Return the exit status that the code of a ``SystemExit`` means: None is 0, a message is 1."""
    if code is None:
        return 0
    return code & 0xFF if isinstance(code, int) else 1


def fail(error: BaseException) -> NoReturn:
    """Show an exception and end all ranks. The exit status is that of a ``SystemExit``, 130 after Ctrl-C, else 1."""
    code = INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    if isinstance(error, SystemExit):
        code = status(error.code) or 1
    if not _speaking.acquire(timeout=YIELD_SECONDS):  # never released: what fails after it has nothing to add
        stop(code)
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    if os.getpid() != _process:
        # A child that a rank forked ends alone, and without MPI_Finalize, in which it would wait for all ranks.
        _say(describe(error))
        os._exit(code)
    first = _first_on_node()
    if first is None:
        time.sleep(YIELD_SECONDS)
    _say(describe(error))
    time.sleep(FORWARD_SECONDS)
    stop(code)


def describe(error: BaseException) -> str:
    """Return what is shown of an exception, each line with the number of this rank."""
    if isinstance(error, SystemExit):
        frames = traceback.extract_tb(error.__traceback__)
        place = error.place if isinstance(error, _Exit) else frames and f"{frames[-1].filename}:{frames[-1].lineno}"
        where = f" ({place})" if place else ""
        reason = "" if isinstance(error.code, int) else f": {error.code}"
        text = f"ends with status {status(error.code)}{where}, and all ranks with it{reason}\n"
    else:
        text = "".join(traceback.format_exception(type(error), error, _users(error.__traceback__)))
    tag = f"[rank {_rank()}] "
    return "".join(f"{tag}{line}\n" for line in text.splitlines())


def stop(code: int) -> NoReturn:
    """End all ranks with an exit status.

    Where MPI is not initialised, nobody is told by ``MPI_Abort``. Open MPI and Slurm notice a process that ends with a
    status; Hydra lets the others wait for it in ``MPI_Init``, unless it is told in its own language (PMI 1).
    """
    # A thread without Python's lock: it ends the process even where an abort hangs and holds it.
    with open(os.devnull, "w") as nowhere:
        faulthandler.dump_traceback_later(DEADLINE_SECONDS, exit=True, file=nowhere)
        mpi = _initialised()
        if mpi is not None:
            with contextlib.suppress(Exception):
                mpi.COMM_WORLD.Abort(code)
        elif os.environ.get("PMI_FD", "").isdigit() and "MPI_LOCALRANKID" in os.environ:
            with contextlib.suppress(OSError):
                os.write(int(os.environ["PMI_FD"]), f"cmd=abort exitcode={code} message=none\n".encode())
                time.sleep(2 * DEADLINE_SECONDS)
        os._exit(code)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    fail(error.with_traceback(trace))


def _uncaught_in_thread(hint: Any) -> None:
    if issubclass(hint.exc_type, SystemExit):
        return  # a thread may end itself so
    fail(hint.exc_value or hint.exc_type())


class _Exit(SystemExit):
    """What `sys.exit` raises. Nobody caught it if the interpreter itself asks for the code: no function is below then.

    Attributes
    ----------
    place
        Where `sys.exit` was called: the traceback is gone when the interpreter asks.
    """

    def __init__(self, code: object, place: str) -> None:
        super().__init__(code)
        self._code, self.place = code, place

    @property
    def code(self) -> Any:  # type: ignore[override]
        """What `sys.exit` was given."""
        nobody = sys._getframe().f_back is None
        if nobody and status(self._code):
            fail(self)
        return self._code


def _exit(status: object = None, /) -> NoReturn:
    """Exit the interpreter by raising `SystemExit`, as `sys.exit` does."""
    caller = sys._getframe(1)
    raise _Exit(status, f"{caller.f_code.co_filename}:{caller.f_lineno}")


def _users(trace: TracebackType | None) -> TracebackType | None:
    """Leave out the frames that are not the user's: ours and those of `runpy`, at the start."""
    here = os.path.dirname(__file__)
    first = trace
    while first is not None:
        file = first.tb_frame.f_code.co_filename
        if file not in ("<frozen runpy>", os.path.join(here, "rank.py")):
            return first
        first = first.tb_next
    return trace


def _initialised() -> Any:
    """Return mpi4py's MPI, where it can abort. While another thread imports it, it lacks functions still."""
    mpi = sys.modules.get("mpi4py.MPI")
    ready = hasattr(mpi, "Is_initialized") and hasattr(mpi, "Is_finalized") and hasattr(mpi, "COMM_WORLD")
    return mpi if mpi is not None and ready and mpi.Is_initialized() and not mpi.Is_finalized() else None


def _rank() -> object:
    mpi = _initialised()
    if mpi is not None:
        return mpi.COMM_WORLD.Get_rank()
    with contextlib.suppress(Exception):
        from xpaccel.backends import ranks  # imports much, and most ranks never fail

        return ranks.world_rank(os.environ) or 0
    return "?"


def _first_on_node() -> socket.socket | None:
    """Take the word: a name that all ranks of the job on this node know, and that vanishes with its owner.

    They have the same parent, their launcher's process. Linux keeps such names apart from files.
    """
    taken = socket.socket(socket.AF_UNIX)
    try:
        taken.bind(f"\0xpaccel-abort-{os.getuid()}-{os.getppid()}")
    except OSError:
        taken.close()
        return None
    return taken


def _say(text: str) -> None:
    with contextlib.suppress(Exception):
        sys.stderr.write(text)
        sys.stderr.flush()
