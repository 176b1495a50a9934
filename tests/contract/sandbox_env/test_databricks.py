"""Runs of the Databricks stand-in, driven by Databricks' own SDK."""

from collections.abc import Callable

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, OperationFailed, ResourceDoesNotExist, Unauthenticated
from databricks.sdk.service.compute import ClusterSpec
from databricks.sdk.service.jobs import NotebookTask, Run, RunIf, SubmitTask, TaskDependency

from tests.support.waiting import read_until

EXIT_NAME = "dbutils.notebook.exit(dbutils.widgets.get('name'))"
WAIT_FOR_EVER = "import time\nprint('waiting')\nwhile True:\n    time.sleep(0.05)"


@pytest.fixture(scope="module")
def client(databricks_api) -> WorkspaceClient:
    return WorkspaceClient(host=databricks_api.url, token=databricks_api.token)


@pytest.fixture(scope="module")
def finished(client: WorkspaceClient) -> Callable[[int], Run]:
    return lambda run_id: wait_for(client, run_id, lambda run: run.state.result_state is not None)


def wait_for(client: WorkspaceClient, run_id: int, is_so: Callable[[Run], bool], seconds: float = 20) -> Run:
    run: Run = read_until(lambda: client.jobs.get_run(run_id, include_history=True), is_so, seconds)
    return run


def life(run: Run) -> str:
    return run.state.life_cycle_state.value


def states(run: Run) -> dict[str, tuple[str, str]]:
    return {task.task_key: (task.state.life_cycle_state.value, task.state.result_state.value) for task in run.tasks}


def notebook(key: str, path: str, *needs: str, **fields) -> SubmitTask:
    parameters = fields.pop("parameters", None)
    return SubmitTask(
        task_key=key,
        notebook_task=NotebookTask(notebook_path=path, base_parameters=parameters),
        depends_on=[TaskDependency(task_key=need) for need in needs] or None,
        **fields,
    )


def test_a_submitted_notebook_gives_its_exit_value(client, databricks_api):
    path = databricks_api.notebook("named", EXIT_NAME)

    run = client.jobs.submit(run_name="it", tasks=[notebook("only", path, parameters={"name": "pin"})]).result()
    output = client.jobs.get_run_output(run.tasks[0].run_id)

    assert (life(run), run.state.result_state.value, run.run_name) == ("TERMINATED", "SUCCESS", "it")
    assert (run.status.state.value, run.status.termination_details.code.value) == ("TERMINATED", "SUCCESS")
    assert output.notebook_output.result == "pin"
    assert output.metadata.run_id == run.tasks[0].run_id


def test_a_failing_task_skips_those_after_it_and_its_output_has_the_trace(client, databricks_api, finished):
    good, bad = (
        databricks_api.notebook("good", "x = 1"),
        databricks_api.notebook("bad", "x = 1\n\nraise ValueError('no')"),
    )

    submitted = client.jobs.submit(
        run_name="chain",
        tasks=[
            notebook("a", good),
            notebook("b", bad, "a"),
            notebook("c", good, "b"),
            notebook("d", good, "b", run_if=RunIf.ALL_DONE),
        ],
    )
    run = finished(submitted.run_id)
    by_key = {task.task_key: task for task in run.tasks}
    output = client.jobs.get_run_output(by_key["b"].run_id)

    assert states(run) == {
        "a": ("TERMINATED", "SUCCESS"),
        "b": ("TERMINATED", "FAILED"),
        "c": ("SKIPPED", "UPSTREAM_FAILED"),
        "d": ("TERMINATED", "SUCCESS"),
    }
    assert (life(run), run.state.result_state.value) == ("INTERNAL_ERROR", "FAILED")
    assert run.state.state_message.startswith(
        "Task b failed with message: Workload failed, see run output for details."
    )
    assert output.error == "ValueError: no"
    assert 'bad.py", line 4, in <module>' in output.error_trace
    with pytest.raises(InvalidParameterValue, match="runs with multiple tasks is not supported"):
        client.jobs.get_run_output(run.run_id)


