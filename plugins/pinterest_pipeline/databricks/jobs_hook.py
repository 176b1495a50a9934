"""Databricks Jobs API 2.2: jobs, beside the runs of :mod:`pinterest_pipeline.databricks.hook`.

``jobs/list`` gives 100 jobs a page and takes an exact name, in upper or lower case. ``jobs/run-now`` of an unpaused
continuous job cancels its active run and starts another.
"""

import time
from collections.abc import Mapping
from typing import Any

from pinterest_pipeline.databricks.hook import DatabricksRunHook
from pinterest_pipeline.databricks.jobs import Job, difference, reset_settings, single_job

LIST_JOBS = ("GET", "2.2/jobs/list")
GET_JOB = ("GET", "2.2/jobs/get")
CREATE_JOB = ("POST", "2.2/jobs/create")
RESET_JOB = ("POST", "2.2/jobs/reset")
UPDATE_JOB = ("POST", "2.2/jobs/update")
DELETE_JOB = ("POST", "2.2/jobs/delete")
RUN_NOW = ("POST", "2.2/jobs/run-now")
JOBS_PER_PAGE = 100
DUPLICATE_PAUSES = (0.5, 1.5)  # two that create a job at the same moment make two, and one goes: see `ensure_job`


class DatabricksJobHook(DatabricksRunHook):
    """Keep a job as its file says, start its runs, pause and unpause it.

    Every method raises :class:`TransientError` when the same call may succeed later, :class:`PermanentError` when not.
    """

    def find_job(self, name: str) -> Job | None:
        """Return the job of that name with all its settings, None without one; two of them that stay are refused."""
        jobs = self.jobs_named(name)
        for pause in DUPLICATE_PAUSES if len(jobs) > 1 else ():
            time.sleep(pause)
            jobs = self.jobs_named(name)
        found = single_job(jobs, name)
        return found and self.read_job(found.job_id)

    def jobs_named(self, name: str) -> list[Job]:
        """Return the jobs of exactly that name, oldest first, without their tasks."""
        parameters: dict[str, Any] = {"name": name, "limit": JOBS_PER_PAGE}
        pages = self._pages(f"looking for job {name}", LIST_JOBS, parameters)
        found = (_job_from(described) for page in pages for described in page.get("jobs", []))
        return sorted((job for job in found if job.name == name), key=lambda job: job.job_id)

    def read_job(self, job_id: int) -> Job:
        return _job_from(self._call(f"reading job {job_id}", GET_JOB, {"job_id": job_id}))

    def ensure_job(self, wanted: Mapping[str, Any]) -> Job:
        """Create the job, reset it where it differs, leave it alone where it does not; says which.

        It is created paused; a task that finds another of the same name then deletes its own, unless that is the older.
        """
        name = wanted["name"]
        job = self.find_job(name)
        if job is None:
            created = int(self._call(f"creating job {name}", CREATE_JOB, dict(wanted))["job_id"])
            oldest = self.jobs_named(name)[0].job_id
            if oldest != created:
                self._call(f"deleting job {created}, {oldest} was first", DELETE_JOB, {"job_id": created})
            self.log.info("Job %s: %s", name, f"created as {created}" if oldest == created else f"is {oldest}")
            return self.read_job(oldest)
        if differs := difference(job, wanted):
            body = {"job_id": job.job_id, "new_settings": reset_settings(job, wanted)}
            self._call(f"resetting job {job.job_id}", RESET_JOB, body)
            self.log.info("Job %s (%s): reset %s; an active run keeps the old", name, job.job_id, ", ".join(differs))
            return self.read_job(job.job_id)
        self.log.info("Job %s (%s) is as its file says", name, job.job_id)
        return job

    def set_paused(self, job: Job, *, paused: bool) -> None:
        """Let a continuous job start no more runs, or start them again; its active run goes on either way."""
        continuous = {**job.continuous, "pause_status": "PAUSED" if paused else "UNPAUSED"}
        body = {"job_id": job.job_id, "new_settings": {"continuous": continuous}}
        self._call(f"{'pausing' if paused else 'unpausing'} job {job.job_id}", UPDATE_JOB, body)
        self.log.info("Job %s (%s) is %s", job.name, job.job_id, continuous["pause_status"])

    def start_run(self, job_id: int, token: str, parameters: Mapping[str, str] | None = None) -> int:
        """Start a run; a token that was used returns its old run, in the state that it has.

        :raises NotThereError: the token's run was deleted.
        """
        body = {"job_id": job_id, "idempotency_token": token}
        given = {**body, "job_parameters": dict(parameters)} if parameters else body
        return int(self._call(f"starting job {job_id}", RUN_NOW, given, has="run_id")["run_id"])


def _job_from(described: Mapping[str, Any]) -> Job:
    settings = described.get("settings", {})
    return Job(int(described["job_id"]), settings.get("name", ""), settings)
