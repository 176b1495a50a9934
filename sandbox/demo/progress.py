"""What every part of the demo tells the person who watches it, and how it waits."""

import time
from collections.abc import Callable

from sandbox.run.settings import SandboxError

POLL_SECONDS = 0.5


def say(text: str) -> None:
    print(f"demo: {text}", flush=True)


def wait(what: str, condition: Callable[[], bool], seconds: float) -> None:
    say(f"waiting for {what}")
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SandboxError(f"Waited {seconds:.0f} s in vain for {what}; the logs are in .sandbox/logs.")
        time.sleep(POLL_SECONDS)
