"""DAG ``pinterest_preflight``: run every check of :mod:`pinterest_pipeline.dag.preflight_checks`, print their table."""

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import task

from pinterest_pipeline.common.compat import task_states
from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag.preflight_checks import Line, check_all, pool_lines

POOL_SECONDS = 60  # in which a task of a pool with a free slot has begun; the scheduler looks every second or so
POOL_POLL_SECONDS = 2
NOT_BEGUN = frozenset({None, "scheduled", "none"})
HEADINGS = ("part", "what", "result", "found, or what to do")

log = logging.getLogger(__name__)


@task
def takes_a_slot() -> bool:
    """Do nothing: a task in a pool that does not exist never begins."""
    return True


@task(multiple_outputs=False)
def check_environment(include: str, pools: Mapping[str, str], var: Any = None, dag_run: Any = None) -> dict[str, int]:
    """Print one line for each thing that the pipeline needs, and fail where one is not as it must be.

    :param include: Folder of what is declared.
    :param pools: By pool, a task of this run in it.
    :returns: ``{"checks": …, "faults": …}``.
    :raises PermanentError: naming every fault with its remedy.
    """
    lines = [*check_all(var, Path(include)), *pool_lines(waited_for(pools, dag_run))]
    log.info("Preflight, %s checks:\n%s", len(lines), table(lines))
    return outcome(lines)


def outcome(lines: Sequence[Line]) -> dict[str, int]:
    """Return the counts, or raise :class:`PermanentError` with the faults."""
    faults = [line for line in lines if not line.ok]
    if faults:
        said = "; ".join(f"{fault.part} {fault.what}: {fault.found}" for fault in faults)
        raise PermanentError(f"{len(faults)} of {len(lines)} checks found a fault: {said}")
    return {"checks": len(lines), "faults": 0}


def table(lines: Sequence[Line]) -> str:
    """Return the lines as columns; the faults come last, where a log is read first."""
    rows = [
        (line.part, line.what, "ok" if line.ok else "FAULT", line.found)
        for line in sorted(lines, key=lambda line: not line.ok)
    ]
    widths = [max(len(row[column]) for row in (HEADINGS, *rows)) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)), row[3]])
        for row in (HEADINGS, *rows)
    )


def waited_for(pools: Mapping[str, str], dag_run: Any) -> dict[str, bool]:
    """Tell of each pool whether the task of this run in it has begun, within :data:`POOL_SECONDS`."""
    deadline = time.monotonic() + POOL_SECONDS
    while True:
        states = task_states(dag_run.dag_id, dag_run.run_id, list(pools.values()))
        begun = {pool: states.get(task_id) not in NOT_BEGUN for pool, task_id in pools.items()}
        if all(begun.values()) or time.monotonic() > deadline:
            return begun
        time.sleep(POOL_POLL_SECONDS)
