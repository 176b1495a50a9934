"""Run by Airflow's Python, not by pytest: the page's application by itself, on the port of the first argument.

Airflow's own database holds the runs of the second argument, a JSON list; where it is missing, there is no database.
Who asks is not asked here: tests/unit and tests/e2e see to sessions.
"""

import json
import sys
from datetime import datetime
from typing import Any
from uuid import uuid4

import uvicorn
from airflow.models import DagModel, DagRun, TaskInstance, import_all_models
from airflow.models.base import Base
from airflow.models.dagbundle import DagBundleModel
from airflow.utils.session import create_session

from pinterest_pipeline.ui.airflow_runs import OF_A_DAY
from pinterest_pipeline.ui.routes import PANELS, page, reader


def create_database(runs: list[dict[str, Any]]) -> None:
    with create_session() as session:
        import_all_models()
        Base.metadata.create_all(session.get_bind())
        session.add(DagBundleModel(name="dags"))
        session.flush()
        for dag_id in {run["dag_id"] for run in runs}:
            session.add(DagModel(dag_id=dag_id, is_paused=False, bundle_name="dags"))
        session.flush()
        for run in runs:
            times = {name: datetime.fromisoformat(run[name]) for name in ("start_date", "end_date", "interval_end")}
            start, end = datetime.fromisoformat(run["interval_start"]), times.pop("interval_end")
            session.add(
                DagRun(
                    dag_id=run["dag_id"], run_id=run["run_id"], run_type=run["run_type"], state=run["state"],
                    logical_date=end if run["run_type"] in OF_A_DAY else times["start_date"],
                    data_interval=(start, end), run_after=end, start_date=times["start_date"],
                )
            )  # fmt: skip
            session.flush()
            session.query(DagRun).filter_by(run_id=run["run_id"]).update({"end_date": times["end_date"]})
            for task_id, state in run["tasks"].items():
                session.execute(
                    TaskInstance.__table__.insert().values(
                        id=uuid4(), dag_id=run["dag_id"], run_id=run["run_id"], task_id=task_id, map_index=-1,
                        state=state, pool="default_pool", pool_slots=1,
                    )
                )  # fmt: skip


if len(sys.argv) > 2:
    create_database(json.loads(sys.argv[2]))
for panel in PANELS.values():
    panel.seconds = 0.0  # the tests change the warehouse between two requests
page.dependency_overrides[reader] = lambda: None
uvicorn.run(page, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
