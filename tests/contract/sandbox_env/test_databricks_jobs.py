"""Jobs, continuous jobs and workspace objects of the Databricks stand-in."""

import time
from itertools import pairwise

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, ResourceDoesNotExist
from databricks.sdk.service.compute import ClusterSpec
from databricks.sdk.service.jobs import (
    Continuous,
    JobCluster,
    JobParameterDefinition,
    JobSettings,
    NotebookTask,
    PauseStatus,
    QueueSettings,
    Run,
    SubmitTask,
    Task,
    TaskDependency,
)

from tests.support.waiting import read_until

WAIT_FOR_EVER = "import time\nwhile True:\n    time.sleep(0.05)"


@pytest.fixture
def client(databricks_api) -> WorkspaceClient:
    return WorkspaceClient(host=databricks_api.url, token=databricks_api.token)


def task(path: str, key: str = "main", **fields) -> Task:
    return Task(task_key=key, notebook_task=NotebookTask(notebook_path=path), **fields)


def runs_of(client: WorkspaceClient, job_id: int) -> list[Run]:
    return list(client.jobs.list_runs(job_id=job_id))


def test_a_jobs_settings_are_created_found_updated_reset_and_deleted(client, databricks_api):
    path = databricks_api.notebook("good", "x = 1")
    job_id = client.jobs.create(name="Nightly", tasks=[task(path, "a"), task(path, "b")]).job_id

    client.jobs.update(
        job_id, new_settings=JobSettings(max_concurrent_runs=2, tasks=[task(path, "b", timeout_seconds=9)])
    )
    updated = client.jobs.get(job_id).settings
    found = [(job.job_id, job.settings.tasks) for job in client.jobs.list(name="nightly")]
    client.jobs.reset(job_id, JobSettings(name="Nightly", tasks=[task(path, "c")]))
    reset = client.jobs.get(job_id).settings
    client.jobs.delete(job_id)

    assert [(each.task_key, each.timeout_seconds) for each in updated.tasks] == [("a", None), ("b", 9)]
    assert updated.max_concurrent_runs == 2
    assert found == [(job_id, [])]
    assert ([each.task_key for each in reset.tasks], reset.max_concurrent_runs) == (["c"], 1)
    with pytest.raises(ResourceDoesNotExist, match=f"Job {job_id} does not exist"):
        client.jobs.get(job_id)


def test_run_now_passes_parameters_to_tasks_on_a_shared_cluster(client, databricks_api, finished):
    path = databricks_api.notebook(
        "who", "import os\nw = dbutils.widgets\ndbutils.notebook.exit(f\"{w.get('a')} {w.get('b')} {os.getpid()}\")"
    )
    job_id = client.jobs.create(
        name="parameters",
        parameters=[JobParameterDefinition(name="a", default="1"), JobParameterDefinition(name="b", default="2")],
        job_clusters=[JobCluster("shared", ClusterSpec(spark_version="18.x"))],
        tasks=[
            task(path, "x", job_cluster_key="shared"),
            task(path, "y", job_cluster_key="shared", depends_on=[TaskDependency("x")]),
        ],
    ).job_id

    run_id = client.jobs.run_now(job_id, job_parameters={"b": "3"}, idempotency_token="t").run_id
    run = finished(client, run_id)
    results = [client.jobs.get_run_output(each.run_id).notebook_output.result for each in run.tasks]

    assert results[0] == results[1]
    assert results[0].startswith("1 3 ")
    assert (run.job_id, run.run_type.value) == (job_id, "JOB_RUN")
    assert client.jobs.run_now(job_id, idempotency_token="t").run_id == run_id


def test_one_run_too_many_is_skipped_or_waits_in_the_queue(client, databricks_api, finished, running):
    path = databricks_api.notebook("endless", WAIT_FOR_EVER)
    job_id = client.jobs.create(name="one at a time", tasks=[task(path)]).job_id
    first = client.jobs.run_now(job_id).run_id
    running(client, first)

    skipped = client.jobs.get_run(client.jobs.run_now(job_id).run_id)
    queued = client.jobs.run_now(job_id, queue=QueueSettings(enabled=True)).run_id
    queued_state = client.jobs.get_run(queued).state.life_cycle_state.value
    client.jobs.cancel_run(first)
    running(client, queued)
    client.jobs.cancel_all_runs(job_id=job_id)

    assert (skipped.state.life_cycle_state.value, skipped.state.result_state.value) == (
        "SKIPPED",
        "MAXIMUM_CONCURRENT_RUNS_REACHED",
    )
    assert queued_state == "QUEUED"
    assert finished(client, queued).state.result_state.value == "CANCELED"


