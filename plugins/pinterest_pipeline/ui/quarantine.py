"""What was put aside instead of being loaded: by reason, with samples where the warehouse has the records."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pinterest_pipeline.ui.warehouse import Query, Rows, answer

SAMPLES = 3  # a reason
SAMPLE_CHARACTERS = 400
SEARCHED = 5_000  # newest records in which samples are looked for
QUERIES = {
    "reasons": Query(
        "stream.quarantine",
        """
        SELECT stream, reject_reason, count(*) AS rows, max(committed_at) AS newest
        FROM stream.quarantine GROUP BY stream, reject_reason ORDER BY rows DESC, stream, reject_reason LIMIT 50
        """,
    ),
    "samples": Query(
        "stream.quarantine",
        """
        WITH newest AS (
            SELECT * FROM stream.quarantine ORDER BY committed_at DESC LIMIT %(searched)s
        ), numbered AS (
            SELECT *, row_number() OVER (PARTITION BY stream, reject_reason ORDER BY committed_at DESC) AS place
            FROM newest
        )
        SELECT stream, reject_reason, shard_id, sequence_number::text AS sequence_number, committed_at,
            left(payload, %(characters)s) AS payload, length(payload) AS characters
        FROM numbered WHERE place <= %(samples)s ORDER BY committed_at DESC, sequence_number DESC
        """,
        {"searched": SEARCHED, "characters": SAMPLE_CHARACTERS, "samples": SAMPLES},
    ),
    "lake": Query(
        "audit.lake_rows",
        "SELECT table_name, quarantine_reasons, defects, recorded_at FROM audit.lake_rows ORDER BY table_name",
    ),
}


def panel() -> dict[str, Any]:
    return answer(QUERIES, shape)


def shape(found: Mapping[str, Rows | None], _now: datetime) -> dict[str, Any]:
    samples = found["samples"] or []
    lake = found["lake"]
    return {
        "stream": [
            {**reason, "samples": [sample for sample in samples if is_of(sample, reason)]}
            for reason in found["reasons"] or []
        ],
        "has_stream": found["reasons"] is not None,
        "batch": by_count(lake, "quarantine_reasons", "reject_reason"),
        "defects": by_count(lake, "defects", "column"),
        "has_batch": bool(lake),
    }


def is_of(sample: Mapping[str, Any], reason: Mapping[str, Any]) -> bool:
    return all(sample[column] == reason[column] for column in ("stream", "reject_reason"))


def by_count(lake: Rows | None, column: str, name: str) -> list[dict[str, Any]]:
    """Return the counts that ``audit.lake_rows`` keeps as JSON, greatest first."""
    listed = [
        {"table_name": row["table_name"], name: key, "rows": rows}
        for row in lake or []
        for key, rows in (row[column] or {}).items()
    ]
    return sorted(listed, key=lambda entry: (-entry["rows"], entry["table_name"], entry[name]))
