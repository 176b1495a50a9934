"""Following one stage: it waits, brings the result or the error home, repairs on a later try, cancels when killed."""

import asyncio
import json
import time
from datetime import timedelta

import pytest
from airflow.sdk.exceptions import TaskDeferred

from pinterest_pipeline.common import polling
from pinterest_pipeline.common.compat import AirflowSensorTimeout
from pinterest_pipeline.common.errors import PermanentError, TransientError
from pinterest_pipeline.databricks.sensors import DatabricksTaskRunSensor
from pinterest_pipeline.databricks.triggers import DatabricksRunTrigger
from tests.support.dag_run import DagRun
from tests.unit.scripted_databricks import task


@pytest.fixture
def databricks(databricks, monkeypatch):
    monkeypatch.setattr(polling, "FIRST_POLL_SECONDS", 0)
    databricks.add_run("batch", task("bronze", "TERMINATED", "SUCCESS"), task("silver", run_id=200))
    databricks.outputs[200] = {"notebook_output": {"result": json.dumps({"stage": "silver"})}}
    return databricks


def context(try_number=1):
    run = DagRun()
    for _ in range(1, try_number):
        run.retry("silver")
    return run.context("silver")


def sensor(**arguments):
    defaults = {"task_id": "silver", "run_id": 1, "task_key": "silver", "deferrable": False, "poke_interval": 0.01}
    return DatabricksTaskRunSensor(**{**defaults, **arguments})


def follow(try_number=1, **arguments):
    return sensor(**arguments).execute(context(try_number))


def end_silver(databricks, result, run_result="FAILED", life="TERMINATED"):
    databricks.runs[1]["tasks"][1] = task("silver", life, result, run_id=200)
    databricks.end(1, run_result)


def test_it_waits_while_the_stage_runs(databricks):
    with pytest.raises(AirflowSensorTimeout, match="run 1: stage silver did not end in time; the run was cancelled"):
        follow(timeout=2)  # seconds; making the hook takes half of one

    assert len(databricks.calls("jobs/runs/get")) > 1
    assert databricks.calls("jobs/runs/cancel") == [{"run_id": 1}]


def test_a_result_comes_back_while_later_stages_still_run(databricks):
    databricks.runs[1]["tasks"][1] = task("silver", "TERMINATED", "SUCCESS", run_id=200)

    assert follow(run_id="1") == {"stage": "silver"}


@pytest.mark.parametrize(
    ("output", "said"),
    [
        pytest.param({"notebook_output": {"result": '{"a"', "truncated": True}}, "cut off", id="truncated"),
        pytest.param({"notebook_output": {"result": "done"}}, "no JSON ('done')", id="no JSON"),
        pytest.param({"notebook_output": {}}, "no JSON ('nothing')", id="no exit"),
        pytest.param({"notebook_output": {"result": "[1]"}}, "a JSON list, expected an object", id="no object"),
    ],
)
def test_a_result_that_is_no_json_object_is_named(databricks, output, said):
    end_silver(databricks, "SUCCESS", "SUCCESS")
    databricks.outputs[200] = output

    with pytest.raises(PermanentError) as caught:
        follow()

    assert said in str(caught.value)


def test_a_failure_raises_the_notebooks_error_and_where_to_look(databricks, caplog):
    end_silver(databricks, "FAILED")
    trace = "\n".join(["\x1b[31mTraceback\x1b[0m", *(f"line {n}" for n in range(60))])
    databricks.outputs[200] = {"error": "ValueError: \x1b[1mno rows", "error_trace": trace}

    with pytest.raises(TransientError, match="stage silver ended as TERMINATED FAILED: ValueError: no rows") as caught:
        follow()

    assert "See http://page/1" in str(caught.value)
    assert not databricks.calls("jobs/runs/repair")


