"""Drives runs: one asyncio task a run, one below it for each of its tasks. What it does next, ``rules`` decide."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any

from sandbox.servers.databricks import rules
from sandbox.servers.databricks.clusters import Clusters
from sandbox.servers.databricks.config import Config
from sandbox.servers.databricks.driver_process import DriverLostError, Work
from sandbox.servers.databricks.errors import ApiError
from sandbox.servers.databricks.model import Attempt, Repair, Run, now_ms
from sandbox.servers.databricks.settings_check import cluster_of
from sandbox.servers.databricks.store import Store
from sandbox.servers.databricks.views import state_json

log = logging.getLogger(__name__)
USER = "sandbox@pinterest.invalid"
NO_NOTEBOOK = (
    'Unable to access the notebook "{path}". Either it does not exist, or the identity used to run this job, '
    f"{USER}, lacks the required permissions."
)
API_ENDED = "Cluster {cluster} terminated: the sandbox's Databricks API was restarted, and its drivers ended with it."


class Engine:
    """Every active run, and what starts and ends them."""

    def __init__(self, config: Config, store: Store, clusters: Clusters) -> None:
        self.config = config
        self.store = store
        self.clusters = clusters
        self.active: dict[int, asyncio.Task[None]] = {}
        self.ended = asyncio.Event()  # set, and replaced, whenever a run ends or a job changes
        self.closing = False

    def recover(self) -> None:
        """Close the runs that an earlier process left unfinished; queued ones go on waiting."""
        for run in list(self.store.runs.values()):
            if run.end_time:
                continue
            if run.queued:
                self.launch(run, list(run.tasks))
                continue
            for attempt in run.current.values():
                if attempt.life in ("PENDING", "RUNNING", "TERMINATING", "WAITING_FOR_RETRY"):
                    message = API_ENDED.format(cluster=attempt.cluster_id or "of this task")
                    attempt.finish("INTERNAL_ERROR", "FAILED", "CLUSTER_ERROR", message)
                elif attempt.life == "BLOCKED":
                    attempt.finish("SKIPPED", "UPSTREAM_FAILED", "SKIPPED", "An upstream task failed.")
            run.stop = ""
            self.close_out(run)

    def create(self, run: Run, token: str = "") -> None:
        """Add a run's first attempts, store it, and start it, queue it, or skip it."""
        for task in run.settings["tasks"]:
            self.add_attempt(run, task["task_key"])
        limit = int(run.settings.get("max_concurrent_runs") or 1)
        if run.run_type == "JOB_RUN" and len(self.active_of(run)) >= limit:
            run.queued = bool((run.settings.get("queue") or {}).get("enabled"))
            run.refused = not run.queued
        if run.refused:
            state = rules.run_state(run)
            for attempt in run.attempts:
                attempt.finish(state.life, state.result, state.code, state.message)
            run.end_time = now_ms()
        self.store.save_run(run, token)
        if not run.refused:
            self.launch(run, list(run.tasks))

    def active_of(self, run: Run) -> list[Run]:
        """Return the other active runs of a run's job that count against its limit."""
        others = (self.store.runs.get(run_id) for run_id in self.active)
        return [
            other for other in others if other and other.job_id == run.job_id and other is not run and not other.queued
        ]

    def add_attempt(self, run: Run, key: str, original: Attempt | None = None, repair_id: int = 0) -> Attempt:
        run_id = self.store.next_id()
        number = 0 if original is None else original.attempt_number + 1
        first = run_id if original is None else original.original_attempt_run_id
        attempt = Attempt(run_id, key, now_ms(), first, number, repair_id)
        run.attempts.append(attempt)
        return attempt

    def repair(self, run: Run, request: Mapping[str, Any]) -> int:
        """Run some of a finished run's tasks again, as the request says, and return the repair's id."""
        keys = rules.tasks_to_repair(run, request)
        if not run.repairs:
            run.original_state = {**state_json(rules.run_state(run)), "end_time": run.end_time}
        else:
            run.repairs[-1].state = state_json(rules.run_state(run))
        repair = Repair(self.store.next_id(), now_ms())
        current = run.current
        for key in keys:
            self.add_attempt(run, key, current[key], repair.id)
        run.repairs.append(repair)
        run.job_parameters |= request.get("job_parameters") or {}
        run.overriding |= {"notebook_params": request["notebook_params"]} if request.get("notebook_params") else {}
        run.stop, run.end_time, run.refused = "", 0, False
        self.store.save_run(run)
        self.launch(run, keys)
        return repair.id

    def launch(self, run: Run, keys: list[str]) -> None:
        driving = self.active[run.run_id] = asyncio.create_task(self._drive(run, keys))
        driving.add_done_callback(lambda done: self._driven(run, done))

    def cancel(self, run: Run) -> None:
        """Ask an active run to stop; nothing happens to one that is over or already stopping."""
        driving = self.active.get(run.run_id)
        if driving is None or run.stop:
            return
        run.stop = "USER"
        for attempt in run.current.values():
            if attempt.life == "RUNNING":
                attempt.life = "TERMINATING"
        self.store.save_run(run)
        driving.cancel()

    async def close(self) -> None:
        """Let go of every run without a word: the next process finds them unfinished and says why."""
        self.closing = True
        for driving in self.active.values():
            driving.cancel()
        await asyncio.gather(*self.active.values(), return_exceptions=True)

    async def _drive(self, run: Run, keys: list[str]) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # our own cancel(): close_out sets the state
            await self._wait_for_a_slot(run)
            done = {key: asyncio.Event() for key in run.tasks}
            for key in run.tasks.keys() - set(keys):
                done[key].set()
            try:
                async with asyncio.timeout(float(run.settings.get("timeout_seconds") or 0) or None):
                    async with asyncio.TaskGroup() as group:
                        for key in keys:
                            group.create_task(self._run_task(run, key, done))
            except TimeoutError:
                run.stop = "TIMEOUT"

    def _driven(self, run: Run, driving: asyncio.Task[None]) -> None:
        del self.active[run.run_id]
        if self.closing:
            return
        if not driving.cancelled() and (failure := driving.exception()) is not None:
            log.error("Run %s: the sandbox itself failed", run.run_id, exc_info=failure)
            for attempt in run.current.values():
                if not attempt.is_over:
                    attempt.finish("INTERNAL_ERROR", "FAILED", "INTERNAL_ERROR", f"The sandbox failed: {failure!r}")
        self.close_out(run)

    def close_out(self, run: Run) -> None:
        """End a run: what has not ended of it was cancelled or timed out."""
        for attempt in run.current.values():
            if not attempt.is_over and run.stop == "TIMEOUT":
                attempt.finish("TERMINATED", "TIMEDOUT", "CANCELED", "Run timed out.")
            elif not attempt.is_over:
                attempt.finish("TERMINATED", "CANCELED", "USER_CANCELED", "Run cancelled.")
        run.queued, run.end_time = False, now_ms()
        if run.repairs:
            run.repairs[-1].end_time = run.end_time
        self.store.save_run(run)
        log.info("run %s of job %s: %s", run.run_id, run.job_id, rules.run_state(run))
        self.notify()

    def notify(self) -> None:
        """Wake what waits for the end of a run or a change of a job."""
        self.ended.set()
        self.ended = asyncio.Event()

    async def _wait_for_a_slot(self, run: Run) -> None:
        limit = int(run.settings.get("max_concurrent_runs") or 1)
        while run.queued:
            earlier = [o for o in self.store.runs_of(run.job_id) if o.queued and o.run_id < run.run_id]
            if len(self.active_of(run)) < limit and not earlier:
                run.queued = False
                self.store.save_run(run)
                self.notify()
            else:
                await self.ended.wait()

    async def _run_task(self, run: Run, key: str, done: Mapping[str, asyncio.Event]) -> None:
        """Wait for the upstream tasks, then try until it succeeds or its retries are used up."""
        task = run.tasks[key]
        needs = rules.upstream(task)
        for need in needs:
            await done[need].wait()
        attempt = run.current[key]
        decision = rules.decision_of(task.get("run_if") or "ALL_SUCCESS", [run.current[need].result for need in needs])
        if decision == rules.RUN:
            tried = 0
            await self._try(run, attempt)
            while rules.retries_left(task, attempt, tried):
                tried += 1
                attempt = self.add_attempt(run, key, attempt, attempt.repair_id)
                attempt.life = "WAITING_FOR_RETRY"
                self.store.save_run(run)
                await asyncio.sleep(int(task.get("min_retry_interval_millis") or 0) / 1000)
                await self._try(run, attempt)
        else:
            attempt.finish(
                "SKIPPED",
                decision,
                "SKIPPED",
                f"Skipped: upstream of it, {', '.join(needs)} did not do as run_if asks.",
            )
            self.store.save_run(run)
        done[key].set()

    async def _try(self, run: Run, attempt: Attempt) -> None:
        task = run.tasks[attempt.task_key]
        attempt.life = "PENDING"
        self.store.save_run(run)
        try:
            async with asyncio.timeout(float(task.get("timeout_seconds") or 0) or None):
                await self._execute(run, attempt, task)
        except TimeoutError:
            attempt.finish("TERMINATED", "TIMEDOUT", "CANCELED", f"Timed out after {task['timeout_seconds']} seconds.")
        except DriverLostError as lost:
            message = f"Cluster {attempt.cluster_id} terminated. {lost}"
            attempt.error = message
            attempt.finish("INTERNAL_ERROR", "FAILED", "DRIVER_ERROR", message)
        except ApiError as refusal:  # the cluster that the task names does not exist
            attempt.finish("INTERNAL_ERROR", "FAILED", "INVALID_CLUSTER_REQUEST", refusal.message)
        self.store.save_run(run)

    async def _execute(self, run: Run, attempt: Attempt, task: Mapping[str, Any]) -> None:
        path = task["notebook_task"]["notebook_path"]
        notebook = self.config.workspace.notebook(path)
        if notebook is None:
            message = attempt.error = NO_NOTEBOOK.format(path=path)
            attempt.finish("INTERNAL_ERROR", "FAILED", "RESOURCE_NOT_FOUND", message)
            return
        cluster = self.clusters.find(cluster_of(run.settings, task))
        attempt.cluster_id = cluster.cluster_id
        driver = await self.clusters.driver_of(cluster)
        attempt.life, attempt.execution_start = "RUNNING", now_ms()
        self.store.save_run(run)
        parameters = rules.parameters_of(run, attempt)
        values = {key: other.values for key, other in run.current.items()}
        work = Work(attempt.run_id, notebook, parameters, self.config.task_log(attempt.run_id), values)
        ended = await driver.run(work)
        attempt.values = ended["task_values"]
        attempt.output, attempt.truncated = ended["result"], ended["truncated"]
        attempt.error, attempt.error_trace = ended["error"], ended["error_trace"]
        if attempt.error is None:
            attempt.finish("TERMINATED", "SUCCESS", "SUCCESS")
        else:
            attempt.finish("TERMINATED", "FAILED", "RUN_EXECUTION_ERROR", rules.TASK_FAILED)
