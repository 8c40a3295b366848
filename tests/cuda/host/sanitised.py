"""``python sanitised.py ARGUMENTS``: pytest under the address sanitiser, on the stand-in for CuPy.

A process that is ended writes its report into a file, as pytest keeps what a test writes to its standard error;
afterwards the reports are shown.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

TESTS = Path(__file__).parents[2]
if str(TESTS) not in sys.path:
    sys.path.insert(0, str(TESTS))

from cuda.host import compiling  # noqa: E402


def main(words: Sequence[str]) -> int:
    """Run pytest; return its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        env = compiling.environment()
        env["ASAN_OPTIONS"] += f":log_path={folder}/report"
        done = subprocess.run([sys.executable, "-m", "pytest", *words], env=env, check=False)
        for path in sorted(Path(folder).iterdir()):
            print(f"\n{path.read_text(errors='replace')}", file=sys.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