def test_a_notebook_that_does_not_exist_fails_its_task_at_once(client):
    with pytest.raises(OperationFailed, match='Unable to access the notebook "/Workspace/Shared/t/nope"'):
        client.jobs.submit(run_name="nope", tasks=[notebook("a", "/Workspace/Shared/t/nope")]).result()


def test_repair_runs_the_failed_task_and_what_depends_on_it(client, databricks_api, finished):
    good = databricks_api.notebook("good", "dbutils.notebook.exit('ok')")
    repaired = databricks_api.notebook("repaired", "raise ValueError('not yet')")
    submitted = client.jobs.submit(
        run_name="repaired", tasks=[notebook("a", good), notebook("b", repaired, "a"), notebook("c", good, "b")]
    )
    first = finished(submitted.run_id)
    databricks_api.notebook("repaired", "dbutils.notebook.exit('now')")

    repair = client.jobs.repair_run(first.run_id, rerun_tasks=["b"], rerun_dependent_tasks=True).response
    second = finished(first.run_id)
    attempts = [(task.task_key, task.attempt_number) for task in second.tasks]
    newest = {task.task_key: task for task in second.tasks}

    assert second.state.result_state.value == "SUCCESS"
    assert attempts == [("a", 0), ("b", 0), ("c", 0), ("b", 1), ("c", 1)]
    assert newest["b"].run_id != second.tasks[1].run_id
    assert client.jobs.get_run_output(newest["b"].run_id).notebook_output.result == "now"
    assert [(item.type.value, item.id, item.state.result_state.value) for item in second.repair_history] == [
        ("ORIGINAL", None, "FAILED"),
        ("REPAIR", repair.repair_id, "SUCCESS"),
    ]
    assert second.repair_history[1].task_run_ids == [newest["b"].run_id, newest["c"].run_id]
    with pytest.raises(InvalidParameterValue, match="latest repair ID needs to be provided"):
        client.jobs.repair_run(first.run_id, rerun_tasks=["b"])


def test_a_token_gives_the_same_run_even_after_it_failed_and_is_refused_once_the_run_is_deleted(
    client, databricks_api, finished
):
    bad = databricks_api.notebook("bad", "raise ValueError('no')")
    tasks = [notebook("a", bad)]

    run_id = client.jobs.submit(tasks=tasks, idempotency_token="once").run_id
    finished(run_id)

    assert client.jobs.submit(tasks=tasks, idempotency_token="once").run_id == run_id
    assert client.jobs.submit(tasks=tasks, idempotency_token="twice").run_id != run_id
    client.jobs.delete_run(run_id)
    with pytest.raises(InvalidParameterValue, match="was deleted: use another token"):
        client.jobs.submit(tasks=tasks, idempotency_token="once")
    with pytest.raises(InvalidParameterValue, match="at most 64 characters, got 65"):
        client.jobs.submit(tasks=tasks, idempotency_token="x" * 65)


def test_cancel_stops_the_notebook_and_is_harmless_afterwards(client, databricks_api, finished):
    endless = databricks_api.notebook("endless", WAIT_FOR_EVER)
    run_id = client.jobs.submit(tasks=[notebook("a", endless), notebook("b", endless, "a")]).run_id
    running = wait_for(client, run_id, lambda run: life(run) == "RUNNING")
    assert [task.state.life_cycle_state.value for task in running.tasks] == ["RUNNING", "BLOCKED"]

    client.jobs.cancel_run(run_id)
    run = finished(run_id)
    client.jobs.cancel_run(run_id)

    assert (life(run), run.state.result_state.value, run.state.user_cancelled_or_timedout) == (
        "TERMINATED",
        "CANCELED",
        True,
    )
    assert states(run) == {"a": ("TERMINATED", "CANCELED"), "b": ("TERMINATED", "CANCELED")}


def test_a_task_that_is_too_slow_times_out_and_a_run_that_is(client, databricks_api, finished):
    endless = databricks_api.notebook("endless", WAIT_FOR_EVER)

    slow_task = client.jobs.submit(tasks=[notebook("a", endless, timeout_seconds=1)])
    slow_run = client.jobs.submit(tasks=[notebook("a", endless)], timeout_seconds=1)

    assert finished(slow_task.run_id).tasks[0].state.result_state.value == "TIMEDOUT"
    assert finished(slow_run.run_id).state.result_state.value == "TIMEDOUT"


