"""The files beside the DAGs agree with them: SQL, pools, and the example of what an Airflow has to be told."""

import json
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parents[2]
SQL = PROJECT / "include" / "sql"
EXAMPLE = "airflow_settings.example.yaml"
READ_BY_PYTHON = {
    *(
        f"audit/record_{name}.sql"
        for name in (
            "known_gap",
            "lake_rows",
            "partition_offsets",
            "redriven_rows",
            "run_rows",
        )
    ),
    *(f"audit/{name}.sql" for name in ("known_gaps", "redriven_rows", "seen_offsets")),
    *(f"emulation/{name}.sql" for name in ("ids", "pin", "geo", "user")),
}


def example():
    return yaml.safe_load((PROJECT / EXAMPLE).read_text())["airflow"]


def test_every_pool_is_in_the_file_of_pools(tasks, expect_none):
    pools = json.loads((PROJECT / "include" / "airflow" / "pools.json").read_text())
    used = {task.pool for task in tasks} - {"default_pool"}

    expect_none(used - set(pools), "Add the pool to include/airflow/pools.json; a task in an unknown pool never starts")
    expect_none(set(pools) - used, "No task is in this pool: take it out of include/airflow/pools.json")


def test_the_example_has_the_pools_of_the_file():
    pools = json.loads((PROJECT / "include" / "airflow" / "pools.json").read_text())

    assert {
        pool["pool_name"]: (pool["pool_slot"], pool.get("pool_include_deferred", False)) for pool in example()["pools"]
    } == {name: (pool["slots"], pool["include_deferred"]) for name, pool in pools.items()}, f"correct {EXAMPLE}"


def test_every_connection_is_in_the_example(tasks, expect_none):
    known = {connection["conn_id"] for connection in example()["connections"]}
    used = {value for task in tasks for value in connections_of(task)}

    assert {"pinterest_warehouse", "pinterest_databricks", "aws_default"} <= used
    expect_none(used - known, f"Add the connection to {EXAMPLE} and to sandbox/servers/airflow/connections.py")


def test_the_example_holds_no_secret(expect_none):
    expect_none(
        [c["conn_id"] for c in example()["connections"] if c["conn_password"] is not None],
        f"Take the password out of {EXAMPLE} and change it where it is in use",
    )


def test_every_database_task_takes_its_sql_from_files(tasks, expect_none):
    found = [name for task in tasks for name in sql_names(task)]

    assert len(found) >= 5  # the answers' tables follow from their declarations, the other tables from migrations
    expect_none({name for name in found if not (SQL / name).is_file()}, "Put the statement into a file of include/sql")


def test_every_sql_file_is_used(tasks, expect_none):
    by_tasks = {name for task in tasks for name in sql_names(task)}
    checks = {path.relative_to(SQL).as_posix() for path in (SQL / "checks").glob("*.sql")}
    reading = ("PostgresMigrateOperator", "PostgresPublishAnswersOperator")
    folders = {Path(task.folder) for task in tasks if task.task_type in reading}
    in_folders = {path.relative_to(SQL).as_posix() for folder in folders for path in folder.glob("*.sql")}
    written = {path.relative_to(SQL).as_posix() for path in SQL.rglob("*.sql")}

    expect_none(
        written - by_tasks - checks - in_folders - READ_BY_PYTHON, "No task runs it: delete it, or name its reader here"
    )


def test_airflow_masks_no_setting_of_the_pipeline_in_the_logs(expect_none):
    try:
        from airflow.sdk._shared.secrets_masker import should_hide_value_for_key
    except ImportError:  # Airflow 3.0
        from airflow.sdk.execution_time.secrets_masker import should_hide_value_for_key

    variable = next(v for v in example()["variables"] if v["variable_name"] == "pinterest_pipeline")
    keys = list(keys_of(json.loads(variable["variable_value"])))

    assert "warehouse_url_scope" in keys
    expect_none(
        [key for key in keys if should_hide_value_for_key(key)],
        "Name the key otherwise: Airflow would put *** for its value in every log",
    )


def connections_of(task):
    """Every argument of the task that names a connection, mapped or not."""
    given = {**getattr(task, "partial_kwargs", {}), **vars(task)}
    return {v for name, v in given.items() if name.endswith("conn_id") and isinstance(v, str) and v}


def sql_names(task):
    """The names that the DAG file gave, whether Airflow has put the files' text in their place already or not."""
    texts = {path.read_text(): path.relative_to(SQL).as_posix() for path in SQL.rglob("*.sql")}
    given = [getattr(task, "sql", None)]
    if task.is_mapped:
        mapped = task.expand_input.value if isinstance(task.expand_input.value, list) else []
        given = [arguments["sql"] for arguments in (*mapped, task.partial_kwargs) if "sql" in arguments]
    flat = [
        text for value in given for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)
    ]
    return [name if name.endswith(".sql") else texts.get(name, f"{task.task_id}: {name[:60]}") for name in flat]


def keys_of(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_of(inner)
