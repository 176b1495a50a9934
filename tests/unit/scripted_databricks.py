"""A Jobs API in memory, over real HTTP, whose runs change only when the test says so."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SILENT = {"message": "no such route", "error_code": "ENDPOINT_NOT_FOUND"}


def task(key: str, life: str = "RUNNING", result: str = "", **more: Any) -> dict[str, Any]:
    state = {"life_cycle_state": life} | ({"result_state": result} if result else {})
    return {"task_key": key, "run_id": 100, "attempt_number": 0, "state": state, **more}


ACTIVE = {"PENDING", "RUNNING", "QUEUED", "TERMINATING"}


def is_over(run: dict[str, Any]) -> bool:
    return run["state"]["life_cycle_state"] in {"TERMINATED", "SKIPPED", "INTERNAL_ERROR"}


@dataclass
class Fault:
    """An answer in place of the right one, once.

    :param on: The endpoint that gives it.
    :param takes_effect: The request does what it asks for, only its answer is lost.
    """

    on: str
    status: int = 200
    body: str = "{}"
    headers: dict[str, str] = field(default_factory=dict)
    takes_effect: bool = False


class RefusedError(Exception):
    """A request that the service refuses."""

    def __init__(self, message: str, status: int = 400, code: str = "INVALID_PARAMETER_VALUE") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ScriptedDatabricks:
    """Its state is public: ``runs`` and ``jobs`` by id, ``notebooks`` by path, ``outputs``, ``requests`` in order."""

    def __init__(self) -> None:
        self.runs: dict[int, dict[str, Any]] = {}
        self.jobs: dict[int, dict[str, Any]] = {}
        self.tokens: dict[str, int] = {}
        self.notebooks: dict[str, Any] = {}
        self.secrets: dict[str, list[str]] = {}  # keys by scope
        self.outputs: dict[int, dict[str, Any]] = {}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.failures: list[int] = []  # statuses of the next answers
        self.faults: list[Fault] = []
        self.page_size = 25
        self.last_run_id = 0
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))  # the async hook sends one
                self.reply(parts.path, {**dict(parse_qsl(parts.query)), **(json.loads(body) if body else {})})

            def do_POST(self) -> None:
                self.reply(self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def reply(self, path: str, parameters: dict[str, Any]) -> None:
                name = path.partition("/api/")[2].partition("/")[2]
                api.requests.append((name, parameters))
                fault = next((fault for fault in api.faults if fault.on == name), None)
                if fault is not None:
                    api.faults.remove(fault)
                    if fault.takes_effect:
                        api.answer(name, parameters)
                    status, data = fault.status, fault.body.encode()
                else:
                    status, answer = (api.failures.pop(0), {}) if api.failures else api.answer(name, parameters)
                    data = json.dumps(answer).encode()
                self.send_response(status)
                for header, value in (fault.headers if fault else {"Content-Type": "application/json"}).items():
                    self.send_header(header, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def connection(self) -> str:
        fields = {"host": "127.0.0.1", "schema": "http", "port": self.server.server_port, "password": "the-token"}
        return json.dumps({"conn_type": "databricks", **fields})

    def add_run(self, name: str, *tasks: dict[str, Any], life: str = "RUNNING", result: str = "") -> int:
        run_id = self.last_run_id = self.last_run_id + 1
        state = {"life_cycle_state": life} | ({"result_state": result} if result else {})
        page = f"http://page/{run_id}"
        self.runs[run_id] = {
            "run_id": run_id, "run_name": name, "run_page_url": page, "state": state, "tasks": list(tasks),
        }  # fmt: skip
        return run_id

    def add_job(self, name: str, **settings: Any) -> int:
        job_id = 500 + len(self.jobs)
        self.jobs[job_id] = {"job_id": job_id, "settings": {"name": name, **settings}}
        return job_id

    def add_job_run(self, job_id: int, life: str, result: str = "", *, start: float = 0, end: float = 0) -> int:
        run_id = self.add_run("job run", life=life, result=result)
        self.runs[run_id] |= {"job_id": job_id, "start_time": int(start * 1000), "end_time": int(end * 1000)}
        return run_id

    def end(self, run_id: int, result: str, life: str = "TERMINATED") -> None:
        self.runs[run_id]["state"] = {"life_cycle_state": life, "result_state": result}

    def calls(self, name: str) -> list[dict[str, Any]]:
        return [parameters for called, parameters in self.requests if called == name]

    def answer(self, name: str, given: dict[str, Any]) -> tuple[int, Any]:
        routes = {
            "jobs/runs/get": self.get_run,
            "jobs/runs/list": self.list_runs,
            "jobs/runs/cancel": lambda given: self.end(given["run_id"], "CANCELED") or {},
            "jobs/runs/repair": self.repair,
            "jobs/list": self.list_jobs,
            "jobs/get": lambda given: self.jobs[int(given["job_id"])],
            "jobs/create": lambda given: {"job_id": self.add_job(**given)},
            "jobs/reset": lambda given: self.jobs[given["job_id"]].update(settings=given["new_settings"]) or {},
            "jobs/update": lambda given: self.jobs[given["job_id"]]["settings"].update(given["new_settings"]) or {},
            "jobs/delete": lambda given: self.jobs.pop(given["job_id"]) and {},
            "jobs/run-now": self.run_now,
            "jobs/runs/get-output": lambda given: self.outputs.get(int(given["run_id"]), {}),
        }
        if name == "workspace/get-status":
            found = self.notebooks.get(given["path"], 404)
            missing = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such path"}
            return (found, missing) if isinstance(found, int) else (200, found)
        if name == "secrets/list":
            keys = self.secrets.get(given["scope"])
            missing = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such scope"}
            return (404, missing) if keys is None else (200, {"secrets": [{"key": key} for key in keys]})
        try:
            return (200, routes[name](given)) if name in routes else (404, SILENT)
        except RefusedError as refused:
            return refused.status, {"error_code": refused.code, "message": str(refused)}

    def get_run(self, given: dict[str, Any]) -> dict[str, Any]:
        run_id = int(given["run_id"])
        if run_id not in self.runs:
            raise RefusedError(f"Run {run_id} does not exist.")
        return self.runs[run_id]

    def delete(self, run_id: int) -> None:
        del self.runs[run_id]

    def run_now(self, given: dict[str, Any]) -> dict[str, Any]:
        """Start a run; one more than the job may have at a time is skipped, as the service does without a queue."""
        token, job = given["idempotency_token"], self.jobs[given["job_id"]]
        if token in self.tokens:
            if self.tokens[token] not in self.runs:
                raise RefusedError(f"The run {self.tokens[token]} of the idempotency token was deleted.")
            return {"run_id": self.tokens[token]}
        active = [run for run in self.runs.values() if run.get("job_id") == given["job_id"] and not is_over(run)]
        run_id = self.tokens[token] = self.add_job_run(given["job_id"], "PENDING", start=time.time())
        values = {each["name"]: each["default"] for each in job["settings"].get("parameters", [])}
        values |= given.get("job_parameters", {})
        self.runs[run_id]["job_parameters"] = [{"name": name, "value": value} for name, value in values.items()]
        if len(active) >= job["settings"].get("max_concurrent_runs", 1):
            self.end(run_id, "MAXIMUM_CONCURRENT_RUNS_REACHED", life="SKIPPED")
        return {"run_id": run_id}

    def list_jobs(self, given: dict[str, Any]) -> dict[str, Any]:
        start = int(given.get("page_token", 0))
        named = [job for job in self.jobs.values() if job["settings"]["name"].lower() == given["name"].lower()]
        page = {"next_page_token": str(start + 1)} if start + 1 < len(named) else {}
        return {"jobs": named[start : start + 1], **page}

    def list_runs(self, given: dict[str, Any]) -> dict[str, Any]:
        start = int(given.get("page_token", 0))
        end = start + self.page_size
        of_job = int(given.get("job_id", 0))
        newest_first = [run for run in reversed(self.runs.values()) if not of_job or run.get("job_id") == of_job]
        if given.get("active_only"):  # leaves out BLOCKED and WAITING_FOR_RETRY
            newest_first = [run for run in newest_first if run["state"]["life_cycle_state"] in ACTIVE]
        page = {"next_page_token": str(end)} if end < len(newest_first) else {}
        return {"runs": newest_first[start:end], **page}

    def repair(self, given: dict[str, Any]) -> dict[str, Any]:
        """Begin new attempts of the tasks that are asked for; refused as the service does, while active or repaired."""
        run = self.runs[given["run_id"]]
        history = run.setdefault("repair_history", [])
        latest = history[-1].get("id") if history else None
        if run["state"]["life_cycle_state"] not in {"TERMINATED", "INTERNAL_ERROR", "SKIPPED"}:
            raise RefusedError(f"Run {run['run_id']} is active and cannot be repaired.", code="INVALID_STATE")
        if latest != given.get("latest_repair_id"):
            raise RefusedError("The latest repair ID needs to be provided.")
        run["state"] = {"life_cycle_state": "RUNNING"}
        for key in given["rerun_tasks"]:
            self.add_attempt(run["run_id"], key)
        history.append({"type": "REPAIR", "id": 77 + len(history)})
        return {"repair_id": history[-1]["id"]}

    def add_attempt(self, run_id: int, key: str, life: str = "RUNNING", result: str = "") -> None:
        """Begin the next attempt of a task: the service's own retry, or a repair's."""
        tasks = self.runs[run_id]["tasks"]
        old = [each for each in tasks if each["task_key"] == key][-1]
        number = old["attempt_number"] + 1
        tasks.append({**old, **task(key, life, result, run_id=old["run_id"] + 1, attempt_number=number)})

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
