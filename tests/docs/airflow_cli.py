"""Run commands of ``airflow`` in one process, each against a metadata database that knows our DAGs and nothing else.

Started in the Airflow environment; reads a JSON list of ``{"words", "is_mention"}``, prints a JSON list of problems.
"""

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from typing import Any

from airflow.cli.cli_parser import get_parser
from airflow.models import DagRun
from airflow.models.backfill import Backfill, BackfillDagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils.session import create_session

# Those that only write into the metadata database are run; the others are read by Airflow's own parser.
RUN = {
    ("dags", "trigger"), ("dags", "unpause"), ("dags", "pause"), ("dags", "list"), ("dags", "list-import-errors"),
    ("backfill", "create"), ("connections", "add"), ("pools", "import"), ("variables", "set"), ("variables", "import"),
}  # fmt: skip
CREATES_RUNS = {("dags", "trigger"), ("backfill", "create")}


def problem(words: list[str], is_mention: bool) -> str | None:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            arguments = get_parser().parse_args(words)
    except SystemExit as stopped:
        last = said.getvalue().strip().rsplit("\n", 1)[-1]
        is_excused = is_mention and "arguments are required" in last
        return None if is_excused or not stopped.code else last
    verb = tuple(words[:2])
    if verb not in RUN or (is_mention and len(words) == 2) or is_of_the_reader(words):
        return None
    return failure(verb, arguments)


def is_of_the_reader(words: list[str]) -> bool:
    """Say whether a command imports a file that its reader makes: one that is named without a folder."""
    return words[1] == "import" and "/" not in words[2]


def unknown_params(arguments: Any) -> str | None:
    """Name what ``--conf`` sets although the DAG has no such param: Airflow would take and ignore it."""
    conf = json.loads(getattr(arguments, "conf", None) or getattr(arguments, "dag_run_conf", None) or "{}")
    if not conf:
        return None
    dag = SerializedDagModel.get_dag(arguments.dag_id)
    unknown = sorted(conf.keys() - (dag.params.keys() if dag else set()))
    return f"{arguments.dag_id} has no param {', '.join(unknown)}" if unknown else None


def failure(verb: tuple[str, ...], arguments: Any) -> str | None:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            if found := unknown_params(arguments):
                return found
            arguments.func(arguments)
    except SystemExit as stopped:
        return str(stopped.code) if stopped.code else None
    except Exception as error:  # noqa: BLE001 - whatever a documented command raises is what its reader would see
        return f"{type(error).__name__}: {error}"
    finally:
        created = forget_runs()
    return None if created or verb not in CREATES_RUNS else f"created no run: {said.getvalue()[-300:]}"


def forget_runs() -> int:
    with create_session() as session:
        session.query(BackfillDagRun).delete()
        created = session.query(DagRun).delete()
        session.query(Backfill).delete()
    return int(created)


def prepare() -> Iterator[str]:
    for words in (["db", "migrate"], ["dags", "reserialize"], ["pools", "import", "include/airflow/pools.json"]):
        arguments = get_parser().parse_args(words)
        arguments.func(arguments)
        yield words[0]


def main() -> None:
    commands = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        list(prepare())
        problems = [problem(command["words"], command["is_mention"]) for command in commands]
    print(json.dumps(problems))


if __name__ == "__main__":
    main()
