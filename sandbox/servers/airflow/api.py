"""The few calls of Airflow's public REST API (v2) that the sandbox makes, as any client outside would."""

import json
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx

from sandbox.run.settings import CALL_SECONDS, SandboxError, Settings

USERNAME = "admin"
ATTEMPTS = 5  # to sign in
BACK_WITHIN_SECONDS = 300  # of an api-server that supervisord starts again, on a loaded machine too
LONGEST_PAUSE_SECONDS = 5
PAGE = 100


class AirflowApi:
    """A signed-in session; used as a context manager."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings.url("airflow")
        self.credentials = {"username": USERNAME, "password": settings.secrets["airflow_password"]}
        self.http = httpx.Client(base_url=self.url, timeout=CALL_SECONDS)

    @property
    def token(self) -> str:
        """What the UI's cookie holds; for a day."""
        return self.http.headers["Authorization"].removeprefix("Bearer ")

    def __enter__(self) -> "AirflowApi":
        self.sign_in()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def sign_in(self) -> None:
        """Get a token; a refused connection is no answer for good, a busy server is asked again."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                token = self.http.post("/auth/token", json=self.credentials)
                break
            except httpx.HTTPError as error:
                if attempt == ATTEMPTS or isinstance(error, httpx.ConnectError):
                    text = f"Airflow does not answer at {self.url} ({error}): is the sandbox up?"
                    raise SandboxError(text) from error
                time.sleep(attempt)
        if token.is_error:
            raise SandboxError(
                f"Airflow at {self.url} refused to sign in {USERNAME}: {token.status_code} {token.text[:300]}"
            )
        self.http.headers["Authorization"] = f"Bearer {token.json()['access_token']}"

    def call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """Make one call, again where the server was away or busy, or the day-long token had run out."""
        deadline = time.monotonic() + BACK_WITHIN_SECONDS
        for attempt in count(1):
            is_last = time.monotonic() > deadline
            try:
                response = self.http.request(method, f"/api/v2/{path}", **request)
            except httpx.HTTPError as error:
                if is_last:
                    raise SandboxError(f"Airflow does not answer {method} {path}: {error}") from error
            else:
                if response.is_success:
                    return response.json() if response.content else {}
                if response.status_code == httpx.codes.UNAUTHORIZED and attempt == 1:
                    self.sign_in()
                elif response.status_code < httpx.codes.INTERNAL_SERVER_ERROR or is_last:
                    raise SandboxError(f"Airflow refused {method} {path}: {response.status_code} {response.text[:500]}")
            time.sleep(min(attempt, LONGEST_PAUSE_SECONDS))
        raise AssertionError("count ends never")

    def pages(self, path: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self.call("GET", path, params={**params, "limit": PAGE, "offset": offset})[key]
            yield from page
            if len(page) < PAGE:
                return
            offset += PAGE

    def ensure_pool(self, name: str, slots: int, description: str = "", include_deferred: bool = False) -> None:
        if name not in {pool["name"] for pool in self.pages("pools", "pools")}:
            body = {"name": name, "slots": slots, "description": description, "include_deferred": include_deferred}
            self.call("POST", "pools", json=body)

    def variable(self, key: str) -> Any:
        """Return the JSON of a Variable; None where there is no such Variable."""
        found = next((one for one in self.pages("variables", "variables") if one["key"] == key), None)
        return None if found is None else json.loads(found["value"])

    def set_variable(self, key: str, value: Any) -> None:
        body = {"key": key, "value": json.dumps(value, indent=2)}
        if self.variable(key) is None:
            self.call("POST", "variables", json=body)
        else:
            self.call("PATCH", f"variables/{key}", json=body)

    def has_dag(self, dag_id: str) -> bool:
        return any(dag["dag_id"] == dag_id for dag in self.pages("dags", "dags", exclude_stale=False))

    def import_errors(self) -> list[str]:
        return [f"{e['filename']}: {e['stack_trace']}" for e in self.pages("importErrors", "import_errors")]

    def unpause(self, dag_id: str) -> None:
        self.call("PATCH", f"dags/{dag_id}", params={"update_mask": "is_paused"}, json={"is_paused": False})

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        run = self.call("POST", f"dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf or {}})
        return str(run["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        return str(self.call("GET", f"dags/{dag_id}/dagRuns/{run_id}")["state"])

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        return list(self.pages(f"dags/{dag_id}/dagRuns", "dag_runs"))

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return list(self.pages(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances"))

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.call("GET", path, params={"deserialize": True})["value"]

    def log_tail(self, dag_id: str, run_id: str, task: dict[str, Any], lines: int = 15) -> str:
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task['task_id']}/logs/{max(task['try_number'], 1)}"
        content = self.call("GET", path, params={"map_index": task["map_index"], "full_content": True})["content"]
        events = [entry["event"] if isinstance(entry, dict) else str(entry) for entry in content]
        return "\n".join(events[-lines:])
