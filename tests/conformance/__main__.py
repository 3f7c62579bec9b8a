"""``make matrix``: run the cases, and write their page where all pass. Arguments go to pytest (``-k STREAM``), and then
only those cases are run."""

import subprocess
import sys

from tests.conformance.page import PAGE, text
from tests.support import ROOT


def main() -> int:
    chosen = sys.argv[1:]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "tests/conformance/test_matrix.py", *chosen]
    failed = subprocess.run(command, cwd=ROOT, check=False).returncode
    if not failed and not chosen:
        PAGE.write_text(text(), encoding="utf-8", newline="\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