def test_a_task_is_retried_after_its_interval(client, databricks_api, finished):
    flaky = "import pathlib\nseen = pathlib.Path('seen')\nif not seen.exists():\n    seen.touch()\n    raise ValueError"
    path = databricks_api.notebook("flaky", flaky)
    single = {"notebook_task": {"notebook_path": path}, "max_retries": 1, "min_retry_interval_millis": 600}

    run_id = client.api_client.do("POST", "/api/2.1/jobs/runs/submit", body={"run_name": "flaky", **single})["run_id"]
    wait_for(client, run_id, lambda run: life(run) == "WAITING_FOR_RETRY")
    active = {run.run_id for run in client.jobs.list_runs(active_only=True)}
    run = finished(run_id)

    assert run_id not in active
    assert run.state.result_state.value == "SUCCESS"
    assert [(task.task_key, task.attempt_number) for task in run.tasks] == [("flaky", 0), ("flaky", 1)]
    assert run.tasks[1].start_time - run.tasks[0].end_time < run.tasks[1].end_time - run.tasks[0].end_time >= 600


def test_lists_are_newest_first_and_complete_over_their_pages(client, databricks_api, finished):
    good = databricks_api.notebook("good", "x = 1")
    wanted = [client.jobs.submit(run_name=f"page {n}", tasks=[notebook("a", good)]).run_id for n in range(5)]
    for run_id in wanted:
        finished(run_id)

    listed = [run.run_id for run in client.jobs.list_runs(limit=2, completed_only=True)]

    assert listed[:5] == wanted[::-1]
    assert listed[-1] == min(listed)
    assert len(listed) == len(set(listed))
    with pytest.raises(InvalidParameterValue, match="limit must be between 0 and 25, got 26"):
        list(client.jobs.list_runs(limit=26))


def test_equal_clusters_share_a_warm_process_and_another_cluster_is_another(client, databricks_api, finished):
    pid = databricks_api.notebook("pid", "import os\ndbutils.notebook.exit(str(os.getpid()))")
    batch, stream = ClusterSpec(spark_version="18.x"), ClusterSpec(spark_version="18.x", custom_tags={"use": "stream"})
    tasks = [notebook(key, pid, new_cluster=spec) for key, spec in [("a", batch), ("b", batch), ("c", stream)]]

    run = finished(client.jobs.submit(tasks=tasks).run_id)
    pids = [client.jobs.get_run_output(task.run_id).notebook_output.result for task in run.tasks]

    assert pids[0] == pids[1] != pids[2]
    assert run.tasks[0].cluster_instance.cluster_id in {cluster.cluster_id for cluster in client.clusters.list()}


def test_a_secret_is_struck_out_of_results_and_of_the_page(client, databricks_api, finished):
    leaky = databricks_api.notebook(
        "leaky",
        "url = dbutils.secrets.get('pinterest', 'warehouse_url')\nprint('log', url)\ndbutils.notebook.exit(url)",
    )

    run = finished(client.jobs.submit(run_name="<leaky>", tasks=[notebook("a", leaky)]).run_id)
    page = httpx.get(run.run_page_url).text

    assert client.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result == "[REDACTED]"
    assert "log [REDACTED]" in page
    assert "hunter2" not in page
    assert "&lt;leaky&gt;" in page
    assert httpx.get(run.run_page_url.split("?")[0]).status_code == 401


def test_requests_without_the_token_or_with_a_broken_body_are_refused(client, databricks_api):
    stranger = WorkspaceClient(host=databricks_api.url, token="wrong")
    headers = {"Authorization": f"Bearer {databricks_api.token}"}

    with pytest.raises(Unauthenticated):
        stranger.current_user.me()
    broken = httpx.post(f"{databricks_api.url}/api/2.2/jobs/runs/submit", headers=headers, content=b"{")
    assert (broken.status_code, broken.json()["error_code"]) == (400, "MALFORMED_REQUEST")
    with pytest.raises(ResourceDoesNotExist, match="Run 1 does not exist"):
        client.jobs.get_run(1)
