"""The Airflow provider's hook, operator and trigger against the Databricks stand-in, synchronous and not."""

import asyncio
import json
from typing import Any
from unittest.mock import MagicMock

import pytest
from airflow.exceptions import AirflowException
from airflow.providers.databricks.hooks.databricks import DatabricksHook, RunState
from airflow.providers.databricks.operators.databricks import DatabricksRunNowOperator, DatabricksSubmitRunOperator
from airflow.providers.databricks.triggers.databricks import DatabricksExecutionTrigger

from tests.support.waiting import read_until

CONNECTION = "databricks_stand_in"
EXIT_NAME = "dbutils.notebook.exit(dbutils.widgets.get('name'))"
WAIT_FOR_EVER = "import time\nwhile True:\n    time.sleep(0.05)"


@pytest.fixture
def hook(databricks_api, monkeypatch) -> DatabricksHook:
    connection = {
        "conn_type": "databricks",
        "host": "127.0.0.1",
        "schema": "http",
        "port": databricks_api.port,
        "password": databricks_api.token,
    }
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(connection))
    return DatabricksHook(CONNECTION, retry_limit=1)


def submission(path: str, **parameters: str) -> dict[str, Any]:
    notebook_task = {"notebook_path": path, "base_parameters": parameters}
    return {"run_name": "it", "tasks": [{"task_key": "a", "notebook_task": notebook_task}]}


def wait(hook: DatabricksHook, run_id: int, life: str = "") -> RunState:
    def is_reached(state: RunState) -> bool:
        return bool(state.is_terminal or state.life_cycle_state == life)

    state: RunState = read_until(lambda: hook.get_run_state(run_id), is_reached)
    return state


def test_the_connection_test_of_the_ui_succeeds(hook):
    assert hook.test_connection() == (True, "Connection successfully tested")


def test_the_hook_submits_follows_and_reads_a_run(hook, databricks_api):
    path = databricks_api.notebook("named", EXIT_NAME)

    run_id = hook.submit_run(submission(path, name="pin"))
    state = wait(hook, run_id)
    task_run_id = hook.get_run_tasks(run_id)[0]["run_id"]

    assert state.is_successful
    assert hook.get_run_output(task_run_id)["notebook_output"]["result"] == "pin"
    assert hook.get_run_page_url(run_id).startswith(databricks_api.url)
    assert isinstance(hook.get_job_id(run_id), int)


def test_the_hook_repairs_a_run_twice(hook, databricks_api):
    path = databricks_api.notebook("bad", "raise ValueError('no')")
    run_id = hook.submit_run(submission(path))
    state = wait(hook, run_id)
    assert (state.life_cycle_state, state.result_state) == ("INTERNAL_ERROR", "FAILED")
    assert hook.get_latest_repair_id(run_id) is None

    first = hook.repair_run({"run_id": run_id, "rerun_all_failed_tasks": True})
    wait(hook, run_id)
    databricks_api.notebook("bad", "x = 1")
    again = {"run_id": run_id, "rerun_all_failed_tasks": True, "latest_repair_id": hook.get_latest_repair_id(run_id)}
    hook.repair_run(again)

    assert again["latest_repair_id"] == first
    assert wait(hook, run_id).is_successful


def test_the_hook_creates_finds_resets_runs_and_cancels_jobs(hook, databricks_api):
    path = databricks_api.notebook("endless", WAIT_FOR_EVER)
    settings = {"name": "job", "tasks": submission(path)["tasks"]}

    job_id = hook.create_job(settings)
    hook.reset_job(str(job_id), {**settings, "timeout_seconds": 60})
    with pytest.raises(AirflowException, match="serves no permissions"):
        hook.update_job_permission(job_id, {"access_control_list": [{"user_name": "x"}]})
    run_id = hook.run_now({"job_id": job_id})
    wait(hook, run_id, "RUNNING")
    hook.cancel_all_runs(job_id)

    assert hook.find_job_id_by_name("job") == job_id
    assert hook.find_job_id_by_name("other") is None
    assert wait(hook, run_id).result_state == "CANCELED"
    hook.delete_run(run_id)


