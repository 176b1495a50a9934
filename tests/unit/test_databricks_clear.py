"""A clear means run again, a retry means bring it to its end: which runs and repairs each of them starts."""

import json

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.databricks.operators import DatabricksRunJobOperator
from pinterest_pipeline.databricks.sensors import DatabricksTaskRunSensor
from tests.support.dag_run import RETRIES, DagRun
from tests.unit.scripted_databricks import task

JOB = 500
STAGES = ("bronze", "silver", "gold")
DONE = ("TERMINATED", "SUCCESS")


@pytest.fixture
def run(databricks):
    """A DAG run whose three stages have been followed to their success."""
    stages = [task(key, *DONE, run_id=100 * n) for n, key in enumerate(STAGES, 1)]
    for stage, before in zip(stages[1:], STAGES, strict=False):
        stage["depends_on"] = [{"task_key": before}]
    databricks.add_run("batch", *stages, life="TERMINATED", result="SUCCESS")
    databricks.runs[1]["job_id"] = JOB
    for run_id in range(100, 400):
        databricks.outputs[run_id] = {"notebook_output": {"result": json.dumps({"task_run": run_id})}}
    dag_run = DagRun()
    for key in STAGES:
        follow(dag_run, key)
    return dag_run


@pytest.fixture
def repairs(databricks):
    return lambda: [call["rerun_tasks"] for call in databricks.calls("jobs/runs/repair")]


def sensor(key):
    return DatabricksTaskRunSensor(task_id=key, run_id=1, task_key=key, deferrable=True, retries=RETRIES)


def follow(dag_run, key):
    """Begin the current try of a stage's sensor; return its result, None where it waits."""
    with DAG("d", schedule=None):
        sensors = [sensor(one) for one in STAGES]
        sensors[0] >> sensors[1] >> sensors[2]
    for one in STAGES:
        dag_run.task(one)
    try:
        return sensors[STAGES.index(key)].execute(dag_run.context(key))
    except TaskDeferred:
        return None


def end_repair(databricks, *keys):
    """Let the repair that is under way run these stages to their success, with new task runs."""
    tasks = {each["task_key"]: each for each in databricks.runs[1]["tasks"]}
    for key in keys:
        if tasks[key]["state"]["life_cycle_state"] != "RUNNING":
            databricks.add_attempt(1, key)
    for each in databricks.runs[1]["tasks"]:
        each["state"] = {"life_cycle_state": "TERMINATED", "result_state": "SUCCESS"}
    databricks.end(1, "SUCCESS")


@pytest.mark.parametrize("key", STAGES)
def test_a_cleared_stage_that_had_succeeded_runs_again(databricks, run, repairs, key):
    run.clear(key)

    assert follow(run, key) is None
    assert repairs() == [[key]]
    assert databricks.calls("jobs/runs/repair")[0]["rerun_dependent_tasks"] is True


def test_a_retry_of_it_takes_what_ran_again_and_starts_nothing(databricks, run, repairs):
    run.clear("silver")
    follow(run, "silver")
    end_repair(databricks, "silver", "gold")

    run.retry("silver")

    assert follow(run, "silver") == {"task_run": 201}
    assert len(repairs()) == 1


def test_stages_that_are_cleared_together_run_again_once_each(databricks, run, repairs):
    run.clear("bronze", "silver", "gold")

    assert follow(run, "bronze") is None
    end_repair(databricks, "bronze", "silver", "gold")

    assert follow(run, "silver") == {"task_run": 201}
    assert follow(run, "gold") == {"task_run": 301}
    assert repairs() == [["bronze"]]


def test_a_stage_that_is_cleared_after_that_runs_again_once_more(databricks, run, repairs):
    run.clear("silver", "gold")
    follow(run, "silver")
    end_repair(databricks, "silver", "gold")
    follow(run, "gold")

    run.clear("gold")

    assert follow(run, "gold") is None
    assert repairs() == [["silver"], ["gold"]]


def test_each_clear_runs_it_again(databricks, run, repairs):
    for _ in range(2):
        run.clear("gold")
        follow(run, "gold")
        end_repair(databricks, "gold")

    assert repairs() == [["gold"], ["gold"]]


def test_a_retry_that_no_one_cleared_brings_the_result_of_a_stage_that_succeeded(run, repairs):
    run.retry("silver")

    assert follow(run, "silver") == {"task_run": 200}
    assert repairs() == []


def test_a_cleared_stage_that_is_active_is_followed(databricks, run, repairs):
    databricks.add_attempt(1, "silver")
    databricks.runs[1]["state"] = {"life_cycle_state": "RUNNING"}
    run.clear("silver")

    assert follow(run, "silver") is None
    assert repairs() == []


def test_a_cleared_stage_of_a_run_that_is_still_active_is_repaired_at_its_end(databricks, run, repairs):
    databricks.add_attempt(1, "gold")
    databricks.runs[1]["state"] = {"life_cycle_state": "RUNNING"}
    run.clear("silver")
    cleared = sensor("silver")

    with pytest.raises(TaskDeferred) as first:
        cleared.execute(run.context("silver"))
    assert repairs() == []
    assert first.value.trigger.serialize()[1]["task_key"] is None
    end_repair(databricks, "gold")
    with pytest.raises(TaskDeferred):
        cleared.resume(run.context("silver"), event={"status": "ready", "result": {}}, **first.value.kwargs)

    assert repairs() == [["silver"]]


@pytest.mark.parametrize("life", ["QUEUED", "RUNNING", "BLOCKED", "WAITING_FOR_RETRY", "TERMINATING"])
def test_a_repair_waits_while_another_run_of_the_job_is_not_over(databricks, run, repairs, life):
    other = databricks.add_job_run(JOB, life)
    databricks.add_job_run(JOB + 1, "RUNNING")
    run.clear("silver")
    cleared = sensor("silver")

    with pytest.raises(TaskDeferred) as first:
        cleared.execute(run.context("silver"))
    waits_for = first.value.trigger.serialize()[1]
    assert repairs() == []
    assert (waits_for["run_id"], waits_for["task_key"], waits_for["cancel_on_kill"]) == (other, None, False)
    databricks.end(other, "FAILED")
    with pytest.raises(TaskDeferred) as second:
        cleared.resume(run.context("silver"), event={"status": "ready", "result": {}}, **first.value.kwargs)

    assert repairs() == [["silver"]]
    assert second.value.trigger.serialize()[1]["run_id"] == 1


def test_stages_that_are_cleared_with_the_start_take_what_its_new_run_brings(databricks, run, repairs, tmp_path):
    file = tmp_path / "job.json"
    tasks = [{"task_key": key, "notebook_task": {"notebook_path": "/n"}} for key in STAGES]
    parameters = [{"name": "requested_by", "default": ""}]
    file.write_text(json.dumps({"name": "j", "max_concurrent_runs": 1, "parameters": parameters, "tasks": tasks}))
    run.task("start")
    run.clear("start", "bronze")
    with DAG("d", schedule=None):
        start = DatabricksRunJobOperator(
            task_id="start", job_file=file, job_values={}, retries=RETRIES, deferrable=False
        )
        bronze = sensor("bronze")
        start >> bronze

    run_id = start.execute(run.context("start"))
    databricks.runs[run_id]["tasks"] = [task("bronze", *DONE, run_id=150)]  # it was faster than the next poll
    bronze.run_id = run_id

    assert run_id != 1
    assert bronze.execute(run.context("bronze")) == {"task_run": 150}
    assert repairs() == []
