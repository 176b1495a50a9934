"""The policy of the DAGs: what every DAG and task keeps, and what to do about one that does not.

A new DAG is held to it without a change here. The values that a team may want to change stand at the top.
"""

import inspect
from datetime import timedelta
from pathlib import Path

from pinterest_pipeline.dag.defaults import NO_BACKFILL

OWNERS = {"data-platform"}
TAG = "pinterest"
SECTIONS = ("What", "Reads", "Writes", "Schedule", "Backfill", "Triage notes")
TIMETABLES = {"CronDataIntervalTimetable", "CronTriggerTimetable", "NullTimetable"}
LONGEST_TASK = timedelta(hours=6)
NEVER_RETRIED = {("pinterest_sink_connector", "alert")}  # it only says that something else failed


def test_every_dag_is_a_runbook(dags, expect_none):
    broken = {
        name: [section for section in SECTIONS if f"**{section}.**" not in (dag.doc_md or "")]
        for name, dag in dags.items()
    }

    expect_none(
        [f"{name} does not say {', '.join(missing)}" for name, missing in broken.items() if missing],
        "Write `**What.** …` and so on into the file's docstring, and pass doc_md=__doc__",
    )


def test_every_dag_has_the_tag(dags, expect_none):
    expect_none([name for name, dag in dags.items() if TAG not in dag.tags], f"Add {TAG!r} to the DAG's tags")


def test_no_dag_runs_beside_itself(dags, expect_none):
    expect_none(
        [f"{name}: {dag.max_active_runs}" for name, dag in dags.items() if dag.max_active_runs != 1],
        "Set max_active_runs=1: two runs would write the same tables at once",
    )


def test_every_dag_run_ends_after_its_slowest_task_could(dags, expect_none):
    broken = [
        name
        for name, dag in dags.items()
        if not dag.dagrun_timeout
        or dag.dagrun_timeout <= max(task.execution_timeout or LONGEST_TASK for task in dag.tasks)
    ]

    expect_none(broken, "Set dagrun_timeout, longer than the longest execution_timeout of the DAG's tasks")


def test_every_dag_says_catchup_itself(dags, expect_none):
    silent = [name for name, dag in dags.items() if "catchup=False" not in Path(dag.fileloc).read_text() or dag.catchup]

    expect_none(
        silent, "Write catchup=False into the DAG: its default is a setting of the environment; backfill on purpose"
    )


def test_a_pointless_backfill_is_refused(dags, expect_none):
    """By Airflow itself where a DAG has no schedule; ``NO_BACKFILL`` is empty before Airflow 3.2."""
    open_to_it = [
        name
        for name, dag in dags.items()
        if "**Backfill.** Pointless" in dag.doc_md and dag.schedule is not None and NO_BACKFILL
        and (not dag.allowed_run_types or "backfill" in dag.allowed_run_types)
    ]  # fmt: skip

    expect_none(open_to_it, "Give the DAG **NO_BACKFILL, of pinterest_pipeline.dag.defaults")


def test_every_dag_has_a_named_timetable(dags, expect_none):
    kinds = {name: type(dag.timetable).__name__ for name, dag in dags.items()}
    texts = {name: dag.schedule for name, dag in dags.items() if isinstance(dag.schedule, str)}

    expect_none(
        [f"{name}: {kind}" for name, kind in (kinds | texts).items() if name in texts or kind not in TIMETABLES],
        "Give schedule= a timetable (a text such as @daily means another interval where a setting differs), or None",
    )


def test_every_start_date_is_fixed_and_aware_of_its_zone(dags, expect_none):
    from pinterest_pipeline.dag.defaults import START

    expect_none(
        [f"{name}: {dag.start_date}" for name, dag in dags.items() if dag.start_date != START],
        "Set start_date=START of pinterest_pipeline.dag.defaults; one that moves makes a DAG version a parse",
    )


def test_every_dag_knows_the_function_that_reads_the_variable(dags, expect_none):
    from pinterest_pipeline.dag.settings import MACROS

    expect_none(
        [name for name, dag in dags.items() if not MACROS.items() <= (dag.user_defined_macros or {}).items()],
        "Set user_defined_macros=MACROS of pinterest_pipeline.dag.settings",
    )


def test_every_task_has_an_owner(tasks, expect_none):
    expect_none(
        [f"{where(task)}: {task.owner}" for task in tasks if task.owner not in OWNERS],
        "Set default_args=DEFAULT_ARGS of pinterest_pipeline.dag.defaults, or name the team in OWNERS of this file",
    )


def test_every_task_is_tried_again_with_growing_pauses(tasks, expect_none):
    broken = [
        where(task)
        for task in tasks
        if not (task.retries or (task.dag_id, task.task_id) in NEVER_RETRIED)
        or not task.retry_exponential_backoff
        or not task.max_retry_delay
    ]

    expect_none(broken, "Set retries (at least 1), retry_exponential_backoff and max_retry_delay, as DEFAULT_ARGS does")


def test_every_task_has_a_limit_of_time(tasks, expect_none):
    expect_none(
        [where(task) for task in tasks if not task.execution_timeout or task.execution_timeout > LONGEST_TASK],
        f"Set execution_timeout, at most {LONGEST_TASK}",
    )


def test_every_dag_raises_an_alarm_where_a_run_misses_its_time():
    files = sorted((Path(__file__).resolve().parents[2] / "dags").glob("pinterest_*.py"))

    assert [file.name for file in files if "**ends_within(" not in file.read_text()] == []


def test_every_failed_task_raises_the_alarm(tasks, expect_none):
    expect_none(
        [where(task) for task in tasks if not argument(task, "on_failure_callback")],
        "Set default_args=DEFAULT_ARGS of pinterest_pipeline.dag.defaults, and no on_failure_callback=None",
    )


def test_whatever_can_wait_in_the_triggerer_does(tasks, expect_none):
    from airflow.sdk import BaseSensorOperator

    sensors = [task for task in tasks if isinstance(task, BaseSensorOperator)]
    can = [task for task in tasks if "deferrable" in inspect.signature(operator_of(task).__init__).parameters]

    assert len(sensors) >= 5
    expect_none(
        [where(task) for task in [*sensors, *can] if not argument(task, "deferrable")],
        "Set deferrable=True: a task that waits in a worker's slot keeps others from working",
    )


def test_every_sensor_gives_up_before_its_task_is_killed(tasks, expect_none):
    from airflow.sdk import BaseSensorOperator

    sensors = [task for task in tasks if isinstance(task, BaseSensorOperator) and task.execution_timeout]

    expect_none(
        [where(sensor) for sensor in sensors if sensor.timeout > sensor.execution_timeout.total_seconds()],
        "Set the sensor's timeout (seconds) to no more than its execution_timeout, so that it can say why it gave up",
    )


def test_no_trigger_is_written_in_a_dag_file(parsed, expect_none):
    from airflow.triggers.base import BaseTrigger

    def below(owner):
        return {*owner.__subclasses__(), *(deeper for child in owner.__subclasses__() for deeper in below(child))}

    expect_none(
        [trigger.__name__ for trigger in below(BaseTrigger) if trigger.__module__.startswith("unusual_prefix_")],
        "Move it into plugins/pinterest_pipeline/triggers/: the triggerer never has the DAG folder on its path",
    )


def where(task):
    return f"{task.dag_id}.{task.task_id}"


def argument(task, name):
    """What a task was given, mapped or not."""
    return getattr(task, "partial_kwargs", {}).get(name) if task.is_mapped else getattr(task, name, None)


def operator_of(task):
    return task.operator_class if task.is_mapped else type(task)
