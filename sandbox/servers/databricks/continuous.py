"""Continuous jobs: one active run each, started again whenever it ends, later and later while it keeps failing."""

import asyncio
import contextlib

from sandbox.servers.databricks import rules
from sandbox.servers.databricks.engine import Engine
from sandbox.servers.databricks.model import Job, Run, now_ms


def is_unpaused(job: Job) -> bool:
    continuous = job.settings.get("continuous") or {}
    return bool(continuous) and continuous.get("pause_status") != "PAUSED"


def new_run(engine: Engine, job: Job, trigger: str) -> Run:
    """Return a run of a job's present settings, not yet started."""
    defaults = {each["name"]: str(each.get("default", "")) for each in job.settings.get("parameters") or []}
    return Run(
        run_id=engine.store.next_id(),
        job_id=job.job_id,
        name=str(job.settings.get("name") or "Untitled"),
        run_type="JOB_RUN",
        trigger=trigger,
        start_time=now_ms(),
        settings=job.settings,
        job_parameters=defaults,
    )


class ContinuousJobs:
    """Watches all continuous jobs; woken by every end of a run and every change of a job."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.watch = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self.watch is not None:
            self.watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.watch

    async def _watch(self) -> None:
        while True:
            changed = self.engine.ended
            waits = [
                wait for job in list(self.engine.store.jobs.values()) if (wait := self.start_if_due(job)) is not None
            ]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(waits, default=None)):
                    await changed.wait()

    def start_if_due(self, job: Job) -> float | None:
        """Start the job's next run if it is time; else return the seconds until then, None while nothing is due."""
        runs = self.engine.store.runs_of(job.job_id)
        if not is_unpaused(job) or any(not run.end_time for run in runs):
            return None
        wait = self.backoff(runs) - (now_ms() - max((run.end_time for run in runs), default=0)) / 1000
        if wait > 0:
            return wait
        self.engine.create(new_run(self.engine, job, "CONTINUOUS"))
        return None

    def backoff(self, runs: list[Run]) -> float:
        config = self.engine.config
        failures = rules.failures_in_a_row([run for run in runs if not run.refused])
        return rules.restart_delay_seconds(failures, config.backoff_seconds, config.longest_backoff_seconds)
