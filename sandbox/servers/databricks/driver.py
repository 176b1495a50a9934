"""A cluster's driver: runs notebooks in threads, one SparkSession for all. Run by the Spark environment's interpreter.

Speaks JSON lines over its own stdin and stdout with the Jobs API, which is its parent: ``run``, ``cancel``, ``warm``
in, ``ready``, ``finished``, ``heartbeat``, ``lost`` out. When the parent goes, stdin ends, and so does the driver:
nothing is left behind. No port is opened by it (Spark's own are on loopback).
"""

import ctypes
import json
import logging
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from sandbox.servers.databricks.capture import Output, Redactor
from sandbox.servers.databricks.dbutils import DBUtils, Secrets, TaskValues
from sandbox.servers.databricks.modules import FreshModules
from sandbox.servers.databricks.notebook import Notebook, NotebookCancelled, Outcome, run_to_outcome
from sandbox.servers.databricks.spark_session import SparkSessions
from sandbox.servers.databricks.workspace import Workspace

HEARTBEAT_SECONDS = 5.0
JVM_CHECK_SECONDS = 0.5
JVM_ENDED_EXIT = 70
log = logging.getLogger(__name__)


@dataclass
class Running:
    """One notebook at work; also the host that its notebooks see."""

    run_id: int
    driver: "Driver"
    task_values: TaskValues
    thread: threading.Thread | None = None
    session: Any = None

    def spark_names(self) -> dict[str, Any]:
        if self.session is None:
            self.session = self.driver.sessions.for_notebook(self.run_id, f"task run {self.run_id}")
        return {"spark": self.session, "sc": self.session.sparkContext}

    def dbutils(self, notebook: Notebook) -> DBUtils:
        return DBUtils(notebook, self, Secrets(self.driver.read_secrets(), self.driver.redact.hide), self.task_values)

    def display(self, value: Any) -> None:
        if hasattr(value, "show") and not getattr(value, "isStreaming", False):
            value.show(truncate=False)
        else:
            print(value)


class Driver:
    """Threads by task run, and the channel to the API."""

    def __init__(self, channel: TextIO, environment: dict[str, str]) -> None:
        self.channel = channel
        self.channel_lock = threading.Lock()
        self.secrets_file = environment.get("DATABRICKS_SECRETS_FILE", "")
        workspace = Workspace.from_json(environment.get("DATABRICKS_WORKSPACE_ROOT", "{}"))
        self.sessions = SparkSessions(environment.get("DATABRICKS_CLUSTER_NAME", "databricks"))
        self.modules = FreshModules(workspace.roots.values())
        self.redact = Redactor()
        self.running: dict[int, Running] = {}
        self.running_lock = threading.Lock()
        self.logs: dict[int, TextIO] = {}

    def send(self, event: str, **values: Any) -> None:
        with self.channel_lock:
            self.channel.write(json.dumps({"event": event, **values}) + "\n")
            self.channel.flush()

    def read_secrets(self) -> dict[str, dict[str, str]]:
        return json.loads(Path(self.secrets_file).read_text()) if self.secrets_file else {}

    def serve(self, commands: TextIO) -> None:
        """Obey until stdin ends."""
        self.send("ready", pid=os.getpid())
        threading.Thread(target=self.beat, daemon=True).start()
        threading.Thread(target=self.end_with_the_jvm, daemon=True).start()
        for line in commands:
            command = json.loads(line)
            if command["op"] == "run":
                self.start(command)
            elif command["op"] == "cancel":
                threading.Thread(target=self.cancel, args=(command["run_id"],), daemon=True).start()
            elif command["op"] == "warm":
                threading.Thread(target=self.warm, daemon=True).start()

    def beat(self) -> None:
        while True:
            time.sleep(HEARTBEAT_SECONDS)
            self.send("heartbeat")

    def end_with_the_jvm(self) -> None:
        """Leave no driver that answers and can run nothing; its end fails what ran, and the next run gets another."""
        while not self.sessions.jvm_has_ended:
            time.sleep(JVM_CHECK_SECONDS)
        self.send("lost", reason="its JVM ended")
        os._exit(JVM_ENDED_EXIT)

    def warm(self) -> None:
        begun = time.monotonic()
        self.sessions.base()
        self.send("warm", seconds=round(time.monotonic() - begun, 3))

    def start(self, command: dict[str, Any]) -> None:
        run = Running(command["run_id"], self, TaskValues(command["task_values"]))
        run.thread = threading.Thread(target=self.work, args=(run, command), daemon=True)
        with self.running_lock:
            if not self.running and (forgotten := self.modules.refresh()):
                log.info("The workspace changed: forgot %d modules", len(forgotten))
            self.running[run.run_id] = run
        run.thread.start()

    def work(self, run: Running, command: dict[str, Any]) -> None:
        """The body of a notebook's thread: whatever happens, exactly one ``finished`` is sent."""
        outcome = Outcome(error="The driver failed before the notebook began; see the cluster's log.")
        try:
            with Path(command["log"]).open("a", encoding="utf-8", buffering=1) as notebook_log:
                self.logs[threading.get_ident()] = notebook_log
                notebook = Notebook(Path(command["notebook"]), dict(command["parameters"]), run)
                outcome = run_to_outcome(notebook, self.redact)
                if outcome.error_trace:
                    notebook_log.write(outcome.error_trace)
        except NotebookCancelled:  # it came after the notebook's last line
            outcome = Outcome(cancelled=True, error="Cancelled")
        finally:
            with self.running_lock:
                self.logs.pop(threading.get_ident(), None)
                del self.running[run.run_id]
            self.send("finished", run_id=run.run_id, task_values=run.task_values.own, **asdict(outcome))

    def cancel(self, run_id: int) -> None:
        """Ask a notebook's thread to stop, and Spark to end what it waits for; the API kills a driver that does not."""
        with self.running_lock:
            run = self.running.get(run_id)
            if run is None or run.thread is None or run.thread.ident is None:
                return
            stop = ctypes.py_object(NotebookCancelled)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(run.thread.ident), stop)
        if run.session is not None:
            self.sessions.cancel(run_id, run.session)


def main() -> None:
    """Keep the real stdout for the API and give everything else, the JVM's output too, to the cluster's log."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    driver = Driver(channel, dict(os.environ))
    sys.stdout = Output(sys.stdout, driver.logs, driver.redact)
    sys.stderr = Output(sys.stderr, driver.logs, driver.redact)
    driver.serve(sys.stdin)
    os._exit(0)  # no waiting for notebooks that stream for ever: their client is gone


if __name__ == "__main__":
    main()
