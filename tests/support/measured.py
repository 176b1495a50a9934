"""Run a program as ``python -m tests.support.measured PROGRAM …`` so that its parent's ``wait4`` counts all it started.

A Spark driver's JVM is not waited for by the Python that started it: its processor time would be lost. On Linux this
process adopts such orphans and waits for those that end with the program; servers that stay are left alone.
"""

import ctypes
import os
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
ORPHANS_END_WITHIN_SECONDS = 3.0


def main(command: list[str]) -> int:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    exit_code = subprocess.call(command)
    deadline = time.monotonic() + ORPHANS_END_WITHIN_SECONDS
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if not pid:
            time.sleep(0.05)
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
