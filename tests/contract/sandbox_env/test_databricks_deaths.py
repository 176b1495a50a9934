"""What survives the death of a driver or of the API, and Spark on a driver."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.compute import ClusterSpec
from databricks.sdk.service.jobs import NotebookTask, SubmitTask, Task, TaskDependency

from tests.support.waiting import read_until

WAIT_FOR_EVER = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\nwhile True:\n    time.sleep(0.05)"


@pytest.fixture
def client(databricks_api) -> WorkspaceClient:
    return WorkspaceClient(host=databricks_api.url, token=databricks_api.token)


@pytest.fixture
def pid_of_driver(databricks_api) -> Callable[[], int]:
    """Return what reads the driver's process id, as the notebook WAIT_FOR_EVER leaves it; 0 before."""
    file = databricks_api.workspace / "pid"
    file.unlink(missing_ok=True)
    return lambda: int(file.read_text() or 0) if file.exists() else 0


def submit_task(path: str, key: str = "a", **fields) -> SubmitTask:
    return SubmitTask(task_key=key, notebook_task=NotebookTask(notebook_path=path), **fields)


def test_a_killed_driver_fails_its_task_within_two_seconds_and_is_replaced(
    client, databricks_api, pid_of_driver, finished
):
    path = databricks_api.notebook("endless", WAIT_FOR_EVER)
    run_id = client.jobs.submit(tasks=[submit_task(path)]).run_id
    pid = read_until(pid_of_driver, bool)

    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    run = finished(client, run_id)
    took = time.monotonic() - began

    assert took < 2
    state = run.tasks[0].state
    assert (state.life_cycle_state.value, state.result_state.value) == ("INTERNAL_ERROR", "FAILED")
    assert f"The Spark driver (process {pid}) was ended by signal 9" in state.state_message
    good = databricks_api.notebook("good", "x = 1")
    assert client.jobs.submit(tasks=[submit_task(good)]).result().state.result_state.value == "SUCCESS"


def test_a_notebook_that_does_not_stop_takes_its_driver_with_it(client, databricks_api, finished, running):
    path = databricks_api.notebook("deaf", "import time\ntime.sleep(60)")
    run_id = client.jobs.submit(tasks=[submit_task(path)]).run_id
    running(client, run_id)

    client.jobs.cancel_run(run_id)

    assert finished(client, run_id).state.result_state.value == "CANCELED"


def test_state_outlives_a_killed_api_and_unfinished_runs_say_why_they_ended(
    client, databricks_api, pid_of_driver, finished
):
    good = databricks_api.notebook("good", "dbutils.notebook.exit('stored')")
    endless = databricks_api.notebook("endless", WAIT_FOR_EVER)
    job_id = client.jobs.create(
        name="stored", tasks=[Task(task_key="a", notebook_task=NotebookTask(notebook_path=good))]
    ).job_id
    done = client.jobs.submit(tasks=[submit_task(good)], idempotency_token="stored").result()
    lost = client.jobs.submit(
        tasks=[submit_task(endless), submit_task(good, "b", depends_on=[TaskDependency("a")])]
    ).run_id
    driver = read_until(pid_of_driver, bool)

    databricks_api.kill()
    read_until(lambda: is_running(driver), lambda running: not running, seconds=3)
    databricks_api.start()
    run = client.jobs.get_run(lost)

    assert client.jobs.get_run_output(done.tasks[0].run_id).notebook_output.result == "stored"
    assert client.jobs.submit(tasks=[submit_task(good)], idempotency_token="stored").run_id == done.run_id
    assert client.jobs.get(job_id).settings.name == "stored"
    assert (run.state.life_cycle_state.value, run.state.result_state.value) == ("INTERNAL_ERROR", "FAILED")
    assert "Databricks API was restarted" in run.state.state_message
    databricks_api.notebook("endless", "x = 1")
    client.jobs.repair_run(lost, rerun_all_failed_tasks=True)
    assert finished(client, lost).state.result_state.value == "SUCCESS"


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"  # in a container no process may reap an orphan


def test_a_run_cancelled_while_its_cluster_starts_leaves_no_process(client, databricks_api, finished):
    path = databricks_api.notebook("good", "x = 1")
    before = len(family(databricks_api.process.pid))
    cluster = ClusterSpec(spark_version="18.x", custom_tags={"use": "never"})

    run_id = client.jobs.submit(tasks=[submit_task(path, new_cluster=cluster)]).run_id
    read_until(lambda: len(family(databricks_api.process.pid)), lambda count: count == before + 1)
    client.jobs.cancel_run(run_id)
    run = finished(client, run_id)

    assert (run.state.result_state.value, run.tasks[0].execution_duration) == ("CANCELED", 0)
    read_until(lambda: len(family(databricks_api.process.pid)), lambda count: count == before, seconds=3)


