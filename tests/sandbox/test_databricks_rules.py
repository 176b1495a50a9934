"""Decisions about Databricks runs, without a server."""

import pytest

from sandbox.servers.databricks import rules
from sandbox.servers.databricks.clusters import cluster_id_of
from sandbox.servers.databricks.errors import ApiError
from sandbox.servers.databricks.model import Attempt, Repair, Run
from sandbox.servers.databricks.settings_check import check_continuous, normalized

CHAIN = {"bronze": [], "silver": ["bronze"], "gold": ["silver"]}


def task(key: str, *needs: str, **fields) -> dict:
    depends_on = [{"task_key": need} for need in needs]
    return {"task_key": key, "depends_on": depends_on, "notebook_task": {"notebook_path": f"/Shared/{key}"}, **fields}


def run_of(results: dict[str, str], graph: dict[str, list[str]] = CHAIN, **fields) -> Run:
    run = Run(1, 2, "it", "SUBMIT_RUN", "ONE_TIME", 0, {"tasks": [task(key, *graph[key]) for key in graph]}, **fields)
    for number, (key, result) in enumerate(results.items()):
        life = result if result in ("PENDING", "RUNNING", "BLOCKED", "WAITING_FOR_RETRY") else "TERMINATED"
        ended = "" if life == result else result
        run.attempts.append(Attempt(10 + number, key, 0, life=life, result=ended, message="why" if ended else ""))
    run.end_time = 0 if any(not attempt.is_over for attempt in run.attempts) else 9
    return run


@pytest.mark.parametrize(
    ("run_if", "results", "expected"),
    [
        ("ALL_SUCCESS", [], "RUN"),
        ("ALL_SUCCESS", ["SUCCESS", "SUCCESS"], "RUN"),
        ("ALL_SUCCESS", ["SUCCESS", "FAILED"], "UPSTREAM_FAILED"),
        ("ALL_SUCCESS", ["EXCLUDED"], "EXCLUDED"),
        ("ALL_DONE", ["FAILED", "UPSTREAM_FAILED"], "RUN"),
        ("NONE_FAILED", ["SUCCESS", "EXCLUDED"], "RUN"),
        ("NONE_FAILED", ["EXCLUDED"], "EXCLUDED"),
        ("AT_LEAST_ONE_SUCCESS", ["SUCCESS", "FAILED"], "RUN"),
        ("AT_LEAST_ONE_SUCCESS", ["FAILED"], "EXCLUDED"),
        ("ALL_FAILED", ["FAILED", "TIMEDOUT"], "RUN"),
        ("ALL_FAILED", ["FAILED", "SUCCESS"], "EXCLUDED"),
        ("AT_LEAST_ONE_FAILED", ["FAILED", "SUCCESS"], "RUN"),
        ("AT_LEAST_ONE_FAILED", ["SUCCESS"], "EXCLUDED"),
    ],
)
def test_run_if(run_if, results, expected):
    assert rules.decision_of(run_if, results) == expected


@pytest.mark.parametrize(
    ("results", "life", "result"),
    [
        ({"bronze": "PENDING", "silver": "BLOCKED", "gold": "BLOCKED"}, "PENDING", ""),
        ({"bronze": "RUNNING", "silver": "BLOCKED", "gold": "BLOCKED"}, "RUNNING", ""),
        ({"bronze": "SUCCESS", "silver": "PENDING", "gold": "BLOCKED"}, "RUNNING", ""),
        ({"bronze": "SUCCESS", "silver": "WAITING_FOR_RETRY", "gold": "BLOCKED"}, "WAITING_FOR_RETRY", ""),
        ({"bronze": "SUCCESS", "silver": "SUCCESS", "gold": "SUCCESS"}, "TERMINATED", "SUCCESS"),
        ({"bronze": "FAILED", "silver": "UPSTREAM_FAILED", "gold": "UPSTREAM_FAILED"}, "INTERNAL_ERROR", "FAILED"),
        ({"bronze": "FAILED", "silver": "SUCCESS", "gold": "SUCCESS"}, "TERMINATED", "SUCCESS_WITH_FAILURES"),
    ],
)
def test_a_runs_state_follows_from_its_tasks(results, life, result):
    state = rules.run_state(run_of(results))

    assert (state.life, state.result) == (life, result)


def test_the_message_names_the_first_task_that_failed():
    state = rules.run_state(run_of({"bronze": "SUCCESS", "silver": "FAILED", "gold": "UPSTREAM_FAILED"}))

    assert state.message == "Task silver failed with message: why. This caused all downstream tasks to get skipped."


def test_a_stopping_run_is_terminating_and_then_cancelled_or_timed_out():
    stopping = run_of({"bronze": "RUNNING", "silver": "BLOCKED", "gold": "BLOCKED"}, stop="USER")
    cancelled = run_of({"bronze": "CANCELED", "silver": "CANCELED", "gold": "CANCELED"}, stop="USER")
    late = run_of({"bronze": "TIMEDOUT", "silver": "TIMEDOUT", "gold": "TIMEDOUT"}, stop="TIMEOUT")

    assert rules.run_state(stopping).life == "TERMINATING"
    assert (rules.run_state(cancelled).result, rules.run_state(late).result) == ("CANCELED", "TIMEDOUT")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"rerun_tasks": ["silver"]}, ["silver"]),
        ({"rerun_tasks": ["silver"], "rerun_dependent_tasks": True}, ["silver", "gold"]),
        ({"rerun_all_failed_tasks": True}, ["silver", "gold"]),
        ({"rerun_tasks": ["bronze"], "rerun_dependent_tasks": True}, ["bronze", "silver", "gold"]),
    ],
)
def test_what_a_repair_runs_again(request_, expected):
    run = run_of({"bronze": "SUCCESS", "silver": "FAILED", "gold": "UPSTREAM_FAILED"})

    assert rules.tasks_to_repair(run, request_) == expected


