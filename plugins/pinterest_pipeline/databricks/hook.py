"""Databricks Jobs API 2.2: what the provider's hook lacks, typed, with errors that say whether trying again helps.

The provider's hook (7.7.1 to 7.18.1) keeps authentication, retries and proxies. Added here: listing runs, a run with
its tasks and repairs, repairing from one task, one task's output, whether a notebook exists. Limits: ``runs/get``
returns 100 tasks a page, ``runs/list`` 25 runs a page and runs of the last 60 days, ``get-output`` 5 MB a notebook.
"""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow.providers.databricks.hooks.databricks import DatabricksHook

from pinterest_pipeline.common.connections import TABLE, CheckedConnectionHook
from pinterest_pipeline.common.errors import PermanentError, PipelineError, TransientError
from pinterest_pipeline.databricks.answers import attempts, calling, no_json
from pinterest_pipeline.databricks.errors import NotThereError, RefusedError
from pinterest_pipeline.databricks.runs import Run, run_from

if TYPE_CHECKING:
    from airflow.sdk import Connection

GET_RUN = ("GET", "2.2/jobs/runs/get")
LIST_RUNS = ("GET", "2.2/jobs/runs/list")
GET_OUTPUT = ("GET", "2.2/jobs/runs/get-output")
CANCEL = ("POST", "2.2/jobs/runs/cancel")
REPAIR = ("POST", "2.2/jobs/runs/repair")
WORKSPACE_STATUS = ("GET", "2.0/workspace/get-status")
LIST_SECRETS = ("GET", "2.0/secrets/list")
RUNS_PER_PAGE = 25
TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*m")
MAX_ERROR_CHARACTERS = 500
NEWEST_RUNS = 50  # two pages: a job that may have one run at a time has its active one on the first
OTHER_CREDENTIALS = frozenset(  # keys of the extra with which the provider signs in without a password
    {
        "token",
        "use_azure_managed_identity",
        "use_default_azure_credential",
        "federated_k8s",
        "federated_token_provider",
        "federated_aws",
    }
)
EXPIRED_PAUSE_SECONDS = 1.0  # a token that was replaced just now is not known everywhere at the same moment

Endpoint = tuple[str, str]


@dataclass(frozen=True)
class TaskOutput:
    """What a notebook left behind: its ``dbutils.notebook.exit`` text, or its error, without a terminal's colours."""

    result: str | None
    is_truncated: bool
    error: str
    trace: str