def test_a_stopped_api_takes_every_process_along_and_starts_none_for_retries(client, databricks_api, pid_of_driver):
    path = databricks_api.notebook("endless", WAIT_FOR_EVER)
    run_id = client.jobs.submit(tasks=[submit_task(path, max_retries=-1)]).run_id
    read_until(pid_of_driver, bool)
    processes = family(databricks_api.process.pid)

    databricks_api.stop()

    assert processes
    assert not any(is_running(process.pid) for process in processes)
    assert databricks_api.log.read_text().count("Traceback") == 0
    databricks_api.start()
    attempts = client.jobs.get_run(run_id).tasks
    assert ["Databricks API was restarted" in attempt.state.state_message for attempt in attempts] == [True]


def test_a_stream_is_cancelled_and_nothing_of_spark_listens_beyond_loopback(client, databricks_api, finished):
    path = databricks_api.notebook(
        "stream",
        "query = spark.readStream.format('rate').load().writeStream.format('noop').start()\n"
        "print(spark.range(3).count())\n"
        "query.awaitTermination()",
    )
    cluster = ClusterSpec(spark_version="18.x", custom_tags={"use": "stream"}, spark_conf={"spark.master": "local[1]"})
    run_id = client.jobs.submit(tasks=[submit_task(path, new_cluster=cluster)]).run_id
    task_run_id = client.jobs.get_run(run_id).tasks[0].run_id
    log = databricks_api.state / "logs" / f"{task_run_id}.log"
    read_until(lambda: log.read_text() if log.exists() else "", lambda text: "3" in text, seconds=60)
    addresses = {address for pid in family(databricks_api.process.pid) for address in listening(pid)}

    client.jobs.cancel_run(run_id)
    run = finished(client, run_id)

    assert run.state.result_state.value == "CANCELED"
    assert addresses
    assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert client.clusters.get(run.tasks[0].cluster_instance.cluster_id).state.value == "RUNNING"


FILES = """
import json
folder = dbutils.widgets.get("folder")
dbutils.fs.mkdirs(f"{folder}/a")
dbutils.fs.put(f"{folder}/a/one.txt", "first line")
dbutils.fs.cp(f"{folder}/a/one.txt", f"{folder}/two.txt")
dbutils.fs.mv(f"{folder}/two.txt", f"{folder}/three.txt")
names = sorted((each.name, each.size) for each in dbutils.fs.ls(folder))
heads = [dbutils.fs.head(f"{folder}/three.txt"), dbutils.fs.head(f"{folder}/three.txt", 5)]
removed = dbutils.fs.rm(f"{folder}/a", True)
dbutils.notebook.exit(json.dumps([names, heads, removed, [each.name for each in dbutils.fs.ls(folder)]]))
"""


def test_a_jvm_that_was_killed_takes_its_driver_with_it_and_the_next_run_has_another(
    client, databricks_api, finished, tmp_path
):
    endless = databricks_api.notebook("endless_spark", "import time\nprint(spark.range(3).count())\ntime.sleep(60)")
    files = databricks_api.notebook("files", FILES)
    cluster = ClusterSpec(spark_version="18.x", custom_tags={"use": "jvm"}, spark_conf={"spark.master": "local[1]"})
    others = jvms(databricks_api.process.pid)
    run_id = client.jobs.submit(tasks=[submit_task(endless, new_cluster=cluster)]).run_id
    log = databricks_api.state / "logs" / f"{client.jobs.get_run(run_id).tasks[0].run_id}.log"
    read_until(lambda: log.read_text() if log.exists() else "", lambda text: "3" in text, seconds=120)
    [jvm] = jvms(databricks_api.process.pid) - others

    jvm.kill()
    run = finished(client, run_id)
    task = NotebookTask(notebook_path=files, base_parameters={"folder": f"file:{tmp_path}/lake"})
    again = client.jobs.submit(tasks=[SubmitTask(task_key="a", notebook_task=task, new_cluster=cluster)]).result()
    result = client.jobs.get_run_output(again.tasks[0].run_id).notebook_output.result

    assert run.state.result_state.value == "FAILED"
    assert "its JVM ended" in run.tasks[0].state.state_message
    assert json.loads(result) == [
        [["a/", 0], ["three.txt", 10]], ["first line", "first"], True, ["three.txt"],
    ]  # fmt: skip


def jvms(pid: int) -> set[psutil.Process]:
    return {each for each in family(pid) if each.name() == "java"}


def family(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def listening(process: psutil.Process) -> set[str]:
    return {each.laddr.ip for each in process.net_connections() if each.status == psutil.CONN_LISTEN}
