"""The whole sandbox, once for all end-to-end tests, and a person's view of it: seed, run, read the answers."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest

from sandbox.data.source.load import seed
from sandbox.demo.demo import BATCH_DAG, WHOLE_HISTORY, ensure_connector, failures, wait_for_dags
from sandbox.demo.report import GOLD_TABLES
from sandbox.run.settings import BUCKET, Settings
from sandbox.servers.airflow.api import AirflowApi
from tests.support.waiting import wait_until

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
RUN_SECONDS = 420
# Hard rows and data sets that follow each other are what these tests are about: the gates have their own
OPEN = {"quarantined_share": {"fail": 1}, "defect_share": {"fail": 1}, "answer_rows_share": {"fail": 0}}
# Each question costs the api-server and PostgreSQL 15 ms of CPU: three a second were most of what it was called for
POLL_SECONDS = 0.5


def eventually(
    condition: Callable[[], Any], what: str, seconds: float = RUN_SECONDS, pause: float = POLL_SECONDS
) -> Any:
    """Return the first true answer of ``condition``, or fail saying what was waited for."""
    return wait_until(condition, seconds, what, pause)


class Pipeline:
    """What a person does with the pipeline, by the public interfaces alone."""

    def __init__(self, settings: Settings, api: AirflowApi) -> None:
        self.settings = settings
        self.api = api

    def seed(self, mode: str, rows: int, seed_number: int) -> None:
        seed(self.settings.postgres_url("pinterest_source"), mode, rows, seed_number)

    def start_batch(self, **conf: str) -> str:
        return self.api.trigger(BATCH_DAG, {**WHOLE_HISTORY, **conf})

    def finish(self, run_id: str, dag_id: str = BATCH_DAG) -> str:
        def ended() -> str | None:
            state = self.api.run_state(dag_id, run_id)
            return state if state in {"success", "failed"} else None

        return str(eventually(ended, f"{run_id} of {dag_id} ends", pause=1))

    def run_batch(self, **conf: str) -> str:
        run_id = self.start_batch(**conf)
        state = self.finish(run_id)
        assert state == "success", failures(self.api, BATCH_DAG, run_id)
        return run_id

    def set_gates(self, gates: dict[str, Any]) -> None:
        self.api.set_variable("pinterest_pipeline", {**self.api.variable("pinterest_pipeline"), "gates": gates})

    def task(self, run_id: str, task_id: str) -> dict[str, Any]:
        return next(t for t in self.api.task_instances(BATCH_DAG, run_id) if t["task_id"] == task_id)

    def wait_for_task(self, run_id: str, task_id: str, *states: str) -> dict[str, Any]:
        def arrived() -> dict[str, Any] | None:
            task = self.task(run_id, task_id)
            return task if task["state"] in states else None

        found: dict[str, Any] = eventually(arrived, f"{task_id} of {run_id} is {' or '.join(states)}")
        return found

    def xcom(self, run_id: str, task_id: str, key: str = "return_value") -> Any:
        return self.api.xcom(BATCH_DAG, run_id, task_id, key)

    def query(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.settings.postgres_url(database), connect_timeout=10) as connection:
            return connection.execute(statement).fetchall()

    def aws(self, service: str) -> Any:
        """Return a client of one of AWS' services, as the AWS CLI would find them."""
        aws = self.settings.aws_environment
        return boto3.client(
            service,
            endpoint_url=aws.get(f"AWS_ENDPOINT_URL_{service.upper()}", aws["AWS_ENDPOINT_URL"]),
            region_name=aws["AWS_REGION"],
            aws_access_key_id=aws["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=aws["AWS_SECRET_ACCESS_KEY"],
        )

    def objects(self, prefix: str) -> list[str]:
        """Return the names of the lake's objects that begin so, at most 1,000."""
        found = self.aws("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for entry in found.get("Contents", ())]

    def run_rows(self, run_id: str, columns: str) -> dict[str, tuple[Any, ...]]:
        """Return what a run's reconciliation wrote down, by table."""
        statement = f"SELECT table_name, {columns} FROM audit.run_rows WHERE run_id = '{run_id}'"
        return {table: tuple(rest) for table, *rest in self.query("pinterest_warehouse", statement)}

    def clear(self, run_id: str, *task_ids: str) -> None:
        """Clear tasks of a batch run, and all that follows them."""
        body = {"dry_run": False, "dag_run_id": run_id, "task_ids": task_ids, "include_downstream": True}
        self.api.call("POST", f"dags/{BATCH_DAG}/clearTaskInstances", json=body)

    def failed_tasks(self, run_id: str) -> set[str]:
        return {t["task_id"] for t in self.api.task_instances(BATCH_DAG, run_id) if t["state"] == "failed"}

    def answers(self) -> dict[str, list[tuple[Any, ...]]]:
        """Schema ``gold`` as the readers see it."""
        return {t: normal(self.query("pinterest_warehouse", f"SELECT * FROM gold.{t}")) for t in GOLD_TABLES}

    def golden(self) -> dict[str, list[tuple[Any, ...]]]:
        """The same answers by plain SQL over the source tables."""
        return {t: normal(self.query("pinterest_source", (GOLDEN / f"{t}.sql").read_text())) for t in GOLD_TABLES}

    def outcomes(self) -> dict[str, tuple[int, int, int, int]]:
        """Bronze, silver, duplicate and quarantined rows of the whole lake, by table; none before the first run."""
        if self.query("pinterest_warehouse", "SELECT to_regclass('audit.lake_rows')") == [(None,)]:
            return {}
        statement = "SELECT table_name, bronze_rows, silver_rows, duplicate_rows, quarantined_rows FROM audit.lake_rows"
        return {name: tuple(rows) for name, *rows in self.query("pinterest_warehouse", statement)}  # type: ignore[misc]


def normal(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Sort rows and write every number one way, so that 2 and 2.0 are the same answer."""
    written = [tuple(float(v) if isinstance(v, int | float | Decimal) else v for v in row) for row in rows]
    return sorted(written, key=repr)


@pytest.fixture(scope="session")
def pipeline(stand_ins: Callable[..., dict[str, str]]) -> Iterator[Pipeline]:
    from tests.support.groups import TEST_HOME

    stand_ins("airflow")
    settings = Settings.load(TEST_HOME)
    assert settings is not None
    with AirflowApi(settings) as api:
        whole = Pipeline(settings, api)
        whole.seed("faithful", 600, 11)  # before unpausing, which starts yesterday's run at once
        wait_for_dags(api)
        ensure_connector(api)
        whole.set_gates(OPEN)
        api.unpause(BATCH_DAG)
        yield whole