@pytest.mark.parametrize(
    ("request_", "repairs", "says"),
    [
        ({}, [], "One of rerun_tasks or rerun_all_failed_tasks"),
        ({"rerun_tasks": ["silver"], "rerun_all_failed_tasks": True}, [], "Only one of"),
        ({"rerun_tasks": ["copper"]}, [], "has no task copper; it has bronze, silver, gold"),
        ({"rerun_tasks": ["silver"]}, [77], "latest repair ID needs to be provided"),
        ({"rerun_tasks": ["silver"], "latest_repair_id": 76}, [77], "76 is not the latest repair"),
    ],
)
def test_repairs_that_are_refused(request_, repairs, says):
    run = run_of({"bronze": "SUCCESS", "silver": "FAILED", "gold": "UPSTREAM_FAILED"})
    run.repairs = [Repair(repair, 0) for repair in repairs]

    with pytest.raises(ApiError, match=says):
        rules.tasks_to_repair(run, request_)


def test_an_active_run_is_not_repaired():
    with pytest.raises(ApiError, match="still active"):
        rules.tasks_to_repair(run_of({"bronze": "RUNNING", "silver": "BLOCKED", "gold": "BLOCKED"}), {})


@pytest.mark.parametrize(
    ("retries", "on_timeout", "result", "tried", "expected"),
    [
        (0, False, "FAILED", 0, False),
        (1, False, "FAILED", 0, True),
        (1, False, "FAILED", 1, False),
        (-1, False, "FAILED", 99, True),
        (1, False, "TIMEDOUT", 0, False),
        (1, True, "TIMEDOUT", 0, True),
        (1, False, "SUCCESS", 0, False),
    ],
)
def test_retries(retries, on_timeout, result, tried, expected):
    attempt = Attempt(1, "a", 0, life="TERMINATED", result=result)

    assert rules.retries_left({"max_retries": retries, "retry_on_timeout": on_timeout}, attempt, tried) is expected


def test_job_parameters_win_over_notebook_params_over_base_parameters_and_references_are_replaced():
    base = {
        "a": "base",
        "b": "base",
        "c": "base",
        "where": "{{job.parameters.c}}/{{job.run_id}}/{{task.name}}/{{other}}",
    }
    run = Run(
        1, 2, "it", "JOB_RUN", "ONE_TIME", 0, {"tasks": [{"task_key": "t", "notebook_task": {"base_parameters": base}}]}
    )
    run.overriding, run.job_parameters = {"notebook_params": {"b": "run", "c": "run"}}, {"c": "job"}

    merged = rules.parameters_of(run, Attempt(9, "t", 0))

    assert merged == {"a": "base", "b": "run", "c": "job", "where": "job/1/t/{{other}}"}


@pytest.mark.parametrize(("failures", "expected"), [(0, 1.0), (1, 2), (2, 4), (3, 8), (9, 60)])
def test_a_failing_continuous_job_waits_longer_each_time_up_to_a_bound(failures, expected):
    assert rules.restart_delay_seconds(failures, base=2, longest=60) == expected


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        ([task("a"), task("a")], "unique; given more than once: a"),
        ([task("a", "b")], "a depends on b, which is no task"),
        ([task("a", "b"), task("b", "a")], "in a circle"),
        ([{"task_key": "a", "spark_jar_task": {"main_class_name": "x"}}], "it has: spark_jar_task"),
        ([{"task_key": "a"}], "it has: none"),
        ([task("a", notebook_task={"notebook_path": "relative"})], "got 'relative'"),
        ([task("a", job_cluster_key="big")], "job cluster 'big' is not defined"),
        ([task("a", run_if="MAYBE")], "run_if 'MAYBE' is not one of"),
        ([task(f"t{number}") for number in range(101)], "At most 100 tasks"),
    ],
)
def test_submissions_that_are_refused(tasks, says):
    with pytest.raises(ApiError, match=says):
        normalized({"tasks": tasks}, "it")


def test_a_single_task_takes_the_runs_name_as_its_key():
    settings = normalized(
        {"run_name": "nightly", "notebook_task": {"notebook_path": "/a"}, "max_retries": 2}, "nightly"
    )

    assert settings["tasks"] == [{"task_key": "nightly", "notebook_task": {"notebook_path": "/a"}, "max_retries": 2}]


def test_a_continuous_job_has_no_dependencies_and_no_retries():
    for broken in (task("b", "a"), task("b", max_retries=1)):
        with pytest.raises(ApiError, match="cannot be used in a continuous job"):
            check_continuous({"continuous": {"pause_status": "PAUSED"}, "tasks": [task("a"), broken]})


def test_a_cluster_is_identified_by_its_specification_however_templates_rendered_it():
    spec = {"spark_version": "18.x", "num_workers": 0, "custom_tags": {"use": "batch"}}

    assert cluster_id_of(spec) == cluster_id_of({**spec, "num_workers": "0", "policy_id": None})
    assert cluster_id_of(spec) != cluster_id_of({**spec, "custom_tags": {"use": "stream"}})
