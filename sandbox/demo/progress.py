"""What every part of the demo tells the person who watches it, and how it waits.

A line for each step and each thing that is done; on a terminal also a live line at the end, which says how long the
step has taken. Lines have at most 80 characters.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from sandbox.run.settings import SandboxError

POLL_SECONDS = 0.5
WITHIN_SECONDS = 900  # on a loaded machine too: only what hangs takes so long
STEPS = (
    "start the servers",
    "load the posts into the source",
    "Airflow reads the DAGs",
    "Airflow makes the streams",
    "Airflow makes the S3 sink connector",
    "the batch runs, and users post into the stream",
    "the stream catches up",
    "compare stream and silver",
    "count",
)


class Progress:
    """The steps of one demo on one console."""

    def __init__(self, console: Console, steps: tuple[str, ...] = STEPS) -> None:
        self.console = console
        self.steps = steps
        self.title = ""
        self.detail = ""
        self.began = 0.0

    def say(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Say which step of all this is, and show it live on a terminal until it is over."""
        self.title = f"step {self.steps.index(name) + 1} of {len(self.steps)}: {name}"
        self.detail, self.began = "", now()
        self.say(f"demo: {self.title}")
        with Live(get_renderable=self.live_line, console=self.console, transient=True, refresh_per_second=2):
            yield

    def live_line(self) -> Text:
        detail = f", {self.detail}" if self.detail else ""
        return Text(f"{self.title}{detail}, {now() - self.began:.0f} s", no_wrap=True, overflow="ellipsis")

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = now() + WITHIN_SECONDS
        while not condition():
            if now() > deadline:
                raise SandboxError(f"Waited {WITHIN_SECONDS} s in vain for {what}; the logs are in .sandbox/logs.")
            time.sleep(POLL_SECONDS)


def now() -> float:
    return time.monotonic()


progress = Progress(Console(highlight=False))
