"""The API's end of one driver process: start it, give it notebooks, notice its death."""

import asyncio
import json
import logging
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)
LINE_LIMIT_BYTES = 64 * 1024 * 1024  # a 5 MB result can be several times that as escaped JSON
START_SECONDS = 300.0
SILENCE_SECONDS = 120.0  # heartbeats come every 5 s


class DriverLostError(Exception):
    """The driver process is gone or does not answer."""


@dataclass(frozen=True)
class Work:
    """One notebook to run."""

    run_id: int
    notebook: Path
    parameters: Mapping[str, str]
    log: Path
    task_values: Mapping[str, Mapping[str, Any]]  # by task key


class DriverProcess:
    """One process; its notebooks are futures by task run id."""

    def __init__(self, process: asyncio.subprocess.Process, cancel_seconds: float) -> None:
        self.process = process
        self.cancel_seconds = cancel_seconds
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.warm: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.futures: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.last_seen = time.monotonic()
        self.reason = ""
        self.reader = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls, python: Path, environment: Mapping[str, str], log_file: Path, cancel_seconds: float
    ) -> "DriverProcess":
        """Start a driver in a process group of its own and wait until it answers."""
        with log_file.open("ab") as cluster_log:
            process = await asyncio.create_subprocess_exec(
                python,
                "-m",
                "sandbox.servers.databricks.driver",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=cluster_log,
                env=dict(environment),
                cwd=log_file.parent,
                start_new_session=True,
                limit=LINE_LIMIT_BYTES,
            )
        driver = cls(process, cancel_seconds)
        try:
            async with asyncio.timeout(START_SECONDS):
                await asyncio.shield(driver.ready)
        except TimeoutError as error:
            driver.kill(f"it did not answer within {START_SECONDS:.0f} s of its start")
            raise DriverLostError(f"The driver did not start; see {log_file}.") from error
        except asyncio.CancelledError:
            driver.kill("the run that it was started for was cancelled")
            raise
        return driver

    @property
    def is_alive(self) -> bool:
        return not self.reader.done()

    @property
    def is_idle(self) -> bool:
        return not self.futures

    def send(self, op: str, **values: Any) -> None:
        if self.process.stdin is None or not self.is_alive:
            raise DriverLostError("The driver is gone.")
        self.process.stdin.write(json.dumps({"op": op, **values}).encode() + b"\n")

    async def run(self, work: Work) -> dict[str, Any]:
        """Run a notebook to its end and return the driver's ``finished`` event.

        Cancelling the caller cancels the notebook: the caller gets its CancelledError once the notebook has stopped,
        or once the whole driver was killed because the notebook did not stop in time.
        """
        future = self.futures[work.run_id] = asyncio.get_running_loop().create_future()
        try:
            self.send(
                "run",
                run_id=work.run_id,
                notebook=str(work.notebook),
                parameters=dict(work.parameters),
                log=str(work.log),
                task_values=dict(work.task_values),
            )
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await self._stop(work.run_id, future)
            raise
        finally:
            self.futures.pop(work.run_id, None)

    async def _stop(self, run_id: int, future: "asyncio.Future[dict[str, Any]]") -> None:
        if not self.is_alive or future.done():
            return
        self.send("cancel", run_id=run_id)
        await asyncio.wait([future], timeout=self.cancel_seconds)
        if not future.done():
            self.kill(f"task run {run_id} did not stop within {self.cancel_seconds:g} s of its cancellation")
            await asyncio.wait([self.reader])
        if future.done() and not future.cancelled():
            future.exception()  # retrieved: a driver lost while stopping is no news

    async def _read(self) -> None:
        """Take in events until the driver's end, which fails whatever it was running."""
        stdout = self.process.stdout
        while stdout is not None and (line := await stdout.readline()):
            self.last_seen = time.monotonic()
            event = json.loads(line)
            if event["event"] == "ready":
                self.ready.set_result(None)
            elif event["event"] == "warm" and not self.warm.done():
                self.warm.set_result(event["seconds"])
            elif event["event"] == "lost":
                self.reason = self.reason or event["reason"]
            elif event["event"] == "finished" and (future := self.futures.get(event["run_id"])):
                future.set_result(event)
        code = await self.process.wait()
        self.end_group()
        lost = DriverLostError(
            f"The Spark driver (process {self.process.pid}) {describe_end(code)}: "
            f"{self.reason or 'it stopped unexpectedly'}."
        )
        for future in (self.ready, self.warm, *self.futures.values()):
            if not future.done():
                future.set_exception(lost)
                future.exception()  # retrieved here too: not everybody waits for each of them

    def kill(self, reason: str) -> None:
        self.reason = self.reason or reason
        log.warning("Killing driver %s: %s", self.process.pid, reason)
        self.end_group()

    def end_group(self) -> None:
        """End the driver, its JVM and its Python workers."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            log.debug("driver %s left nothing behind", self.process.pid)

    async def close(self, reason: str) -> None:
        if self.is_alive:
            self.kill(reason)
            await asyncio.wait([self.reader])


def describe_end(code: int) -> str:
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
