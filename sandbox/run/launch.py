"""Become one supervised server: ``python -m sandbox.run.launch SPEC``, where SPEC is a private JSON file.

A step between supervisor and the program, so that secrets reach the program's environment without standing in a
configuration file's escaped text or in ``ps``, and so that a program can drop root before it starts. It also ends what
the server before it left: a killed scheduler's workers wait for it for ever, and run on what is soon scheduled again.
"""

import json
import os
import pwd
import signal
import sys
from contextlib import suppress
from pathlib import Path


def main(spec_file: Path) -> None:
    spec = json.loads(spec_file.read_text())
    end_group_of(Path(spec["pid_file"]))
    written = Path(f"{spec['pid_file']}.new")
    written.write_text(f"{os.getpid()}\n")
    written.replace(spec["pid_file"])  # whole or not at all: a reader of a half-written file found no number
    os.umask(0o077)  # what a server stores may hold credentials: ministack keeps its secrets as plain JSON
    os.chdir(spec["directory"])
    if spec["user"] and os.geteuid() == 0:
        account = pwd.getpwnam(spec["user"])
        os.initgroups(account.pw_name, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    os.execvpe(spec["command"][0], spec["command"], spec["environment"])  # noqa: S606 - becoming it is the point


def end_group_of(pid_file: Path) -> None:
    """End the group of the process that wrote the file and has died; supervisord gives each server one of its own.

    While a member is left no other process gets the group's number. The file is deleted where a server is stopped.
    """
    with suppress(OSError, ValueError):
        group = int(pid_file.read_text())
        try:
            os.kill(group, 0)
        except ProcessLookupError:
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
