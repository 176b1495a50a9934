"""House rules that every DAG and task keeps; a new DAG is held to them without a change here."""

import json
from datetime import timedelta
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parents[2]
SECTIONS = ("What", "Reads", "Writes", "Schedule", "Backfill", "Triage notes")
CONNECTION_ARGUMENTS = (
    "conn_id",
    "aws_conn_id",
    "source_conn_id",
    "kafka_rest_conn_id",
    "databricks_conn_id",
    "postgres_conn_id",
)


def example():
    return yaml.safe_load((PROJECT / "airflow_settings.example.yaml").read_text())["airflow"]


def test_every_dag_is_a_runbook(dags):
    for dag in dags.values():
        missing = [section for section in SECTIONS if f"**{section}.**" not in dag.doc_md]

        assert not missing, f"{dag.dag_id} does not say {missing}"


def test_every_dag_is_tagged_and_bounded(dags):
    for dag in dags.values():
        assert "pinterest" in dag.tags
        assert dag.max_active_runs == 1
        assert dag.dagrun_timeout


def test_every_dag_says_catchup_itself_and_has_a_named_timetable(dags):
    for dag in dags.values():
        source = Path(dag.fileloc).read_text()

        assert "catchup=False" in source
        assert dag.catchup is False
        assert type(dag.timetable).__name__ in {"CronDataIntervalTimetable", "CronTriggerTimetable", "NullTimetable"}


def test_every_start_date_is_fixed_and_aware_of_its_zone(dags):
    for dag in dags.values():
        assert dag.start_date.isoformat() == "2017-10-18T00:00:00+00:00"


def test_every_task_has_an_owner_retries_and_a_limit(tasks):
    for task in tasks:
        assert task.owner == "data-platform", task.task_id
        assert task.execution_timeout <= timedelta(hours=6), task.task_id
        assert task.retries >= 1 or task.task_id == "alert", task.task_id
        assert task.retry_exponential_backoff, task.task_id
        assert task.max_retry_delay, task.task_id
        assert getattr(task, "partial_kwargs", vars(task)).get("on_failure_callback"), task.task_id


def test_every_sensor_waits_in_the_triggerer_and_gives_up(tasks):
    from airflow.sdk import BaseSensorOperator

    sensors = [task for task in tasks if isinstance(task, BaseSensorOperator)]

    assert sensors
    for sensor in sensors:
        assert sensor.deferrable, sensor.task_id
        assert sensor.timeout <= sensor.execution_timeout.total_seconds(), sensor.task_id


def test_every_dag_outlives_its_slowest_task(dags):
    for dag in dags.values():
        assert dag.dagrun_timeout > max(task.execution_timeout for task in dag.tasks)


def test_every_pool_is_in_the_file_of_pools_and_in_the_example(tasks):
    pools = json.loads((PROJECT / "include" / "airflow" / "pools.json").read_text())
    used = {task.pool for task in tasks} - {"default_pool"}

    assert used == set(pools)
    assert {
        pool["pool_name"]: (pool["pool_slot"], pool.get("pool_include_deferred", False)) for pool in example()["pools"]
    } == {name: (pool["slots"], pool["include_deferred"]) for name, pool in pools.items()}


def test_every_connection_is_in_the_example(tasks):
    known = {connection["conn_id"] for connection in example()["connections"]}
    used = {
        value
        for task in tasks
        for name in CONNECTION_ARGUMENTS
        for value in (getattr(task, name, None), getattr(task, "partial_kwargs", {}).get(name))
        if isinstance(value, str)
    }

    assert {"pinterest_warehouse", "pinterest_databricks", "aws_default"} <= used <= known


def test_the_example_holds_no_secret():
    assert all(connection["conn_password"] is None for connection in example()["connections"])


def test_every_database_task_with_sql_takes_it_from_files(tasks):
    found = [name for task in tasks for name in sql_names(task)]

    assert len(found) > 40
    assert all((PROJECT / "include" / "sql" / name).is_file() for name in found)


def test_every_sql_file_is_used(tasks):
    by_tasks = {name for task in tasks for name in sql_names(task)}
    by_python = {"audit/record_run_rows.sql", "audit/record_lake_rows.sql"}
    by_python |= {f"emulation/{name}.sql" for name in ("ids", "pin", "geo", "user")}
    sql = PROJECT / "include" / "sql"
    checks = {path.relative_to(sql).as_posix() for path in (sql / "checks").glob("*.sql")}

    assert {path.relative_to(sql).as_posix() for path in sql.rglob("*.sql")} == by_tasks | by_python | checks


def sql_names(task):
    """The names that the DAG file gave, whether Airflow has put the files' text in their place already or not."""
    sql = PROJECT / "include" / "sql"
    texts = {path.read_text(): path.relative_to(sql).as_posix() for path in sql.rglob("*.sql")}
    given = [getattr(task, "sql", None)]
    if task.is_mapped:
        mapped = task.expand_input.value if isinstance(task.expand_input.value, list) else []
        given = [arguments["sql"] for arguments in (*mapped, task.partial_kwargs) if "sql" in arguments]
    flat = [
        text for value in given for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)
    ]
    return [name if name.endswith(".sql") else texts[name] for name in flat]


def keys_of(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_of(inner)


def test_airflow_masks_no_setting_of_the_pipeline_in_the_logs():
    from airflow.sdk._shared.secrets_masker import should_hide_value_for_key

    variable = next(v for v in example()["variables"] if v["variable_name"] == "pinterest_pipeline")
    keys = list(keys_of(json.loads(variable["variable_value"])))

    assert "warehouse_url_scope" in keys
    assert [key for key in keys if should_hide_value_for_key(key)] == []


def test_every_dag_knows_the_function_that_reads_the_variable(dags):
    from pinterest_pipeline.pipeline_variable import MACROS

    for dag in dags.values():
        assert MACROS.items() <= (dag.user_defined_macros or {}).items(), f"{dag.dag_id}: user_defined_macros=MACROS"
