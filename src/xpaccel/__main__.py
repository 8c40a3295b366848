"""The `xpaccel` command, also `python -m xpaccel`: where it cannot start, it says what to install."""

from __future__ import annotations

import sys
from importlib.util import find_spec


def main() -> int:
    """Run the command line.

    Returns
    -------
    int
        The exit status: 2 where typer or rich is not installed (the commands end through `SystemExit`).
    """
    missing = [name for name in ("typer", "rich") if find_spec(name) is None]
    if missing:
        print(
            f'xpaccel: the command line needs {" and ".join(missing)}: pip install "xpaccel[demo]"',
            file=sys.stderr,
        )
        return 2
    from xpaccel.cli import app

    app(prog_name="xpaccel")
    return 0


if __name__ == "__main__":
    sys.exit(main())
