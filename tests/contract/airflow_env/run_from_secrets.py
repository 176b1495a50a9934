"""In a process of its own: run tasks on an Airflow whose connections and Variable come from Secrets Manager alone.

Prints one JSON line a step: the state of the DAG run, of a task on the warehouse, of a task that lacks its Variable,
and what `airflow connections import` and `airflow variables import` make of the files in the arguments.
"""

import contextlib
import io
import json
import logging
import sys

from airflow.cli import cli_parser
from airflow.models import DagBag
from airflow.models.connection import Connection
from airflow.models.variable import Variable
from airflow.utils.db import initdb
from airflow.utils.session import create_session


def airflow(*arguments: str) -> str:
    """Run a command of Airflow in this process, and return what it printed."""
    printed = io.StringIO()
    options = cli_parser.get_parser().parse_args(arguments)
    with contextlib.redirect_stdout(printed):
        options.func(options)
    return printed.getvalue()


def tell(step: str, value: object) -> None:
    print(f"told {json.dumps([step, value])}", flush=True)


def run_task(dag_id: str, task_id: str) -> str:
    """Run one task by `airflow tasks test`; return its error, empty where there was none."""
    try:
        airflow("tasks", "test", dag_id, task_id, "2018-03-02")
    except Exception as error:  # noqa: BLE001 - whatever it is, the test polls at it
        return f"{type(error).__name__}: {error}"
    return ""


def main(connections_file: str, variables_file: str) -> None:
    logging.disable(logging.WARNING)
    initdb()
    dag_run = DagBag().dags["pinterest_kinesis_streams"].test()
    tell("pinterest_kinesis_streams", {ti.task_id: ti.state for ti in dag_run.get_task_instances()})
    tell("migrate_warehouse", run_task("pinterest_stream_supervisor", "migrate_warehouse"))
    airflow("connections", "import", connections_file)
    airflow("variables", "import", variables_file)
    with create_session() as session:
        stored = {found.conn_id: found for found in session.query(Connection)}
        tell("connections", {name: [c.conn_type, c.host, c.port, c.password] for name, c in stored.items()})
        tell("variable", json.loads(session.query(Variable).one().val))


if __name__ == "__main__":
    main(*sys.argv[1:])
