"""A Jobs API in memory, over real HTTP, whose runs change only when the test says so."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SILENT = {"message": "no such route", "error_code": "ENDPOINT_NOT_FOUND"}


def task(key: str, life: str = "RUNNING", result: str = "", **more: Any) -> dict[str, Any]:
    state = {"life_cycle_state": life} | ({"result_state": result} if result else {})
    return {"task_key": key, "run_id": 100, "attempt_number": 0, "state": state, **more}


class ScriptedDatabricks:
    """Its state is public: ``runs`` and ``jobs`` by id, ``notebooks`` by path, ``outputs``, ``requests`` in order."""

    def __init__(self) -> None:
        self.runs: dict[int, dict[str, Any]] = {}
        self.jobs: dict[int, dict[str, Any]] = {}
        self.tokens: dict[str, int] = {}
        self.notebooks: dict[str, Any] = {}
        self.outputs: dict[int, dict[str, Any]] = {}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.failures: list[int] = []  # statuses of the next answers
        self.page_size = 25
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
                status, answer = (api.failures.pop(0), {}) if api.failures else api.answer(name, parameters)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
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
        run_id = len(self.runs) + 1
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
            "jobs/runs/submit": self.submit,
            "jobs/runs/get": lambda given: self.runs[int(given["run_id"])],
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
        return (200, routes[name](given)) if name in routes else (404, SILENT)

    def submit(self, given: dict[str, Any]) -> dict[str, Any]:
        token = given["idempotency_token"]
        if token not in self.tokens:
            self.tokens[token] = self.add_run(given["run_name"])
        return {"run_id": self.tokens[token]}

    def run_now(self, given: dict[str, Any]) -> dict[str, Any]:
        token = given["idempotency_token"]
        if token not in self.tokens:
            self.tokens[token] = self.add_job_run(given["job_id"], "PENDING", start=time.time())
        return {"run_id": self.tokens[token]}

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
        page = {"next_page_token": str(end)} if end < len(newest_first) else {}
        return {"runs": newest_first[start:end], **page}

    def repair(self, given: dict[str, Any]) -> dict[str, Any]:
        self.runs[given["run_id"]]["state"] = {"life_cycle_state": "RUNNING"}
        return {"repair_id": 77}

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