def test_a_later_try_repairs_once_from_the_failed_stage_and_then_follows_it(databricks):
    end_silver(databricks, "FAILED")
    databricks.runs[1]["repair_history"] = [{"type": "ORIGINAL"}, {"type": "REPAIR", "id": 5}]
    repairing = sensor(deferrable=True)

    with pytest.raises(TaskDeferred) as deferred:
        repairing.execute(context(2))

    assert databricks.calls("jobs/runs/repair") == [
        {"run_id": 1, "rerun_tasks": ["silver"], "rerun_dependent_tasks": True, "latest_repair_id": 5}
    ]
    assert deferred.value.trigger.serialize()[1]["replaced"] == 200
    json.dumps(deferred.value.kwargs)

    databricks.runs[1]["tasks"][-1]["state"] = {"life_cycle_state": "TERMINATED", "result_state": "FAILED"}
    databricks.end(1, "FAILED")
    with pytest.raises(TransientError, match="stage silver ended"):
        repairing.resume(context(2), event={"status": "ready", "result": {}}, **deferred.value.kwargs)
    assert len(databricks.calls("jobs/runs/repair")) == 1


def test_a_later_try_after_a_dead_worker_only_waits(databricks):
    with pytest.raises(TaskDeferred):
        follow(try_number=2, deferrable=True)

    assert not databricks.calls("jobs/runs/repair")


def test_a_run_that_is_being_cancelled_is_repaired_when_it_has_ended(databricks):
    databricks.runs[1]["state"] = {"life_cycle_state": "TERMINATING"}
    clearing = sensor(deferrable=True)
    with pytest.raises(TaskDeferred) as first:
        clearing.execute(context(2))
    assert first.value.trigger.serialize()[1]["task_key"] is None

    end_silver(databricks, "CANCELED", "CANCELED")
    with pytest.raises(TaskDeferred):
        clearing.resume(context(2), event={"status": "ready", "result": {}}, **first.value.kwargs)

    assert databricks.calls("jobs/runs/repair")[0]["rerun_tasks"] == ["silver"]


def test_killing_it_cancels_the_run(databricks):
    sensor().on_kill()

    assert databricks.calls("jobs/runs/cancel") == [{"run_id": 1}]


def test_the_shorter_of_both_timeouts_is_the_deadline(databricks):
    with pytest.raises(TaskDeferred) as deferred:
        follow(deferrable=True, timeout=3600, execution_timeout=timedelta(minutes=1))

    assert 50 < deferred.value.trigger.serialize()[1]["deadline"] - time.time() <= 60


def test_a_deferral_that_timed_out_cancels_the_run(databricks):
    with pytest.raises(AirflowSensorTimeout):
        sensor().resume({}, event={"status": "timed_out"}, watch={}, began=0, deadline=0)

    assert databricks.calls("jobs/runs/cancel") == [{"run_id": 1}]


@pytest.mark.parametrize("run_id", [None, "", "{{ unrendered }}"])
def test_a_run_id_that_is_none_is_named(run_id):
    with pytest.raises(PermanentError, match=r"silver: run_id is .*, expected a Databricks run id"):
        follow(run_id=run_id)


def test_reschedule_mode_is_refused_when_the_dag_is_parsed():
    with pytest.raises(ValueError, match="deferrable=True"):
        sensor(mode="reschedule")


def trigger(**arguments):
    defaults = {
        "databricks_conn_id": "pinterest_databricks", "run_id": 1, "task_key": "silver", "replaced": 0,
        "deadline": time.time() + 5, "poll_seconds": 0.02, "cancel_on_kill": True,
    }  # fmt: skip
    return DatabricksRunTrigger(**{**defaults, **arguments})


async def fire(found):
    return [event.payload async for event in found.run()]


def test_the_trigger_fires_once_the_stage_has_ended_over_a_broken_answer(databricks):
    databricks.failures = [503, 503, 503]

    async def both():
        firing = asyncio.create_task(fire(trigger()))
        while not databricks.calls("jobs/runs/get") or databricks.failures:  # noqa: ASYNC110 - another thread answers
            await asyncio.sleep(0.01)
        end_silver(databricks, "FAILED")
        return await firing

    assert [event["status"] for event in asyncio.run(both())] == ["ready"]


def test_the_trigger_gives_up_at_its_deadline(databricks):
    [event] = asyncio.run(fire(trigger(deadline=time.time() + 0.05)))

    assert event["status"] == "timed_out"
    assert "stage silver of run 1" in event["message"]


@pytest.mark.parametrize(("owns_it", "cancelled"), [(True, 1), (False, 0)])
def test_a_user_who_ends_the_deferred_task_cancels_the_run_it_owns(databricks, owns_it, cancelled):
    asyncio.run(trigger(cancel_on_kill=owns_it).on_kill())

    assert len(databricks.calls("jobs/runs/cancel")) == cancelled
