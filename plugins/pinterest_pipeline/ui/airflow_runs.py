"""The last runs of a DAG as Airflow's own database has them; only the api-server may query it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

RUNS = 10
ALERT = "alert"  # fails because something before it has

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """``tasks``: the states of each task's instances, mapped ones together."""

    run_id: str
    state: str
    began: datetime | None = None
    ended: datetime | None = None
    interval_end: datetime | None = None
    tasks: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return self.state in {"success", "failed"}

    def has(self, task_id: str, *states: str) -> bool:
        return any(state in states for state in self.tasks.get(task_id, ()))

    def failed_tasks(self) -> list[str]:
        return sorted(task_id for task_id in self.tasks if self.has(task_id, "failed") and task_id != ALERT)


def ended(run: Run) -> datetime:
    return run.ended or datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Dag:
    """``is_paused`` is None where Airflow knows no such DAG; runs are newest first."""

    dag_id: str
    is_paused: bool | None
    runs: tuple[Run, ...] = ()

    @property
    def newest(self) -> Run | None:
        return self.runs[0] if self.runs else None

    @property
    def last_over(self) -> Run | None:
        """The run that ended last, which need not be the one that was begun last."""
        return max((run for run in self.runs if run.is_over and run.ended), key=ended, default=None)


def read_dags(dag_ids: Sequence[str]) -> dict[str, Dag]:
    # No task runs this, and the api-server has them loaded.
    from airflow.models import DagModel, DagRun, TaskInstance  # noqa: PLC0415, TID251
    from airflow.utils.session import create_session  # noqa: PLC0415
    from sqlalchemy import select  # noqa: PLC0415

    found = {}
    with create_session(scoped=False) as session:
        for dag_id in dag_ids:
            is_paused = session.scalar(select(DagModel.is_paused).where(DagModel.dag_id == dag_id))
            newest = select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.id.desc()).limit(RUNS)
            runs = list(session.scalars(newest))
            tasks: dict[str, dict[str, tuple[str, ...]]] = {run.run_id: {} for run in runs}
            instances = select(TaskInstance.run_id, TaskInstance.task_id, TaskInstance.state).where(
                TaskInstance.dag_id == dag_id, TaskInstance.run_id.in_([run.run_id for run in runs])
            )
            for run_id, task_id, state in session.execute(instances):
                of_run = tasks[run_id]
                of_run[task_id] = (*of_run.get(task_id, ()), str(state or "none"))
            found[dag_id] = Dag(
                dag_id,
                is_paused,
                tuple(
                    Run(
                        run.run_id, str(run.state), run.start_date, run.end_date, run.data_interval_end,
                        tasks[run.run_id],
                    )
                    for run in runs
                ),
            )  # fmt: skip
    return found
