"""The gate between silver and publishing: how many of a run's records were rejected or lost a value; how old it is."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from airflow.sdk import task

from pinterest_pipeline.common.errors import PermanentError
from pinterest_pipeline.dag.window import Window
from pinterest_pipeline.warehouse.gates import (
    DEFECTS,
    FEWEST_RECORDS,
    FRESHNESS,
    QUARANTINED,
    Limits,
    freshness,
    read_gates,
)

log = logging.getLogger(__name__)


class Validated(TypedDict):
    """What silver found in the records of one table since the run began to send.

    ``defects`` has records by column; ``samples`` up to three records by column, or of those in quarantine by ``*``.
    """

    records: int
    quarantined: int
    defects: Mapping[str, int]
    samples: Mapping[str, Sequence[str]]


@task(multiple_outputs=False)
def check_quality(
    silver: Mapping[str, Any],
    *,
    gates: Any,
    source_counts: Sequence[Sequence[Any]] = (),
    window: Window | None = None,
) -> dict[str, Validated]:
    """Fail where more of the run's records than the limits allow were rejected, or lost the value of a column.

    Fail too where a table's newest post is long before the end of the run's data interval. A window that a person gave
    may end anywhere: its freshness is not checked.

    :param source_counts: Result of ``count_source_rows``.
    """
    try:
        limits = read_gates(gates)
    except ValueError as error:
        raise PermanentError(
            f"Variable pinterest_pipeline, gates: {error}: correct it, see docs/connections.md."
        ) from error
    validated: dict[str, Validated] = dict(silver.get("validated", {}))
    warnings, problems = quality(validated, quarantined=limits[QUARANTINED], defects=limits[DEFECTS])
    stale: list[str] = []
    if window is not None and not window["include_undated"]:
        old, stale = freshness(source_counts, window["window_end"], limits[FRESHNESS])
        warnings += old
    for warning in warnings:
        log.warning(warning)
    if stale:
        problems += [*stale, "Fill the source and run this interval again."]
    if problems:
        raise PermanentError(
            f"Nothing was published, readers keep the last answers. {' '.join(problems)} Correct the producer and send "
            "again, or the cleaning rule and run pinterest_reprocess; where the records are as they should be, raise "
            "the limit in `gates` of the Variable and clear this task."
        )
    return validated


def quality(validated: Mapping[str, Validated], *, quarantined: Limits, defects: Limits) -> tuple[list[str], list[str]]:
    """Return warnings and problems, one sentence each, with table, column, share, limit and samples."""
    warnings: list[str] = []
    problems: list[str] = []
    for table, found in sorted(validated.items()):
        counts = [(f"{table}", found["quarantined"], "are in quarantine", QUARANTINED, quarantined, "*")]
        counts += [
            (f"{table}.{column}", count, "have no usable value", DEFECTS, defects, column)
            for column, count in sorted(found["defects"].items())
        ]
        for where, count, what, name, limits, key in counts:
            share = count / found["records"] if found["records"] else 0.0
            is_failure = share > limits.fail and count >= FEWEST_RECORDS
            if not is_failure and share <= limits.warn:
                continue
            limit = f"limit {limits.fail:g}" if is_failure else f"warned above {limits.warn:g}"
            samples = "".join(f" {sample}" for sample in found["samples"].get(key, ()))
            sentence = f"{where}: {count:,} of {found['records']:,} records {what} ({name} {share:.2g}, {limit})"
            (problems if is_failure else warnings).append(f"{sentence}{', such as' if samples else ''}{samples}.")
    return warnings, problems