def test_a_continuous_job_is_started_again_until_it_is_paused(client, databricks_api, finished, running):
    path = databricks_api.notebook("endless", WAIT_FOR_EVER)
    unpaused, paused = Continuous(pause_status=PauseStatus.UNPAUSED), Continuous(pause_status=PauseStatus.PAUSED)
    job_id = client.jobs.create(name="stream", continuous=unpaused, tasks=[task(path)]).job_id
    first = read_until(lambda: runs_of(client, job_id), lambda runs: len(runs) == 1)[0]

    client.jobs.cancel_run(first.run_id)
    second = read_until(lambda: runs_of(client, job_id), lambda runs: len(runs) == 2)[0]
    running(client, second.run_id)
    client.jobs.update(job_id, new_settings=JobSettings(continuous=paused))
    still = client.jobs.get_run(second.run_id).state.life_cycle_state.value
    client.jobs.cancel_run(second.run_id)
    finished(client, second.run_id)
    time.sleep(0.5)

    assert second.trigger.value == "CONTINUOUS"
    assert still == "RUNNING"
    assert len(runs_of(client, job_id)) == 2
    client.jobs.run_now(job_id)
    assert len(runs_of(client, job_id)) == 3
    client.jobs.delete(job_id)


def test_run_now_restarts_a_continuous_job_that_is_not_paused(client, databricks_api, finished, running):
    path = databricks_api.notebook("endless", WAIT_FOR_EVER)
    unpaused = Continuous(pause_status=PauseStatus.UNPAUSED)
    job_id = client.jobs.create(name="restarted", continuous=unpaused, tasks=[task(path)]).job_id
    first = read_until(lambda: runs_of(client, job_id), lambda runs: len(runs) == 1)[0]
    running(client, first.run_id)

    second = client.jobs.run_now(job_id, idempotency_token="again").run_id
    running(client, second)
    same = client.jobs.run_now(job_id, idempotency_token="again").run_id
    states = {run.run_id: run.state.result_state for run in runs_of(client, job_id)}
    client.jobs.delete(job_id)

    assert same == second
    assert finished(client, first.run_id).state.result_state.value == "CANCELED"
    assert states.keys() == {first.run_id, second}
    assert states[second] is None


def test_a_failing_continuous_job_backs_off(client, databricks_api):
    path = databricks_api.notebook("bad", "raise ValueError")
    continuous = Continuous(pause_status=PauseStatus.UNPAUSED)
    job_id = client.jobs.create(name="failing", continuous=continuous, tasks=[task(path)]).job_id

    read_until(lambda: runs_of(client, job_id), lambda runs: len(runs) == 4)
    client.jobs.delete(job_id)
    runs = runs_of(client, job_id)[::-1]
    waits = [(later.start_time - earlier.end_time) / 1000 for earlier, later in pairwise(runs)]

    for wait, least in zip(waits, (0.2, 0.4, 0.8), strict=True):
        assert least <= wait < least + 0.3


def test_a_workspace_object_is_described_and_a_missing_one_is_not_there(client, databricks_api):
    path = databricks_api.notebook("good", "x = 1")
    (databricks_api.workspace / "module.py").write_text("x = 1")

    status = client.workspace.get_status(path)
    kinds = {each.path: each.object_type.value for each in client.workspace.list(databricks_api.root)}

    assert (status.object_type.value, status.language.value, status.path) == ("NOTEBOOK", "PYTHON", path)
    assert (kinds[path], kinds[f"{databricks_api.root}/module.py"]) == ("NOTEBOOK", "FILE")
    with pytest.raises(ResourceDoesNotExist, match="doesn't exist"):
        client.workspace.get_status(f"{databricks_api.root}/nope")


def test_a_one_time_run_may_not_share_a_job_cluster(client, databricks_api):
    path = databricks_api.notebook("shares", "pass")
    body = {
        "tasks": [{"task_key": "a", "notebook_task": {"notebook_path": path}, "job_cluster_key": "shared"}],
        "job_clusters": [{"job_cluster_key": "shared", "new_cluster": {"spark_version": "18.x"}}],
    }

    with pytest.raises(InvalidParameterValue, match="takes no job_clusters: give each task its new_cluster"):
        client.api_client.do("POST", "/api/2.2/jobs/runs/submit", body=body)


def test_an_unknown_cluster_is_refused_at_submission(client, databricks_api):
    path = databricks_api.notebook("good", "x = 1")

    with pytest.raises(InvalidParameterValue, match="Cluster 1124-000000-none does not exist"):
        client.jobs.submit(tasks=[submit_task(path, existing_cluster_id="1124-000000-none")])


def submit_task(path: str, key: str = "a", **fields) -> SubmitTask:
    return SubmitTask(task_key=key, notebook_task=NotebookTask(notebook_path=path), **fields)


def test_get_parameters_are_read_from_a_json_body_too(client, databricks_api):
    good = databricks_api.notebook("good", "x = 1")
    run_id = client.jobs.submit(tasks=[submit_task(good)]).run_id
    headers = {"Authorization": f"Bearer {databricks_api.token}"}

    answer = httpx.request(
        "GET", f"{databricks_api.url}/api/2.1/jobs/runs/get", headers=headers, json={"run_id": run_id}
    )

    assert answer.json()["run_id"] == run_id
