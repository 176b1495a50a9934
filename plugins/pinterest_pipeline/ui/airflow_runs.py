"""The last runs of a DAG as Airflow's own database has them; only the api-server may query it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

RUNS = 10
DAYS = 2  # whose runs decide what the tile says
OF_A_DAY = ("scheduled", "backfill")  # types of runs that do the work of their interval; one by hand does any work
ALERT = "alert"  # fails because something before it has

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """``tasks``: the states of each task's instances, mapped ones together, by their map index."""

    run_id: str
    state: str
    began: datetime | None = None
    ended: datetime | None = None
    interval_end: datetime | None = None
    tasks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    run_type: str = "scheduled"
    dag_id: str = ""
    mapped: frozenset[str] = frozenset()
    interval_start: datetime | None = None

    @property
    def is_over(self) -> bool:
        return self.state in {"success", "failed"}

    def has(self, task_id: str, *states: str) -> bool:
        return any(state in states for state in self.tasks.get(task_id, ()))

    def failed_tasks(self) -> list[str]:
        return sorted(task_id for task_id in self.tasks if self.has(task_id, "failed") and task_id != ALERT)

    @property
    def path(self) -> str:
        """Where Airflow's UI has the run, below its address; an id may hold anything."""
        return f"dags/{quote(self.dag_id, safe='')}/runs/{quote(self.run_id, safe='')}"

    def task_path(self, task_id: str) -> str:
        """Where Airflow's UI has the log of a task: of the first failed instance of a mapped one."""
        states = self.tasks.get(task_id, ())
        instance = f"/mapped/{states.index('failed') if 'failed' in states else 0}" if task_id in self.mapped else ""
        return f"{self.path}/tasks/{quote(task_id, safe='')}{instance}"

    def failure_path(self) -> str:
        """Where to look first: at the log of what failed, or at the run where no task did."""
        failed = self.failed_tasks()
        return self.task_path(failed[0]) if failed else self.path


def ended(run: Run) -> datetime:
    return run.ended or datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Dag:
    """``is_paused`` is None where Airflow knows no such DAG; runs are newest first.

    :param days: The runs of the newest data intervals, newest first, whatever was run in between. A backfill that
        repeats a day takes over its run.
    :param next_run_after: When the scheduler was to begin the next day's run; None where it plans none.
    """

    dag_id: str
    is_paused: bool | None
    runs: tuple[Run, ...] = ()
    days: tuple[Run, ...] = ()
    next_run_after: datetime | None = None

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
            model = session.scalar(select(DagModel).where(DagModel.dag_id == dag_id))
            runs = select(DagRun).where(DagRun.dag_id == dag_id)
            of_days = runs.where(DagRun.run_type.in_(OF_A_DAY), DagRun.data_interval_end.is_not(None))
            newest = list(session.scalars(runs.order_by(DagRun.id.desc()).limit(RUNS)))
            days = list(session.scalars(of_days.order_by(DagRun.data_interval_end.desc()).limit(DAYS)))
            instances = (
                select(TaskInstance.run_id, TaskInstance.task_id, TaskInstance.state, TaskInstance.map_index)
                .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id.in_({run.run_id for run in newest + days}))
                .order_by(TaskInstance.map_index)
            )
            tasks: dict[str, dict[str, tuple[str, ...]]] = {}
            mapped: dict[str, set[str]] = {}
            for run_id, task_id, state, map_index in session.execute(instances):
                of_run = tasks.setdefault(run_id, {})
                of_run[task_id] = (*of_run.get(task_id, ()), str(state or "none"))
                if map_index >= 0:
                    mapped.setdefault(run_id, set()).add(task_id)
            found[dag_id] = Dag(
                dag_id,
                model.is_paused if model else None,
                tuple(as_run(run, tasks, mapped) for run in newest),
                tuple(as_run(run, tasks, mapped) for run in days),
                model.next_dagrun_create_after if model else None,
            )
    return found


def as_run(
    run: Any,
    tasks: Mapping[str, dict[str, tuple[str, ...]]] | None = None,
    mapped: Mapping[str, set[str]] | None = None,
) -> Run:
    """Return a run of Airflow's database, with its tasks where they were read."""
    return Run(
        run.run_id, str(run.state), run.start_date, run.end_date, run.data_interval_end,
        (tasks or {}).get(run.run_id, {}), str(run.run_type), run.dag_id,
        frozenset((mapped or {}).get(run.run_id, ())), run.data_interval_start,
    )  # fmt: skip


def read_days(dag_id: str, since: datetime) -> list[Run]:
    """Return the runs of the data intervals that begin from ``since`` on, oldest first, without their tasks."""
    from airflow.models import DagRun  # noqa: PLC0415, TID251 - as above
    from airflow.utils.session import create_session  # noqa: PLC0415
    from sqlalchemy import select  # noqa: PLC0415

    of_days = (
        select(DagRun)
        .where(DagRun.dag_id == dag_id, DagRun.run_type.in_(OF_A_DAY), DagRun.data_interval_start >= since)
        .order_by(DagRun.data_interval_start, DagRun.id)
    )
    with create_session(scoped=False) as session:
        return [as_run(run) for run in session.scalars(of_days)]


def unavailable(error: Exception, now: datetime) -> dict[str, Any]:
    """Return a panel that says why Airflow's own database could not be read."""
    log.error("The page could not read Airflow's database", exc_info=error)
    why = f"Airflow's own database does not answer ({type(error).__name__})."
    return {"state": "unavailable", "now": now, "why": why, "remedy": "Read the log of the api-server."}
