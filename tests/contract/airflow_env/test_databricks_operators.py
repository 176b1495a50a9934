"""Our Databricks operators against the stand-in, where notebooks really run, fail, are cancelled and are repaired."""

import asyncio
import json

import pytest
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.databricks.hook import DatabricksRunHook
from pinterest_pipeline.databricks.jobs_hook import DatabricksJobHook
from pinterest_pipeline.databricks.operators import DatabricksRunJobOperator
from pinterest_pipeline.databricks.sensors import DatabricksTaskRunSensor
from pinterest_pipeline.databricks.triggers import DatabricksRunTrigger
from tests.support.dag_run import RETRIES, DagRun
from tests.support.waiting import read_until

CLUSTER = {"spark_version": "17.3.x-scala2.13", "num_workers": 1, "node_type_id": "m5.large"}
RESULT = "import json\ndbutils.notebook.exit(json.dumps({'stage': dbutils.widgets.get('stage')}))"
FOREVER = "import time\nwhile True:\n    time.sleep(0.05)"


def tried(task_id, try_number):
    run = DagRun()
    run.task(task_id)
    for _ in range(1, try_number):
        run.retry(task_id)
    return run.context(task_id)


@pytest.fixture
def hook(databricks_api, monkeypatch):
    connection = {
        "conn_type": "databricks", "host": "127.0.0.1", "schema": "http", "port": databricks_api.port,
        "password": databricks_api.token,
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_DATABRICKS", json.dumps(connection))
    return DatabricksRunHook()


@pytest.fixture
def start(databricks_api, hook, request, tmp_path):
    """Return a function that writes the notebooks of a two-stage job, and starts a run of it."""
    name = request.node.name.split("[")[0]

    def run(bronze=RESULT, silver=RESULT, dag_run=None):
        tasks = [stage(databricks_api, name, "bronze", bronze), stage(databricks_api, name, "silver", silver)]
        tasks[1]["depends_on"] = [{"task_key": "bronze"}]
        return operator(tmp_path, name, tasks).execute((dag_run or DagRun()).context("t"))

    return run


def operator(folder, name, tasks):
    job = {
        "name": name, "max_concurrent_runs": 1, "tasks": tasks,
        "job_clusters": [{"job_cluster_key": "shared", "new_cluster": CLUSTER}],
        "parameters": [{"name": "requested_by", "default": ""}],
    }  # fmt: skip
    file = folder / "job.json"
    file.write_text(json.dumps(job))
    return DatabricksRunJobOperator(
        task_id="t", job_file=file, job_values={}, deferrable=False, poll_seconds=0.1, retries=RETRIES
    )


def stage(api, name, key, source):
    path = api.notebook(f"{name}_{key}", source)
    notebook = {"notebook_path": path, "base_parameters": {"stage": key}}
    return {"task_key": key, "job_cluster_key": "shared", "notebook_task": notebook}


def sensor(run_id, key, **arguments):
    defaults = {"deferrable": False, "poke_interval": 0.1, "timeout": 60, "retries": RETRIES}
    return DatabricksTaskRunSensor(task_id=key, run_id=run_id, task_key=key, **{**defaults, **arguments})


def follow(run_id, key, try_number=1):
    return sensor(run_id, key).execute(tried(key, try_number))


def attempts(hook, run_id):
    return {key: task.run_id for key, task in hook.run(run_id).tasks.items()}


def test_both_stages_bring_their_results_home_and_a_second_submission_attaches(start):
    run_id = start()

    assert follow(run_id, "bronze") == {"stage": "bronze"}
    assert follow(run_id, "silver") == {"stage": "silver"}
    assert start() == run_id


def test_a_failure_brings_the_notebooks_error_and_a_downstream_stage_names_the_failed_one(start):
    run_id = start(bronze="raise ValueError('no rows')")

    with pytest.raises(TransientError, match=r"stage bronze ended as .*ValueError: no rows.*See http"):
        follow(run_id, "bronze")
    with pytest.raises(TransientError, match=r"stage silver did not run .* because stage bronze ended as"):
        follow(run_id, "silver")


def test_a_later_try_repairs_only_the_failed_stage_with_the_fixed_notebook(start, databricks_api, hook, request):
    run_id = start(silver="raise ValueError('broken')")
    with pytest.raises(TransientError, match="broken"):
        follow(run_id, "silver")
    before = attempts(hook, run_id)
    databricks_api.notebook(f"{request.node.name}_silver", RESULT)

    assert follow(run_id, "silver", try_number=2) == {"stage": "silver"}

    after = attempts(hook, run_id)
    assert after["bronze"] == before["bronze"]
    assert after["silver"] != before["silver"]
    assert hook.run(run_id).latest_repair_id is not None


def test_a_cleared_stage_that_had_succeeded_runs_again_and_its_retry_does_not(start, hook):
    run_id = start()
    run = DagRun()
    for key in ("bronze", "silver"):
        sensor(run_id, key).execute(run.context(key))
    before = attempts(hook, run_id)

    run.clear("silver")
    assert sensor(run_id, "silver").execute(run.context("silver")) == {"stage": "silver"}
    cleared = attempts(hook, run_id)
    run.retry("silver")
    sensor(run_id, "silver").execute(run.context("silver"))

    assert cleared["bronze"] == before["bronze"]
    assert cleared["silver"] != before["silver"]
    assert attempts(hook, run_id) == cleared


def test_a_second_repair_names_the_first_as_the_service_demands(start):
    run_id = start(silver="raise ValueError('broken')")

    for try_number in (1, 2, 3):
        with pytest.raises(TransientError, match="broken"):
            follow(run_id, "silver", try_number)


def test_after_a_failed_run_a_retry_of_the_submission_starts_a_new_one(start):
    first = start(bronze="raise ValueError('no')")
    with pytest.raises(TransientError):
        follow(first, "silver")

    second = start(bronze="raise ValueError('no')")

    assert second != first
    with pytest.raises(TransientError):
        follow(second, "bronze")


def test_a_user_who_ends_the_deferred_stage_cancels_the_run_and_a_clear_repairs_it(
    start, databricks_api, hook, request
):
    run_id = start(silver=FOREVER)
    follow(run_id, "bronze")
    with pytest.raises(TaskDeferred) as deferred:
        sensor(run_id, "silver", deferrable=True).execute(tried("t", 1))
    trigger = deferred.value.trigger

    asyncio.run(trigger.on_kill())

    ended = read_until(lambda: hook.run(run_id), lambda run: run.state.is_over)
    assert ended.state.result == "CANCELED"
    databricks_api.notebook(f"{request.node.name}_silver", RESULT)
    assert follow(run_id, "silver", try_number=2) == {"stage": "silver"}


def test_the_trigger_sees_the_end_of_a_stage(start):
    run_id = start()
    trigger = DatabricksRunTrigger(
        databricks_conn_id="pinterest_databricks", run_id=run_id, task_key="bronze", replaced=0,
        deadline=2_000_000_000, poll_seconds=0.1, cancel_on_kill=True,
    )  # fmt: skip

    async def first_event():
        return await anext(trigger.run())

    assert asyncio.run(asyncio.wait_for(first_event(), 60)).payload["status"] == "ready"
    follow(run_id, "silver")


def test_killing_the_starting_task_cancels_its_run(databricks_api, hook, tmp_path):
    starting = operator(tmp_path, "killed", [stage(databricks_api, "killed", "bronze", FOREVER)])
    run_id = starting.execute(DagRun().context("t"))

    starting.on_kill()

    assert read_until(lambda: hook.run(run_id), lambda run: run.state.is_over).state.result == "CANCELED"


def test_a_notebook_that_does_not_exist_is_named_before_anything_is_made(databricks_api, hook, tmp_path):
    task = {"task_key": "a", "notebook_task": {"notebook_path": f"{databricks_api.root}/nowhere"}}

    with pytest.raises(PermanentError, match="/nowhere does not exist in the Databricks workspace"):
        operator(tmp_path, "nowhere", [task]).execute(DagRun().context("t"))

    assert DatabricksJobHook().jobs_named("nowhere") == []


def test_a_cleared_start_attaches_to_what_is_active_and_runs_again_when_it_has_ended(start, hook):
    run = DagRun()
    first = start(dag_run=run, bronze=FOREVER)
    run.clear("t")
    active = start(dag_run=run, bronze=FOREVER)
    hook.cancel(first)
    read_until(lambda: hook.run(first), lambda found: found.state.is_over)

    run.clear("t")
    again = start(dag_run=run, bronze=FOREVER)
    hook.cancel(again)

    assert active == first != again
    assert hook.run(again).parameters == {"requested_by": "d.t (manual__1)"}


def test_a_wrong_token_names_the_connection(databricks_api, hook, monkeypatch):
    connection = {"conn_type": "databricks", "host": "127.0.0.1", "schema": "http", "port": databricks_api.port}
    monkeypatch.setenv("AIRFLOW_CONN_PINTEREST_DATABRICKS", json.dumps({**connection, "password": "wrong"}))

    with pytest.raises(PermanentError, match=r"40[13].*check the token of connection pinterest_databricks"):
        DatabricksRunHook().run(1)
    assert DatabricksRunHook().test_connection()[0] is False


def test_a_run_that_does_not_exist_is_a_refusal_with_the_services_words(hook):
    with pytest.raises(PermanentError, match=r"reading run 999999: 4.. .*999999"):
        hook.run(999999)


def test_the_connection_test_succeeds(hook):
    assert hook.test_connection() == (True, "Databricks at 127.0.0.1 answers")