class DatabricksRunHook(CheckedConnectionHook, DatabricksHook):
    """Follow, repair and cancel runs.

    Every method raises :class:`TransientError` when the same call may succeed later, :class:`PermanentError` when not.
    """

    required_fields = {  # noqa: RUF012 - the base declares it as the class's
        "host": "the workspace's host name",
        "password": "a token, or the secret that goes with login",
    }

    def __init__(self, databricks_conn_id: str = "pinterest_databricks", *args: Any, **kwargs: Any) -> None:
        super().__init__(databricks_conn_id, *args, **{"retry_args": attempts(), **kwargs})

    def test_connection(self) -> tuple[bool, str]:
        """Ask for one run, a right that this pipeline needs; the provider's own test asks for versions."""
        try:
            self._call("testing the connection", LIST_RUNS, {"limit": 1})
        except PipelineError as error:
            return False, str(error)
        return True, f"Databricks at {self.host} answers"

    def run(self, run_id: int) -> Run:
        doing, parameters = f"reading run {run_id}", {"run_id": run_id, "include_history": "true"}
        return run_from(list(self._pages(doing, GET_RUN, parameters, has="run_id")))

    def list_runs(self, *, job_id: int | None = None, active_only: bool = False) -> Iterator[Run]:
        """Yield runs, newest first, a page at a time: stop reading and no further page is asked for.

        ``active_only`` is the service's: it leaves out runs that are BLOCKED or WAITING_FOR_RETRY.
        """
        parameters: dict[str, Any] = {"limit": RUNS_PER_PAGE}
        if job_id is not None:
            parameters["job_id"] = job_id
        if active_only:
            parameters["active_only"] = "true"
        for page in self._pages("listing runs", LIST_RUNS, parameters):
            for described in page.get("runs", []):
                yield run_from([described])

    def newest_runs(self, job_id: int) -> list[Run]:
        """Return a job's newest runs in every state, newest first; the service's own filter leaves out active ones."""
        return list(islice(self.list_runs(job_id=job_id), NEWEST_RUNS))

    def active_runs(self, job_id: int) -> list[Run]:
        """Return the runs of a job that are not over, oldest first.

        The service's own filter finds an old run that is under repair; the newest runs have what the filter leaves out.
        """
        found = [*self.list_runs(job_id=job_id, active_only=True), *self.newest_runs(job_id)]
        active = {run.run_id: run for run in found if not run.state.is_over}
        return [active[run_id] for run_id in sorted(active)]

    def cancel(self, run_id: int) -> None:
        """Ask for the end of a run; harmless when it has ended."""
        self._call(f"cancelling run {run_id}", CANCEL, {"run_id": run_id})
        self.log.info("Asked Databricks to cancel run %s", run_id)

    def repair(self, run: Run, task_key: str) -> int:
        """Run one task of an ended run again, and those that depend on it; returns the repair's id."""
        body: dict[str, Any] = {"run_id": run.run_id, "rerun_tasks": [task_key], "rerun_dependent_tasks": True}
        if run.latest_repair_id is not None:
            body["latest_repair_id"] = run.latest_repair_id
        doing = f"repairing run {run.run_id} from {task_key}"
        repair_id = int(self._call(doing, REPAIR, body, has="repair_id")["repair_id"])
        self.log.info("Repairing run %s from task %s (repair %s)", run.run_id, task_key, repair_id)
        return repair_id

    def output(self, task_run_id: int) -> TaskOutput:
        """Return what one task's run left behind."""
        answer = self._call(f"reading the output of task run {task_run_id}", GET_OUTPUT, {"run_id": task_run_id})
        notebook = answer.get("notebook_output") or {}
        return TaskOutput(
            result=notebook.get("result"),
            is_truncated=bool(notebook.get("truncated")),
            error=TERMINAL_CODES.sub("", answer.get("error") or ""),
            trace=TERMINAL_CODES.sub("", answer.get("error_trace") or ""),
        )

    def error_of(self, run: Run) -> str:
        """Return what the first failed task of a run said, in one line; empty text where it said nothing."""
        failed = next((task for task in run.tasks.values() if task.state.is_over and not task.state.is_success), None)
        if failed is None:
            return ""
        output = self.output(failed.run_id)
        lines = [line.strip() for line in output.error.splitlines() if line.strip()]
        if not lines or lines[0].startswith("Workload failed"):  # and the cause is in the trace
            lines = [line.strip() for line in output.trace.splitlines() if line.strip()][-1:]
        return lines[0][:MAX_ERROR_CHARACTERS] if lines else ""

    def check_notebook(self, path: str) -> None:
        """Raise :class:`PermanentError` when the workspace has no notebook of that path.

        A token that may run notebooks need not be allowed to list them: then only a note is logged.
        """
        try:
            answer = self._call(f"looking for notebook {path}", WORKSPACE_STATUS, {"path": path})
        except NotThereError as error:
            if error.code != "RESOURCE_DOES_NOT_EXIST":
                self.log.info("Notebook %s is not checked: the workspace API is not served here", path)
                return
            raise PermanentError(
                f"Notebook {path} does not exist in the Databricks workspace: deploy the notebooks, or correct "
                "notebook_root in the Variable pinterest_pipeline."
            ) from error
        except RefusedError:
            self.log.info("Notebook %s is not checked: the token may not read the workspace", path)
            return
        if answer.get("object_type") != "NOTEBOOK":
            raise PermanentError(
                f"{path} in the Databricks workspace is a {answer.get('object_type')}, not a NOTEBOOK."
            )

    def _pages(
        self, doing: str, endpoint: Endpoint, parameters: Mapping[str, Any], *, has: str = ""
    ) -> Iterator[Mapping[str, Any]]:
        """Yield the pages of an answer as they are wanted; pages that lead back to one that was read are refused."""
        token, seen = "", set()
        while token not in seen:
            seen.add(token)
            page = self._call(doing, endpoint, {**parameters, **({"page_token": token} if token else {})}, has=has)
            yield page
            token = page.get("next_page_token") or ""
            if not token:
                return
        raise TransientError(f"Databricks, {doing}: after page {token!r} comes the same page again.")

    def require_secret(self, scope: str, key: str) -> str:
        """Say that a secret is there, whose value is not read; raise :class:`PermanentError` where it is not."""
        try:
            answer = self._call(f"listing the secrets of scope {scope}", LIST_SECRETS, {"scope": scope})
            keys = {secret["key"] for secret in answer.get("secrets", [])}
        except NotThereError:
            keys = set()
        if key not in keys:
            raise PermanentError(
                f"Secret {key} of scope {scope} does not exist in the Databricks workspace: "
                f"databricks secrets put-secret {scope} {key}, or correct the Variable."
            )
        return "is there"

    def _call(self, doing: str, endpoint: Endpoint, parameters: dict[str, Any], *, has: str = "") -> Mapping[str, Any]:
        """Call once, and again where only the token is refused while reading.

        :param has: A field without which the answer is none.
        """
        try:
            return self._call_once(doing, endpoint, parameters, has)
        except RefusedError as error:
            if not error.is_expired or endpoint[0] != "GET":
                raise
            self.log.warning("%s Trying once more", error)
        time.sleep(EXPIRED_PAUSE_SECONDS)
        self.oauth_tokens.clear()
        return self._call_once(doing, endpoint, parameters, has)

    def _call_once(self, doing: str, endpoint: Endpoint, parameters: dict[str, Any], has: str) -> Mapping[str, Any]:
        with calling(doing, self.databricks_conn_id):
            answer: Any = self._do_api_call(endpoint, parameters)
        if not isinstance(answer, Mapping) or (has and has not in answer):
            raise no_json(doing, self.databricks_conn_id, str(answer))
        return answer

    @classmethod
    def get_connection(cls, conn_id: str) -> "Connection":
        """Return a complete connection; refuse a URL without TLS, of which the provider would drop scheme and port."""
        connection = super().get_connection(conn_id)
        host = connection.extra_dejson.get("host") or connection.host or ""
        if host.startswith("http://") and connection.schema != "http":
            raise PermanentError(
                f"Connection {conn_id} has host {host}: write the host name alone, "
                f"with http as its schema and the port in its own field, see {TABLE}."
            )
        return connection

    @classmethod
    def missing_fields(cls, connection: "Connection") -> Mapping[str, str]:
        """Return host and password if empty; of the extra, host and whatever else signs in may stand for them."""
        missing = dict(super().missing_fields(connection))
        extra = connection.extra_dejson
        if extra.get("host"):
            missing.pop("host", None)
        if extra.keys() & OTHER_CREDENTIALS:
            missing.pop("password", None)
        return missing