def test_the_asynchronous_calls_send_their_parameters_in_a_body_and_are_understood(hook, databricks_api):
    path = databricks_api.notebook("named", EXIT_NAME)
    run_id = hook.submit_run(submission(path, name="geo"))
    wait(hook, run_id)

    async def read() -> tuple[RunState, dict[str, Any], dict[str, Any]]:
        async with hook:
            run = await hook.a_get_run(run_id)
            output = await hook.a_get_run_output(run["tasks"][0]["run_id"])
            return await hook.a_get_run_state(run_id), run, output

    state, run, output = asyncio.run(read())

    assert state.is_successful
    assert run["run_id"] == run_id
    assert output["notebook_output"]["result"] == "geo"


def test_the_trigger_waits_for_the_end_and_reports_the_notebooks_error(hook, databricks_api):
    path = databricks_api.notebook("late", "import time\ntime.sleep(0.5)\nraise ValueError('no')")
    run_id = hook.submit_run(submission(path))

    async def first_event() -> dict[str, Any]:
        trigger = DatabricksExecutionTrigger(run_id, CONNECTION, polling_period_seconds=1)
        return (await anext(trigger.run())).payload

    event = asyncio.run(first_event())

    assert json.loads(event["run_state"])["result_state"] == "FAILED"
    assert [(error["task_key"], error["error"]) for error in event["errors"]] == [("a", "ValueError: no")]


def context() -> dict[str, Any]:
    return {"ti": MagicMock(), "run_id": "manual", "params": {}}


def test_the_submit_operator_succeeds_with_the_old_single_task_form(hook, databricks_api):
    path = databricks_api.notebook("named", EXIT_NAME)
    submit = DatabricksSubmitRunOperator(
        task_id="submit",
        databricks_conn_id=CONNECTION,
        notebook_task={"notebook_path": path, "base_parameters": {"name": "user"}},
        new_cluster={"spark_version": "18.x-scala2.13", "num_workers": 0},
        polling_period_seconds=1,
    )

    submit.execute(context())

    assert [task["task_key"] for task in hook.get_run_tasks(submit.run_id)] == ["submit"]


def test_the_submit_operator_fails_with_the_notebooks_error_and_cancels_on_kill(hook, databricks_api):
    bad, endless = databricks_api.notebook("bad", "raise ValueError('no')"), databricks_api.notebook("e", WAIT_FOR_EVER)
    arguments = {"task_id": "submit", "databricks_conn_id": CONNECTION, "polling_period_seconds": 1}
    failing = DatabricksSubmitRunOperator(json=submission(bad), **arguments)
    killed = DatabricksSubmitRunOperator(json=submission(endless), wait_for_termination=False, **arguments)

    with pytest.raises(AirflowException, match="ValueError: no"):
        failing.execute(context())
    killed.execute(context())
    killed.on_kill()

    assert wait(hook, killed.run_id).result_state == "CANCELED"


def test_the_run_now_operator_runs_a_job_by_name(hook, databricks_api):
    path = databricks_api.notebook("named", EXIT_NAME)
    hook.create_job({"name": "by name", "tasks": submission(path, name="default")["tasks"]})
    run = DatabricksRunNowOperator(
        task_id="run",
        databricks_conn_id=CONNECTION,
        job_name="by name",
        notebook_params={"name": "given"},
        polling_period_seconds=1,
    )

    run.execute(context())

    output = hook.get_run_output(hook.get_run_tasks(run.run_id)[0]["run_id"])
    assert output["notebook_output"]["result"] == "given"


def test_a_wrong_token_is_refused(hook, databricks_api, monkeypatch):
    connection = {"conn_type": "databricks", "host": "127.0.0.1", "schema": "http", "port": databricks_api.port}
    monkeypatch.setenv("AIRFLOW_CONN_DATABRICKS_STRANGER", json.dumps({**connection, "password": "wrong"}))

    with pytest.raises(AirflowException, match="401"):
        DatabricksHook("databricks_stranger", retry_limit=1).get_run_state(1)
