"""``make matrix``: run the cases, and write their page where all pass. Arguments go to pytest (``-k STREAM``), and then
only those cases are run."""

import os
import subprocess
import sys

from tests.conformance.page import PAGE, text
from tests.support import ROOT


def main() -> int:
    chosen = sys.argv[1:]
    files = [f"tests/conformance/test_{name}.py" for name in ("matrix", "declared")]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", *files, *chosen]
    failed = subprocess.run(command, cwd=ROOT, check=False, env={**os.environ, "SANGAM_MATRIX": "all"}).returncode
    if not failed and not chosen:
        PAGE.write_text(text(), encoding="utf-8", newline="\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
